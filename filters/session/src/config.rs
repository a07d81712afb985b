//! The settings of the filter: those of Kong's plugin with its present and former names and its
//! defaults, and some more.

use crate::header::{BOUND_TO_IP, BOUND_TO_SCHEME, BOUND_TO_USER_AGENT};
use crate::properties::Property;
use crate::secret::{Kind, Secret};
use crate::set_cookie::Attributes;
use crate::times::{MAX_TTL, Timeouts};
use admin_api::is_metadata;
use consumer::{Directory, consumers};
use exchange::Target;
use settings::{Common, Fields, Mode, Rule};
use std::rc::Rc;

/// Settings that passed every check.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    pub(crate) consumers: Directory,
    /// `true` if the consumer of a session is looked up.
    pub(crate) check_consumer: bool,
    pub(crate) phase: Phase,
    /// `true` if the admin service stores the contents of sessions, `false` if the cookies do.
    pub(crate) stored: bool,
    /// The form in which the admin service learns whom a stored session is for.
    pub(crate) noted: Noted,
    /// The admin service, if the operator set it.
    pub(crate) admin: Option<Rc<Target>>,
    pub(crate) audience: String,
    pub(crate) timeouts: Timeouts,
    /// The time for which a session lives on after another has replaced it, in seconds.
    pub(crate) stale_ttl: u64,
    pub(crate) cookie_name: String,
    pub(crate) attributes: Attributes,
    pub(crate) remember: bool,
    pub(crate) remember_cookie_name: String,
    pub(crate) remember_timeouts: Timeouts,
    pub(crate) response_headers: Vec<Property>,
    pub(crate) request_headers: Vec<Property>,
    /// The flags of the properties that a session is bound to.
    pub(crate) bind: u16,
    pub(crate) hide_cookie: bool,
    pub(crate) expire_invalid: bool,
    pub(crate) logout: Logout,
}

/// The requests that end a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logout {
    pub(crate) methods: Vec<&'static str>,
    pub(crate) query_arg: String,
    pub(crate) post_arg: String,
    pub(crate) reads_body: bool,
    pub(crate) redirect_uri: Option<String>,
    /// `true` if the admin service keeps a list of logins that have ended.
    pub(crate) revokes: bool,
}

/// The work of this instance of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The instance opens sessions with the request, and saves new ones with the response.
    Both,
    /// The instance opens sessions, and another instance saves them.
    Open,
    /// The instance saves the sessions of callers that earlier filters have authenticated, with the
    /// request.
    Save,
}

/// The part of a session's subjects that is stored outside of the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    Nothing,
    Subjects,
    /// Digests of the names. Sessions can be found by a name, but a list of sessions shows no
    /// names.
    Hashes,
}

/// The name of a cookie (RFC 6265, section 4.1.1).
const COOKIE_NAME: Rule = Rule {
    what: "the name of a cookie (letters, digits and ``!#$%&'*+-.^_`|~``)",
    pattern: Some(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"),
    max: 256,
    check: |text| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    },
};

const COOKIE_PATH: Rule = Rule {
    what: "a path that starts with `/`, printable ASCII without `;`",
    pattern: Some("^/[ -:<-~]*$"),
    max: 1024,
    check: |text| {
        text.starts_with('/') && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b';')
    },
};

const DOMAIN: Rule = Rule {
    what: "a host name or a domain",
    pattern: Some("^[A-Za-z0-9.-]+$"),
    max: 255,
    check: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
};

const URI: Rule = Rule {
    what: "a URI, or a path that starts with `/`: printable ASCII without spaces",
    pattern: Some("^[!-~]+$"),
    max: 2048,
    check: |text| text.bytes().all(|b| b.is_ascii_graphic()),
};

const SECONDS: std::ops::RangeInclusive<u64> = 0..=MAX_TTL;

