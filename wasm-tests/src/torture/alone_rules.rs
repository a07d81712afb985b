//! The rules by which the requests and answers of a single filter are judged.

use super::read::{IDENTITY, OWNED};
use super::reading::{decoded, name};
use super::shape::{KEY, MARK, PLANTED, token};
use super::upstream::{contains, parameters};
use crate::real::Message;
use jose::{base64url, hash::sha256_hex};
use serde_json::Value;

/// The value of a field that no event may show.
pub(super) const HIDDEN: &str = "a-hidden-value";

/// A request at the upstream, with the rules that it has broken so far.
struct Judged<'a> {
    request: &'a Message,
    broken: Vec<&'static str>,
}

impl<'a> Judged<'a> {
    fn new(request: &'a Message) -> Self {
        Self { request, broken: Vec::new() }
    }

    fn hold(mut self, rule: &'static str, held: impl FnOnce(&Self) -> bool) -> Self {
        if !held(&self) {
            self.broken.push(rule);
        }
        self
    }

    /// The values under a name in any spelling. Kong empties the headers that it cannot remove.
    fn values(&self, wanted: &str) -> Vec<&'a [u8]> {
        let fields = self.request.headers.iter().chain(&self.request.trailers);
        let same =
            fields.filter(|(found, value)| !value.is_empty() && name(found) == wanted.as_bytes());
        same.map(|(_, value)| value.as_slice()).collect()
    }

    fn target(&self) -> &'a [u8] {
        let target = self.request.start.split_once(' ').map_or("", |(_, rest)| rest);
        target.rsplit_once(' ').map_or(target, |(target, _)| target).as_bytes()
    }

    fn has_parameter(&self, wanted: &str) -> bool {
        parameters(self.target()).any(|name| name == wanted.as_bytes())
    }

    /// Returns `true` if the secret is nowhere in head, target, body and trailers. A form may have
    /// it escaped. Kong, which names the client in a header of its own, shows no body without a
    /// length.
    fn lacks(&self, secret: &str) -> bool {
        let unseen = !self.values("x-real-ip").is_empty()
            && !self.values(super::alone_shapes::PIECES).is_empty();
        let body = if unseen { &[][..] } else { self.request.body.as_slice() };
        let fields = self.request.headers.iter().chain(&self.request.trailers);
        let mut all = fields.map(|(_, value)| value.as_slice()).chain([body, self.target()]);
        !all.any(|bytes| contains(bytes, secret) || contains(&decoded(bytes), secret))
    }

    /// The top of the body, if it is JSON by its type.
    fn json(&self) -> Option<Value> {
        let kinds = self.request.all("content-type");
        let is_json = kinds.iter().any(|kind| kind.starts_with("application/json"));
        is_json.then(|| serde_json::from_slice(&self.request.body).ok()).flatten()
    }

    /// The names of the body's fields, if it is a form by its type.
    fn form(&self) -> Vec<Vec<u8>> {
        let kinds = self.request.all("content-type");
        let is_form = kinds.iter().any(|kind| kind == "application/x-www-form-urlencoded");
        let query = [b"?", self.request.body.as_slice()].concat();
        if is_form { parameters(&query).collect() } else { Vec::new() }
    }

    /// Holds that nobody is named but this consumer, and nothing that a client has planted.
    fn identified(self, username: &str) -> Self {
        let planted = |judged: &Self, name: &str| {
            judged.values(name).iter().any(|value| contains(value, PLANTED))
        };
        self.hold("a request without credentials", |judged| {
            let marks = judged.values(MARK);
            marks.iter().any(|mark| contains(mark, "may"))
                && !marks.iter().any(|mark| contains(mark, "never"))
        })
        .hold("another identity, or several", |judged| {
            judged.values("x-consumer-username") == [username.as_bytes()]
        })
        .hold("a header of the gateway with the client's value", |judged| {
            !IDENTITY.into_iter().any(|name| planted(judged, name))
        })
    }
}

pub(super) fn key_in_body(request: &Message) -> Vec<&'static str> {
    let judged = Judged::new(request).identified("ana");
    judged.hold("a key that was to be hidden", |judged| judged.lacks(KEY)).broken
}

pub(super) fn jwt_anywhere(request: &Message) -> Vec<&'static str> {
    let judged = Judged::new(request).identified("ado");
    judged.hold("a token that was to be hidden", |judged| judged.lacks(&token())).broken
}

pub(super) fn session(request: &Message) -> Vec<&'static str> {
    let planted = |judged: &Judged<'_>, name: &str| {
        judged.values(name).iter().any(|value| contains(value, PLANTED))
    };
    Judged::new(request)
        .hold("a header of the session with the client's value", |judged| {
            let owned = OWNED.into_iter().filter(|name| name.starts_with("session-"));
            !IDENTITY.into_iter().chain(owned).any(|name| planted(judged, name))
        })
        .hold("a session's cookie", |judged| {
            let cookies = judged.values("cookie");
            let mut pairs = cookies.iter().flat_map(|value| value.split(|b| *b == b';'));
            !pairs.any(|pair| {
                let name = pair.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
                pair.contains(&b'=') && matches!(name, b"session" | b"remember")
            })
        })
        .broken
}

