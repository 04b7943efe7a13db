//! One keep-alive connection with at most one request in flight, driven by readiness events. The answer to that request
//! may be a stream of events, which holds the connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::answer::{self, Answer, Parsed};
use super::events::EventReader;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const BUFFER_BYTES: usize = 8 * 1024;

/// The request a connection is busy with.
#[derive(Clone, Copy)]
pub struct InFlight {
    pub number: usize,
    /// The answer is a stream of events, of which the first has come.
    pub streams: bool,
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
    events: Option<EventReader>,
    pub in_flight: Option<InFlight>,
}

impl Connection {
    /// A connection that is opened when it is first used.
    pub const fn closed() -> Self {
        Self { stream: None, buffer: Vec::new(), filled: 0, events: None, in_flight: None }
    }

    /// Opens the connection and waits until it is open: before the clock starts.
    pub fn open_now(&mut self, address: SocketAddr, registry: &Registry, token: Token) -> io::Result<()> {
        let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_nonblocking(true)?;
        self.keep(TcpStream::from_std(stream), registry, token)
    }

    /// Begins to open the connection unless it is open. What is sent meanwhile goes out with the event that follows.
    pub fn open(&mut self, address: SocketAddr, registry: &Registry, token: Token) -> io::Result<()> {
        if self.stream.is_some() {
            return Ok(());
        }
        self.keep(TcpStream::connect(address)?, registry, token)
    }

    fn keep(&mut self, mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<()> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Forgets the socket and what was in flight on it.
    pub fn close(&mut self) {
        self.stream = None;
        self.filled = 0;
        self.events = None;
        self.in_flight = None;
    }

    /// Starts sending a request; what does not fit into the socket goes out with a later event.
    pub fn send(&mut self, number: usize, request: &[u8], due: Instant, now: Instant) -> Result<(), &'static str> {
        self.in_flight = Some(InFlight { number, streams: false, due, sent: now, written: 0 });
        self.write(request)
    }

    fn write(&mut self, request: &[u8]) -> Result<(), &'static str> {
        let (Some(stream), Some(in_flight)) = (&mut self.stream, &mut self.in_flight) else { return Ok(()) };
        while in_flight.written < request.len() {
            match stream.write(&request[in_flight.written..]) {
                Ok(written) => in_flight.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(word(&error)),
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
            let room = match self.read() {
                Ok(Some(room)) => room,
                Ok(None) => return Progress::Waiting,
                Err(word) => return Progress::Broken(word),
            };
            match answer::parse(&self.buffer[..self.filled]) {
                Err(word) => return Progress::Broken(word),
                Ok(Parsed::Whole(answer)) if self.in_flight.is_none() || answer.bytes != self.filled => {
                    return Progress::Broken("unasked_response");
                }
                Ok(Parsed::Whole(answer)) => {
                    self.filled = 0;
                    return Progress::Answered(answer, &self.buffer[answer.head_bytes..answer.bytes]);
                }
                Ok(Parsed::Partial(_)) if room > 0 => return Progress::Waiting,
                Ok(Parsed::Partial(needed)) => self.buffer.resize(needed.max(self.buffer.len()), 0),
            }
        }
    }

    /// As `advance`, of a request whose answer is a stream of events: hands over each as it comes, and is answered only
    /// when the server refuses the stream.
    pub fn advance_stream(&mut self, request: &[u8], mut event: impl FnMut(&[u8])) -> Progress<'_> {
        if let Err(word) = self.write(request) {
            return Progress::Broken(word);
        }
        loop {
            let room = match self.read() {
                Ok(Some(room)) => room,
                Ok(None) => return Progress::Waiting,
                Err(word) => return Progress::Broken(word),
            };
            let head_bytes = match self.begin_stream() {
                Ok(Some(head_bytes)) => head_bytes,
                Ok(None) if self.events.is_none() => return self.refused_stream(),
                Ok(None) => 0,
                Err(word) => return Progress::Broken(word),
            };
            if let (Some(events), Some(in_flight)) = (&mut self.events, &mut self.in_flight) {
                let take = |text: &[u8]| {
                    in_flight.streams = true;
                    event(text);
                };
                if let Err(word) = events.read(&self.buffer[head_bytes..self.filled], take) {
                    return Progress::Broken(word);
                }
                self.filled = 0;
            }
            if room > 0 {
                return Progress::Waiting;
            }
        }
    }

    /// Takes note of the head of a stream once it is whole; answers its length when that is now.
    fn begin_stream(&mut self) -> Result<Option<usize>, &'static str> {
        if self.events.is_some() {
            return Ok(None);
        }
        let Some(head) = answer::parse_head(&self.buffer[..self.filled])? else { return Ok(None) };
        if head.status != 200 {
            return Ok(None);
        }
        self.events = Some(EventReader::new(head.chunked));
        Ok(Some(head.bytes))
    }

    /// What has come while no stream has begun: part of a head, or the answer of a server that refuses.
    fn refused_stream(&mut self) -> Progress<'_> {
        match answer::parse(&self.buffer[..self.filled]) {
            Err(word) => Progress::Broken(word),
            Ok(Parsed::Partial(_)) => Progress::Waiting,
            Ok(Parsed::Whole(answer)) => {
                self.filled = 0;
                Progress::Answered(answer, &self.buffer[answer.head_bytes..answer.bytes])
            }
        }
    }

    /// Reads once. Answers how much of the buffer is still free, or nothing when nothing had come.
    fn read(&mut self) -> Result<Option<usize>, &'static str> {
        if self.filled == self.buffer.len() {
            self.buffer.resize((self.buffer.len() * 2).max(BUFFER_BYTES), 0);
        }
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            match stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err("connection_closed"),
                Ok(read) => {
                    self.filled += read;
                    return Ok(Some(self.buffer.len() - self.filled));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(word(&error)),
            }
        }
    }
}

/// What the tally calls a broken connection.
fn word(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection_refused",
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
        _ => "connection_lost",
    }
}
