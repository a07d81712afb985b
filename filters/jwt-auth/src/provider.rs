//! The settings of an issuer, and the location of its keys.

use crate::claims;
use crate::memory::KeySet;
use crate::tables;
use consumer::IDENTITY_HEADERS;
use consumer::lookup::By;
use exchange::{Call, Query, Target, percent_decode, same_name, split_target};
use jose::{Algorithm, Algorithms, JwkSet, Policy};
use settings::{Fields, Rule};
use std::rc::Rc;
use std::time::Duration;

/// An issuer whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) keys: Keys,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Algorithms,
    pub(crate) clock_skew: u64,
    pub(crate) require_exp: bool,
    pub(crate) jwks_ttl: Duration,
    pub(crate) consumer_claim: Option<String>,
    /// The kind of consumer name that the claim contains.
    pub(crate) consumer_by: By,
    /// Claims, and the headers that they are written to.
    pub(crate) claims_to_headers: Vec<(String, String)>,
    pub(crate) forward_payload_header: Option<String>,
}

/// The location of an issuer's keys.
#[derive(Debug)]
pub(crate) enum Keys {
    /// In the settings.
    Inline(Rc<KeySet>),
    /// At this place.
    Remote(Place),
    /// At the place that the document at this place names (OpenID Connect Discovery).
    Discovered(Place),
}

/// A document that can be fetched.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: Rc<Target>,
    pub(crate) uri: Uri,
    /// The name of the place in the cache ([`tables::place_name`]).
    pub(crate) name: String,
}

/// An absolute URI without user information and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uri {
    pub(crate) https: bool,
    /// Host and port in lower case, without the default port of the scheme.
    pub(crate) authority: String,
    /// Path and query as they are written.
    pub(crate) path: String,
}

const NAME: Rule = Rule {
    what: "a name (letters, digits, `.`, `_` and `-`)",
    pattern: Some("^[A-Za-z0-9._-]+$"),
    max: 64,
    check: |text| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    },
};

const URI: Rule = Rule {
    what: "a URI `http(s)://authority/path` without user and fragment",
    pattern: Some("^https?://[^/?#@\\s]+/[^#\\s]*$"),
    max: 2048,
    check: |text| Uri::parse(text).is_some(),
};

/// The name of a claim, a path with dots, or a JSON Pointer.
const CLAIM: Rule = Rule {
    what: "the name of a claim, a path to it with dots, or a JSON Pointer that begins with `/`",
    pattern: Some("^($|[^/]|/([^~]|~[01])*$)"),
    check: |text| (Rule::TEXT.check)(text) && claims::can_name(text),
    ..Rule::TEXT
};

/// Headers that belong to the gateway or the protocol.
const NOT_FOR_CLAIMS: [&str; 5] =
    ["host", "content-length", "transfer-encoding", "connection", "te"];

/// Reads the setting `providers`.
pub(crate) fn providers(f: &mut Fields<'_>) -> Vec<Provider> {
    f.objects("providers", provider)
}

fn provider(f: &mut Fields<'_>) -> Provider {
    let name = f.required_text("name", NAME);
    let issuer = f.required_text("issuer", Rule::WORD);
    let algorithms = algorithms(f);
    let keys = keys(f, &issuer, algorithms);
    let audiences = f.texts("audiences", Rule::TEXT).unwrap_or_default();
    let clock_skew = f.integer("clock_skew", 0..=3600, 60);
    let require_exp = f.flag("require_exp", true);
    let jwks_ttl = Duration::from_secs(f.integer("jwks_ttl", 10..=604_800, 300));
    let consumer_claim = f.text("consumer_claim", CLAIM);
    let names = [By::CustomId, By::Username, By::Id].map(|by| (by.word(), by));
    let consumer_by = f.choice("consumer_by", &names);
    f.check(
        consumer_by.is_none() || consumer_claim.is_some(),
        "consumer_by",
        "found without `consumer_claim`, expected both",
    );
    let claims_to_headers = f.objects("claims_to_headers", |f| {
        let claim = f.required_text("claim", CLAIM);
        let header = f.required_text("header", Rule::HEADER_NAME).to_ascii_lowercase();
        f.check(is_free(&header), "header", TAKEN);
        (claim, header)
    });
    let forward_payload_header =
        f.text("forward_payload_header", Rule::HEADER_NAME).map(|name| name.to_ascii_lowercase());
    f.check(forward_payload_header.as_deref().is_none_or(is_free), "forward_payload_header", TAKEN);
    Provider {
        name,
        issuer,
        keys,
        audiences,
        algorithms,
        clock_skew,
        require_exp,
        jwks_ttl,
        consumer_claim,
        // A custom id is set for the very purpose of naming a consumer in another system. A name
        // that users of that system choose themselves must not lead to a consumer that nobody
        // connected with it.
        consumer_by: consumer_by.unwrap_or(By::CustomId),
        claims_to_headers,
        forward_payload_header,
    }
}

