//! Large bodies. A connection copies what it is handed behind the head of the answer (see `server`), so it is handed a
//! piece at a time: readers who do not read then cost their buffer, not a copy of the whole.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;

const PIECE_BYTES: usize = 16 * 1024;

/// An answer of these bytes, with its length.
pub fn in_pieces(bytes: Bytes) -> Response {
    let length = HeaderValue::from(bytes.len());
    let pieces = (0..bytes.len()).step_by(PIECE_BYTES).map(move |at| {
        let end = bytes.len().min(at + PIECE_BYTES);
        Ok::<_, Infallible>(bytes.slice(at..end))
    });
    let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}
