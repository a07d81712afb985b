//! A model of each gateway's parser: it returns the request that filters get, which is where the
//! pretend gateways begin.

use super::shape::{Body, Pair, Shape};
use crate::message::Request;

/// The address of the client, which the real gateways see, too.
const CLIENT: &str = "127.0.0.1";

/// The headers that frame a body. Cases that have them are questions to the parser.
const FRAMES: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];

/// Headers of which Envoy makes one, if they come more than once (measured on 1.40).
const JOINED: [&[u8]; 2] = [b"user-agent", b"x-forwarded-for"];

/// Headers that Envoy says itself at the edge.
const SAID_BY_ENVOY: [&[u8]; 2] = [b"x-forwarded-proto", b"x-request-id"];

/// Returns the request that an Envoy at the edge, or a Kong, hands to its filters, or `None` if
/// the parser answers in their place. Where the versions of the gateways and their protocols
/// differ, the request is handed over.
pub fn handed(shape: &Shape, kong: bool) -> Option<Request> {
    let fields = fields(&shape.headers, kong)?;
    let trailers = fields_of_trailers(&shape.trailers, kong)?;
    if fields.iter().any(|(name, _)| FRAMES.contains(&name.to_ascii_lowercase().as_slice())) {
        return None;
    }
    let upgrades = upgrade(shape, &fields);
    let method = match shape.protocol {
        // Filters see an extended CONNECT as an upgrade.
        Some(_) if upgrades && !kong => &b"GET"[..],
        Some(_) => return None,
        None => &shape.method,
    };
    let is_connect = method == b"CONNECT";
    if !is_method(method, kong) || (kong && matches!(method, b"CONNECT" | b"TRACE")) {
        return None;
    }
    let (authority, path) = target(shape, method, kong)?;
    let mut request =
        Request::new(&text(method), path).host(&text(&authority)).client(CLIENT, 40_000);
    for (name, value) in &fields {
        let plain = name.to_ascii_lowercase();
        let hop = matches!(plain.as_slice(), b"connection" | b"upgrade");
        let of_the_connection = !upgrades && is_of_the_connection(&plain, &fields);
        if (hop && !upgrades) || of_the_connection || (!kong && is_envoys(&plain)) {
            continue;
        }
        request = request.header(&text(name), value);
    }
    if let Some(protocol) = shape.protocol {
        request = request.header("connection", "upgrade").header("upgrade", protocol);
    }
    if !kong {
        let hops = fields.iter().cloned().chain([(b"x-forwarded-for".to_vec(), CLIENT.into())]);
        request = request.header("x-forwarded-for", joined(hops, b"x-forwarded-for"));
        if fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"user-agent")) {
            request = request.header("user-agent", joined(fields.iter().cloned(), b"user-agent"));
        }
    }
    if upgrades || is_connect {
        request = request.tunnel();
    }
    request = match &shape.body {
        Body::None => request,
        Body::Whole(body) if body.is_empty() => request.header("content-length", "0"),
        Body::Whole(body) => request.body(body),
        Body::Pieces(pieces) => {
            let pieces: Vec<&[u8]> =
                pieces.iter().map(Vec::as_slice).filter(|piece| !piece.is_empty()).collect();
            request.chunks(&pieces)
        }
    };
    Some(
        trailers.iter().fold(request, |request, (name, value)| request.trailer(&text(name), value)),
    )
}

/// Returns `true` for a header that Envoy says itself, or joins to one.
fn is_envoys(name: &[u8]) -> bool {
    SAID_BY_ENVOY.contains(&name) || JOINED.contains(&name)
}

/// Returns `true` for a header that the client calls one of the connection, which no gateway hands
/// on (measured on Envoy 1.40 and Kong 3.9.3).
fn is_of_the_connection(name: &[u8], fields: &[Pair]) -> bool {
    let named = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"connection"));
    let mut names = named.flat_map(|(_, value)| value.split(|b| *b == b','));
    names.any(|one| one.trim_ascii().eq_ignore_ascii_case(name))
}

/// The values under a name as one, in the way of Envoy.
fn joined(fields: impl Iterator<Item = Pair>, wanted: &[u8]) -> Vec<u8> {
    let named = fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    named.map(|(_, value)| value).collect::<Vec<_>>().join(&b","[..])
}

/// The headers with the names and values that the parser takes; `None` if it refuses the request.
fn fields(given: &[Pair], kong: bool) -> Option<Vec<Pair>> {
    let mut taken = Vec::new();
    for (name, value) in given {
        if value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return None;
        }
        let is_name = !name.is_empty() && name.iter().all(|b| is_name_byte(*b, kong));
        match (is_name, kong) {
            (true, _) => taken.push((name.clone(), value.trim_ascii().to_vec())),
            // nginx ignores a header whose name it does not understand.
            (false, true) => {}
            (false, false) => return None,
        }
    }
    Some(taken)
}

