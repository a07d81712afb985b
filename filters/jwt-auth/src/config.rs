//! The settings of the filter: those of Kong's plugin with its names and defaults, and some more.

use crate::credential::{Material, Prepared, credential};
use crate::memory::Memory;
use crate::provider::{Provider, providers};
use consumer::{Anonymous, Directory, Identity, consumers};
use jose::{Algorithm, Crypto};
use settings::{Common, Fields, Rule};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Settings that passed every check.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    pub(crate) consumers: Directory,
    /// The inline consumers' JWT credentials, by key.
    pub(crate) holders: HashMap<String, Rc<Prepared>>,
    pub(crate) uri_param_names: Vec<String>,
    pub(crate) cookie_names: Vec<String>,
    pub(crate) header_names: Vec<String>,
    pub(crate) key_claim_name: String,
    pub(crate) secret_is_base64: bool,
    /// `true` if an HMAC secret that is shorter than its hash is refused.
    pub(crate) require_strong_secrets: bool,
    /// `true` if the segments of a token may have padding.
    pub(crate) accept_padding: bool,
    pub(crate) verify_exp: bool,
    pub(crate) verify_nbf: bool,
    /// The greatest time until the expiry of a token, in seconds; 0 for no limit.
    pub(crate) maximum_expiration: u64,
    /// The id or username of the consumer for requests that cannot be authenticated.
    pub(crate) anonymous: Option<String>,
    pub(crate) run_on_preflight: bool,
    pub(crate) hide_credentials: bool,
    /// The `WWW-Authenticate` of a response to a request without a token.
    pub(crate) challenge: String,
    /// The `WWW-Authenticate` of a response to a request with an invalid token.
    pub(crate) invalid_token: String,
    pub(crate) crypto: Crypto,
    pub(crate) providers: Vec<Provider>,
    /// The shortest time between two fetches of keys, in milliseconds.
    pub(crate) jwks_min_refresh: u64,
    /// The headers that claims are written to.
    pub(crate) owned: Vec<String>,
    pub(crate) memory: RefCell<Memory>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Exp,
    Nbf,
}

/// A name in a query or in a `Cookie` header.
const PARAMETER: Rule = Rule {
    what: "a name of printable ASCII without `=`, `;`, `,`, `&` and spaces",
    pattern: Some("^[!-%'-+\\--:<>-~]+$"),
    max: 256,
    check: |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"=;,&".contains(&b))
    },
};

