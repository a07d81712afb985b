//! Reading the answer to a callout, in its callback.

use crate::abi::{self, Buffer, Map};
use exchange::{Answer, CallError, CallResult, Head};

/// The longest answer in bytes. A longer one is treated as no answer.
const MAX_ANSWER: usize = 16 << 20;

/// Reads the answer that has just come, in its callback, with the headers `wanted`. Every way in
/// which a callout can fail on either host is an error: an answer with a status may still be cut
/// short.
pub(crate) fn answer(headers: usize, body: usize, wanted: &[&'static str]) -> CallResult {
    // Kong gives a status even after a timeout, but counts no headers then.
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

/// Returns `true` if the body has the length that its sender announced.
fn is_whole(len: usize) -> bool {
    match abi::map_value(Map::CallResponse, "content-length") {
        Ok(said) if !said.is_empty() => said == len.to_string().as_bytes(),
        _ => true,
    }
}

/// Reads and decodes the head of the current message.
pub(crate) fn head(map: Map) -> Option<Head> {
    Head::from_block(abi::map(map).ok()?)
}