fn fields_of_trailers(given: &[Pair], kong: bool) -> Option<Vec<Pair>> {
    // Envoy answers 400 to a trailer with a control character (measured on 1.40).
    let breaks = |value: &[u8]| value.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f);
    match kong {
        true => Some(Vec::new()),
        false if given.iter().any(|(_, value)| breaks(value)) => None,
        false => fields(given, false),
    }
}

/// Returns `true` for a byte of a header's name: a token (RFC 9110, section 5.6.2) on Envoy, and on
/// Kong what nginx takes with `underscores_in_headers`.
fn is_name_byte(byte: u8, kong: bool) -> bool {
    let more: &[u8] = if kong { b"-_" } else { b"!#$%&'*+-.^_`|~" };
    byte.is_ascii_alphanumeric() || more.contains(&byte)
}

fn is_method(method: &[u8], kong: bool) -> bool {
    let taken = |b: &u8| match kong {
        true => b.is_ascii_uppercase() || matches!(b, b'_' | b'-'),
        false => is_name_byte(*b, false),
    };
    !method.is_empty() && method.iter().all(taken)
}

/// Returns `true` if the request becomes a WebSocket, the only upgrade that the gateways of the
/// tests make.
fn upgrade(shape: &Shape, fields: &[Pair]) -> bool {
    let has = |wanted: &[u8], part: &[u8]| {
        fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).any(|(_, value)| {
            value.split(|b| *b == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(part))
        })
    };
    match shape.protocol {
        Some(protocol) => protocol.eq_ignore_ascii_case("websocket"),
        None => has(b"connection", b"upgrade") && has(b"upgrade", b"websocket"),
    }
}

/// Returns authority and path of the target: in origin form, in absolute form, or of a CONNECT.
fn target(shape: &Shape, method: &[u8], kong: bool) -> Option<(Vec<u8>, Vec<u8>)> {
    let (target, authority) = (&shape.target, shape.authority.clone());
    if target.iter().any(|b| *b <= b' ' || *b == 0x7f) {
        return None;
    }
    match target.first()? {
        _ if method == b"CONNECT" => Some((target.clone(), Vec::new())),
        b'/' => Some((authority, target.clone())),
        b'*' if target.len() == 1 && method == b"OPTIONS" && !kong => {
            Some((authority, target.clone()))
        }
        _ => {
            let at = target.windows(3).position(|three| three == b"://")?;
            if !matches!(target[..at].to_ascii_lowercase().as_slice(), b"http" | b"https") {
                return None;
            }
            let rest = &target[at + 3..];
            let end =
                rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
            let path = match rest[end..].first() {
                Some(b'/') => rest[end..].to_vec(),
                _ => [b"/", &rest[end..]].concat(),
            };
            (end > 0).then(|| (rest[..end].to_vec(), path))
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_refuses_what_no_filter_ever_sees() {
        let of = |shape: Shape| [false, true].map(|kong| handed(&shape, kong).is_some());
        let known = || Shape::known("x");
        assert_eq!(of(known()), [true, true]);
        assert_eq!(of(known().header("x a", "b")), [false, true], "nginx leaves the header out");
        assert_eq!(of(known().header("x-a", "b\nc")), [false, false]);
        assert_eq!(of(known().target("/a b")), [false, false]);
        assert_eq!(of(known().target("/\u{e9}")), [true, true]);
        assert_eq!(of(known().target("http://a.test/x")), [true, true]);
        assert_eq!(of(known().target("orders")), [false, false]);
        assert_eq!(of(known().method("get")), [true, false]);
        assert_eq!(of(known().method("CONNECT").target("a:1")), [true, false]);
        assert_eq!(of(known().header("content-length", "5")), [false, false]);
    }

    #[test]
    fn envoy_says_itself_where_a_request_comes_from() {
        let shape = Shape::known("x").header("X-Forwarded-For", "a").header("x-forwarded-for", "b");
        let request = handed(&shape.header("x-request-id", "mine"), false).expect("a request");
        let found = request.header_block().into_iter().filter(|(name, _)| name.starts_with("x-"));
        let found: Vec<_> = found.map(|(name, value)| (name, text(&value))).collect();
        let expected =
            [("x-case", "may"), ("x-app-id", "portal"), ("x-forwarded-for", "a,b,127.0.0.1")];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
