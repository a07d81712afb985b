//! bot_detection on a real Envoy.

use super::Gateway;
use serde_json::json;
use wasm_tests::real::{Echo, Filter, Proxy, RawRequest, Setup};
use wasm_tests::refused_with;

#[test]
fn bots_are_refused_and_others_go_on() {
    let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36";
    let settings =
        json!({"rules": "all", "deny": ["HELLOWORLD"], "allow": ["facebookexternalhit"]});
    let gateway = Gateway::start("bot_detection", settings);
    gateway.passed(&RawRequest::get("/request"));
    for user_agent in [chrome, "curl/7.43.0", "facebookexternalhit/1.1 (+http://www.facebook.com/)"]
    {
        gateway.passed(&RawRequest::get("/request").header("user-agent", user_agent));
    }
    for user_agent in
        ["Googlebot/2.1 (+http://www.google.com/bot.html)", "HELLOWORLD", "GPTBot/1.2"]
    {
        let refused =
            gateway.refused(&RawRequest::get("/request").header("user-agent", user_agent));
        assert_eq!(refused, refused_with(403, "Forbidden"), "{user_agent}");
    }
    for (rule, count) in [("known_bot", 1), ("deny_0", 1), ("ai_openai", 1), ("allow_0", 1)] {
        let name = format!("wasmcustom.gatehouse_bot_detection_matched_{rule}");
        assert_eq!(gateway.envoy.stat(&name), count, "{name}");
    }
}

#[test]
fn a_bot_that_speaks_grpc_is_denied_permission() {
    let gateway = Gateway::start("bot_detection", json!({}));
    let call = RawRequest::post("/hello.HelloService/SayHello", "")
        .header("content-type", "application/grpc");
    let answer = gateway.send(&call.header("user-agent", "Googlebot/2.1"));
    assert_eq!((answer.status(), answer.header("grpc-status").as_deref()), (200, Some("7")));
}

#[test]
fn a_tag_is_the_gateways_and_a_log_has_the_rule_only() {
    let gateway = Gateway::start("bot_detection", json!({"action": "tag", "tag_header": "X-Bot"}));
    let googlebot = RawRequest::get("/").header("user-agent", "Googlebot/2.1");
    let tagged = gateway.passed(&googlebot.clone().header("x-bot", "no").header("X_Bot", "no"));
    assert_eq!(
        (tagged.header("x-bot").as_deref(), tagged.header("x_bot")),
        (Some("known_bot"), None)
    );
    let plain = gateway
        .passed(&RawRequest::get("/").header("user-agent", "curl/8").header("x-bot", "known_bot"));
    assert_eq!(plain.header("x-bot"), None);

    let gateway = Gateway::start("bot_detection", json!({"action": "log"}));
    gateway.passed(&googlebot);
    let log = gateway.envoy.log();
    assert!(log.contains("a bot by the rule known_bot") && !log.contains("Googlebot/2.1"), "{log}");
}

#[test]
fn a_bad_expression_is_rejected_with_its_path() {
    let setup = Setup::new(
        Echo::start().address(),
        vec![Filter::new("bot_detection", &json!({"allow": ["a", "[["]}))],
    );
    let log = Proxy::try_start(&setup).err().expect("a refusal");
    assert!(
        log.contains("allow[1]: found") && log.contains("expected a regular expression"),
        "{log}"
    );
}
