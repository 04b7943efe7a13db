//! One keep-alive connection with at most one request in flight, driven by readiness events.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::answer::{self, Answer, Parsed};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const BUFFER_BYTES: usize = 8 * 1024;

/// The request a connection is busy with.
#[derive(Clone, Copy)]
pub struct InFlight {
    pub number: usize,
    /// When it was due, which is what its latency is counted from.
    pub due: Instant,
    /// When it was sent, which is what its time-out is counted from.
    pub sent: Instant,
    written: usize,
}

/// What an event led to.
pub enum Progress<'a> {
    Waiting,
    /// The response and its body.
    Answered(Answer, &'a [u8]),
    /// The connection is gone; the word is for the tally.
    Broken(&'static str),
}

pub struct Connection {
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    filled: usize,
    pub in_flight: Option<InFlight>,
}

impl Connection {
    /// A connection that is opened when it is first used.
    pub fn closed() -> Self {
        Self { stream: None, buffer: vec![0; BUFFER_BYTES], filled: 0, in_flight: None }
    }

    /// Opens the connection unless it is open.
    pub fn open(&mut self, address: SocketAddr, registry: &Registry, token: Token) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Forgets the socket and what was in flight on it.
    pub fn close(&mut self) {
        self.stream = None;
        self.filled = 0;
        self.in_flight = None;
    }

    /// Starts sending a request; what does not fit into the socket goes out with a later event.
    pub fn send(&mut self, number: usize, request: &[u8], due: Instant, now: Instant) -> Result<(), &'static str> {
        self.in_flight = Some(InFlight { number, due, sent: now, written: 0 });
        self.write(request)
    }

    fn write(&mut self, request: &[u8]) -> Result<(), &'static str> {
        let (Some(stream), Some(in_flight)) = (&mut self.stream, &mut self.in_flight) else { return Ok(()) };
        while in_flight.written < request.len() {
            match stream.write(&request[in_flight.written..]) {
                Ok(written) => in_flight.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err("connection_lost"),
            }
        }
        Ok(())
    }

    /// Goes on after a readiness event: writes what is left of `request`, reads what has come. Events are
    /// edge-triggered; a read shorter than the buffer has drained the socket.
    pub fn advance(&mut self, request: &[u8]) -> Progress<'_> {
        if let Err(word) = self.write(request) {
            return Progress::Broken(word);
        }
        loop {
            let Some(stream) = &mut self.stream else { return Progress::Waiting };
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let room = self.buffer.len() - self.filled;
            let read = match stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Progress::Broken("connection_closed"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Progress::Broken("connection_lost"),
            };
            self.filled += read;
            match answer::parse(&self.buffer[..self.filled]) {
                Err(word) => return Progress::Broken(word),
                Ok(Parsed::Whole(answer)) if self.in_flight.is_none() || answer.bytes != self.filled => {
                    return Progress::Broken("unasked_response");
                }
                Ok(Parsed::Whole(answer)) => {
                    self.filled = 0;
                    return Progress::Answered(answer, &self.buffer[answer.head_bytes..answer.bytes]);
                }
                Ok(Parsed::Partial(_)) if read < room => return Progress::Waiting,
                Ok(Parsed::Partial(needed)) => self.buffer.resize(needed.max(self.buffer.len()), 0),
            }
        }
    }
}
