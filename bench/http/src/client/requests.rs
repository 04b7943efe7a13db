//! Requests as the bytes that go on the wire, one after another in one buffer: nothing is rendered under load.

use std::time::Duration;

/// Rendered requests, addressed by their number.
#[derive(Default)]
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    pub fn push(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of request `number`; empty when there is no such request.
    pub fn get(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends.get(number - 1).copied().unwrap_or_default() };
        self.ends.get(number).map_or(&[], |end| &self.bytes[start..*end])
    }
}

impl FromIterator<Vec<u8>> for Requests {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(rendered: I) -> Self {
        let mut requests = Self::default();
        for request in rendered {
            requests.push(&request);
        }
        requests
    }
}

/// A `GET` without a body.
pub fn get(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\r\n").into_bytes()
}

/// A `GET` as the bearer of `token`.
pub fn get_as(host: &str, path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// A `POST` of a JSON body, as the bearer of `token` when there is one.
pub fn post(host: &str, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let authorization = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    post_with(host, path, &authorization, body)
}

/// A `POST` that asks the server to answer with the outcome, if it is known in time.
pub fn post_waiting(host: &str, path: &str, token: &str, body: &str, wait: Duration) -> Vec<u8> {
    let headers = format!("authorization: Bearer {token}\r\nprefer: wait={}\r\n", wait.as_secs());
    post_with(host, path, &headers, body)
}

fn post_with(host: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n{headers}content-type: \
         application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back_as_they_went_in() {
        let requests: Requests = [b"one".to_vec(), b"three".to_vec()].into_iter().collect();
        assert_eq!((requests.len(), requests.get(0), requests.get(1)), (2, &b"one"[..], &b"three"[..]));
        assert!(requests.get(2).is_empty());
    }
}
