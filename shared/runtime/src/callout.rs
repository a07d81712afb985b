//! Sending a callout.

use crate::proxy::{CallId, CallOwner, Outgoing, Proxy};
use crate::trace;
use exchange::{Call, CallError, Head, Target, percent_encode};

/// Sends `call` to `target`, for the request with this head, if it is for one. The answer comes to
/// `owner`, under the number that is returned.
///
/// # Errors
/// [`CallError::NotSent`] where the gateway does not send it.
pub(crate) fn send<P: Proxy>(
    proxy: &P,
    owner: CallOwner,
    target: &Target,
    call: &Call,
    request: Option<&Head>,
) -> Result<CallId, CallError> {
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
    let context = request.map(trace::context).unwrap_or_default();
    headers.extend(context.iter().map(|(name, value)| (*name, value.as_slice())));
    for (name, value) in &call.headers {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name, value));
    }
    let (upstream, body, timeout) = (&target.upstream, &call.body, target.timeout);
    let outgoing = Outgoing { upstream, headers: &headers, body, timeout };
    proxy.call(owner, &outgoing).map_err(|_| CallError::NotSent)
}

/// The path of a callout: the target's prefix, the segments and the query. Each piece is encoded,
/// so that no piece can become part of another.
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

/// Encodes a segment. A segment of letters, digits, `.`, `_` and `-` that is not dots alone stays
/// as it is: some servers take `%2Ewell-known` for another path than `.well-known`.
fn encoded(segment: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    match std::str::from_utf8(segment) {
        Ok(text) if segment.iter().all(plain) && segment.iter().any(|byte| *byte != b'.') => {
            text.to_owned()
        }
        _ => percent_encode(segment),
    }
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
