//! Reads server-sent events: takes the chunks off the body of a response that never ends and splits it at blank lines.

/// Longest event accepted, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Longest line before a chunk, in bytes: its length in hexadecimal and whatever a proxy adds.
const CHUNK_HEAD_BYTES_MAX: usize = 256;

enum Within {
    /// The bytes of the body are the events.
    Plain,
    ChunkHead,
    /// So many bytes of the chunk and of the line end behind it are to come.
    Chunk(usize),
}

/// What has come of one stream and is no whole event yet.
pub struct EventReader {
    within: Within,
    chunk_head: Vec<u8>,
    text: Vec<u8>,
}

impl EventReader {
    pub fn new(chunked: bool) -> Self {
        let within = if chunked { Within::ChunkHead } else { Within::Plain };
        Self { within, chunk_head: Vec::new(), text: Vec::new() }
    }

    /// Takes bytes of the body and hands over every event that they complete, without the comments that keep a
    /// connection alive. The error is a word for the tally; the stream is over then.
    pub fn read(&mut self, mut bytes: &[u8], mut event: impl FnMut(&[u8])) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            let taken = match self.within {
                Within::Plain => self.take_text(bytes, bytes.len()),
                Within::ChunkHead => self.take_chunk_head(bytes)?,
                Within::Chunk(left) => {
                    let taken = bytes.len().min(left);
                    // The last two bytes are the line end.
                    self.take_text(bytes, taken.min(left.saturating_sub(2)));
                    self.within = if taken == left { Within::ChunkHead } else { Within::Chunk(left - taken) };
                    taken
                }
            };
            bytes = &bytes[taken..];
        }
        self.hand_over(&mut event);
        if self.text.len() > EVENT_BYTES_MAX { Err("event_too_long") } else { Ok(()) }
    }

    fn take_text(&mut self, bytes: &[u8], count: usize) -> usize {
        self.text.extend_from_slice(&bytes[..count]);
        count
    }

    fn take_chunk_head(&mut self, bytes: &[u8]) -> Result<usize, &'static str> {
        let line_end = memchr::memchr(b'\n', bytes);
        let taken = line_end.map_or(bytes.len(), |at| at + 1);
        self.chunk_head.extend_from_slice(&bytes[..taken]);
        if self.chunk_head.len() > CHUNK_HEAD_BYTES_MAX {
            return Err("malformed_response");
        }
        if line_end.is_some() {
            let length = match httparse::parse_chunk_size(&self.chunk_head) {
                Ok(httparse::Status::Complete((_, length))) => length,
                _ => return Err("malformed_response"),
            };
            self.chunk_head.clear();
            if length == 0 {
                return Err("stream_ended");
            }
            self.within = Within::Chunk(usize::try_from(length).map_err(|_| "malformed_response")? + 2);
        }
        Ok(taken)
    }

    fn hand_over(&mut self, event: &mut impl FnMut(&[u8])) {
        let mut start = 0;
        while let Some(length) = memchr::memmem::find(&self.text[start..], b"\n\n") {
            let block = &self.text[start..start + length];
            if memchr::memmem::find(block, b"data:").is_some() {
                event(block);
            }
            start += length + 2;
        }
        self.text.drain(..start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reader: &mut EventReader, bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        let mut events = Vec::new();
        reader.read(bytes, |event| events.push(String::from_utf8_lossy(event).into_owned()))?;
        Ok(events)
    }

    #[test]
    fn events_come_whole_however_their_bytes_arrive() {
        let body = b"10\r\nevent: a\ndata: 1\r\n8;x=y\r\n\n\ndata: \r\n4\r\n2\n\n:\r\n2\r\n\n\n\r\n";
        for size in 1..body.len() {
            let mut reader = EventReader::new(true);
            let pieces = body.chunks(size);
            let events: Vec<_> = pieces.flat_map(|piece| read(&mut reader, piece).unwrap()).collect();
            assert_eq!(events, ["event: a\ndata: 1", "data: 2"], "in pieces of {size}");
        }
    }

    #[test]
    fn the_last_chunk_ends_the_stream() {
        assert_eq!(read(&mut EventReader::new(true), b"0\r\n\r\n"), Err("stream_ended"));
        assert_eq!(read(&mut EventReader::new(true), b"hello\r\n"), Err("malformed_response"));
    }

    #[test]
    fn a_body_without_chunks_is_read_as_it_is() {
        assert_eq!(read(&mut EventReader::new(false), b"data: 1\n\nda").unwrap(), ["data: 1"]);
    }
}
