//! Kong shows an operator what `docs/one-request.md` tells of one request.

use crate::fixture::{Fixture, filter, header};
use serde_json::{Value, json};
use wasm_tests::real::{RawRequest, Setup, eventually};

const PAGE: &str = include_str!("../../../docs/one-request.md");
const TOKEN: &str = "a-token-for-operators";
const HEADER: &str = "x-gatehouse-debug";

/// The value that the page gives to a line of `kong.conf`.
fn of_the_page(key: &str) -> &'static str {
    let line = PAGE.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap_or_else(|| panic!("the page has no {key}"))
}

fn fixture() -> Fixture {
    let log = |setup: Setup| {
        let keys = ["nginx_http_log_format", "proxy_access_log"];
        keys.into_iter().fold(setup, |setup, key| setup.kong_conf(key, of_the_page(key)))
    };
    let chain = |admin: &Value| {
        let limits = json!({"hour": 2, "policy": "local", "debug_token": TOKEN});
        vec![
            filter("key_auth", &json!({"admin": admin, "debug_token": TOKEN})),
            filter("rate_limiting", &limits),
        ]
    };
    let fixture = Fixture::with(log, chain);
    fixture.admin.consumer("ana", "key-of-ana", &[]);
    fixture
}

#[test]
#[ignore = "needs a real Kong"]
fn the_access_log_says_who_was_let_in_and_why_others_were_not() {
    let fixture = fixture();
    let get = |key: &str| {
        RawRequest::get("/").header("apikey", key).header("x-consumer-username", "root")
    };
    fixture.passed(&get("key-of-ana"));
    assert_eq!(fixture.refused(&get("not-a-key")).0, 401);
    let without_key = fixture.send(&RawRequest::get("/"));
    assert_eq!(without_key.start, "HTTP/1.1 401 Unauthorized", "the client reads no cause");
    fixture.passed(&get("key-of-ana"));
    assert_eq!(fixture.refused(&get("key-of-ana")).0, 429);
    let lines = eventually("five lines of the access log", || {
        let text = fixture.kong.access_log();
        let lines = text.lines().map(serde_json::from_str::<Value>);
        let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("JSON");
        (lines.len() == 5).then_some(lines)
    });
    let shown = |line: &Value| {
        let caller = line["caller"].as_str().unwrap_or_default();
        let caller: Value = serde_json::from_str(caller).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&line["status"]), text(&line["cause"]), text(&caller["username"]))
    };
    let expected = [
        ("200", "", "ana"),
        ("401", "gatehouse.key_auth.unknown_key", ""),
        ("401", "gatehouse.key_auth.no_key", ""),
        ("200", "", "ana"),
        ("429", "gatehouse.rate_limiting.limit_exceeded", "ana"),
    ];
    let expected = expected
        .map(|(status, cause, caller)| (status.to_owned(), cause.to_owned(), caller.to_owned()));
    assert_eq!(lines.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
#[ignore = "needs a real Kong"]
fn each_filter_of_a_chain_reports_to_who_has_the_operators_token() {
    let fixture = fixture();
    let asks = |key: &str| RawRequest::get("/").header("apikey", key).header(HEADER, TOKEN);
    for expected in ["miss", "hit"] {
        let answer = fixture.send(&asks("key-of-ana"));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(header(&answer.json(), HEADER), None, "the token reached the upstream");
        let mut reports = answer.all(HEADER);
        reports.sort();
        let key_auth = format!("key_auth;decision=passed;lookups=\"{expected}\"");
        assert_eq!(reports, [key_auth.as_str(), "rate_limiting;decision=passed"]);
    }
    let limited = fixture.send(&asks("key-of-ana"));
    assert_eq!(limited.status(), 429);
    let reports = limited.all(HEADER);
    let mine = "rate_limiting;decision=limit_exceeded".to_owned();
    assert!(reports.contains(&mine), "{reports:?}");
    let wrong = RawRequest::get("/").header("apikey", "key-of-ana").header(HEADER, "a-token");
    assert_eq!(fixture.send(&wrong).all(HEADER), [""; 0]);
}