impl Config {
    /// The settings that let a client become anonymous.
    pub(crate) fn anonymous(&self) -> Anonymous<'_> {
        Anonymous {
            name: self.anonymous.as_deref(),
            consumers: &self.consumers,
            has_admin: self.common.admin.is_some(),
        }
    }

    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::authenticating(f).with_lookups(f);
        let consumers = consumers(f);
        let uri_param_names = f.texts("uri_param_names", PARAMETER);
        let cookie_names = f.texts("cookie_names", PARAMETER).unwrap_or_default();
        let header_names = f.texts("header_names", Rule::HEADER_NAME);
        let key_claim_name = f.text("key_claim_name", Rule::TEXT);
        let secret_is_base64 = f.flag("secret_is_base64", false);
        let require_strong_secrets = f.flag("require_strong_secrets", false);
        let accept_padding = f.flag("accept_padding", false);
        let times = f.choices("claims_to_verify", &[("exp", Time::Exp), ("nbf", Time::Nbf)]);
        let times = times.unwrap_or_default();
        let maximum_expiration = f.integer("maximum_expiration", 0..=31_536_000, 0);
        let anonymous = f.text("anonymous", Rule::TEXT);
        let run_on_preflight = f.flag("run_on_preflight", true);
        let hide_credentials = f.flag("hide_credentials", false);
        let realm = f.text("realm", Rule::QUOTABLE);
        let crypto = f.choice(
            "crypto",
            &[("auto", Crypto::Auto), ("wasm", Crypto::Wasm), ("host", Crypto::Host)],
        );
        let providers = providers(f);
        let jwks_min_refresh = f.integer("jwks_min_refresh", 1..=3600, 10);
        let header_names = header_names.unwrap_or_else(|| vec!["authorization".to_owned()]);
        let verify_exp = times.contains(&Time::Exp);
        f.check(
            maximum_expiration == 0 || verify_exp,
            "maximum_expiration",
            "found a limit without `exp` in `claims_to_verify`, expected both",
        );
        f.check(
            common.admin.is_some() || !consumers.is_empty() || !providers.is_empty(),
            "",
            "found neither `admin` nor `consumers` nor `providers`, expected one of them to say whose tokens there are",
        );
        f.check(
            common.admin.is_some()
                || anonymous
                    .as_ref()
                    .is_none_or(|name| consumers.by_id_or_username(name).is_some()),
            "anonymous",
            "found a name that is not in `consumers`, expected the id or username of a consumer",
        );
        let holders = holders(f, &consumers, secret_is_base64);
        for (key, holder) in holders.iter().filter(|_| require_strong_secrets) {
            f.check(
                !holder.material.is_short(),
                "consumers",
                format!("JWT credential `{key}`: found a secret that is shorter than its hash (RFC 7518 section 3.2), expected a longer one"),
            );
        }
        let owned = check_providers(f, &providers, &header_names);
        let challenge = match &realm {
            Some(realm) => format!("Bearer realm=\"{realm}\""),
            None => "Bearer".to_owned(),
        };
        Self {
            common,
            consumers,
            holders,
            uri_param_names: uri_param_names.unwrap_or_else(|| vec!["jwt".to_owned()]),
            cookie_names,
            header_names,
            key_claim_name: key_claim_name.unwrap_or_else(|| "iss".to_owned()),
            secret_is_base64,
            require_strong_secrets,
            accept_padding,
            verify_exp,
            verify_nbf: times.contains(&Time::Nbf),
            maximum_expiration,
            anonymous,
            run_on_preflight,
            hide_credentials,
            invalid_token: match realm {
                Some(_) => format!("{challenge}, error=\"invalid_token\""),
                None => format!("{challenge} error=\"invalid_token\""),
            },
            challenge,
            crypto: crypto.unwrap_or_default(),
            providers,
            jwks_min_refresh: jwks_min_refresh.saturating_mul(1000),
            owned,
            memory: RefCell::default(),
        }
    }

    /// Returns warnings for the operator about settings that work.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let short = self.holders.iter().filter(|(_, holder)| holder.material.is_short());
        let mut keys: Vec<&String> = short.map(|(key, _)| key).collect();
        keys.sort_unstable();
        let warning = |key: &String| {
            format!(
                "the secret of the JWT credential `{key}` is shorter than its hash (RFC 7518 section 3.2)"
            )
        };
        keys.into_iter().map(warning).collect()
    }

    /// Returns the settings that cached answers depend on, apart from the admin service: the places
    /// of the providers' keys, and the tokens that are shown there.
    pub(crate) fn depends(&self) -> Vec<u8> {
        let places = self.providers.iter().filter_map(Provider::place);
        let parts = places.flat_map(|place| {
            let token = place.target.token.as_deref().unwrap_or_default();
            // Both parts have one length, wherever a token ends.
            [place.name.clone(), jose::hash::sha256_hex(token.as_bytes())]
        });
        parts.collect::<String>().into_bytes()
    }
}