impl Config {
    /// Reads the settings and the secrets. The current secret comes first.
    pub(crate) fn read(f: &mut Fields<'_>) -> (Self, Vec<Secret>) {
        let common = Common::authenticating(f).with_lookups(f);
        let consumers = consumers(f);
        let check_consumer = f.flag("check_consumer", true);
        let secrets = secrets(f);
        let phases = [("open", Phase::Open), ("save", Phase::Save)];
        let phase = f.choice("phase", &phases).unwrap_or(Phase::Both);
        let admin = common.admin.as_ref().map(|admin| Rc::new(admin.target.clone()));
        let stored = f.choice("storage", &[("cookie", false), ("kong", true), ("admin", true)]);
        let stored = stored.unwrap_or(false);
        f.check(
            !stored || admin.is_some(),
            "storage",
            "found a storage outside the cookie without `admin`, expected an admin service to keep the sessions",
        );
        f.check(
            common.cache.mode == Mode::Lazy,
            "cache.mode",
            "found \"full\", expected \"lazy\": sessions are looked up one by one",
        );
        let audience = f.text("audience", Rule::TEXT).unwrap_or_else(|| "default".to_owned());
        let timeouts = timeouts(f);
        let stale_ttl = one_of(
            f,
            |f| f.optional_integer("stale_ttl", SECONDS),
            ("cookie_discard", |f| f.optional_integer("cookie_discard", SECONDS)),
        );
        // Kong accepts this setting, which has no effect any more.
        f.unused("cookie_renew");
        let (cookie_name, attributes) = cookie(f);
        let remember = one_of(
            f,
            |f| f.optional_flag("remember"),
            ("cookie_persistent", |f| f.optional_flag("cookie_persistent")),
        );
        let remember_cookie_name =
            f.text("remember_cookie_name", COOKIE_NAME).unwrap_or_else(|| "remember".to_owned());
        f.check(
            !alike(&cookie_name, &remember_cookie_name),
            "remember_cookie_name",
            "found a name that the session's own cookies have, expected another one",
        );
        let remember_timeouts = Timeouts {
            idling: 0,
            rolling: f.integer("remember_rolling_timeout", SECONDS, 604_800),
            absolute: f.integer("remember_absolute_timeout", SECONDS, 2_592_000),
        };
        let response_headers = f.choices("response_headers", &Property::NAMES).unwrap_or_default();
        let request_headers = f.choices("request_headers", &Property::NAMES).unwrap_or_default();
        let (hash_subject, store_metadata) =
            (f.flag("hash_subject", false), f.flag("store_metadata", false));
        // As in Kong, the contents of a cookie are stored nowhere else.
        let noted = match (stored && store_metadata, hash_subject) {
            (false, _) => Noted::Nothing,
            (true, false) => Noted::Subjects,
            (true, true) => Noted::Hashes,
        };
        f.check(
            noted == Noted::Nothing || is_metadata(&audience),
            "audience",
            "found more than 256 characters or a NUL beside `store_metadata`, expected what can be listed",
        );
        let binds =
            [("ip", BOUND_TO_IP), ("scheme", BOUND_TO_SCHEME), ("user-agent", BOUND_TO_USER_AGENT)];
        let bind = f.choices("bind", &binds).unwrap_or_default();
        let hide_cookie = f.flag("hide_cookie", false);
        let expire_invalid = f.flag("expire_invalid", false);
        let logout = logout(f, admin.is_some());
        let config = Self {
            check_consumer: check_consumer && (common.admin.is_some() || !consumers.is_empty()),
            common,
            consumers,
            phase,
            stored,
            noted,
            admin,
            audience,
            timeouts,
            stale_ttl: stale_ttl.unwrap_or(10),
            cookie_name,
            attributes,
            remember: remember.unwrap_or(false),
            remember_cookie_name,
            remember_timeouts,
            response_headers,
            request_headers,
            bind: bind.into_iter().fold(0, |flags, flag| flags | flag),
            hide_cookie,
            expire_invalid,
            logout,
        };
        (config, secrets)
    }

    /// Returns the name of the cookie of this kind.
    pub(crate) fn name_of(&self, kind: Kind) -> &str {
        match kind {
            Kind::Session => &self.cookie_name,
            Kind::Remember => &self.remember_cookie_name,
        }
    }

    pub(crate) fn timeouts_of(&self, kind: Kind) -> Timeouts {
        match kind {
            Kind::Session => self.timeouts,
            Kind::Remember => self.remember_timeouts,
        }
    }

    /// Returns the names of all cookies of this filter.
    pub(crate) fn names(&self) -> Vec<&str> {
        let remember = self.remember.then_some(self.remember_cookie_name.as_str());
        std::iter::once(self.cookie_name.as_str()).chain(remember).collect()
    }
}

fn secrets(f: &mut Fields<'_>) -> Vec<Secret> {
    let secret = f.secret("secret", "secret_env", Rule::TEXT);
    f.check(
        secret.is_some(),
        "secret",
        "found nothing to use, expected a text that is the same on every node (or `secret_env`): a random one would end \
         every session with its node",
    );
    let older = f.secrets("secret_fallbacks", "secret_fallbacks_env", Rule::TEXT);
    let all = std::iter::once(secret.unwrap_or_default()).chain(older);
    all.map(|text| Secret::new(&text)).collect()
}

