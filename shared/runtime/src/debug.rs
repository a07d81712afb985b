//! The answer to an operator's question: what did each filter decide on this request, and did it
//! find its answers in the cache?
//!
//! A request asks with the header `X-Gatehouse-Debug` and the operator's token in it. Each filter
//! that has the setting `debug_token` then adds a header of the same name to the response, an item
//! of a structured list (RFC 9651): `key_auth;decision=passed;lookups="hit"`. Nobody else learns
//! anything, and no upstream gets the token.

use crate::proxy::Proxy;
use cache::Lookup;
use exchange::{Head, Occurrence};
use subtle::ConstantTimeEq as _;

/// The header of the question and of the answers.
pub(crate) const HEADER: &str = "x-gatehouse-debug";
/// The property that tells later filters that an earlier one has accepted the token.
const PROPERTY: &str = "gatehouse_debug";
/// The decision of a filter that let the request go on.
const PASSED: &str = "passed";

/// A filter's report on one request, while the filter works on it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lookups: Vec<&'static str>,
}

impl Report {
    /// Begins the report on the request with this head, if it asks for one with the operator's
    /// token.
    pub(crate) fn begin<P: Proxy>(proxy: &P, token: Option<&str>, head: &Head) -> Option<Self> {
        let token = token?;
        let has_token = match head.occurrence(HEADER) {
            Occurrence::One(given) => bool::from(given.ct_eq(token.as_bytes())),
            Occurrence::None | Occurrence::Many(_) => false,
        };
        if !has_token {
            // An earlier filter that has accepted the token has removed the header.
            return proxy.property(PROPERTY).map(|_| Self::default());
        }
        // Where there is no place for the property, later filters say nothing.
        let _ = proxy.publish(PROPERTY, b"1");
        Some(Self::default())
    }

    /// Notes the result of a lookup.
    pub(crate) fn note(&mut self, lookup: &Lookup) {
        self.lookups.push(match lookup {
            Lookup::Hit(_) => "hit",
            Lookup::Stale(_) => "stale",
            Lookup::Unavailable | Lookup::Queued => "unavailable",
            Lookup::Fetch(..) => "miss",
            Lookup::Join(_) => "joined",
        });
    }

    /// Returns the report on a request that `filter` refused for `cause`, or let go on (`None`).
    pub(crate) fn text(&self, filter: &str, cause: Option<&str>) -> String {
        let mut text = format!("{filter};decision={}", cause.unwrap_or(PASSED));
        if !self.lookups.is_empty() {
            text.push_str(&format!(";lookups=\"{}\"", self.lookups.join(" ")));
        }
        text
    }
}

/// Returns the head without the header of the question, which is not for a filter.
pub(crate) fn without_token(head: &Head) -> Head {
    let other = |(name, _): &(&[u8], &[u8])| !exchange::same_name(name, HEADER.as_bytes());
    head.fields().filter(other).collect()
}
