//! The access log of a real Envoy, with the fields that `docs/one-request.md` gives.

use serde_json::{Map, Value, json};
use wasm_tests::real::{Echo, Envoy, Filter, RawRequest, Setup, eventually};

const PAGE: &str = include_str!("../../docs/one-request.md");

/// The access log of the page, written to Envoy's own log.
fn of_the_page() -> Value {
    let (_, rest) = PAGE.split_once("  json_format:\n").expect("a format");
    let (block, _) = rest.split_once("```").expect("the end of the block");
    let fields: Map<String, Value> = block
        .lines()
        .map(|line| line.trim().split_once(": ").expect("a field"))
        .map(|(name, format)| (name.to_owned(), json!(format.trim_matches('"'))))
        .collect();
    assert_eq!(fields.len(), 3);
    let logger = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog";
    json!([{"name": "log", "typed_config": {
        "@type": logger, "log_format": {"json_format": fields},
    }}])
}

#[test]
fn envoys_access_log_says_who_was_let_in_and_why_others_were_not() {
    let echo = Echo::start();
    let keys = json!({"consumers": [
        {"username": "ana", "keyauth_credentials": [{"id": "c-1", "key": "the-key-of-ana"}]},
    ]});
    let filters = vec![
        Filter::new("key_auth", &keys),
        Filter::new("rate_limiting", &json!({"hour": 1, "policy": "local"})),
    ];
    let envoy = Envoy::start(&Setup::new(echo.address(), filters).access_log(of_the_page()));
    let get = |key: &str| {
        RawRequest::get("/").header("apikey", key).header("x-consumer-username", "root")
    };
    assert_eq!(envoy.send(&get("the-key-of-ana")).status(), 200);
    assert_eq!(envoy.send(&get("the-key-of-ana")).status(), 429);
    assert_eq!(envoy.send(&get("not-a-key")).status(), 401);
    let lines = eventually("three lines of the access log", || {
        let log = envoy.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<Value> = lines.filter(|line| line.get("cause").is_some()).collect();
        (lines.len() == 3).then_some(lines)
    });
    let [passed, limited, refused] = lines.as_slice() else { panic!("{lines:?}") };
    let caller = |line: &Value| {
        let text = line["caller"].as_str().expect("a caller");
        serde_json::from_str::<Value>(text).expect("JSON")
    };
    assert_eq!((&passed["status"], &passed["cause"]), (&json!(200), &json!("via_upstream")));
    assert_eq!(caller(passed)["username"], "ana");
    assert_eq!(caller(passed)["credential"]["id"], "c-1");
    assert_eq!(limited["cause"], "gatehouse.rate_limiting.limit_exceeded");
    assert_eq!(caller(limited)["username"], "ana");
    assert_eq!(refused["cause"], "gatehouse.key_auth.unknown_key");
    assert_eq!(refused["caller"], Value::Null);
    let log = envoy.log();
    assert!(!log.contains("the-key-of-ana") && !log.contains("not-a-key"), "{log}");
}
