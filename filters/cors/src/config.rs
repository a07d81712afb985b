//! The settings of the filter.

use crate::origins::{Origins, mistake};
use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug)]
pub struct Config {
    pub(crate) common: Common,
    pub(crate) origins: Origins,
    /// The value of `Access-Control-Allow-Headers`. `None` repeats the headers that the browser
    /// asks for.
    pub(crate) headers: Option<String>,
    pub(crate) exposed_headers: Option<String>,
    pub(crate) methods: String,
    pub(crate) max_age: Option<u64>,
    pub(crate) credentials: bool,
    pub(crate) private_network: bool,
    pub(crate) preflight_continue: bool,
    pub(crate) allow_origin_absent: bool,
}

const METHODS: [&str; 9] =
    ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let origins = f.texts("origins", Rule::TEXT).unwrap_or_default();
        let mut usable = Vec::with_capacity(origins.len());
        for (n, origin) in origins.into_iter().enumerate() {
            match mistake(&origin) {
                None => usable.push(origin),
                Some(mistake) => f.check(
                    false,
                    &format!("origins[{n}]"),
                    format!("found another text ({mistake}), expected `*`, an origin or a regular expression"),
                ),
            }
        }
        let mut names = |name| f.texts(name, FIELD_NAME).filter(|list| !list.is_empty());
        let headers = names("headers").map(|list| list.join(","));
        let exposed_headers = names("exposed_headers").map(|list| list.join(","));
        let all = METHODS.map(|name| (name, name));
        let methods = f.choices("methods", &all).unwrap_or_else(|| METHODS.to_vec());
        Self {
            common,
            origins: Origins::new(&usable),
            headers,
            exposed_headers,
            methods: methods.join(","),
            max_age: f.optional_integer("max_age", 0..=4_294_967_295),
            credentials: f.flag("credentials", false),
            private_network: f.flag("private_network", false),
            preflight_continue: f.flag("preflight_continue", false),
            allow_origin_absent: f.flag("allow_origin_absent", true),
        }
    }
}

/// A token (RFC 9110, section 5.6.2), `*` included.
const FIELD_NAME: Rule = Rule {
    what: "the name of a header, or `*`",
    pattern: Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
    max: 256,
    check: |text| {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&b);
        !text.is_empty() && text.bytes().all(token)
    },
};

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(json: &str) -> Config {
        settings::read(json.as_bytes(), &|_| None, Config::read).unwrap()
    }

    #[test]
    fn what_is_left_out_gets_kongs_default() {
        let config = config("{}");
        assert_eq!(config.methods, "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT");
        assert!(config.allow_origin_absent && !config.origins.vary());
        assert!(!config.credentials && !config.private_network && !config.preflight_continue);
        assert_eq!((config.headers, config.exposed_headers, config.max_age), (None, None, None));
    }

    #[test]
    fn each_mistake_is_refused_with_its_path() {
        for (json, says) in [
            (r#"{"origins":["http://a","("]}"#, "origins[1]: found another text (unclosed group)"),
            (
                r#"{"origins":["https://*.example.com"]}"#,
                "origins[0]: found another text (`*.` is no",
            ),
            (r#"{"headers":["a\r\nb"]}"#, "headers[0]: "),
            (r#"{"exposed_headers":["a b"]}"#, "exposed_headers[0]: "),
            (r#"{"methods":["get"]}"#, "methods[0]: "),
            (r#"{"max_age":-1}"#, "max_age: "),
            (r#"{"max_age":1.5}"#, "max_age: "),
        ] {
            let error = settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err();
            assert!(error.to_string().contains(says), "{json}: {error}");
        }
    }
}
