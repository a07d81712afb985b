//! Further cases of the traffic filters.

use crate::case::{Case, case, plain};
use crate::link::Link;
use crate::standard::cors;
use serde_json::{Value, json};
use wasm_tests::real::RawRequest;

/// The user agent of a browser, in which no rule finds a bot.
pub(crate) const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/131.0.0.0 Safari/537.36";

pub(crate) fn cases() -> Vec<Case> {
    let by = |user_agent: &str| RawRequest::get("/orders/1").header("user-agent", user_agent);
    let headers = json!({
        "remove": {"headers": ["x-debug"], "querystring": ["trace"]},
        "add": {"headers": ["x-caller:$(consumer.username or 'nobody')"], "querystring": ["source:gateway"]},
    });
    let body = json!({"allow_on_headers_stop_iteration": true, "remove": {"body": ["card"]}, "add": {"body": ["source:gateway"]}});
    let document = json!({"card": "1", "items": vec!["some thing of a kilobyte"; 36]}).to_string();
    vec![
        case(
            "bot_detection, 35 rules, a browser",
            [filter("bot_detection", json!({"rules": "all"}))],
            by(BROWSER),
        ),
        case("bot_detection, a bot", [filter("bot_detection", json!({}))], by("Googlebot/2.1"))
            .refused(403),
        case(
            "cors, a preflight",
            [cors()],
            RawRequest::new("OPTIONS", "/orders/1")
                .header("origin", "https://shop.b.test")
                .header("access-control-request-method", "PUT"),
        ),
        case("request_termination", [filter("request_termination", json!({}))], plain())
            .refused(503),
        case(
            "request_transformer, headers and query",
            [filter("request_transformer", headers)],
            RawRequest::get("/orders/1?trace=1&page=2").header("x-debug", "1"),
        ),
        case(
            "request_transformer, 1 KB of JSON",
            [filter("request_transformer", body).holding_headers()],
            RawRequest::post("/orders", document).header("content-type", "application/json"),
        ),
    ]
}

/// 10,000 networks of 256 addresses each, none of which a client of a benchmark has.
pub(crate) fn networks() -> Vec<String> {
    (0..10_000_u32).map(|n| format!("{}.{}.{}.0/24", 11 + n / 4096, n / 16 % 256, n % 16)).collect()
}

/// As many networks as [`networks`], half of them IPv6.
pub(crate) fn addresses() -> Vec<String> {
    let mut all = networks();
    all.truncate(5000);
    all.extend((0..5000_u32).map(|n| format!("2001:db8:{:x}:{:x}::/64", n / 256, n % 256)));
    all
}

fn filter(name: &'static str, settings: Value) -> Link {
    Link::ours(name, settings)
}