pub(super) fn transformed(request: &Message) -> Vec<&'static str> {
    let names = ["drop", "old"];
    Judged::new(request)
        .hold("a header that was to be removed or renamed", |judged| {
            names.iter().all(|name| judged.values(&format!("x-{name}")).is_empty())
        })
        .hold("a header with another value than that of the settings", |judged| {
            judged.values("x-set").iter().all(|value| *value == b"set")
        })
        .hold("a parameter that was to be removed or renamed", |judged| {
            !names.iter().any(|name| judged.has_parameter(name))
        })
        .hold("a member that was to be removed or renamed", |judged| {
            let json = judged.json();
            !names.iter().any(|name| json.as_ref().is_some_and(|json| json.get(name).is_some()))
        })
        .hold("a field that was to be removed or renamed", |judged| {
            let form = judged.form();
            !names.iter().any(|name| form.iter().any(|found| found == name.as_bytes()))
        })
        .broken
}

pub(super) fn form_to_query(request: &Message) -> Vec<&'static str> {
    Judged::new(request)
        .hold("another method", |judged| judged.request.method() == "GET")
        .hold("another path", |judged| judged.target().starts_with(b"/x/"))
        .hold("a target that ends its line", |judged| {
            !judged.target().iter().any(|byte| *byte <= b' ' || *byte == 0x7f)
        })
        .broken
}

pub(super) fn hashed(request: &Message) -> Vec<&'static str> {
    let claims = |judged: &Judged<'_>| -> Option<Value> {
        let values = judged.values("x-upstream-jwt");
        let [token] = values.as_slice() else { return None };
        let payload = std::str::from_utf8(token).ok()?.split('.').nth(1)?.to_owned();
        serde_json::from_slice(&base64url::decode(payload)?).ok()
    };
    // An upgrade has no body; what follows belongs to the tunnel.
    let hash = |bytes: &[u8]| if bytes.is_empty() { String::new() } else { sha256_hex(bytes) };
    Judged::new(request)
        .hold("no token of the gateway, or several", |judged| claims(judged).is_some())
        .hold("another hash than that of the body", |judged| {
            let claims = claims(judged).unwrap_or_default();
            claims["kong"]["request"]["bodyhash"] == hash(&judged.request.body)
        })
        .broken
}

pub(super) fn never_echoed(request: &Message) -> Vec<&'static str> {
    let judged = Judged::new(request);
    judged
        .hold("a request with the trigger", |judged| {
            // A client that wants no answer writes another name, so that `;` divides nothing here.
            let query = judged.target().splitn(2, |b| *b == b'?').nth(1).unwrap_or_default();
            let mut pieces = query.split(|b| *b == b'&');
            let is_there = pieces.any(|piece| {
                decoded(piece.split(|b| *b == b'=').next().unwrap_or_default()) == b"x-echo"
            });
            judged.values("x-echo").is_empty() && !is_there
        })
        .broken
}

pub(super) fn not_denied(request: &Message) -> Vec<&'static str> {
    let judged = Judged::new(request);
    judged
        .hold("an address that was to be refused", |judged| {
            judged.values("forwarded").last().is_none_or(|value| *value != b"for=198.51.100.7")
        })
        .broken
}

pub(super) fn tagged(request: &Message) -> Vec<&'static str> {
    let judged = Judged::new(request);
    judged
        .hold("the header of the filter with the client's value", |judged| {
            !judged.values("x-bot").iter().any(|value| contains(value, PLANTED))
        })
        .broken
}

pub(super) fn allowed_origin(values: &dyn Fn(&str) -> Vec<String>) -> Option<&'static str> {
    let told = values("access-control-allow-origin");
    let allowed = |origin: &String| origin == "https://a.test" || origin.ends_with(".b.test");
    match told.as_slice() {
        [] => None,
        [origin] if allowed(origin) => None,
        [_] => Some("an origin that is not allowed"),
        _ => Some("several origins"),
    }
}

/// Returns what is wrong with events that moesif sends.
pub(super) fn collected(path: &str, body: &[u8]) -> Vec<&'static str> {
    if path != "/v1/events/batch" {
        return Vec::new();
    }
    let mut broken = Vec::new();
    let events: Option<Vec<Value>> = serde_json::from_slice(body).ok();
    if events.is_none_or(|events| events.is_empty()) {
        broken.push("events that are no JSON");
    }
    if contains(body, HIDDEN) {
        broken.push("a field that was to be masked");
    }
    if contains(body, KEY) {
        broken.push("a key that was to be masked");
    }
    broken
}
