//! The settings of the filter.

use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) common: Common,
    pub(crate) status: u16,
    pub(crate) content: Content,
    /// The header or query parameter that a request needs to be terminated.
    pub(crate) trigger: Option<String>,
}

/// The content of the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// This message, or Kong's default message for the status.
    Message(Option<String>),
    /// The request itself, with this message.
    Echo(Option<String>),
    /// This body, with this content type.
    Raw(String, Option<String>),
}

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let status = f.integer("status_code", 100..=599, 503);
        let message = f.text("message", Rule::TEXT);
        let content_type = f.text("content_type", CONTENT_TYPE);
        let body = f.text("body", Rule::LONG);
        let echo = f.flag("echo", false);
        let trigger = f.text("trigger", Rule::HEADER_NAME);
        let is_raw = content_type.is_some() || body.is_some();
        for (name, is_set) in [("message", message.is_some()), ("echo", echo)] {
            f.check(
                !(is_set && is_raw),
                name,
                "found together with `body` or `content_type`, expected one or the other",
            );
        }
        f.check(
            content_type.is_none() || body.is_some(),
            "content_type",
            "found without `body`, expected a body of that type",
        );
        let content = match body {
            Some(body) => Content::Raw(body, content_type),
            None if echo => Content::Echo(message),
            None => Content::Message(message),
        };
        Self { common, status: u16::try_from(status).unwrap_or(503), content, trigger }
    }

    /// Returns the configured message, or Kong's for the status.
    pub(crate) fn message(&self) -> Option<String> {
        let own = match &self.content {
            Content::Message(message) | Content::Echo(message) => message.clone(),
            Content::Raw(..) => None,
        };
        own.or_else(|| {
            let default = match self.status {
                401 => "Unauthorized",
                404 => "Not found",
                405 => "Method not allowed",
                500 => "An unexpected error occurred",
                502 => "Bad Gateway",
                503 => "Service unavailable",
                _ => return None,
            };
            Some(default.to_owned())
        })
    }
}

/// Any text that may stand in a header.
const CONTENT_TYPE: Rule = Rule {
    what: "printable ASCII",
    pattern: Some("^[ -~]+$"),
    max: 1024,
    check: |text| !text.is_empty() && text.bytes().all(|b| matches!(b, b' '..=b'~')),
};

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(json: &str) -> Config {
        settings::read(json.as_bytes(), &|_| None, Config::read).unwrap()
    }

    fn problem(json: &str) -> String {
        settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_gets_kongs_default() {
        let config = config("{}");
        assert_eq!((config.status, config.trigger.as_deref()), (503, None));
        assert_eq!(config.content, Content::Message(None));
    }

    #[test]
    fn what_kong_accepts_is_accepted() {
        for json in [
            r#"{"status_code":404}"#,
            r#"{"status_code":100}"#,
            r#"{"status_code":599}"#,
            r#"{"message":"Not found"}"#,
            r#"{"content_type":"text/html","body":"<body><h1>Not found</h1>"}"#,
            r#"{"body":"<body><h1>Not found</h1>"}"#,
            r#"{"echo":true,"trigger":"header_name"}"#,
            r#"{"echo":true,"message":"m"}"#,
            r#"{"message":"m","body":"","content_type":""}"#,
        ] {
            config(json);
        }
    }

    #[test]
    fn what_kong_refuses_is_refused() {
        for (json, path) in [
            (r#"{"status_code":"abcd"}"#, "status_code: "),
            (r#"{"status_code":99}"#, "status_code: "),
            (r#"{"status_code":600}"#, "status_code: "),
            (r#"{"message":"error","body":"test"}"#, "message: found together"),
            (r#"{"message":"e","content_type":"text/html","body":"t"}"#, "message: found together"),
            (r#"{"message":"e","content_type":"text/html"}"#, "message: found together"),
            (r#"{"content_type":"text/html"}"#, "content_type: found without `body`"),
            (r#"{"echo":true,"content_type":"text/html","body":"t"}"#, "echo: found together"),
            (r#"{"trigger":"a b"}"#, "trigger: "),
            (r#"{"content_type":"a\r\nb","body":"t"}"#, "content_type: "),
        ] {
            let problem = problem(json);
            assert!(problem.contains(path), "{json}: {problem}");
        }
    }
}
