//! An HTTP/2 client (RFC 9113) that sends any frames and any header blocks, valid or not.

use super::hpack;
use patience::Patient;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::SocketAddr;

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// Flags of frames.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;
/// The largest payload that a peer takes before it says otherwise.
const FRAME: usize = 16_384;

/// One frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The type: 0 for DATA, 1 for HEADERS and so on.
    pub kind: u8,
    /// The flags, whose meaning depends on the type.
    pub flags: u8,
    /// The number of the stream, or 0 for the connection.
    pub stream: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The frame on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(self.payload.len()).unwrap_or(0).to_be_bytes();
        let stream = self.stream.to_be_bytes();
        [&length[..], &[self.kind, self.flags], &stream, &self.payload].concat()
    }
}

/// The response on a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Headers and trailers, with the pseudo-header `:status`.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// `false` if the stream was reset before its end.
    pub complete: bool,
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(found, _)| found == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The final status, or 0 if there is none.
    pub fn status(&self) -> u16 {
        let named = self.headers.iter().rev().filter(|(name, _)| name == b":status");
        let text = named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).next();
        text.and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// A request for HTTP/2, with pseudo-headers among its headers.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The headers in their order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The pieces of the body, each in a frame of its own.
    pub body: Vec<Vec<u8>>,
    /// The trailers.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// `true` if the client does not end its side of the stream.
    pub open: bool,
}

impl Request {
    /// The frames of the request on this stream.
    pub fn frames(&self, stream: u32) -> Vec<u8> {
        let pieces = self.body.len();
        let last = |is_last: bool| if is_last && !self.open { END_STREAM } else { 0 };
        let has_trailers = !self.trailers.is_empty();
        let mut bytes = block(stream, &self.headers, last(pieces == 0 && !has_trailers));
        for (number, piece) in self.body.iter().enumerate() {
            let flags = last(number + 1 == pieces && !has_trailers);
            let frame = Frame { kind: DATA, flags, stream, payload: piece.clone() };
            bytes.extend_from_slice(&frame.bytes());
        }
        if has_trailers {
            bytes.extend_from_slice(&block(stream, &self.trailers, last(true)));
        }
        bytes
    }
}

/// A header block as one HEADERS frame and as many CONTINUATION frames as it needs.
fn block(stream: u32, headers: &[(Vec<u8>, Vec<u8>)], flags: u8) -> Vec<u8> {
    let mut block = Vec::new();
    headers.iter().for_each(|(name, value)| hpack::write(&mut block, name, value));
    let mut bytes = Vec::new();
    let pieces = block.len().div_ceil(FRAME).max(1);
    for number in 0..pieces {
        let payload = block.iter().copied().skip(number * FRAME).take(FRAME).collect();
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let first = if number == 0 { flags } else { 0 };
        let end = if number + 1 == pieces { END_HEADERS } else { 0 };
        bytes.extend_from_slice(&Frame { kind, flags: first | end, stream, payload }.bytes());
    }
    bytes
}

/// A connection of HTTP/2.
pub struct Http2 {
    stream: BufReader<Patient>,
    next: u32,
}

impl Http2 {
    /// Opens a connection with prior knowledge. The client has no dynamic table, and windows that
    /// never close.
    pub fn open(to: SocketAddr) -> Result<Self> {
        let mut opened = Self { stream: BufReader::new(Patient::connect(to)?), next: 1 };
        let setting = |id: u16, value: u32| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let window = 0x7fff_ffff_u32;
        let payload = [setting(1, 0), setting(2, 0), setting(4, window)].concat();
        let settings = Frame { kind: SETTINGS, payload, ..Frame::default() };
        let payload = (window - 65_535).to_be_bytes().to_vec();
        let update = Frame { kind: WINDOW_UPDATE, payload, ..Frame::default() };
        opened.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        opened.write(&[settings.bytes(), update.bytes()].concat())?;
        Ok(opened)
    }

    /// The number of the next stream.
    pub fn next_stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Sends these bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request on a new stream, and reads the response.
    pub fn exchange(&mut self, request: &Request) -> Result<Response> {
        let stream = self.next_stream();
        let sent = self.write(&request.frames(stream));
        let answer = self.answer(stream);
        if answer.is_err() { sent.and(answer) } else { answer }
    }

    /// Resets a stream.
    pub fn reset(&mut self, stream: u32) -> Result<()> {
        let payload = 8_u32.to_be_bytes().to_vec();
        self.write(&Frame { kind: RST_STREAM, flags: 0, stream, payload }.bytes())
    }

    /// Reads the response on this stream. The error is the end of the connection.
    pub fn answer(&mut self, stream: u32) -> Result<Response> {
        let (mut response, mut open, mut ended) = (Response::default(), Vec::new(), false);
        loop {
            let frame = self.read()?;
            match frame.kind {
                SETTINGS | PING if frame.flags & ACK == 0 => {
                    let payload = if frame.kind == PING { frame.payload } else { Vec::new() };
                    let ack = Frame { kind: frame.kind, flags: ACK, stream: 0, payload };
                    // A peer that has gone may still have said something.
                    let _ = self.write(&ack.bytes());
                }
                GOAWAY if frame.payload.get(4..8).is_some_and(|code| code != [0; 4]) => {
                    return Err(Error::new(ErrorKind::ConnectionReset, "GOAWAY"));
                }
                _ if frame.stream != stream => {}
                DATA => response.body.extend_from_slice(unpadded(&frame).ok_or(malformed())?),
                HEADERS | CONTINUATION => {
                    open.extend_from_slice(unpadded(&frame).ok_or(malformed())?);
                    if frame.flags & END_HEADERS != 0 {
                        let block = std::mem::take(&mut open);
                        response.headers.extend(hpack::read(&block).ok_or(malformed())?);
                    }
                }
                RST_STREAM => return Ok(response),
                _ => {}
            }
            let ends = frame.kind == DATA || frame.kind == HEADERS;
            ended |= frame.stream == stream && ends && frame.flags & END_STREAM != 0;
            if ended && open.is_empty() {
                response.complete = true;
                return Ok(response);
            }
        }
    }

    fn read(&mut self) -> Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload)?;
        Ok(Frame { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "a malformed frame")
}

/// The payload of a frame without padding and priority.
fn unpadded(frame: &Frame) -> Option<&[u8]> {
    let mut payload = frame.payload.as_slice();
    if frame.kind != CONTINUATION && frame.flags & PADDED != 0 {
        let (length, rest) = payload.split_first()?;
        payload = rest.get(..rest.len().checked_sub(usize::from(*length))?)?;
    }
    if frame.kind == HEADERS && frame.flags & PRIORITY != 0 {
        payload = payload.get(5..)?;
    }
    Some(payload)
}