const TAKEN: &str = "found a header that the gateway or the protocol owns, expected another one";

fn is_free(header: &str) -> bool {
    let mut taken = IDENTITY_HEADERS.iter().chain(&NOT_FOR_CLAIMS);
    !taken.any(|name| same_name(name.as_bytes(), header.as_bytes()))
}

/// Without a setting, all algorithms are allowed that need no shared secret.
fn algorithms(f: &mut Fields<'_>) -> Algorithms {
    let names = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let names: Vec<_> = names.into_iter().chain([("Ed25519", Algorithm::EdDsa)]).collect();
    match f.choices("algorithms", &names) {
        Some(list) if !list.is_empty() => Algorithms::of(&list),
        _ => Algorithm::ALL
            .iter()
            .filter(|algorithm| !algorithm.is_symmetric())
            .fold(Algorithms::NONE, |all, one| all.or(Algorithms::of(&[*one]))),
    }
}

fn keys(f: &mut Fields<'_>, issuer: &str, algorithms: Algorithms) -> Keys {
    let jwks_uri = f.text("jwks_uri", URI);
    let discovery = f.text("oidc_discovery_uri", URI);
    let jwks = f.secret("jwks", "jwks_env", Rule::LONG);
    let target = settings::target(f, "upstream", 5000);
    let given = ["jwks_uri", "oidc_discovery_uri", "jwks", "jwks_env"];
    f.check(
        given.iter().filter(|name| f.is_given(name)).count() == 1,
        "",
        "expected one of `jwks_uri`, `oidc_discovery_uri` and `jwks`",
    );
    let remote = jwks_uri.is_some() || discovery.is_some();
    f.check(
        !remote || target.is_some(),
        "upstream",
        "found nothing, expected where to fetch the keys: a cluster on Envoy, `host:port` on Kong",
    );
    f.check(
        !remote || algorithms.and(Algorithms::HMAC).is_empty(),
        "algorithms",
        "found an algorithm with a shared secret, expected none where keys come over the network",
    );
    let place = |uri: &str| {
        let uri = Uri::parse(uri)?;
        let mut target = target.clone()?;
        target.tls |= uri.https;
        // The URI supplies what the settings leave out.
        if target.authority == target.upstream {
            target.authority.clone_from(&uri.authority);
        }
        Some(Place::new(issuer, target, uri))
    };
    if let Some(place) = jwks_uri.as_deref().and_then(place) {
        return Keys::Remote(place);
    }
    if let Some(place) = discovery.as_deref().and_then(place) {
        return Keys::Discovered(place);
    }
    let text = jwks.unwrap_or_default();
    let set = JwkSet::parse(text.as_bytes(), Policy::INLINE);
    let print = jose::hash::sha256(text.as_bytes());
    match set {
        Ok(set) if !set.keys().is_empty() => return Keys::Inline(Rc::new(KeySet { set, print })),
        Ok(set) => {
            let why = set.unusable().first().map_or("there is none".to_owned(), |(n, why)| {
                format!("the key at position {n}: {why}")
            });
            f.check(
                text.is_empty(),
                "jwks",
                format!("found no usable key ({why}), expected at least one"),
            );
        }
        Err(why) => f.check(
            text.is_empty(),
            "jwks",
            format!("found something else (not shown; {why}), expected a JWK Set as a JSON text"),
        ),
    }
    // This is a placeholder: a document with a problem is never used.
    let nothing = JwkSet::parse(br#"{"keys":[]}"#, Policy::REMOTE);
    match nothing {
        Ok(set) => Keys::Inline(Rc::new(KeySet { set, print })),
        Err(_) => Keys::Remote(Place::new(issuer, nowhere(), Uri::default())),
    }
}

fn nowhere() -> Target {
    Target {
        upstream: String::new(),
        authority: String::new(),
        tls: false,
        prefix: Vec::new(),
        timeout: Duration::ZERO,
        token: None,
    }
}

impl Place {
    /// Makes the place of a document of `issuer`.
    fn new(issuer: &str, target: Target, uri: Uri) -> Self {
        let name = tables::place_name(issuer, &uri, &target);
        Self { target: Rc::new(target), uri, name }
    }
}

impl Provider {
    /// Returns the place of the keys, or of the document that names it.
    pub(crate) fn place(&self) -> Option<&Place> {
        match &self.keys {
            Keys::Inline(_) => None,
            Keys::Remote(place) | Keys::Discovered(place) => Some(place),
        }
    }
}

impl Default for Uri {
    fn default() -> Self {
        Self { https: false, authority: String::new(), path: "/".to_owned() }
    }
}

impl Uri {
    /// Parses an absolute URI. Returns `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
        let plain = |b: u8| b.is_ascii_graphic() && !b"#\\\"<>".contains(&b);
        let host = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
        if authority.is_empty() || !authority.bytes().all(host) || !path.bytes().all(plain) {
            return None;
        }
        let authority = authority.to_ascii_lowercase();
        let own_port = if https { ":443" } else { ":80" };
        let authority = authority.strip_suffix(own_port).unwrap_or(&authority).to_owned();
        // A path with dot segments may lead elsewhere than it seems.
        if segments(path).any(|segment| matches!(segment.as_slice(), b"." | b"..")) {
            return None;
        }
        Some(Self { https, authority, path: path.to_owned() })
    }
}

