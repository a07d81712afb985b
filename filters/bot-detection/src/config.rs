//! The settings of the filter.

use crate::agents::{Agents, mistake};
use crate::rules::{AI, BUILTIN, Named};
use consumer::IDENTITY_HEADERS;
use exchange::same_name;
use settings::{Common, Fields, Rule, shown};

/// Settings that passed every check.
#[derive(Debug)]
pub struct Config {
    pub(crate) common: Common,
    /// The compiled rules. `None` only in settings that are rejected.
    pub(crate) agents: Option<Agents>,
    pub(crate) action: Action,
    pub(crate) tag_header: String,
}

/// The effect on a request of a bot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Action {
    #[default]
    Deny,
    /// The request goes on with a header that names the rule.
    Tag,
    /// The rule is logged.
    Log,
}

/// The filter's own rules that apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Own {
    #[default]
    Builtin,
    Ai,
    All,
    None,
}

impl Own {
    fn rules(self) -> Vec<Named> {
        match self {
            Self::Builtin => BUILTIN.to_vec(),
            Self::Ai => AI.to_vec(),
            // The names of AI crawlers come first, because they are more specific.
            Self::All => AI.into_iter().chain(BUILTIN).collect(),
            Self::None => Vec::new(),
        }
    }
}

/// Headers with a meaning for the gateway itself.
const NOT_OURS: [&str; 7] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "authorization",
    "user-agent",
];

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let allow = expressions(f, "allow");
        let deny = expressions(f, "deny");
        let own =
            [("builtin", Own::Builtin), ("ai", Own::Ai), ("all", Own::All), ("none", Own::None)];
        let own = f.choice("rules", &own).unwrap_or_default();
        let action = [("deny", Action::Deny), ("tag", Action::Tag), ("log", Action::Log)];
        let action = f.choice("action", &action).unwrap_or_default();
        let tag_header =
            f.text("tag_header", Rule::HEADER_NAME).unwrap_or_else(|| "X-Bot-Detected".to_owned());
        let taken = |name: &&&str| same_name(name.as_bytes(), tag_header.as_bytes());
        f.check(
            !NOT_OURS.iter().chain(&IDENTITY_HEADERS).any(|name| taken(&name)),
            "tag_header",
            "found a header that the gateway or the protocol owns, expected another one",
        );
        let agents = Agents::new(&allow, &deny, own.rules()).ok();
        f.check(
            agents.is_some(),
            "",
            "found too much in `allow` and `deny` together, expected fewer or shorter regular expressions",
        );
        Self { common, agents, action, tag_header }
    }
}

/// Reads a list of expressions. A faulty one becomes a problem with its path.
fn expressions(f: &mut Fields<'_>, name: &'static str) -> Vec<String> {
    let texts = f.texts(name, Rule::TEXT).unwrap_or_default();
    let mut usable = Vec::with_capacity(texts.len());
    for (n, text) in texts.into_iter().enumerate() {
        match mistake(&text) {
            None => usable.push(text),
            Some(mistake) => f.check(
                false,
                &format!("{name}[{n}]"),
                format!("found \"{}\" ({mistake}), expected a regular expression", shown(&text)),
            ),
        }
    }
    usable
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(json: &str) -> Config {
        settings::read(json.as_bytes(), &|_| None, Config::read).unwrap()
    }

    #[test]
    fn what_is_left_out_gets_its_default() {
        let config = config("{}");
        assert_eq!((config.action, config.tag_header.as_str()), (Action::Deny, "X-Bot-Detected"));
        assert!(config.agents.is_some());
    }

    #[test]
    fn a_bad_expression_is_refused_with_its_path() {
        for (json, says) in [
            (r#"{"allow":["a","[[["]}"#, r#"allow[1]: found "[[[" (unclosed character class)"#),
            (r#"{"deny":["(?<=a)b"]}"#, "deny[0]: found"),
            (r#"{"deny":["(?:x{1000}){1000}"]}"#, "deny[0]: found"),
            (r#"{"rules":"every"}"#, "rules: found"),
            (r#"{"tag_header":"X_Consumer_ID"}"#, "tag_header: found a header that"),
            (r#"{"tag_header":"host"}"#, "tag_header: found a header that"),
        ] {
            let error = settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err();
            assert!(error.to_string().contains(says), "{json}: {error}");
        }
    }

    #[test]
    fn too_many_expressions_are_refused_and_not_compiled_for_ever() {
        let many: Vec<String> = (0..200).map(|n| format!("\"(?:{n}[a-z]{{900}})\"")).collect();
        let json = format!("{{\"deny\":[{}]}}", many.join(","));
        let error = settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err();
        assert!(error.to_string().contains("found too much"), "{error}");
    }
}
