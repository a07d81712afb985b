//! The URI of a request in the client's spelling.

use crate::mask::Masks;
use exchange::{Head, Origin, normalise, path_of, split_target};

/// The greatest number of query parameters. The collector refuses an event with more.
const MAX_PARAMETERS: usize = 500;

/// Returns the URI with scheme, host, port, path and query. The values of masked parameters are
/// replaced.
pub(crate) fn full(origin: &Origin, head: &Head, target: &[u8], masks: &Masks) -> Vec<u8> {
    let target = masks.query(bounded(target));
    if is_absolute(&target) {
        return target.into_owned();
    }
    let scheme = origin.scheme.as_deref().unwrap_or("http");
    let mut uri = format!("{scheme}://").into_bytes();
    match &origin.host {
        Some(host) => {
            uri.extend_from_slice(host.as_bytes());
            let usual = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
            if let Some(port) = origin.port.filter(|port| *port != usual) {
                uri.extend_from_slice(format!(":{port}").as_bytes());
            }
        }
        None => uri.extend_from_slice(head.host()),
    }
    if !target.starts_with(b"/") {
        uri.push(b'/');
    }
    uri.extend_from_slice(&target);
    uri
}

/// Returns `true` if the target is a whole URI, as in a request to a proxy.
fn is_absolute(target: &[u8]) -> bool {
    let lower = target.get(..8).unwrap_or_default().to_ascii_lowercase();
    lower.starts_with(b"http://") || lower == b"https://"
}

/// Cuts the target after the last parameter that the collector accepts.
fn bounded(target: &[u8]) -> &[u8] {
    let (path, _) = split_target(target);
    let ends = target.iter().enumerate().skip(path.len()).filter(|(_, byte)| **byte == b'&');
    let end = ends.map(|(at, _)| at).nth(MAX_PARAMETERS.saturating_sub(1));
    target.get(..end.unwrap_or(target.len())).unwrap_or(target)
}

/// Returns the target with its path as most servers read it, or `None` if servers read it
/// differently.
pub(crate) fn normalised(target: &[u8]) -> Option<Vec<u8>> {
    let mut out = normalise(path(target))?;
    if let (_, Some(query)) = split_target(target) {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    Some(out)
}

/// Returns the path alone, which rules call the route.
pub(crate) fn path(target: &[u8]) -> &[u8] {
    let path = path_of(target);
    if path.is_empty() { b"/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(scheme: Option<&str>, host: Option<&str>, port: Option<u16>, target: &str) -> String {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let origin = Origin { scheme: text(scheme), host: text(host), port };
        let head = Head::from_iter([("host", "h:81")]);
        let masks = Masks::new(["key".to_owned()]);
        String::from_utf8(full(&origin, &head, target.as_bytes(), &masks)).unwrap()
    }

    #[test]
    fn the_uri_is_the_clients() {
        let https = Some("https");
        assert_eq!(uri(https, Some("a.example"), Some(443), "/p?q=1"), "https://a.example/p?q=1");
        assert_eq!(uri(https, Some("a.example"), Some(8443), "/"), "https://a.example:8443/");
        assert_eq!(uri(https, Some("[::1]"), None, "/?key=s&b"), "https://[::1]/?key=*****&b");
        assert_eq!(uri(None, None, None, "/p"), "http://h:81/p");
        assert_eq!(uri(None, Some("a"), Some(80), "*"), "http://a/*");
        assert_eq!(uri(None, Some("a"), None, "HTTPS://b/p?key=1"), "HTTPS://b/p?key=*****");
    }

    #[test]
    fn more_parameters_than_the_collector_takes_are_cut_off() {
        let all: Vec<String> = (0..600).map(|n| format!("p{n}=1")).collect();
        let sent = uri(None, Some("a"), None, &format!("/?{}", all.join("&")));
        assert_eq!(sent, format!("http://a/?{}", all[..500].join("&")));
    }

    #[test]
    fn a_route_is_a_path() {
        assert_eq!(path(b"/a/b?c=/d"), b"/a/b");
        assert_eq!(path(b"?c"), b"/");
        assert_eq!(path(b""), b"/");
    }
}