fn timeouts(f: &mut Fields<'_>) -> Timeouts {
    let idling = one_of(
        f,
        |f| f.optional_integer("idling_timeout", SECONDS),
        ("cookie_idletime", |f| match f.is_null("cookie_idletime") {
            // A configuration that an old Kong printed had no such limit.
            true => f.optional_integer("cookie_idletime", SECONDS).or(Some(0)),
            false => f.optional_integer("cookie_idletime", SECONDS),
        }),
    );
    let rolling = one_of(
        f,
        |f| f.optional_integer("rolling_timeout", SECONDS),
        ("cookie_lifetime", |f| f.optional_integer("cookie_lifetime", SECONDS)),
    );
    Timeouts {
        idling: idling.unwrap_or(900),
        rolling: rolling.unwrap_or(3600),
        absolute: f.integer("absolute_timeout", SECONDS, 86_400),
    }
}

fn cookie(f: &mut Fields<'_>) -> (String, Attributes) {
    let name = f.text("cookie_name", COOKIE_NAME).unwrap_or_else(|| "session".to_owned());
    let path = f.text("cookie_path", COOKIE_PATH).unwrap_or_else(|| "/".to_owned());
    let domain = f.text("cookie_domain", DOMAIN);
    let same_sites =
        [("Strict", "Strict"), ("Lax", "Lax"), ("None", "None"), ("Default", "Default")];
    // The former value for no attribute became the default of browsers.
    let older = [("Strict", "Strict"), ("Lax", "Lax"), ("None", "None"), ("off", "Lax")];
    let same_site = one_of(
        f,
        |f| f.choice("cookie_same_site", &same_sites),
        ("cookie_samesite", |f| f.choice("cookie_samesite", &older)),
    );
    let http_only = one_of(
        f,
        |f| f.optional_flag("cookie_http_only"),
        ("cookie_httponly", |f| f.optional_flag("cookie_httponly")),
    );
    let secure = f.flag("cookie_secure", true);
    let (same_site, http_only) = (same_site.unwrap_or("Strict"), http_only.unwrap_or(true));
    (name, Attributes::new(domain.as_deref(), &path, same_site, secure, http_only))
}

fn logout(f: &mut Fields<'_>, has_admin: bool) -> Logout {
    let all = [("GET", "GET"), ("POST", "POST"), ("DELETE", "DELETE")];
    let methods = f.choices("logout_methods", &all);
    let mut argument =
        |name| f.text(name, Rule::TEXT).unwrap_or_else(|| "session_logout".to_owned());
    let (query_arg, post_arg) = (argument("logout_query_arg"), argument("logout_post_arg"));
    let reads_body = f.flag("read_body_for_logout", false);
    let redirect_uri = f.text("logout_redirect_uri", URI);
    let revokes = f.flag("logout_revokes", false);
    f.check(
        !revokes || has_admin,
        "logout_revokes",
        "found true without `admin`, expected an admin service to keep the list",
    );
    Logout {
        methods: methods.unwrap_or_else(|| vec!["POST", "DELETE"]),
        query_arg,
        post_arg,
        reads_body,
        redirect_uri,
        revokes,
    }
}

/// Reads a setting that has, or had, a second name. Kong prints both, so both are accepted if they
/// agree.
fn one_of<T: PartialEq>(
    f: &mut Fields<'_>,
    today: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    (old_name, before): (&str, impl FnOnce(&mut Fields<'_>) -> Option<T>),
) -> Option<T> {
    match (today(f), before(f)) {
        (Some(new), Some(old)) => {
            // A null beside a value is ignored.
            f.check(
                new == old || f.is_null(old_name),
                old_name,
                "found another value than under the setting's name of today, expected the same, or one of the two",
            );
            Some(new)
        }
        (new, old) => new.or(old),
    }
}

/// Returns `true` if sessions with these names could share a cookie.
fn alike(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let further = |name: &str, of: &str| {
        matches!(name.strip_prefix(of).map(str::as_bytes), Some([] | [b'2'..=b'9']))
    };
    further(&a, &b) || further(&b, &a)
}

#[cfg(test)]
#[path = "config_tests.rs"]
pub(crate) mod tests;
