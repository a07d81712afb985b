//! cors on a real Envoy.

use super::Gateway;
use serde_json::json;
use wasm_tests::real::{Echo, Filter, Message, Proxy, RawRequest, Setup};

fn cors(answer: &Message) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let ours = name.strip_prefix("access-control-").map(str::to_owned);
            let value = String::from_utf8_lossy(value).into_owned();
            Some((ours.or((name == "vary").then_some(name))?, value))
        })
        .collect();
    all.sort();
    all
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_preflight_is_answered_by_the_gateway() {
    let settings = json!({"origins": ["http://a.test", r"https://([^.]+\.)+b\.test"], "methods": ["GET", "PUT"],
        "headers": ["x-a"], "max_age": 23, "credentials": true, "private_network": true});
    let gateway = Gateway::start("cors", settings);
    let preflight = |origin: &str| {
        RawRequest::new("OPTIONS", "/")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-private-network", "true")
    };
    let answer = gateway.send(&preflight("https://shop.b.test:443"));
    assert_eq!((answer.status(), answer.text().as_str()), (200, ""));
    assert_eq!(
        cors(&answer),
        pairs(&[
            ("allow-credentials", "true"),
            ("allow-headers", "x-a"),
            ("allow-methods", "GET,PUT"),
            ("allow-origin", "https://shop.b.test"),
            ("allow-private-network", "true"),
            ("max-age", "23"),
            ("vary", "Origin"),
        ])
    );
    let stranger = gateway.send(&preflight("https://b.test.evil.test"));
    assert_eq!((stranger.status(), stranger.header("access-control-allow-origin")), (200, None));
    assert_eq!(gateway.echo.count(), 0);
}

#[test]
fn every_response_says_which_origins_may_read_it_refusals_and_outages_too() {
    let key_auth =
        json!({"consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}]});
    let listed = json!({"origins": ["http://a.test", "http://b.test"], "exposed_headers": ["x-b"]});
    let filters = || vec![Filter::new("cors", &listed), Filter::new("key_auth", &key_auth)];
    let echo = Echo::start();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let mut setup = Setup::new(echo.address(), filters()).cluster("gone", gone);
    setup.listeners.push(wasm_tests::real::Listener {
        name: "gone",
        filters: filters(),
        cluster: "gone",
    });
    let envoy = Proxy::start(&setup);
    let told =
        pairs(&[("allow-origin", "http://a.test"), ("expose-headers", "x-b"), ("vary", "Origin")]);
    for (listener, key, status) in
        [("main", "right", 200), ("main", "wrong", 401), ("gone", "right", 503)]
    {
        let request = RawRequest::get("/").header("origin", "http://a.test").header("apikey", key);
        let answer = request.send(envoy.address(listener));
        assert_eq!((answer.status(), cors(&answer)), (status, told.clone()), "{listener} {key}");
    }
    let stranger = RawRequest::get("/").header("origin", "http://c.test").header("apikey", "right");
    assert_eq!(
        cors(&envoy.send(&stranger)),
        pairs(&[("expose-headers", "x-b"), ("vary", "Origin")])
    );
}
