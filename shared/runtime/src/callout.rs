//! Sending a call, and reading its answer.

use crate::abi::{self, Buffer, Map};
use exchange::{Answer, Call, CallError, CallResult, Head, Target, percent_encode};

/// A larger answer is treated as none.
const MAX_ANSWER: usize = 16 << 20;

/// Sends `call` to `target`; gives the host's token for the answer.
pub(crate) fn send(target: &Target, call: &Call) -> Result<u32, CallError> {
    let path = path(target, call);
    let scheme: &[u8] = if target.tls { b"https" } else { b"http" };
    let mut headers: Vec<(&str, &[u8])> = vec![
        (":method", call.method.as_bytes()),
        (":path", path.as_bytes()),
        (":authority", target.authority.as_bytes()),
        (":scheme", scheme),
        ("accept", b"application/json"),
        ("user-agent", b"gatehouse"),
    ];
    let bearer = target.token.as_ref().map(|token| format!("Bearer {token}"));
    if let Some(bearer) = &bearer {
        headers.push(("authorization", bearer.as_bytes()));
    }
    if !call.body.is_empty() {
        headers.push(("content-type", b"application/json"));
    }
    for (name, value) in &call.headers {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name, value));
    }
    let timeout = u32::try_from(target.timeout.as_millis()).unwrap_or(u32::MAX);
    abi::http_call(&target.upstream, &headers, &call.body, timeout).map_err(|_| CallError::NotSent)
}

/// The target's prefix, the segments and the query, each piece encoded: no piece can end its place.
fn path(target: &Target, call: &Call) -> String {
    let mut path = String::new();
    let prefix = target.prefix.iter().map(String::as_bytes);
    for segment in prefix.chain(call.segments.iter().map(Vec::as_slice)) {
        path.push('/');
        path.push_str(&encoded(segment));
    }
    for (n, (name, value)) in call.query.iter().enumerate() {
        path.push(if n == 0 { '?' } else { '&' });
        path.push_str(&percent_encode(name.as_bytes()));
        path.push('=');
        path.push_str(&percent_encode(value));
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// A segment that consists of letters, digits, `.`, `_` and `-`, and not of dots alone, stays as it is: some
/// servers take `%2Ewell-known` for another place than `.well-known`.
fn encoded(segment: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    match std::str::from_utf8(segment) {
        Ok(text) if segment.iter().all(plain) && segment.iter().any(|byte| *byte != b'.') => {
            text.to_owned()
        }
        _ => percent_encode(segment),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn nothing_in_a_call_can_become_another_call() {
        let target = Target {
            upstream: "admin".into(),
            authority: "admin".into(),
            tls: false,
            prefix: vec!["api v1".into()],
            timeout: Duration::from_secs(1),
            token: None,
        };
        let call = Call::get([b"consumers".as_slice(), b"../x?y#z HTTP/1.1\r\nA: b\0", b"appids"])
            .with("page_size", b"1&a=2")
            .with("x=y&z", "");
        assert_eq!(
            path(&target, &call),
            "/api%20v1/consumers/%2E%2E%2Fx%3Fy%23z%20HTTP%2F1%2E1%0D%0AA%3A%20b%00/appids?page_size=1%26a%3D2&x%3Dy%26z="
        );
        let target = Target { prefix: vec![], ..target };
        assert_eq!(path(&target, &Call::get([""; 0])), "/");
        let known = Call::get([".well-known", "jwks.json", "..", ".", "..%2f"]);
        assert_eq!(path(&target, &known), "/.well-known/jwks.json/%2E%2E/%2E/%2E%2E%252f");
    }
}