fn holders(
    f: &mut Fields<'_>,
    directory: &Directory,
    base64: bool,
) -> HashMap<String, Rc<Prepared>> {
    let mut holders = HashMap::new();
    for (owner, secret) in &directory.jwt_secrets {
        let material = Material {
            algorithm: secret.algorithm.clone().unwrap_or_else(|| "HS256".to_owned()),
            secret: secret.secret.clone(),
            public_key: secret.public_key.clone(),
            base64,
        };
        let key = &secret.key;
        let known = Algorithm::parse(&material.algorithm);
        let usable = material.usable();
        let problem = match (known, &usable.key) {
            (None, _) => Some("an unknown algorithm, expected one of RFC 7518 or EdDSA"),
            (Some(_), Some(_)) => None,
            (Some(algorithm), None) if algorithm.is_symmetric() => {
                Some("no usable secret, expected `secret`, in base64 if `secret_is_base64` is set")
            }
            (Some(_), None) => {
                Some("no usable public key, expected `rsa_public_key` with a PEM for the algorithm")
            }
        };
        if let Some(problem) = problem {
            f.check(false, "consumers", format!("JWT credential `{key}`: found {problem}"));
        }
        let identity =
            Identity { credential: Some(credential(&secret.id, key)), ..(**owner).clone() };
        let prepared = Prepared { material, key: usable, identity: identity.into_property() };
        let earlier = holders.insert(key.clone(), Rc::new(prepared));
        f.check(
            earlier.is_none(),
            "consumers",
            format!("JWT credential `{key}`: found a key that an earlier credential has, expected it to be unique"),
        );
    }
    holders
}

