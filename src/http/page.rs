//! The page: the files that web/ is built into, served from the binary's own bytes. Their names carry a hash of their
//! content, so a browser keeps them for ever; only the document itself is asked for again.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::body::in_pieces;
use super::etag::IfNoneMatch;
use super::problem::Problem;

/// What `npm run build` left in web/dist when the binary was built; each file has its compressed forms beside it.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

const DOCUMENT: &str = "index.html";
/// Addresses that the page's own router shows (web/src/app/App.tsx).
const SCREENS: [&str; 5] = ["/sale", "/sign-in", "/sign-up", "/my-orders", "/admin"];

/// Nothing from another host, no inline script, no inline style, in nobody's frame.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The same for the API's documentation, whose styles and pictures are in its scripts.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Whatever is not a route of the API: a file of the page, one of its screens, or nothing.
///
/// # Errors
/// 404, as the page's own screen for a browser that navigates; 405.
pub async fn serve(known: IfNoneMatch, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path();
    let file = path.trim_start_matches('/');
    let is_screen = path == "/" || SCREENS.iter().any(|screen| is_under(path, screen));
    let status = if is_screen { StatusCode::OK } else { StatusCode::NOT_FOUND };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return if is_screen { Ok(only_read()) } else { Err(Problem::of_status(status)) };
    }
    if !is_screen && file != DOCUMENT && Files::get(file).is_some() {
        return Ok(send(file, StatusCode::OK, request.headers(), &known));
    }
    if is_screen || accepts(request.headers(), &header::ACCEPT, "text/html") {
        return Ok(document(status, request.headers(), &known));
    }
    Err(Problem::of_status(StatusCode::NOT_FOUND))
}

fn only_read() -> Response {
    let mut response = Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn is_under(path: &str, screen: &str) -> bool {
    path.strip_prefix(screen).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn document(status: StatusCode, headers: &HeaderMap, known: &IfNoneMatch) -> Response {
    let mut response = if Files::get(DOCUMENT).is_some() {
        send(DOCUMENT, status, headers, known)
    } else {
        (status, "The page was not built into this binary: run `make build`. The API is at /docs/.\n").into_response()
    };
    guard(&mut response, CONTENT_SECURITY_POLICY);
    response
}

/// Keeps the documentation from loading anything from elsewhere and out of other pages' frames.
pub async fn guard_docs(mut response: Response) -> Response {
    guard(&mut response, DOCS_POLICY);
    response
}

fn guard(response: &mut Response, policy: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
}

/// Sends a file in the smallest form that the browser takes; 304 when it has this one.
fn send(name: &str, status: StatusCode, headers: &HeaderMap, known: &IfNoneMatch) -> Response {
    let (encoding, file) = smallest(name, headers);
    let Some(file) = file else { return Problem::of_status(StatusCode::NOT_FOUND).into_response() };
    let etag = etag(&file, encoding);
    let mut response = if status == StatusCode::OK && known.knows(etag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = in_pieces(bytes_of(file));
        *response.status_mut() = status;
        response
    };
    let is_hashed = name.starts_with("assets/");
    let cache = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ETAG, etag);
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn bytes_of(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

fn smallest(name: &str, headers: &HeaderMap) -> (Option<&'static str>, Option<EmbeddedFile>) {
    for (encoding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(headers, &header::ACCEPT_ENCODING, encoding)
            && let Some(file) = Files::get(&format!("{name}{suffix}"))
        {
            return (Some(encoding), Some(file));
        }
    }
    (None, Files::get(name))
}

/// A strong tag: each compressed form is content of its own.
fn etag(file: &EmbeddedFile, encoding: Option<&str>) -> HeaderValue {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}-{}\"", encoding.unwrap_or("identity"));
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn content_type(name: &str) -> HeaderValue {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let text = if kind.type_() == mime_guess::mime::TEXT { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}

/// Whether a list such as `gzip, br;q=0` names a word and does not refuse it.
fn accepts(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    headers.get_all(header).iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(
        |item| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(word));
            let is_refused =
                parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0));
            is_named && !is_refused
        },
    )
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{accepts, content_type, is_under};

    #[test]
    fn a_refused_encoding_is_not_accepted() {
        for (list, is_accepted) in [
            ("gzip, deflate, br", true),
            ("BR;q=0.5", true),
            ("br;q=0, gzip", false),
            ("br; q=0.000", false),
            ("brotli", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(list))]);
            assert_eq!(accepts(&headers, &header::ACCEPT_ENCODING, "br"), is_accepted, "{list:?}");
        }
    }

    #[test]
    fn screens_are_whole_segments() {
        assert!(is_under("/admin", "/admin"));
        assert!(is_under("/admin/sales/new", "/admin"));
        assert!(!is_under("/administrator", "/admin"));
    }

    #[test]
    fn text_says_its_characters() {
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("assets/a.woff2"), "font/woff2");
    }
}
