//! The settings of the filter.

use crate::networks::Networks;
use crate::prefix::Prefix;
use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug)]
pub struct Config {
    pub(crate) common: Common,
    pub(crate) allow: Networks,
    pub(crate) deny: Networks,
    pub(crate) status: u16,
    pub(crate) message: Option<String>,
    pub(crate) trusted_proxies: Networks,
    pub(crate) real_ip_header: String,
}

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let allow = networks(f, "allow");
        let deny = networks(f, "deny");
        f.check(
            !allow.is_empty() || !deny.is_empty(),
            "",
            "found neither `allow` nor `deny`, expected addresses in one of them",
        );
        let status = f.integer("status", 200..=599, 403);
        let message = f.text("message", Rule::TEXT);
        let trusted_proxies = networks(f, "trusted_proxies");
        let real_ip_header = f.text("real_ip_header", Rule::HEADER_NAME);
        Self {
            common,
            allow,
            deny,
            status: u16::try_from(status).unwrap_or(403),
            message,
            trusted_proxies,
            real_ip_header: real_ip_header.unwrap_or_else(|| "X-Forwarded-For".to_owned()),
        }
    }
}

fn networks(f: &mut Fields<'_>, name: &'static str) -> Networks {
    let texts = f.texts(name, NETWORK).unwrap_or_default();
    texts.iter().filter_map(|text| Prefix::parse(text)).collect()
}

/// A network in CIDR notation, or an address. The check refuses the faulty ones that fit the
/// pattern.
const NETWORK: Rule = Rule {
    what: "an IP address or a network (`10.0.0.0/8`)",
    pattern: Some("^[0-9A-Fa-f:./]+$"),
    max: 64,
    check: |text| Prefix::parse(text).is_some(),
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
    fn what_is_left_out_gets_its_default() {
        let config = config(r#"{"allow":["127.0.0.1/8"]}"#);
        assert_eq!((config.status, config.message.as_deref()), (403, None));
        assert!(config.trusted_proxies.is_empty() && config.deny.is_empty());
        assert_eq!(config.real_ip_header, "X-Forwarded-For");
    }

    #[test]
    fn what_kong_refuses_is_refused() {
        for (json, says) in [
            (r#"{"allow":12}"#, "allow: found a number, expected a list"),
            (r#"{"allow":["127.0.0.1/32","hello"]}"#, "allow[1]: found \"hello\""),
            (r#"{"deny":["0.0.0.0/33"]}"#, "deny[0]: "),
            (r#"{"deny":["::1/129"]}"#, "deny[0]: "),
            ("{}", "found neither `allow` nor `deny`"),
            (r#"{"allow":[],"deny":{}}"#, "found neither `allow` nor `deny`"),
        ] {
            let problem = problem(json);
            assert!(problem.contains(says), "{json}: {problem}");
        }
    }
}
