//! The claims of a token.

use crate::config::Config;
use crate::entity::{Unreadable, of_consumer, of_credential, of_host, picked};
use crate::members::Members;
use consumer::Identity;
use exchange::{Head, Request};
use jose::hash::sha256_hex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The claims of one request's token, except the times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    audience: Option<String>,
    issuer: Option<String>,
    id: Option<String>,
    body_hash: Option<String>,
    query_hash: Option<String>,
    /// The claims that the operator adds, each as JSON.
    more: BTreeMap<String, String>,
    /// The rest of the claim `kong`, each member as JSON.
    entities: Vec<(&'static str, String)>,
}

/// The times of a token in seconds since 1970, if it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) issued: Option<u64>,
    pub(crate) not_before: Option<u64>,
    pub(crate) expires: Option<u64>,
}

/// The reason why a request gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoClaims {
    /// The gateway's description of the route or service cannot be read.
    Entity,
    /// The gateway does not tell the query that the upstream will get.
    Query,
    /// The verified claims of an earlier filter cannot be read.
    Verified,
    /// The gateway has no randomness.
    Random,
    /// A header that becomes a claim is not a text.
    Header,
}

impl std::fmt::Display for NoClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Entity => "the host's description of the route or service cannot be read",
            Self::Query => "the host does not say which query the upstream will get",
            Self::Verified => "the property with the verified claims cannot be read",
            Self::Random => "there is no randomness for `jti`",
            Self::Header => "a header of `headers_to_claims` is not text",
        })
    }
}

impl From<Unreadable> for NoClaims {
    fn from(_: Unreadable) -> Self {
        Self::Entity
    }
}

impl Claims {
    /// Collects the claims of `request`'s token, except the hash of the body.
    pub(crate) fn of(
        config: &Config,
        request: &Request,
        identity: Option<&Identity>,
        random: fn(&mut [u8]) -> bool,
    ) -> Result<Self, NoClaims> {
        let service = of_host(&request.entities.service, &request.service, &config.service_entity)?;
        let mut entities = Vec::new();
        let mut put = |name, entity: &Map<String, Value>, wanted: &[String]| {
            if !wanted.is_empty() {
                entities.push((name, picked(entity, wanted)));
            }
        };
        put("consumer", &of_consumer(identity), &config.consumer);
        put("credentials", &of_credential(identity), &config.credentials);
        if !config.route.is_empty() {
            let route = of_host(&request.entities.route, &request.route, &config.route_entity)?;
            put("route", &route, &config.route);
        }
        put("service", &service, &config.service);
        let name = || service.get("name").and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            audience: if config.aud { name() } else { None },
            issuer: config.issuer.clone(),
            id: if config.jti { Some(uuid(random).ok_or(NoClaims::Random)?) } else { None },
            body_hash: None,
            query_hash: if config.query_hash { Some(query_hash(request)?) } else { None },
            more: more(config, request)?,
            entities,
        })
    }

    /// Adds the hash of the body. It is an empty text for an empty body.
    pub(crate) fn hash_body(&mut self, hash: String) {
        self.body_hash = Some(hash);
    }

    /// Returns `true` if another request could have equal claims.
    pub(crate) fn can_recur(&self) -> bool {
        self.id.is_none() && self.body_hash.is_none() && self.query_hash.is_none()
    }

    /// Returns the payload. Its members are in the order of the original's example.
    pub(crate) fn json(&self, times: Times) -> String {
        let mut payload = Members::new();
        let mut text = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                payload.put(name, value);
            }
        };
        text("aud", &self.audience);
        text("iss", &self.issuer);
        for (name, time) in
            [("iat", times.issued), ("nbf", times.not_before), ("exp", times.expires)]
        {
            if let Some(time) = time {
                payload.put(name, &time);
            }
        }
        if let Some(id) = &self.id {
            payload.put("jti", id);
        }
        for (name, json) in &self.more {
            payload.put_json(name, json);
        }
        payload.put_json("kong", &self.kong());
        payload.json()
    }

    fn kong(&self) -> String {
        let mut kong = Members::new();
        if self.body_hash.is_some() || self.query_hash.is_some() {
            let mut request = Members::new();
            for (name, hash) in [("bodyhash", &self.body_hash), ("queryhash", &self.query_hash)] {
                if let Some(hash) = hash {
                    request.put(name, hash);
                }
            }
            kong.put_json("request", &request.json());
        }
        for (name, json) in &self.entities {
            kong.put_json(name, json);
        }
        kong.json()
    }
}

/// Hashes the query as the upstream will get it, without `?` and without decoding.
fn query_hash(request: &Request) -> Result<String, NoClaims> {
    match request.upstream_query.as_deref() {
        None => Err(NoClaims::Query),
        Some(b"") => Ok(String::new()),
        Some(query) => Ok(sha256_hex(query)),
    }
}

/// Collects the claims that the operator adds. No two settings name one claim.
fn more(config: &Config, request: &Request) -> Result<BTreeMap<String, String>, NoClaims> {
    let mut more = BTreeMap::new();
    for (name, value) in &config.claims {
        more.insert(name.clone(), value.to_string());
    }
    for (header, name) in &config.headers_to_claims {
        if let Some(value) = header_text(&request.head, header)? {
            more.insert(name.clone(), Value::from(value).to_string());
        }
    }
    if let (false, Some(json)) = (config.claims_from_token.is_empty(), &request.claims) {
        let verified = jose::json::parse_object(json).ok_or(NoClaims::Verified)?;
        for name in &config.claims_from_token {
            if let Some(value) = verified.get(name) {
                more.insert(name.clone(), value.to_string());
            }
        }
    }
    Ok(more)
}

/// Returns the combined value of a header (RFC 9110). An empty one is ignored, because a header
/// that Kong removed looks like that.
fn header_text(head: &Head, name: &str) -> Result<Option<String>, NoClaims> {
    let mut joined = String::new();
    for value in head.values(name).filter(|value| !value.is_empty()) {
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(std::str::from_utf8(value).map_err(|_| NoClaims::Header)?);
    }
    Ok(Some(joined).filter(|joined| !joined.is_empty()))
}

/// Makes a random UUID (version 4, RFC 9562).
fn uuid(random: fn(&mut [u8]) -> bool) -> Option<String> {
    let mut bytes = [0; 16];
    random(&mut bytes).then(|| uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}