/// Makes a GET request for this path and query.
pub(crate) fn call(path: &str) -> Call {
    let query = Query::of_target(path.as_bytes()).pairs();
    query.fold(Call::get(segments(path)), |call, (name, value)| {
        call.with(String::from_utf8_lossy(&name).into_owned(), value.unwrap_or_default())
    })
}

/// Returns the decoded segments of a path.
fn segments(path: &str) -> impl Iterator<Item = Vec<u8>> {
    let (path, _) = split_target(path.as_bytes());
    path.split(|byte| *byte == b'/').skip(1).map(percent_decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_an_authority_and_a_path_and_nothing_else() {
        let uri = |https, authority: &str, path: &str| Uri {
            https,
            authority: authority.into(),
            path: path.into(),
        };
        for (text, expected) in [
            ("https://a.example/jwks.json", Some(uri(true, "a.example", "/jwks.json"))),
            ("https://A.example:443/", Some(uri(true, "a.example", "/"))),
            ("http://a:8080/x/.well-known/y", Some(uri(false, "a:8080", "/x/.well-known/y"))),
            ("http://a:80/", Some(uri(false, "a", "/"))),
            ("https://a.example", None),
            ("https:///x", None),
            ("https://user@a/x", None),
            ("https://a/x?y=/../z", Some(uri(true, "a", "/x?y=/../z"))),
            ("https://a?y=/x", None),
            ("https://a/x#y", None),
            ("https://a/x y", None),
            ("https://a/../x", None),
            ("https://a/%2e%2E/x", None),
            ("ftp://a/x", None),
            ("//a/x", None),
        ] {
            assert_eq!(Uri::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_call_has_the_uris_path_and_query() {
        let call = call("/a%2Fb/.well-known/keys?p=B2C%5F1&v=2.0&x");
        assert_eq!(call.segments, [b"a/b".as_slice(), b".well-known", b"keys"]);
        let query = call.query.iter().map(|(name, value)| (&**name, value.as_slice()));
        let expected: [(&str, &[u8]); 3] = [("p", b"B2C_1"), ("v", b"2.0"), ("x", b"")];
        assert!(query.eq(expected), "{:?}", call.query);
    }
}
