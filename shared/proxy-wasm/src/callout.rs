//! Reading the answer to a callout, in its callback.

use crate::abi::{self, Buffer, Map};
use exchange::{Answer, CallError, CallResult, Head};

/// A larger answer, in bytes, is treated as none.
const MAX_ANSWER: usize = 16 << 20;

/// The answer that has just come, in its callback. Each way in which a callout can fail on either host is an
/// error here; that a status is there does not mean that the answer is. `wanted` are the fields to read.
pub(crate) fn answer(headers: usize, body: usize, wanted: &[&'static str]) -> CallResult {
    // Kong names a status even after a timeout, but then it counts no headers.
    if headers == 0 {
        return Err(CallError::NoAnswer);
    }
    let status = abi::map_value(Map::CallResponse, ":status").map_err(|_| CallError::NoAnswer)?;
    let status = std::str::from_utf8(&status).ok().and_then(|text| text.parse().ok());
    let status = status.ok_or(CallError::NoAnswer)?;
    let bytes = match body {
        0 => Vec::new(),
        1..=MAX_ANSWER => abi::buffer(Buffer::CallResponse).map_err(|_| CallError::Truncated)?,
        _ => return Err(CallError::Truncated),
    };
    if bytes.len() != body || !is_whole(bytes.len()) {
        return Err(CallError::Truncated);
    }
    let read = |name: &&'static str| {
        let value = abi::map_value(Map::CallResponse, name).ok()?;
        Some((*name, value)).filter(|(_, value)| !value.is_empty())
    };
    Ok(Answer { headers: wanted.iter().filter_map(read).collect(), ..Answer::new(status, bytes) })
}

/// Whether the body is as long as its sender said.
fn is_whole(len: usize) -> bool {
    match abi::map_value(Map::CallResponse, "content-length") {
        Ok(said) if !said.is_empty() => said == len.to_string().as_bytes(),
        _ => true,
    }
}

/// The head of the current message in wire form, decoded.
pub(crate) fn head(map: Map) -> Option<Head> {
    Head::from_block(abi::map(map).ok()?)
}
