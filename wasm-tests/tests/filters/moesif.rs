//! moesif on the pretend gateways: the events at a collector, and the effect on requests.

use crate::gateways::Gateway;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wasm_tests::{
    Answer, Callback, Callout, KongVersion, Level, Proxy, Request, Response, Standing, merged,
};

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
fn on_kong_nothing_is_sent_but_from_the_tick() {
    for version in KongVersion::ALL {
        let fixture = Fixture::start(&Gateway::kong_of(version), json!({"batch_size": 1}));
        let stream = fixture.proxy.send(posted());
        stream.respond(Response::new(200).with_body("hello"));
        assert_eq!(stream.outcome().callouts, 0, "{version:?}");
        assert_eq!(fixture.proxy.callouts_made(), 0, "{version:?}");
        assert_eq!(fixture.events().len(), 1, "{version:?}");
        assert_eq!(fixture.proxy.tick_periods().len(), 1);
    }
}

#[test]
fn on_envoy_a_full_batch_does_not_wait_for_the_tick() {
    let fixture = Fixture::start(&Gateway::envoy(), json!({"batch_size": 2}));
    for _ in 0..2 {
        fixture.proxy.send(Request::get("/")).respond(Response::new(200));
    }
    assert_eq!(fixture.batches.borrow().iter().map(Vec::len).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_nginx_answers_itself_is_an_event_without_a_response() {
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
fn an_unreachable_collector_costs_no_request_anything_and_no_log_much() {
    for gateway in everywhere() {
        let proxy = gateway.start(&[("moesif", settings(json!({"batch_size": 1})))]);
        proxy.on_call(|_| Some(Answer::Refused));
        for _ in 0..50 {
            let stream = proxy.send(posted());
            stream.respond(Response::new(200).with_body("hello"));
            assert_eq!(stream.reply().text(), "hello", "{}", gateway.name);
            proxy.advance(Duration::from_secs(1));
        }
        let log = proxy.log_text(Level::Trace);
        let lines = log.lines().filter(|line| line.contains("gatehouse_moesif")).count();
        assert!(lines <= 3, "{}: {log}", gateway.name);
        assert!(!log.contains("app-secret"), "{log}");
        // All events arrive in the end.
        let count = Rc::new(RefCell::new(0));
        let seen = count.clone();
        proxy.on_call(move |call| {
            if call.method() == "POST" {
                let batch: Vec<Value> = serde_json::from_slice(&call.body).expect("a batch");
                *seen.borrow_mut() += batch.len();
            }
            Some(Response::json(201, "{}").into())
        });
        proxy.advance(Duration::from_secs(300));
        assert_eq!(*count.borrow(), 50, "{}", gateway.name);
    }
}

#[test]
fn what_waits_is_sent_when_envoy_takes_the_configuration_away() {
    let fixture = Fixture::start(&Gateway::envoy(), json!({"batch_max_wait": 60_000}));
    for _ in 0..3 {
        fixture.proxy.send(posted()).respond(Response::new(200));
    }
    assert!(fixture.batches.borrow().is_empty());
    fixture.proxy.drain();
    assert_eq!(fixture.batches.borrow().iter().map(Vec::len).collect::<Vec<_>>(), [3]);
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let masks: Vec<String> = (0..100).map(|n| format!("secret_{n}")).collect();
    for gateway in [Gateway::envoy(), Gateway::kong().with(|profile| profile.body_buffer(2 << 20))]
    {
        let limits = json!({"request_max_body_size_limit": 1_000_000, "response_max_body_size_limit": 1_000_000,
            "request_body_masks": masks, "batch_size": 20});
        let proxy = gateway.start(&[("moesif", settings(limits))]);
        // The collector is away, so that as many events as possible wait.
        proxy.on_call(|_| Some(Answer::Refused));
        let json = format!("[{}0]", "{\"secret_1\":1,\"x\":[1,2,3]},".repeat(30_000));
        let zeros = vec![0_u8; 20 << 20];
        let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        bomb.extend(miniz_oxide::deflate::compress_to_vec(&zeros, 6));
        bomb.extend([0; 8]);
        for round in 0..60 {
            let packed = Request::post("/", &bomb).header("content-encoding", "gzip");
            for request in
                [Request::post("/", &json), packed, Request::post("/", vec![b'x'; 999_999])]
            {
                let stream = proxy.send(request.header("content-type", "application/json"));
                stream.respond_head(Response::new(200));
                for _ in 0..10 {
                    stream.respond_body(vec![b'y'; 90_000], false);
                }
                stream.respond_body("", true);
            }
            if round % 10 == 0 {
                proxy.advance(Duration::from_secs(1));
            }
        }
        let memory = proxy.memory() >> 20;
        println!("{}: {memory} MiB", gateway.name);
        assert!(memory < 32, "{}: {memory} MiB", gateway.name);
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn metrics_say_what_became_of_events() {
    for gateway in [Gateway::envoy(), Gateway::kong()] {
        let fixture = Fixture::start(
            &gateway,
            json!({"metrics": true, "event_queue_size": 2, "batch_size": 10}),
        );
        for _ in 0..5 {
            fixture.proxy.send(posted()).respond(Response::new(200));
        }
        assert_eq!(fixture.events().len(), 2, "{}", gateway.name);
        fixture.proxy.advance(Duration::from_secs(2));
        let metric = |name: &str| fixture.proxy.metric(&format!("gatehouse_moesif_{name}"));
        assert_eq!(metric("queued"), Some(5), "{}", gateway.name);
        assert_eq!(
            (metric("sent"), metric("dropped_queue_full")),
            (Some(2), Some(3)),
            "{}",
            gateway.name
        );
        assert_eq!(
            (metric("queue_events"), metric("queue_bytes")),
            (Some(0), Some(0)),
            "{}",
            gateway.name
        );
        assert!(
            !fixture.proxy.histogram("gatehouse_moesif_batch_latency_ms").is_empty(),
            "{}",
            gateway.name
        );
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

#[test]
fn an_instance_that_was_lost_loses_its_events_and_nothing_else() {
    let fixture = Fixture::start(&Gateway::kong(), json!({}));
    let stream = fixture.proxy.send(posted());
    fixture.proxy.lose_instances();
    stream.respond(Response::new(200).with_body("hello"));
    assert_eq!(stream.standing(), Standing::Answered);
    fixture.event(posted(), Response::new(200));
    assert!(fixture.proxy.faults().is_empty());
}

#[test]
fn a_request_costs_a_bounded_number_of_host_calls() {
    for (gateway, most) in [(Gateway::envoy(), 40), (Gateway::kong(), 50)] {
        let fixture = Fixture::start(&gateway, json!({}));
        fixture.event(posted(), Response::new(200).with_body("hello"));
        let stream = fixture.proxy.send(posted());
        stream.respond(Response::new(200).with_body("hello"));
        let calls = stream.outcome().host_calls;
        println!("{}: {} host calls: {calls:?}", gateway.name, calls.total());
        assert!(calls.total() <= most, "{}: {calls:?}", gateway.name);
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
        for (request, status) in [
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
        assert!(fixture.proxy.open(upgrade()).outcome().forwarded.is_some(), "{}", gateway.name);
    }
}

/// The handshake of a WebSocket.
fn upgrade() -> Request {
    Request::get("/chat").header("connection", "Upgrade").header("upgrade", "websocket").tunnel()
}
