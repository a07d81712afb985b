//! The settings of the filter: those of Kong's plugin with its names and defaults, and some more.

use consumer::{Anonymous, Directory, consumers};
use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug)]
pub struct Config {
    pub(crate) common: Common,
    pub(crate) consumers: Directory,
    pub(crate) key_names: Vec<String>,
    pub(crate) key_in_header: bool,
    pub(crate) key_in_query: bool,
    pub(crate) key_in_body: bool,
    pub(crate) hide_credentials: bool,
    /// The id or username of the consumer for requests that cannot be authenticated.
    pub(crate) anonymous: Option<String>,
    pub(crate) run_on_preflight: bool,
    /// The value of `WWW-Authenticate`.
    pub(crate) challenge: String,
    pub(crate) expose_key: bool,
}

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
        let key_names = f.texts("key_names", Rule::HEADER_NAME);
        let key_in_header = f.flag("key_in_header", true);
        let key_in_query = f.flag("key_in_query", true);
        let key_in_body = f.flag("key_in_body", false);
        let hide_credentials = f.flag("hide_credentials", false);
        let anonymous = f.text("anonymous", Rule::TEXT);
        let run_on_preflight = f.flag("run_on_preflight", true);
        let realm = f.text("realm", Rule::QUOTABLE);
        let expose_key = f.flag("expose_key", false);
        f.check(
            common.admin.is_some() || !consumers.is_empty(),
            "",
            "found neither `admin` nor `consumers`, expected one of them to say which keys there are",
        );
        f.check(
            common.admin.is_some()
                || anonymous
                    .as_ref()
                    .is_none_or(|name| consumers.by_id_or_username(name).is_some()),
            "anonymous",
            "found a name that is not in `consumers`, expected the id or username of a consumer",
        );
        Self {
            common,
            consumers,
            key_names: key_names.unwrap_or_else(|| vec!["apikey".to_owned()]),
            key_in_header,
            key_in_query,
            key_in_body,
            hide_credentials,
            anonymous,
            run_on_preflight,
            challenge: match realm {
                Some(realm) => format!("Key realm=\"{realm}\""),
                None => "Key".to_owned(),
            },
            expose_key,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(json: &str) -> Config {
        settings::read(json.as_bytes(), &|_| None, Config::read).unwrap()
    }

    #[test]
    fn what_is_left_out_gets_kongs_default() {
        let config = config(r#"{"admin":{"upstream":"admin"}}"#);
        assert_eq!(config.key_names, ["apikey"]);
        assert!(config.key_in_header && config.key_in_query && !config.key_in_body);
        assert!(config.run_on_preflight && !config.hide_credentials && !config.expose_key);
        assert_eq!((config.anonymous, config.challenge.as_str()), (None, "Key"));
    }

    #[test]
    fn a_realm_stands_in_the_challenge() {
        let config = config(r#"{"realm":"my api","consumers":[{"username":"a"}]}"#);
        assert_eq!(config.challenge, r#"Key realm="my api""#);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_path() {
        for (json, path) in [
            ("{}", ""),
            (r#"{"consumers":[{"username":"a"}],"anonymous":"b"}"#, "anonymous"),
            (r#"{"admin":{"upstream":"a"},"key_names":["a b"]}"#, "key_names[0]"),
            (r#"{"admin":{"upstream":"a"},"realm":"\"x"}"#, "realm"),
            (r#"{"admin":{"upstream":"a"},"match":{"consumers":["x"]}}"#, "match.consumers"),
        ] {
            let error = settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err();
            assert_eq!(error.problems()[0].path, path, "{error}");
        }
    }
}