/// Checks that names, issuers and the headers for claims are unique. Returns these headers.
fn check_providers(
    f: &mut Fields<'_>,
    providers: &[Provider],
    header_names: &[String],
) -> Vec<String> {
    let mut owned: Vec<String> = Vec::new();
    for (n, provider) in providers.iter().enumerate() {
        let earlier = providers.get(..n).unwrap_or_default();
        for (field, taken) in [
            ("name", earlier.iter().any(|other| other.name == provider.name)),
            ("issuer", earlier.iter().any(|other| other.issuer == provider.issuer)),
        ] {
            f.check(
                !taken,
                &format!("providers[{n}].{field}"),
                "found the same value in an earlier provider, expected it to be unique",
            );
        }
        let headers = provider.claims_to_headers.iter().map(|(_, header)| header);
        for header in headers.chain(&provider.forward_payload_header) {
            let same = |name: &String| exchange::same_name(name.as_bytes(), header.as_bytes());
            f.check(
                !header_names.iter().any(same),
                &format!("providers[{n}]"),
                format!("found the header `{header}`, which carries tokens, expected another one"),
            );
            if !owned.contains(header) {
                owned.push(header.clone());
            }
        }
    }
    owned
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(json: &str) -> Config {
        match settings::read(json.as_bytes(), &|_| None, Config::read) {
            Ok(config) => config,
            Err(invalid) => panic!("{invalid}"),
        }
    }

    fn problems(json: &str) -> Vec<String> {
        let error = settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err();
        error.problems().iter().map(|problem| problem.path.clone()).collect()
    }

    #[test]
    fn what_is_left_out_gets_kongs_default() {
        let config = config(r#"{"admin":{"upstream":"admin"}}"#);
        assert_eq!(config.uri_param_names, ["jwt"]);
        assert_eq!(config.header_names, ["authorization"]);
        assert!(config.cookie_names.is_empty() && config.providers.is_empty());
        assert_eq!((config.key_claim_name.as_str(), config.maximum_expiration), ("iss", 0));
        assert!(!config.secret_is_base64 && !config.verify_exp && !config.verify_nbf);
        assert!(config.run_on_preflight && !config.hide_credentials);
        assert_eq!((config.anonymous, config.crypto), (None, Crypto::Auto));
        assert_eq!(config.challenge, "Bearer");
        assert_eq!(config.invalid_token, r#"Bearer error="invalid_token""#);
    }

    #[test]
    fn a_realm_stands_in_both_challenges() {
        let config = config(r#"{"realm":"my api","consumers":[{"username":"a"}]}"#);
        assert_eq!(config.challenge, r#"Bearer realm="my api""#);
        assert_eq!(config.invalid_token, r#"Bearer realm="my api", error="invalid_token""#);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_path() {
        let provider =
            |more: &str| format!(r#"{{"providers":[{{"name":"p","issuer":"https://p/"{more}}}]}}"#);
        let remote = r#","jwks_uri":"https://p/jwks","upstream":{"upstream":"idp"}"#;
        for (json, path) in [
            ("{}".to_owned(), ""),
            (r#"{"consumers":[{"username":"a"}],"anonymous":"b"}"#.into(), "anonymous"),
            (r#"{"admin":{"upstream":"a"},"maximum_expiration":5}"#.into(), "maximum_expiration"),
            (
                r#"{"admin":{"upstream":"a"},"claims_to_verify":["iat"]}"#.into(),
                "claims_to_verify[0]",
            ),
            (r#"{"admin":{"upstream":"a"},"cookie_names":["a;b"]}"#.into(), "cookie_names[0]"),
            (r#"{"admin":{"upstream":"a"},"match":{"consumers":["x"]}}"#.into(), "match.consumers"),
            (
                r#"{"consumers":[{"username":"a","jwt_secrets":[{"key":"k"}]}]}"#.into(),
                "consumers",
            ),
            (
                r#"{"consumers":[{"username":"a","jwt_secrets":[{"key":"k","secret":"s","algorithm":"ES256"}]}]}"#.into(),
                "consumers",
            ),
            (
                r#"{"consumers":[{"username":"a","jwt_secrets":[{"key":"k","secret":"s"},{"key":"k","secret":"t"}]}]}"#.into(),
                "consumers",
            ),
            (provider(""), "providers[0]"),
            (provider(r#","jwks_uri":"https://p/jwks""#), "providers[0].upstream"),
            (provider(r#","jwks_uri":"https://p/jwks#x""#), "providers[0].jwks_uri"),
            (provider(r#","jwks":"{}""#), "providers[0].jwks"),
            (provider(r#","jwks":"{\"keys\":[]}""#), "providers[0].jwks"),
            (provider(&format!(r#"{remote},"algorithms":["HS256"]"#)), "providers[0].algorithms"),
            (
                provider(&format!(r#"{remote},"forward_payload_header":"X_Consumer_ID""#)),
                "providers[0].forward_payload_header",
            ),
            (
                provider(&format!(
                    r#"{remote},"claims_to_headers":[{{"claim":"a","header":"Authorization"}}]"#
                )),
                "providers[0]",
            ),
        ] {
            assert_eq!(problems(&json).first().map(String::as_str), Some(path), "{json}");
        }
        let twice = format!(
            r#"{{"providers":[{{"name":"p","issuer":"i"{remote}}},{{"name":"p","issuer":"i"{remote}}}]}}"#
        );
        assert_eq!(problems(&twice), ["providers[1].name", "providers[1].issuer"]);
    }

    #[test]
    fn a_secret_shorter_than_its_hash_is_warned_of_and_refused_where_that_is_asked_for() {
        let strong = "s".repeat(48);
        let weak = "s".repeat(47);
        let with = |secret: &str, more: &str| {
            format!(
                r#"{{"consumers":[{{"username":"a","jwt_secrets":[{{"key":"k","secret":"{secret}","algorithm":"HS384"}}]}}]{more}}}"#
            )
        };
        assert_eq!(config(&with(&strong, "")).warnings().len(), 0);
        let warnings = config(&with(&weak, "")).warnings();
        assert!(warnings[0].contains("`k`") && !warnings[0].contains(&weak), "{warnings:?}");
        let strict = r#","require_strong_secrets":true"#;
        config(&with(&strong, strict));
        assert_eq!(problems(&with(&weak, strict)), ["consumers"]);
        // The length of the decoded secret counts: 48 characters of base64 are 36 bytes.
        let base64 = r#","secret_is_base64":true"#;
        assert_eq!(config(&with(&strong, base64)).warnings().len(), 1);
    }

    #[test]
    fn no_message_shows_a_secret() {
        let json = r#"{"consumers":[{"username":"a","jwt_secrets":[{"key":"k","secret":"hush hush","algorithm":"RS256"}]}],
            "providers":[{"name":"p","issuer":"i","jwks":"hush"}]}"#;
        let error = settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
        let ok = r#"{"consumers":[{"username":"a","jwt_secrets":[{"key":"k","secret":"hush"}]}]}"#;
        assert!(!format!("{:?}", config(ok)).contains("hush"));
    }
}
