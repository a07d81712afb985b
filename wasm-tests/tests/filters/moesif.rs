//! moesif on the pretend gateways: the events at a collector, and the effect on requests.

mod delivery;
mod rules;

use crate::gateways::Gateway;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wasm_tests::{Answer, Callback, Callout, KongVersion, Level, Proxy, Request, Response, merged};

const COLLECTOR: &str = "collector.test:9500";

fn settings(more: Value) -> Value {
    merged(json!({"application_id": "app-secret", "collector": {"upstream": COLLECTOR}}), more)
}

/// A gateway, and the events that its collector has received.
struct Fixture {
    proxy: Proxy,
    batches: Rc<RefCell<Vec<Vec<Value>>>>,
}

impl Fixture {
    fn start(gateway: &Gateway, more: Value) -> Self {
        Self::chain(gateway, &[("moesif", settings(more))], json!([]))
    }

    fn chain(gateway: &Gateway, filters: &[(&str, Value)], rules: Value) -> Self {
        let proxy = gateway.start(filters);
        let batches: Rc<RefCell<Vec<Vec<Value>>>> = Rc::default();
        let taken = batches.clone();
        proxy.on_call(move |call: &Callout| {
            assert_eq!(call.upstream, COLLECTOR);
            assert_eq!(call.header("x-moesif-application-id").as_deref(), Some("app-secret"));
            Some(match call.path().as_str() {
                "/v1/config" => Response::json(200, "{}").into(),
                "/v1/rules" => Response::json(200, rules.to_string()).into(),
                "/v1/events/batch" => {
                    let batch = serde_json::from_slice(&call.body).expect("a batch");
                    taken.borrow_mut().push(batch);
                    Answer::from(Response::json(201, "{}"))
                }
                other => panic!("{other}"),
            })
        });
        Self { proxy, batches }
    }

    /// Sends a request, lets the upstream answer, and returns the event.
    #[track_caller]
    fn event(&self, request: Request, response: Response) -> Value {
        let stream = self.proxy.send(request);
        stream.respond(response);
        stream.reply();
        self.only()
    }

    /// All events, after everything that waits was sent.
    fn events(&self) -> Vec<Value> {
        self.proxy.advance(Duration::from_secs(5));
        self.batches.take().into_iter().flatten().collect()
    }

    #[track_caller]
    fn only(&self) -> Value {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }
}

fn everywhere() -> Vec<Gateway> {
    let kongs = KongVersion::ALL.into_iter().map(Gateway::kong_of);
    [Gateway::envoy(), Gateway::envoy_holding()].into_iter().chain(kongs).collect()
}

