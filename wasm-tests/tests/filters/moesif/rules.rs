//! Blocking rules of moesif: when they answer, and what they see of a request.

use super::{Fixture, everywhere, settings};
use crate::gateways::Gateway;
use serde_json::json;
use wasm_tests::{Request, Response};

#[test]
fn a_rule_answers_in_place_of_the_upstream() {
    let rules = json!([{"_id": "r1", "type": "regex", "block": true,
        "regex_config": [{"conditions": [{"path": "request.route", "value": "^/blocked"}]}],
        "response": {"status": 451, "headers": {"X-Rule": "r1"}, "body": {"no": true}}}]);
    for gateway in everywhere() {
        let fixture = Fixture::chain(&gateway, &[("moesif", settings(json!({})))], rules.clone());
        // The first request shows which gateway it is, and the rules come with the next tick.
        fixture.proxy.send(Request::get("/")).respond(Response::new(200));
        assert_eq!(fixture.events().len(), 1);
        let stream = fixture.proxy.send(Request::get("/blocked/x"));
        let reply = stream.refused();
        assert_eq!(
            (reply.status, reply.header("x-rule").as_deref()),
            (451, Some("r1")),
            "{}",
            gateway.name
        );
        assert_eq!(reply.text().trim_end(), r#"{"no":true}"#);
        assert!(stream.outcome().forwarded.is_none());
        let event = fixture.only();
        assert_eq!(
            (&event["blocked_by"], &event["response"]["status"]),
            (&json!("r1"), &json!(451)),
            "{}",
            gateway.name
        );
        assert_eq!(event["response"]["body"], json!({"no": true}), "{}", gateway.name);
    }
}

#[test]
fn a_rule_about_bodies_waits_for_the_body_where_the_gateway_can() {
    let rules = json!([{"_id": "g", "type": "regex", "block": true,
        "regex_config": [{"conditions": [{"path": "request.body.query", "value": "mutation"}]}],
        "response": {"status": 403}}]);
    for gateway in Gateway::giving_bodies() {
        let more = json!({"allow_on_headers_stop_iteration": !gateway.is_kong()});
        let fixture = Fixture::chain(&gateway, &[("moesif", settings(more))], rules.clone());
        fixture.proxy.send(Request::get("/")).respond(Response::new(200));
        fixture.events();
        let graphql = |query: &str| {
            Request::post("/graphql", json!({"query": query}).to_string())
                .header("content-type", "application/json")
        };
        assert_eq!(
            fixture.proxy.send(graphql("mutation { x }")).refused().status,
            403,
            "{}",
            gateway.name
        );
        let passed = fixture.proxy.send(graphql("query { x }"));
        assert!(passed.forwarded().complete);
        passed.respond(Response::new(200));
        let events = fixture.events();
        assert_eq!(events.len(), 2, "{}", gateway.name);
        assert_eq!(events[1]["request"]["body"]["query"], "query { x }");
    }
}

#[test]
fn a_blocking_rule_sees_through_every_spelling_and_refuses_what_it_cannot_read() {
    let condition =
        |path: &str, value: &str| json!([{"conditions": [{"path": path, "value": value}]}]);
    let rules = json!([
        {"_id": "b", "type": "regex", "block": true, "regex_config": condition("request.body.action", "transfer"),
            "response": {"status": 403}},
        {"_id": "p", "type": "regex", "block": true, "regex_config": condition("request.route", "^/admin"),
            "response": {"status": 403}},
        {"_id": "h", "type": "regex", "block": true, "regex_config": condition("request.headers.x-plan", "^free$"),
            "response": {"status": 403}},
    ]);
    for gateway in Gateway::giving_bodies() {
        let more = json!({"allow_on_headers_stop_iteration": !gateway.is_kong()});
        let fixture = Fixture::chain(&gateway, &[("moesif", settings(more))], rules.clone());
        fixture.proxy.send(Request::get("/")).respond(Response::new(200));
        fixture.events();
        let json =
            |body: &[u8]| Request::post("/", body).header("content-type", "application/json");
        let twice = br#"{"action":"ok","action":"transfer"}"#;
        let form = |kinds: &[&str]| {
            let request = Request::post("/", "action=transfer");
            kinds.iter().fold(request, |request, kind| request.header("content-type", kind))
        };
        for (request, status) in [
            (form(&["application/x-www-form-urlencoded"]), 403),
            (form(&["application/x-www-form-urlencoded; charset"]), 403),
            (form(&["text/plain", "application/x-www-form-urlencoded"]), 403),
            (form(&["text/plain"]), 403),
            (form(&[]), 403),
            (json(twice), 403),
            (json(b"\xef\xbb\xbf{\"action\":\"transfer\"}"), 403),
            (Request::post("/", twice), 403),
            (
                Request::post("/", "")
                    .header("content-type", "application/json")
                    .chunks(&[&twice[..9], &twice[9..]]),
                403,
            ),
            (json(br#"{"action":"transfer",}"#), 400),
            (json(b"x").header("content-encoding", "br"), 415),
            (json(&[b' '; 100_001]), 413),
            (Request::get("/%61dmin;v=1/x"), 403),
            (Request::get("/%2561dmin"), 400),
            (Request::get("/").header("x-plan", "gold").header("x-plan", "free"), 403),
            (Request::get("/").header("X_Plan", "free"), 403),
        ] {
            let told = format!("{} {request:?}", gateway.name);
            let stream = fixture.proxy.send(request);
            assert_eq!(stream.refused().status, status, "{told:.300}");
        }
        let passes = fixture.proxy.send(json(br#"{"action":"ok"}"#));
        assert!(passes.forwarded().complete, "{}", gateway.name);
        if gateway.is_kong() {
            // Over HTTP/2, no header announces such a body.
            let hidden = Request::new("DELETE", "/").chunks(&[br#"{"action":"transfer"}"#]);
            assert_eq!(fixture.proxy.send(hidden).refused().status, 403);
            assert!(fixture.proxy.send(Request::new("DELETE", "/")).forwarded().complete);
            // A request for which no body came has its response judged and recorded like any other.
            fixture.events();
            let bare = fixture.proxy.send(Request::get("/"));
            bare.respond(Response::new(200).with("x-from", "upstream"));
            let events = fixture.events();
            assert_eq!(events.len(), 1);
            assert_eq!(events[0]["response"]["headers"]["x-from"], "upstream");
        }
        assert!(fixture.proxy.open(upgrade()).outcome().forwarded.is_some(), "{}", gateway.name);
    }
}

/// The handshake of a WebSocket.
fn upgrade() -> Request {
    Request::get("/chat").header("connection", "Upgrade").header("upgrade", "websocket").tunnel()
}
