//! The keys of the settings: one signs, and all are published for upstreams.

use crate::members::Members;
use jose::{
    Algorithm, Algorithms, Policy, SigningHeader, SigningKey, VerifyingKey, base64url,
    certificates_from_pem, x5c,
};
use serde_json::{Value, json};
use settings::{Fields, Rule, shown_variable};

/// The key that signs, and the published form of all keys.
pub(crate) struct Keys {
    pub(crate) key: SigningKey,
    pub(crate) header: SigningHeader,
    /// The JWK Set of all keys.
    pub(crate) jwks: String,
}

/// The form in which a token's header shows the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Not,
    /// The form of RFC 7515.
    Standard,
    /// The form of the original.
    Legacy,
}

/// One key of the settings.
struct Entry {
    algorithm: Algorithm,
    key_id: Option<String>,
    private: Option<(SigningKey, &'static str)>,
    public: Option<(VerifyingKey, &'static str)>,
    /// The text that contained the public key.
    public_text: String,
    active: bool,
}

const ALGORITHMS: [(&str, Algorithm); 6] = [
    ("RS256", Algorithm::Rs256),
    ("RS384", Algorithm::Rs384),
    ("RS512", Algorithm::Rs512),
    ("PS256", Algorithm::Ps256),
    ("ES256", Algorithm::Es256),
    ("EdDSA", Algorithm::EdDsa),
];

/// A filter has no file system, so a location is an environment variable.
const LOCATION: Rule = Rule {
    what: "`env://NAME`: a filter reads no files, so put the PEM text into an environment variable of the gateway or \
           into `private_key` and `public_key` (`scripts/inline-keys` does that to a configuration)",
    pattern: Some("^env://[A-Za-z_][A-Za-z0-9_]*$"),
    max: 262,
    check: |text| text.strip_prefix("env://").is_some_and(Rule::ENV_NAME.check),
};

const PRIVATE: Rule = Rule { what: "a private key as PEM text", ..PEM };
const PUBLIC: Rule = Rule { what: "a certificate (or a chain) or a public key as PEM text", ..PEM };
const PEM: Rule = Rule {
    what: "PEM text",
    pattern: Some("-----BEGIN "),
    max: 65_536,
    check: |text| text.contains("-----BEGIN "),
};

impl Keys {
    /// Reads all settings about keys. Returns `None`, and records problems, if one is wrong.
    pub(crate) fn read(f: &mut Fields<'_>) -> Option<Self> {
        let single = Entry::read(f, Algorithm::Rs256, false);
        let listed = f.objects("private_keys", |f| {
            let entry = Entry::read(f, single.algorithm, true);
            let whole = !entry.active || entry.private.is_some();
            f.check(whole, "private_key", "found no private key in the active entry, expected one");
            let any = entry.private.is_some() || entry.public.is_some();
            f.check(any, "", "found no key, expected `private_key` or at least `public_key`");
            f.check(
                entry.key_id.is_some(),
                "key_id",
                "found nothing, expected a name that tells the keys apart",
            );
            entry
        });
        let shown = shown(f);
        let entries =
            if !listed.is_empty() { in_list(f, &single, listed) } else { alone(f, single) };
        let jwks = jwks(&entries);
        let active = entries.into_iter().find(|entry| entry.active)?;
        let header = header(f, &active, shown)?;
        let (key, path) = active.private?;
        match key.header(&header) {
            Ok(header) => Some(Self { key, header, jwks }),
            Err(error) => {
                f.check(false, path, format!("found a key that makes no header: {error}"));
                None
            }
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({:?})", self.key)
    }
}

/// Reads the entries of `private_keys`.
fn in_list(f: &mut Fields<'_>, single: &Entry, listed: Vec<Entry>) -> Vec<Entry> {
    let both = single.private.is_some() || single.public.is_some() || single.key_id.is_some();
    f.check(
        !both,
        "private_keys",
        "found together with a key outside of the list, expected all keys in it",
    );
    let active = listed.iter().filter(|entry| entry.active).count();
    f.check(
        active == 1,
        "private_keys",
        format!("found {active} entries with `active: true`, expected one"),
    );
    for (n, entry) in listed.iter().enumerate() {
        let twice = listed.iter().take(n).any(|other| other.key_id == entry.key_id);
        let twice = twice && entry.key_id.is_some();
        f.check(
            !twice,
            &format!("private_keys[{n}].key_id"),
            "found it twice, expected different names",
        );
    }
    listed
}

/// Reads the single key of the settings, or of the original's environment variables.
fn alone(f: &mut Fields<'_>, mut entry: Entry) -> Vec<Entry> {
    entry.active = true;
    let pem = |f: &Fields<'_>, name| f.env(name).filter(|text| (PEM.check)(text));
    if entry.private.is_none() && !KeyPath::PRIVATE.is_given(f) {
        if let Some(text) = pem(f, "KONG_SSL_CERT_KEY") {
            entry.private = signing(f, &text, entry.algorithm, &entry.key_id, "KONG_SSL_CERT_KEY");
        } else {
            f.check(
                false,
                "private_key",
                "found nothing, expected `private_key`, `private_key_env`, `private_key_location`, or a PEM text in \
                 the environment variable `KONG_SSL_CERT_KEY`",
            );
        }
    }
    let no_public = entry.public.is_none() && !KeyPath::PUBLIC.is_given(f);
    if no_public
        && f.is_given("x5c")
        && let Some(text) = pem(f, "KONG_SSL_CERT_DER")
    {
        entry.read_public(f, text, "KONG_SSL_CERT_DER");
    }
    vec![entry]
}

/// The settings that can contain a key.
struct KeyPath {
    location: &'static str,
    inline: &'static str,
    env: &'static str,
    rule: Rule,
}

impl KeyPath {
    const PRIVATE: Self = Self {
        location: "private_key_location",
        inline: "private_key",
        env: "private_key_env",
        rule: PRIVATE,
    };
    const PUBLIC: Self = Self {
        location: "public_key_location",
        inline: "public_key",
        env: "public_key_env",
        rule: PUBLIC,
    };

    fn is_given(&self, f: &Fields<'_>) -> bool {
        [self.location, self.inline, self.env].iter().any(|name| f.is_given(name))
    }

    /// Returns the PEM text, and the setting that it came from.
    fn text(&self, f: &mut Fields<'_>) -> Option<(String, &'static str)> {
        let inline = f.secret(self.inline, self.env, self.rule);
        let location = f.place_of_secret(self.location, LOCATION);
        let name = location.as_deref().and_then(|text| text.strip_prefix("env://"));
        let (Some(name), None) = (name, &inline) else {
            let both = inline.is_some() && location.is_some();
            f.check(
                !both,
                self.location,
                format!("found together with `{}`, expected one of the two", self.inline),
            );
            let at = if f.is_given(self.inline) { self.inline } else { self.env };
            return inline.map(|text| (text, at));
        };
        let text = f.env(name).filter(|text| (self.rule.check)(text));
        f.check(
            text.is_some(),
            self.location,
            format!(
                "found no usable environment variable {}, expected it to hold {}; the gateway must hand it to \
                 the filter",
                shown_variable(name),
                self.rule.what
            ),
        );
        text.map(|text| (text, self.location))
    }
}

impl Entry {
    fn read(f: &mut Fields<'_>, default: Algorithm, in_list: bool) -> Self {
        let algorithm = f.choice("algorithm", &ALGORITHMS).unwrap_or(default);
        let key_id = f.text("key_id", Rule::TEXT);
        let private = KeyPath::PRIVATE.text(f);
        let private = private.and_then(|(text, path)| signing(f, &text, algorithm, &key_id, path));
        let mut entry = Self {
            algorithm,
            key_id,
            private,
            public: None,
            public_text: String::new(),
            active: in_list && f.flag("active", false),
        };
        if let Some((text, path)) = KeyPath::PUBLIC.text(f) {
            entry.read_public(f, text, path);
        }
        entry
    }

    /// Reads the public key from `text`, which must belong to the private key.
    fn read_public(&mut self, f: &mut Fields<'_>, text: String, path: &'static str) {
        let only = Algorithms::of(&[self.algorithm]);
        match VerifyingKey::from_pem(&text, only, Policy::REMOTE) {
            Ok(key) => {
                let own = self.private.as_ref().map(|(private, _)| private.verifying().spki_der());
                let same = own.is_none_or(|own| own == key.spki_der());
                f.check(
                    same,
                    path,
                    "found the public key of another private key, expected that of this one",
                );
                self.public = Some((key.with_key_id(self.key_id.clone()), path));
                self.public_text = text;
            }
            Err(error) => {
                f.check(false, path, format!("found a public key that cannot be used: {error}"))
            }
        }
    }
}

fn signing(
    f: &mut Fields<'_>,
    text: &str,
    algorithm: Algorithm,
    key_id: &Option<String>,
    path: &'static str,
) -> Option<(SigningKey, &'static str)> {
    match SigningKey::from_pem(text, algorithm) {
        Ok(key) => Some((key.with_key_id(key_id.clone()), path)),
        Err(error) => {
            f.check(
                false,
                path,
                format!(
                    "found a private key (not shown) that cannot be used for {algorithm}: {error}"
                ),
            );
            None
        }
    }
}

fn shown(f: &mut Fields<'_>) -> Shown {
    let wanted = f.flag("x5c", false);
    let legacy = f.flag("x5c_legacy", false);
    f.check(
        wanted || !legacy,
        "x5c_legacy",
        "found true without `x5c`, expected that to be true too",
    );
    match (wanted, legacy) {
        (false, _) => Shown::Not,
        (true, false) => Shown::Standard,
        (true, true) => Shown::Legacy,
    }
}

/// Returns the token's header. Its members are in the order of the original's example.
fn header(f: &mut Fields<'_>, active: &Entry, shown: Shown) -> Option<String> {
    let mut header = Members::new();
    header.put("typ", "JWT");
    header.put("alg", active.algorithm.name());
    if let Some(key_id) = &active.key_id {
        header.put("kid", key_id);
    }
    match shown {
        Shown::Not => {}
        Shown::Standard => match certificates_from_pem(&active.public_text) {
            Ok(certificates) => header.put("x5c", &x5c(&certificates)),
            Err(_) => {
                no_certificate(f);
                return None;
            }
        },
        // The file is encoded in base64url whatever it contains. RFC 7515 requires another form,
        // but upstreams of the original read this one.
        Shown::Legacy if active.public.is_some() => {
            header.put("x5c", &[base64url::encode(&active.public_text)]);
        }
        Shown::Legacy => {
            no_certificate(f);
            return None;
        }
    }
    Some(header.json())
}

fn no_certificate(f: &mut Fields<'_>) {
    f.check(
        false,
        "x5c",
        "found true without a certificate of the key that signs, expected one in `public_key`, `public_key_env` or \
         `public_key_location`",
    );
}

fn jwks(entries: &[Entry]) -> String {
    let keys = entries.iter().filter_map(|entry| {
        let private = entry.private.as_ref().map(|(key, _)| key.verifying());
        let public = entry.public.as_ref().map(|(key, _)| key);
        private.or(public)?.to_jwk().map(Value::Object)
    });
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}
