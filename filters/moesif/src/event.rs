//! An event: one JSON object in the collector's format.

use crate::body::Body;
use crate::capture::LeftOut;
use crate::client_ip;
use crate::config::{Config, Direction};
use crate::identify::Who;
use crate::time::rfc3339;
use crate::uri;
use crate::writer::{Object, text};
use exchange::{Entity, Head, Request};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// The greatest size of an event in bytes. The collector refuses larger ones.
pub(crate) const MAX_EVENT: usize = 1_000_000;

/// The header with the transaction's id, for the upstream and for the client.
pub(crate) const TRANSACTION: &str = "x-moesif-transaction-id";

/// The content of an event.
pub(crate) struct Event<'a> {
    pub(crate) config: &'a Config,
    pub(crate) request: &'a Request,
    pub(crate) request_body: Body,
    pub(crate) request_length: Option<u64>,
    /// The response, or `None` if the filter saw none.
    pub(crate) response: Option<Reply<'a>>,
    pub(crate) who: &'a Who,
    pub(crate) session_token: Option<String>,
    pub(crate) weight: u8,
    pub(crate) blocked_by: Option<&'a str>,
    /// The id of the event. It does not change when the event is sent again.
    pub(crate) id: &'a str,
    /// The value of the transaction header, if there is one.
    pub(crate) transaction: Option<&'a [u8]>,
}

/// The response to the request.
pub(crate) struct Reply<'a> {
    pub(crate) head: &'a Head,
    pub(crate) status: u16,
    pub(crate) time: u64,
    pub(crate) body: Body,
    pub(crate) length: Option<u64>,
}

