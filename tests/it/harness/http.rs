//! A small HTTP/1.1 client: it sends exactly the bytes it is told to, which a library would not, and costs little
//! beside the server it shares two cores with.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Where requests go.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    pub address: SocketAddr,
}

impl Http {
    pub fn get(self, path: &str) -> Request {
        Request::new(self.address, "GET", path)
    }

    pub fn post(self, path: &str) -> Request {
        Request::new(self.address, "POST", path)
    }

    pub fn delete(self, path: &str) -> Request {
        Request::new(self.address, "DELETE", path)
    }

    pub fn request(self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }
}

/// A request on a connection of its own.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        Self { address, method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.path, self.address);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// Sends and reads the whole answer, on a connection of its own.
    pub async fn try_send(&self) -> Result<Reply> {
        let exchange = async { Connection::open(self.address).await?.exchange(&self.bytes()).await };
        tokio::time::timeout(ANSWER_WITHIN, exchange)
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, format!("no answer within {ANSWER_WITHIN:?}"))))
    }

    /// Like `try_send`, where no answer at all fails the test.
    pub async fn send(&self) -> Reply {
        let mut reply = self
            .try_send()
            .await
            .unwrap_or_else(|error| panic!("{} {} got no answer: {error}", self.method, self.path));
        reply.request = format!("{} {}", self.method, self.path);
        reply
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    request: String,
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub closes: bool,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let matching = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: the body is not JSON ({error}): {}", self.request, self.text()))
    }

    /// The answer, when it has this status; a failure of the test otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{} answered {} and {}\n  headers: {:?}",
            self.request,
            self.status,
            self.text(),
            self.headers
        );
        self
    }

    /// The answer, when it is a problem document (RFC 9457) of this status and `code` with all members the contract
    /// promises.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let reply = self.expect(status);
        let problem = reply.value();
        let kind = reply.header("content-type").unwrap_or("none");
        assert!(kind.starts_with("application/problem+json"), "{}: content-type is {kind}", reply.request);
        assert_eq!(problem["code"], code, "{}: {problem}", reply.request);
        assert_eq!(problem["status"], status, "{}: {problem}", reply.request);
        for member in ["type", "title", "error", "request_id"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: member {member} is missing or empty: {problem}", reply.request);
        }
        problem
    }
}

/// One keep-alive connection.
pub struct Connection {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        Self::over(stream)
    }

    /// From this address of our own, such as any of 127.0.0.0/8.
    #[allow(dead_code, reason = "the fault harness comes from many addresses")]
    pub async fn open_from(from: Ipv4Addr, address: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        Self::over(socket.connect(address).await?)
    }

    fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::with_capacity(2048) })
    }

    pub async fn exchange(&mut self, request: &[u8]) -> Result<Reply> {
        // A server that refuses a body early answers and closes while it is still being sent: read what it said.
        let sent = self.stream.write_all(request).await;
        match (self.read_reply().await, sent) {
            (Ok(reply), _) => Ok(reply),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    pub async fn read_reply(&mut self) -> Result<Reply> {
        loop {
            let mut reply = self.read_head().await?;
            if reply.status == 100 {
                continue;
            }
            let coding = reply.header("transfer-encoding").map(str::to_ascii_lowercase);
            if coding.as_deref() == Some("chunked") {
                reply.body = self.read_chunks().await?;
            } else if let Some(length) = reply.header("content-length") {
                let length = length.parse().map_err(|_| broken("content-length is not a number"))?;
                reply.body = self.take(length).await?;
            } else if reply.status != 204 && reply.status != 304 {
                reply.closes = true;
                while self.fill().await? > 0 {}
                reply.body = std::mem::take(&mut self.unread);
            }
            return Ok(reply);
        }
    }

    /// Reads the status line and the headers only: what follows is a stream.
    pub async fn read_head(&mut self) -> Result<Reply> {
        let head = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                break String::from_utf8(head).map_err(|_| broken("the head is not UTF-8"))?;
            }
            if self.unread.len() > HEAD_BYTES_MAX {
                return Err(broken("the head has no end"));
            }
            if self.fill().await? == 0 {
                let what = if self.unread.is_empty() { "closed before an answer" } else { "closed within the head" };
                return Err(Error::new(ErrorKind::UnexpectedEof, what));
            }
        };
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let status = status.ok_or_else(|| broken(&format!("no status in {status_line:?}")))?;
        let closes =
            headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("connection") && v.eq_ignore_ascii_case("close"));
        Ok(Reply { request: String::new(), status, headers, body: Vec::new(), closes })
    }

    /// The next chunk of a chunked stream; empty at its end.
    pub async fn read_chunk(&mut self) -> Result<Vec<u8>> {
        let line = self.take_line().await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken(&format!("no chunk size in {line:?}")))?;
        let chunk = self.take(size).await?;
        self.take(2).await?;
        Ok(chunk)
    }

    async fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = self.read_chunk().await?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend_from_slice(&chunk);
        }
    }

    async fn take_line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.fill().await? == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "closed within the body"));
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.unread.len() < length {
            if self.fill().await? == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "closed within the body"));
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn fill(&mut self) -> Result<usize> {
        self.stream.read_buf(&mut self.unread).await
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