fn posted() -> Request {
    Request::post("/orders?key=1", r#"{"a":1}"#).header("Content-Type", "application/json")
}

#[test]
fn a_request_is_one_event_with_both_bodies_on_every_gateway() {
    for gateway in everywhere() {
        let fixture = Fixture::start(&gateway, json!({}));
        let event =
            fixture.event(posted(), Response::json(201, r#"{"b":[]}"#).with("content-length", "8"));
        let name = gateway.name;
        assert_eq!(event["request"]["body"], json!({"a": 1}), "{name}");
        assert_eq!(event["response"]["body"], json!({"b": []}), "{name}");
        assert_eq!(event["request"]["verb"], "POST", "{name}");
        let uri = event["request"]["uri"].as_str().unwrap_or_default();
        assert!(
            uri.starts_with("http://api.test") && uri.ends_with("/orders?key=1"),
            "{name}: {uri}"
        );
        assert_eq!(event["request"]["ip_address"], "203.0.113.7", "{name}");
        assert_eq!(event["response"]["status"], 201, "{name}");
        assert_eq!(event["request"]["headers"]["content-type"], "application/json", "{name}");
        let id = event["transaction_id"].as_str().unwrap_or_default();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{name}: {id}");
        assert_eq!(event["response"]["headers"]["x-moesif-transaction-id"], id, "{name}");
    }
}

#[test]
fn a_response_of_nginx_itself_is_an_event_without_a_response() {
    let fixture = Fixture::start(&Gateway::kong(), json!({}));
    let stream = fixture.proxy.send(posted());
    stream.upstream_fails();
    let outcome = stream.outcome();
    assert_eq!((outcome.times(Callback::Log), outcome.traps.len()), (0, 0));
    let event = fixture.only();
    assert!(event.get("response").is_none(), "{event}");
    assert_eq!(event["request"]["body"], json!({"a": 1}));
}

#[test]
fn envoys_own_answer_is_an_event_with_its_status() {
    let fixture = Fixture::start(&Gateway::envoy(), json!({}));
    fixture.proxy.send(posted()).upstream_fails();
    assert_eq!(fixture.only()["response"]["status"], 503);
}

#[test]
fn a_client_that_goes_away_leaves_an_event() {
    for gateway in everywhere() {
        let fixture = Fixture::start(&gateway, json!({}));
        let stream = fixture.proxy.send(posted());
        stream.abort();
        assert!(fixture.only().get("response").is_none(), "{}", gateway.name);
        // The client leaves in the middle of the response.
        let stream = fixture.proxy.send(posted());
        stream.respond_head(Response::new(200).with("content-length", "100"));
        stream.respond_body("only this", false);
        stream.abort();
        let event = fixture.only();
        assert!(event["response"].get("body").is_none(), "{}: {event}", gateway.name);
        assert_eq!(
            event["metadata"]["left_out"]["response_body"], "incomplete",
            "{}",
            gateway.name
        );
    }
}

#[test]
fn luas_buffered_responses_are_no_events_and_no_traps() {
    for version in [KongVersion::V3_8, KongVersion::V3_9] {
        let fixture = Fixture::start(&Gateway::kong_of(version), json!({}));
        let stream = fixture.proxy.send(posted().lua_buffered());
        stream.respond(Response::new(200).with_body("hello"));
        assert_eq!(stream.reply().text(), "hello");
        assert!(fixture.events().is_empty());
        assert!(fixture.proxy.faults().is_empty());
    }
}

#[test]
fn a_body_that_kong_put_into_a_file_is_named_as_missing() {
    let fixture = Fixture::start(&Gateway::kong(), json!({}));
    let event = fixture.event(Request::post("/", vec![b'x'; 20_000]), Response::new(200));
    assert!(event["request"].get("body").is_none());
    assert_eq!(event["metadata"]["left_out"]["request_body"], "not_available");
    assert_eq!(event["request"]["content_length"], 20_000);
}

#[test]
fn bodies_in_pieces_are_put_together_and_long_ones_are_left_out() {
    for gateway in everywhere() {
        let fixture = Fixture::start(&gateway, json!({"response_max_body_size_limit": 30}));
        for (pieces, length, expected) in [
            (&["hello ", "world"][..], Some("11"), Some("aGVsbG8gd29ybGQ=")),
            (&["hello ", "world"], None, Some("aGVsbG8gd29ybGQ=")),
            (&["x".repeat(20).as_str(), "x".repeat(20).as_str()], None, None),
            (&["x".repeat(31).as_str()], Some("31"), None),
        ] {
            let stream = fixture.proxy.send(Request::get("/"));
            let head = Response::new(200);
            stream.respond_head(match length {
                Some(length) => head.with("content-length", length),
                None => head,
            });
            let last = pieces.len() - 1;
            for (n, piece) in pieces.iter().enumerate() {
                stream.respond_body(piece, n == last);
            }
            let event = fixture.only();
            assert_eq!(
                event["response"].get("body").and_then(Value::as_str),
                expected,
                "{}",
                gateway.name
            );
            let missing = event["metadata"]["left_out"]["response_body"] == "too_large";
            assert_eq!(missing, expected.is_none(), "{}", gateway.name);
        }
    }
}

#[test]
fn consumers_routes_and_services_are_named_as_the_gateway_knows_them() {
    for gateway in Gateway::both() {
        let fixture = Fixture::start(&gateway, json!({}));
        let ana =
            json!({"id": "1", "username": "ana", "credential": {"id": "c", "type": "key-auth"}});
        let request = posted()
            .property(gateway.identity(), ana.to_string())
            .property("kong.route_id", "r-1")
            .property("kong.route_name", "orders")
            .property("kong.service_id", "s-1")
            .property("kong.service_name", "shop")
            .property("kong.router.route", r#"{"hosts":["shop.example"]}"#)
            .property("kong.router.service", "{}");
        let event = fixture.event(request, Response::new(200));
        assert_eq!(event["user_id"], "ana");
        assert_eq!(event["session_token"].as_str().map(str::len), Some(32));
        let expected = match gateway.is_kong() {
            true => {
                json!({"kong": {"route_hosts": ["shop.example"], "route_id": "r-1", "route_name": "orders",
                "service_id": "s-1", "service_name": "shop"}})
            }
            false => json!({"envoy": {"route_name": "route", "cluster_name": "service"}}),
        };
        assert_eq!(event["metadata"], expected, "{}", gateway.name);
        // A client's word about itself is not the identity.
        let forged = posted().header("x-consumer-username", "root").header("x-consumer-id", "0");
        assert!(fixture.event(forged, Response::new(200)).get("user_id").is_none());
    }
}

#[test]
fn headers_of_luas_plugins_name_the_consumer_where_they_are_trusted() {
    let fixture = Fixture::start(&Gateway::kong(), json!({"trust_consumer_headers": true}));
    let request = posted()
        .header("X-Consumer-ID", "1")
        .header("X-Consumer-Username", "ana")
        .header("X-Credential-Identifier", "cred");
    let event = fixture.event(request, Response::new(200));
    assert_eq!(event["user_id"], "ana");
    assert!(!event["session_token"].to_string().contains("cred"));
}

#[test]
fn a_filter_on_service_and_route_logs_a_request_once() {
    for gateway in [Gateway::envoy(), Gateway::kong(), Gateway::kong_of(KongVersion::V3_6)] {
        let both =
            [("moesif", settings(json!({}))), ("moesif", settings(json!({"api_version": "2"})))];
        let fixture = Fixture::chain(&gateway, &both, json!([]));
        let event = fixture.event(posted(), Response::new(200));
        assert_eq!(event["request"]["api_version"], "1.0", "{}", gateway.name);
    }
}

#[test]
fn a_copied_configuration_of_the_lua_plugin_works_and_says_what_it_ignores() {
    let all = json!({
        "application_id": "app-secret", "api_endpoint": "http://collector.test:9500", "timeout": 1000,
        "connect_timeout": 1000, "send_timeout": 5000, "keepalive": 5000, "api_version": "1.0",
        "disable_capture_request_body": false, "disable_capture_response_body": false,
        "request_header_masks": {}, "request_body_masks": {}, "response_header_masks": {},
        "response_body_masks": {}, "request_query_masks": {}, "batch_size": 50, "user_id_header": "",
        "company_id_header": "", "authorization_header_name": "authorization",
        "authorization_user_id_field": "sub", "authorization_company_id_field": "",
        "disable_gzip_payload_decompression": false, "max_callback_time_spent": 750,
        "request_max_body_size_limit": 100_000, "response_max_body_size_limit": 100_000,
        "event_queue_size": 100_000, "debug": false, "enable_compression": false,
    });
    let fixture = Fixture::chain(&Gateway::kong(), &[("moesif", all)], json!([]));
    fixture.event(posted(), Response::new(200));
    let log = fixture.proxy.log_text(Level::Trace);
    assert!(
        log.contains("`timeout`, `keepalive`, `max_callback_time_spent` are accepted"),
        "{log}"
    );
    assert!(!log.contains("app-secret"));
}

#[test]
fn kong_is_told_that_it_cannot_call_a_cluster() {
    let proxy = Gateway::kong()
        .start(&[("moesif", json!({"application_id": "a", "upstream": "outbound|443||x"}))]);
    let stream = proxy.send(Request::get("/"));
    assert_eq!(stream.refused().status, 500);
    assert!(proxy.log_text(Level::Error).contains("upstream: found a name that Kong cannot call"));
}