impl Event<'_> {
    /// Writes the JSON text. If a body makes it too large, the body is left out. Returns `None` if
    /// the text is too large even so.
    pub(crate) fn into_json(mut self) -> Option<Vec<u8>> {
        for _ in 0..3 {
            let json = self.json();
            if json.len() <= MAX_EVENT {
                return Some(json);
            }
            let response = self.response.as_mut().map(|response| &mut response.body);
            let too_large = Body::LeftOut(LeftOut::TooLarge);
            match response {
                Some(body) if body.weight() >= self.request_body.weight() => *body = too_large,
                _ => self.request_body = too_large,
            }
        }
        None
    }

    fn json(&self) -> Vec<u8> {
        let config = self.config;
        let bodies = self.response.as_ref().map_or(0, |response| response.body.weight());
        let bodies = bodies.saturating_add(self.request_body.weight());
        let mut out = Vec::with_capacity(bodies.saturating_add(2048));
        let mut event = Object::open(&mut out);
        self.write_request(event.object("request"));
        if let Some(response) = &self.response {
            let mut object = event.object("response");
            object.text("time", rfc3339(response.time));
            object.json("status", response.status.to_string());
            self.write_headers(object.object("headers"), response.head, &config.response);
            write_body(&mut object, &response.body, response.length);
            object.close();
        }
        event.optional("session_token", self.session_token.as_deref());
        event.optional("user_id", self.who.user.as_deref());
        event.optional("company_id", self.who.company.as_deref());
        self.write_metadata(event.object("metadata"));
        event.text("direction", "Incoming");
        event.json("weight", self.weight.to_string());
        event.optional("blocked_by", self.blocked_by);
        event.text("transaction_id", self.id);
        event.close();
        // The event may wait for a long time, and its capacity counts.
        out.shrink_to_fit();
        out
    }

    fn write_request(&self, mut object: Object<'_>) {
        let Self { config, request, .. } = self;
        object.text("time", rfc3339(request.now));
        let masks = &config.query_masks;
        object.text("uri", uri::full(&request.origin, &request.head, &request.target, masks));
        object.text("verb", &request.method);
        object.optional("ip_address", client_ip(config, request).as_deref());
        object.optional("api_version", config.api_version.as_deref());
        self.write_headers(object.object("headers"), &request.head, &config.request);
        write_body(&mut object, &self.request_body, self.request_length);
        object.close();
    }

    /// Writes every header once, with its values joined and its name in lower case.
    fn write_headers(&self, mut object: Object<'_>, head: &Head, direction: &Direction) {
        let masks = &direction.header_masks;
        let masked = &self.config.query_masks;
        if let Some(host) = head.first(":authority").filter(|_| head.first("host").is_none())
            && !masks.cover("host")
        {
            object.text("host", host);
        }
        // The headers are in the order of their first values. One pass is enough for a head with
        // many headers.
        let mut headers: Vec<(Cow<'_, str>, Vec<&[u8]>)> = Vec::new();
        let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for (name, value) in head.fields() {
            let name = lower(name);
            let ours = self.transaction.is_some() && name == TRANSACTION;
            if name.starts_with(':') || ours {
                continue;
            }
            let place = *places.entry(name.clone()).or_insert(headers.len());
            match headers.get_mut(place) {
                Some((_, values)) => values.push(value),
                None => headers.push((name, vec![value])),
            }
        }
        for (name, values) in headers.iter().filter(|(name, _)| !masks.cover(name)) {
            let out = object.name(name.as_bytes());
            // Headers with URIs (`referer`, `location`, `link`) have queries too.
            match values.as_slice() {
                [value] => text(out, &masked.queries(value)),
                _ => text(out, &masked.queries(&values.join(&b", "[..]))),
            }
        }
        if let Some(transaction) = self.transaction.filter(|_| !masks.cover(TRANSACTION)) {
            object.text(TRANSACTION, transaction);
        }
        object.close();
    }

    /// Writes route and service under the gateway's name, and the reason for a missing body.
    fn write_metadata(&self, mut object: Object<'_>) {
        let Request { route, service, entities, .. } = self.request;
        let kong = matches!(entities.service, Entity::Json(_))
            || service.id.is_some()
            || route.id.is_some();
        let mut gateway = object.object(if kong { "kong" } else { "envoy" });
        if let Entity::Json(json) = &entities.route
            && let Ok(Value::Object(entity)) = serde_json::from_slice(json)
            && let Some(hosts @ Value::Array(_)) = entity.get("hosts")
        {
            gateway.json("route_hosts", hosts.to_string());
        }
        gateway.optional("route_id", route.id.as_deref());
        gateway.optional("route_name", route.name.as_deref());
        gateway.optional("service_id", service.id.as_deref());
        let name = if kong { "service_name" } else { "cluster_name" };
        gateway.optional(name, service.name.as_deref());
        gateway.close();
        let response = self.response.as_ref().and_then(|response| response.body.left_out());
        let bodies = [("request_body", self.request_body.left_out()), ("response_body", response)];
        if bodies.iter().any(|(_, why)| why.is_some()) {
            let mut left_out = object.object("left_out");
            for (name, why) in bodies {
                left_out.optional(name, why.map(LeftOut::name));
            }
            left_out.close();
        }
        object.close();
    }
}

/// Returns a header's name in lower case, as Envoy has it already.
fn lower(name: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(name) {
        Cow::Borrowed(text) if !text.bytes().any(|b| b.is_ascii_uppercase()) => Cow::Borrowed(text),
        text => Cow::Owned(text.to_ascii_lowercase()),
    }
}

fn write_body(object: &mut Object<'_>, body: &Body, length: Option<u64>) {
    body.write(object);
    if let Some(length) = length {
        object.json("content_length", length.to_string());
    }
}

/// Returns the client's address. The value of a masked header must not appear in this way either.
pub(crate) fn client_ip(config: &Config, request: &Request) -> Option<String> {
    let said =
        || client_ip::forwarded(&request.head, |name| config.request.header_masks.cover(name));
    let said = if config.trust_client_ip_headers { said() } else { None };
    said.or_else(|| request.peer.clone())
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
