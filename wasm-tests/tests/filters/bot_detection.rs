//! bot_detection on the pretend gateways.

use crate::gateways::{Gateway, refusal, taken_out};
use serde_json::{Value, json};
use wasm_tests::{Level, Proxy, Request, refused_with};

const CHROME: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/50.0.2661.102 Safari/537.36";
const GOOGLEBOT: &str = "Googlebot/2.1 (+http://www.google.com/bot.html)";
const FACEBOOK: &str = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)";
const GPTBOT: &str = "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)";

fn start(gateway: &Gateway, settings: Value) -> Proxy {
    gateway.start(&[("bot_detection", settings)])
}

fn by(user_agent: &str) -> Request {
    Request::get("/request").header("User-Agent", user_agent)
}

/// Checks the statuses of these requests.
#[track_caller]
fn assert_passes(gateway: &Gateway, proxy: &Proxy, user_agent: &str, passes: bool) {
    let stream = proxy.send(by(user_agent));
    if passes {
        stream.forwarded();
    } else {
        assert_eq!(
            refusal(&stream),
            refused_with(403, "Forbidden"),
            "{}: {user_agent}",
            gateway.name
        );
    }
}

#[test]
fn bots_are_refused_and_others_go_on() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({}));
        proxy.send(Request::get("/request")).forwarded();
        for (user_agent, passes) in [
            (CHROME, true),
            ("HELLOWORLD", true),
            ("curl/7.43.0", true),
            (GOOGLEBOT, false),
            (FACEBOOK, false),
            (GPTBOT, false),
        ] {
            assert_passes(&gateway, &proxy, user_agent, passes);
        }
    }
}

#[test]
fn the_operators_rules_come_before_the_builtin_ones() {
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"deny": ["HELLOWORLD"]}));
        assert_passes(&gateway, &proxy, "HELLOWORLD", false);
        let proxy =
            start(&gateway, json!({"allow": ["facebookexternalhit"], "deny": ["external"]}));
        assert_passes(&gateway, &proxy, FACEBOOK, true);
        let proxy = start(&gateway, json!({"rules": "ai"}));
        assert_passes(&gateway, &proxy, GOOGLEBOT, true);
        assert_passes(&gateway, &proxy, GPTBOT, false);
        let proxy = start(&gateway, json!({"rules": "none", "deny": ["^curl/"]}));
        assert_passes(&gateway, &proxy, GPTBOT, true);
        assert_passes(&gateway, &proxy, "curl/7.43.0", false);
    }
}

#[test]
fn two_user_agents_are_one_too_many() {
    for gateway in Gateway::both() {
        let stream = start(&gateway, json!({})).send(by(CHROME).header("user-agent", CHROME));
        assert_eq!(refusal(&stream), refused_with(400, "Only one User-Agent header allowed"));
    }
}

#[test]
fn a_tag_tells_the_upstream_and_no_client_can_write_it() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"action": "tag", "tag_header": "X-Bot"}));
        let stream = proxy.send(by(GOOGLEBOT).header("X-Bot", "no").header("x_bot", "no"));
        assert_eq!(stream.forwarded().headers_named("x-bot"), ["known_bot"], "{}", gateway.name);
        taken_out(&gateway, &stream, "x_bot");
        let stream = proxy.send(by(CHROME).header("X-Bot", "known_bot"));
        taken_out(&gateway, &stream, "x-bot");
        let stream = proxy.send(by(CHROME));
        assert_eq!(stream.forwarded().header("x-bot"), None);
    }
}

#[test]
fn a_log_names_the_rule_and_nothing_of_the_client() {
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"action": "log"}));
        proxy.send(by(GOOGLEBOT)).forwarded();
        proxy.send(by(CHROME)).forwarded();
        let log = proxy.log_text(Level::Info);
        assert_eq!(log.matches("a bot by the rule known_bot").count(), 1, "{log}");
        assert!(!log.contains("google.com"), "{log}");
    }
}

#[test]
fn each_rule_has_its_counter() {
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"metrics": true, "deny": ["x", "HELLO"]}));
        for user_agent in [GOOGLEBOT, GOOGLEBOT, "HELLOWORLD", CHROME] {
            proxy.send(by(user_agent));
        }
        let count = |name: &str| {
            let own = format!("gatehouse_bot_detection_{name}");
            let all = proxy.metrics();
            let found = all.iter().find(|metric| metric.ends_with(&own));
            found.and_then(|metric| proxy.metric(metric)).unwrap_or(0)
        };
        assert_eq!(
            (count("matched_known_bot"), count("matched_deny_1")),
            (2, 1),
            "{}",
            gateway.name
        );
        assert_eq!((count("refused_403"), count("passed")), (3, 1));
        assert!(proxy.metrics().len() <= 4, "few: {:?}", proxy.metrics());
    }
}

#[test]
fn a_bad_expression_is_refused_with_its_path() {
    let gateway = Gateway::envoy().with(|profile| profile.environment("GATEHOUSE_HOST", "envoy"));
    let proxy = start(&gateway, json!({"allow": ["a"], "deny": ["ok", "[["]}));
    assert!(
        proxy.rejected().is_some_and(|log| log.contains("deny[1]: found")),
        "{:?}",
        proxy.rejected()
    );
}
