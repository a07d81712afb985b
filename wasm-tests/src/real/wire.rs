//! HTTP/1.1 heads and bodies, read from a connection as bytes.

use serde_json::Value;
use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// A request or a response as it came over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// Every header in the order of its arrival, repeated ones included.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The complete body, without chunk framing.
    pub body: Vec<u8>,
    /// The trailers after a body in chunks.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Message {
    /// The status of a response, or 0 for a request.
    pub fn status(&self) -> u16 {
        let status = self.start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// The only value of a header, as text. Returns `None` for an absent header, and panics for a
    /// repeated one.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        assert!(all.len() <= 1, "{name} came {} times: {all:?}", all.len());
        all.pop()
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<String> {
        let same = |(found, _): &&(Vec<u8>, Vec<u8>)| found.eq_ignore_ascii_case(name.as_bytes());
        let text = |(_, value): &(Vec<u8>, Vec<u8>)| String::from_utf8_lossy(value).into_owned();
        self.headers.iter().filter(same).map(text).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, or `null` for anything else.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The path of a request, with its query.
    pub fn path(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// Reads one request. Returns `None` at the end of the connection.
    pub(super) fn read_request(from: &mut impl BufRead) -> Result<Option<Self>> {
        let Some(mut message) = Self::read_head(from)? else { return Ok(None) };
        message.read_body(from)?;
        Ok(Some(message))
    }

    /// Reads one response. A response without a length lasts until the end of the connection.
    pub(super) fn read_response(from: &mut impl BufRead, to_head: bool) -> Result<Self> {
        let mut message = loop {
            let head = Self::read_head(from)?;
            let head = head.ok_or_else(|| Error::new(ErrorKind::UnexpectedEof, "no response"))?;
            if !matches!(head.status(), 100 | 102 | 103) {
                break head;
            }
        };
        let bodiless = to_head || matches!(message.status(), 101 | 204 | 304);
        let length_unknown =
            message.all("content-length").is_empty() && message.all("transfer-encoding").is_empty();
        if length_unknown && !bodiless {
            from.read_to_end(&mut message.body)?;
        } else if !bodiless {
            message.read_body(from)?;
        }
        Ok(message)
    }

    fn read_head(from: &mut impl BufRead) -> Result<Option<Self>> {
        let Some(start) = read_line(from)? else { return Ok(None) };
        let mut message =
            Self { start: String::from_utf8_lossy(&start).into_owned(), ..Self::default() };
        message.headers = read_fields(from)?;
        Ok(Some(message))
    }

    /// Reads the body. A request that two servers could read differently is an error (RFC 9112,
    /// section 6.3): one with two lengths, or with a length and chunks.
    fn read_body(&mut self, from: &mut impl BufRead) -> Result<()> {
        let (codings, lengths) = (self.all("transfer-encoding"), self.all("content-length"));
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => {}
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => {
                while let size @ 1.. = read_chunk_size(from)? {
                    from.take(size).read_to_end(&mut self.body)?;
                    if read_line(from)?.is_none_or(|rest| !rest.is_empty()) {
                        return Err(ErrorKind::InvalidData.into());
                    }
                }
                self.trailers = read_fields(from)?;
            }
            ([], [length]) => {
                self.body = vec![0; length.parse().map_err(|_| ErrorKind::InvalidData)?];
                from.read_exact(&mut self.body)?;
            }
            _ => return Err(ErrorKind::InvalidData.into()),
        }
        Ok(())
    }
}

/// Reads the lines of headers or trailers up to the empty one.
fn read_fields(from: &mut impl BufRead) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(from)?.ok_or(ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let colon = line.iter().position(|b| *b == b':').ok_or(ErrorKind::InvalidData)?;
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        fields.push((name.to_vec(), value.to_vec()));
    }
}

fn read_chunk_size(from: &mut impl BufRead) -> Result<u64> {
    let line = read_line(from)?.ok_or(ErrorKind::UnexpectedEof)?;
    let line = String::from_utf8_lossy(&line);
    let size = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData.into())
}

/// Reads a line without its end. Returns `None` at the end of the connection.
fn read_line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line = line.strip_suffix(b"\n").ok_or(ErrorKind::UnexpectedEof)?;
    Ok(Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
}
