//! Reads just as much of an HTTP/1.1 response as a load generator needs: status, length, keep-alive, body.

/// Headers looked at in one response; more than that is malformed for us.
const HEADERS_MAX: usize = 64;
/// Longest body accepted, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One whole response: its body is what lies between `head_bytes` and `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub keep_alive: bool,
    pub head_bytes: usize,
    pub bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes are needed: at least so many in all, as far as is known.
    Partial(usize),
    Whole(Answer),
}

/// Status line and headers of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub keep_alive: bool,
    /// The body comes in pieces, each with its own length.
    pub chunked: bool,
    /// Bytes of the body, if they are known.
    length: Option<usize>,
    pub bytes: usize,
}

/// Parses the head of the response at the start of `buffer`, if it is whole. The error is a word for the tally.
pub fn parse_head(buffer: &[u8]) -> Result<Option<Head>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let bytes = match response.parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("malformed_response"),
    };
    let status = response.code.unwrap_or_default();
    let (mut keep_alive, mut chunked) = (response.version == Some(1), false);
    let mut length = (status == 204 || status == 304).then_some(0);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") && length.is_none() {
            let text = std::str::from_utf8(header.value).map_err(|_| "malformed_response")?;
            length = Some(text.trim().parse::<usize>().map_err(|_| "malformed_response")?);
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = !header.value.eq_ignore_ascii_case(b"close");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = header.value.eq_ignore_ascii_case(b"chunked");
        }
    }
    Ok(Some(Head { status, keep_alive, chunked, length, bytes }))
}

/// Parses the response at the start of `buffer`. The error is a word for the tally.
pub fn parse(buffer: &[u8]) -> Result<Parsed, &'static str> {
    let Some(head) = parse_head(buffer)? else { return Ok(Parsed::Partial(buffer.len() + 1)) };
    let length = head.length.ok_or("response_without_length")?;
    if length > BODY_BYTES_MAX {
        return Err("response_too_long");
    }
    let bytes = head.bytes + length;
    if buffer.len() < bytes {
        return Ok(Parsed::Partial(bytes));
    }
    Ok(Parsed::Whole(Answer { status: head.status, keep_alive: head.keep_alive, head_bytes: head.bytes, bytes }))
}

/// The text member of a JSON object whose name ends in `name`, found without parsing it: for short bodies of known shape.
pub fn text_member<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(body, name.as_bytes())?;
    let rest = body.get(at + name.len()..)?.strip_prefix(b"\":\"")?;
    let end = memchr::memchr(b'"', rest)?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOLD_OUT: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 19\r\n\r\n{\"code\":\"sold_out\"}";

    #[test]
    fn whole_and_partial_responses_are_told_apart() {
        let Ok(Parsed::Whole(answer)) = parse(SOLD_OUT) else { panic!("not whole") };
        assert_eq!((answer.status, answer.keep_alive, answer.bytes), (400, true, SOLD_OUT.len()));
        assert_eq!(text_member(&SOLD_OUT[answer.head_bytes..], "\"code"), Some(&b"sold_out"[..]));
        assert_eq!(parse(&SOLD_OUT[..SOLD_OUT.len() - 1]), Ok(Parsed::Partial(SOLD_OUT.len())));
        assert_eq!(parse(&SOLD_OUT[..10]), Ok(Parsed::Partial(11)));
    }

    #[test]
    fn a_connection_about_to_close_is_noticed() {
        let Ok(Parsed::Whole(answer)) = parse(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n") else {
            panic!("not whole")
        };
        assert!(!answer.keep_alive);
    }

    #[test]
    fn nonsense_is_an_error() {
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n\r\n"), Err("malformed_response"));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n\r\n"), Err("response_without_length"));
    }
}
