//! The head of the response, and its replacement where it must not reach the client.

use crate::abi::{self, Map};
use crate::callout;

/// The response headers that are the host's own or harmless.
const KEPT: [&str; 5] = ["connection", "date", "server", "transfer-encoding", "via"];
/// The headers that are taken away where the head cannot be read.
const TAKEN: [&str; 7] = [
    "content-length",
    "content-encoding",
    "etag",
    "last-modified",
    "location",
    "set-cookie",
    "www-authenticate",
];

/// Takes the upstream's headers away, and gives the response the status 500 and a JSON body's type.
/// `readable` says that the head can be read. (Kong before 3.7 keeps the status.)
pub(crate) fn blank(readable: bool) {
    match if readable { callout::head(Map::Response) } else { None } {
        Some(head) => {
            let kept = |name: &str| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name));
            let names = head.fields().filter_map(|(name, _)| std::str::from_utf8(name).ok());
            for name in names.filter(|name| !name.starts_with(':') && !kept(name)) {
                let _ = abi::map_remove(Map::Response, name);
            }
        }
        None => {
            for name in TAKEN {
                let _ = abi::map_remove(Map::Response, name);
            }
        }
    }
    let _ = abi::map_replace(Map::Response, ":status", b"500");
    let _ = abi::map_replace(Map::Response, "content-type", b"application/json; charset=utf-8");
}

/// Reads the status of the response, if there is one and the host tells.
pub(crate) fn status() -> Option<u16> {
    let text = abi::map_value(Map::Response, ":status").ok()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}
