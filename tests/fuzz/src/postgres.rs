//! As much of PostgreSQL's protocol as tokio-postgres speaks: statements are prepared, described and run; a table says
//! what each function takes and gives (`database`). What the table or this protocol does not know is a panic, so that a
//! function which is renamed is noticed, and not an answer 503 that anything may have.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::database::{Function, NOW, find_function};

/// A value on its way, in PostgreSQL's binary format; `None` is null.
pub type Value = Option<Vec<u8>>;

/// Serves connections to the address that is answered.
pub async fn serve() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listen");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("no delay");
            tokio::spawn(async move { Session::new(stream).run().await });
        }
    });
    address
}

/// One connection.
struct Session {
    stream: TcpStream,
    statements: HashMap<String, &'static Function>,
    bound: Option<(&'static Function, Vec<Value>)>,
    answer: Vec<u8>,
}

impl Session {
    fn new(stream: TcpStream) -> Self {
        Self { stream, statements: HashMap::new(), bound: None, answer: Vec::new() }
    }

    /// Until the client goes away, which shows as an error of reading.
    async fn run(mut self) -> std::io::Result<()> {
        let length = self.stream.read_u32().await?;
        self.stream.read_exact(&mut vec![0; length as usize - 4]).await?;
        self.say(b'R', &0_u32.to_be_bytes());
        self.say(b'Z', b"I");
        loop {
            self.stream.write_all(&std::mem::take(&mut self.answer)).await?;
            let kind = self.stream.read_u8().await?;
            let length = self.stream.read_u32().await?;
            let mut body = vec![0; length as usize - 4];
            self.stream.read_exact(&mut body).await?;
            self.hear(kind, &mut Reader(&body));
        }
    }

    fn hear(&mut self, kind: u8, body: &mut Reader<'_>) {
        match kind {
            b'S' => self.say(b'Z', b"I"),
            b'P' => {
                let (name, sql) = (body.text(), body.text());
                let function = find_function(&sql).unwrap_or_else(|| panic!("the double knows nothing of: {sql}"));
                self.statements.insert(name, function);
                self.say(b'1', b"");
            }
            b'D' => {
                body.bytes(1);
                self.describe(&body.text());
            }
            b'B' => self.bind(body),
            b'E' => self.execute(),
            b'C' => self.say(b'3', b""),
            b'Q' => {
                let sql = body.text();
                if sql == "SHOW transaction_read_only" {
                    // One column of text, one row: it takes writes.
                    self.say(
                        b'T',
                        &[b"\0\x01c\0".as_slice(), &[0; 6], &25_u32.to_be_bytes(), &[0xff; 6], &[0, 0]].concat(),
                    );
                    self.say(b'D', b"\0\x01\0\0\0\x03off");
                } else {
                    assert!(
                        sql.starts_with("set client_connection_check_interval ="),
                        "the double knows nothing of: {sql}"
                    );
                }
                self.say(b'C', b"SET\0");
                self.say(b'Z', b"I");
            }
            // Flush, and the end.
            b'H' | b'X' => {}
            other => panic!("the double knows no message {:?}", char::from(other)),
        }
    }

    fn prepared(&self, statement: &str) -> &'static Function {
        self.statements.get(statement).expect("a prepared statement")
    }

    fn describe(&mut self, statement: &str) {
        let function = self.prepared(statement);
        let parameters = function.parameters.iter().flat_map(|kind| kind.to_be_bytes());
        self.say(
            b't',
            &[&(function.parameters.len() as u16).to_be_bytes()[..], &parameters.collect::<Vec<_>>()].concat(),
        );
        let mut columns = (function.columns.len() as u16).to_be_bytes().to_vec();
        for kind in function.columns {
            // Name, table, column, type, its size and modifier, binary format.
            columns.extend([b"c\0".as_slice(), &[0; 6], &kind.to_be_bytes(), &[0xff; 6], &[0, 1]].concat());
        }
        self.say(b'T', &columns);
    }

    fn bind(&mut self, body: &mut Reader<'_>) {
        body.text();
        let function = self.prepared(&body.text());
        let formats = body.u16();
        body.bytes(2 * usize::from(formats));
        let values = (0..body.u16()).map(|_| body.value()).collect();
        self.bound = Some((function, values));
        self.say(b'2', b"");
    }

    fn execute(&mut self) {
        let (function, values) = self.bound.take().expect("a bound statement");
        for row in &(function.call)(&values) {
            let mut data = (row.len() as u16).to_be_bytes().to_vec();
            for value in row {
                write_value(&mut data, value.as_deref());
            }
            self.say(b'D', &data);
        }
        self.say(b'C', b"SELECT\0");
    }

    fn say(&mut self, kind: u8, body: &[u8]) {
        self.answer.push(kind);
        self.answer.extend((body.len() as u32 + 4).to_be_bytes());
        self.answer.extend(body);
    }
}

/// A message, read from its beginning.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (read, rest) = self.0.split_at(count);
        self.0 = rest;
        read
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes(2).try_into().expect("two bytes"))
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().expect("four bytes"))
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).expect("an end of the text");
        let text = String::from_utf8(self.bytes(end).to_vec()).expect("UTF-8");
        self.bytes(1);
        text
    }

    fn value(&mut self) -> Value {
        let length = self.i32();
        (length >= 0).then(|| self.bytes(length as usize).to_vec())
    }
}

fn write_value(data: &mut Vec<u8>, value: Option<&[u8]>) {
    data.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
    data.extend(value.unwrap_or_default());
}

/// The items of a one-dimensional array.
pub fn items(array: &Value) -> Vec<Value> {
    let mut reader = Reader(array.as_deref().expect("an array"));
    let dimensions = reader.i32();
    reader.bytes(8);
    if dimensions == 0 {
        return Vec::new();
    }
    let count = reader.i32();
    reader.bytes(4);
    (0..count).map(|_| reader.value()).collect()
}

/// Microseconds since 2000.
pub fn time(value: &Value) -> i64 {
    i64::from_be_bytes(value.as_deref().expect("a time").try_into().expect("eight bytes"))
}

pub fn integer(value: &Value) -> i32 {
    i32::from_be_bytes(value.as_deref().expect("a number").try_into().expect("four bytes"))
}

pub fn text(value: &Value) -> &str {
    // PostgreSQL takes no NUL in a text.
    let text = std::str::from_utf8(value.as_deref().expect("a text")).expect("UTF-8");
    assert!(!text.contains('\0'), "a text with NUL reached the database");
    text
}

pub fn some(bytes: impl AsRef<[u8]>) -> Value {
    Some(bytes.as_ref().to_vec())
}

/// The database's clock.
pub fn now() -> Value {
    some((chrono::Utc::now().timestamp_micros() - NOW).to_be_bytes())
}
