//! The settings of the filter: those of the original with its names and defaults, and some more.

use crate::keys::Keys;
use consumer::IDENTITY_HEADERS;
use exchange::same_name;
use jose::Crypto;
use serde_json::{Map, Value};
use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    /// The keys. `None` only in settings that are rejected.
    pub(crate) keys: Option<Keys>,
    pub(crate) issuer: Option<String>,
    pub(crate) header: String,
    pub(crate) include_bearer: bool,
    /// The lifetime of a token in seconds; 0 for a token without an end.
    pub(crate) exp: u64,
    pub(crate) consumer: Vec<String>,
    pub(crate) credentials: Vec<String>,
    pub(crate) route: Vec<String>,
    pub(crate) service: Vec<String>,
    pub(crate) route_entity: Map<String, Value>,
    pub(crate) service_entity: Map<String, Value>,
    pub(crate) aud: bool,
    pub(crate) iat: bool,
    pub(crate) nbf: bool,
    pub(crate) jti: bool,
    pub(crate) body_hash: bool,
    pub(crate) query_hash: bool,
    pub(crate) claims: Map<String, Value>,
    /// Headers, and the claims that they are written to.
    pub(crate) headers_to_claims: Vec<(String, String)>,
    pub(crate) claims_from_token: Vec<String>,
    pub(crate) jwks_path: Option<String>,
    pub(crate) crypto: Crypto,
}

/// Claims that only this filter sets.
const OWN: [&str; 6] = ["iss", "exp", "nbf", "iat", "jti", "kong"];
/// The other claims of RFC 7519 that identify parties. Clients must not decide them.
const REGISTERED: [&str; 2] = ["sub", "aud"];
/// Headers about the message and the connection.
const NOT_OURS: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "cookie",
];

const JWKS_PATH: Rule = Rule {
    what: "a path that starts with `/`, of letters, digits and `._~/-`",
    pattern: Some("^/[A-Za-z0-9._~/-]*$"),
    max: 1024,
    check: |text| {
        text.starts_with('/')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~/-".contains(&b))
    },
};

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let keys = Keys::read(f);
        let issuer = f.text("issuer", Rule::TEXT);
        let header =
            f.text("header", Rule::HEADER_NAME).unwrap_or_else(|| "Authorization".to_owned());
        let taken = |name: &&&str| same_name(name.as_bytes(), header.as_bytes());
        let taken = NOT_OURS.iter().chain(&IDENTITY_HEADERS).find(taken);
        f.check(
            taken.is_none(),
            "header",
            format!("found \"{header}\", expected a header of the token's own"),
        );
        let include_bearer = f.flag("include_bearer", true);
        let exp = f.integer("exp", 0..=86_400, 60);
        let mut members = |name| f.texts(name, Rule::TEXT).unwrap_or_default();
        let consumer = members("consumer");
        let credentials = members("credentials");
        let route = members("route");
        let service = members("service");
        let route_entity = f.any_object("route_entity");
        let service_entity = f.any_object("service_entity");
        let claims = f.any_object("claims");
        let aud = f.flag("aud", false);
        let iat = f.flag("iat", false);
        let nbf = f.flag("nbf", false);
        let jti = f.flag("jti", false);
        let body_hash = f.flag("body_hash", false);
        let query_hash = f.flag("query_hash", false);
        let headers_to_claims = f.texts_by_name("headers_to_claims", Rule::TEXT);
        let claims_from_token = f.texts("claims_from_token", Rule::TEXT).unwrap_or_default();
        let jwks_path = f.text("jwks_path", JWKS_PATH);
        let crypto = [("auto", Crypto::Auto), ("wasm", Crypto::Wasm), ("host", Crypto::Host)];
        let crypto = f.choice("crypto", &crypto).unwrap_or_default();
        let config = Self {
            common,
            keys,
            issuer,
            header,
            include_bearer,
            exp,
            consumer,
            credentials,
            route,
            service,
            route_entity,
            service_entity,
            aud,
            iat,
            nbf,
            jti,
            body_hash,
            query_hash,
            claims,
            headers_to_claims,
            claims_from_token,
            jwks_path,
            crypto,
        };
        config.check_claims(f);
        config
    }

    /// Checks that no claim has two sources, and that no source sets a claim of the filter.
    fn check_claims(&self, f: &mut Fields<'_>) {
        let own = "found a claim that only this filter sets, expected another name";
        let mut seen: Vec<&str> = if self.aud { vec!["aud"] } else { Vec::new() };
        let mut claim = |f: &mut Fields<'_>, path: &str, name, may_be_registered: bool| {
            f.check(!OWN.contains(&name), path, own);
            let registered =
                "found a registered claim, expected a name that RFC 7519 does not register";
            f.check(may_be_registered || !REGISTERED.contains(&name), path, registered);
            f.check(
                !seen.contains(&name),
                path,
                "found a claim that has another source, expected one for each",
            );
            seen.push(name);
        };
        for name in self.claims.keys() {
            claim(f, &format!("claims.{name}"), name, true);
        }
        for (n, name) in self.claims_from_token.iter().enumerate() {
            claim(f, &format!("claims_from_token[{n}]"), name, name != "aud");
        }
        for (header, name) in &self.headers_to_claims {
            let path = format!("headers_to_claims.{header}");
            claim(f, &path, name, false);
            let named = (Rule::HEADER_NAME.check)(header);
            f.check(
                named,
                &path,
                format!("found another name, expected {}", Rule::HEADER_NAME.what),
            );
        }
    }

    /// Returns `true` if tokens contain anything of the service.
    pub(crate) fn needs_service(&self) -> bool {
        self.aud || !self.service.is_empty()
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
pub(crate) mod tests;
