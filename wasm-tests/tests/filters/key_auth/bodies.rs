//! Keys in request bodies, as far as each gateway shows bodies to filters.

use super::keys::inline;
use crate::admin::Admin;
use crate::gateways::{Gateway, asking, refusal};
use serde_json::{Value, json};
use wasm_tests::{KongVersion, Proxy, Request, Response, Standing, refused_with};

const FORM: &str = "application/x-www-form-urlencoded";
const TEST_KEY: &str = include_str!("../../../../filters/upstream-jwt/test-keys/rsa.pem");
const MULTIPART: &str = "multipart/form-data; boundary=cut";

/// Settings that look for keys in bodies. On Envoy they state that the gateway holds headers.
fn in_bodies(gateway: &Gateway, more: Value) -> Value {
    let settings =
        json!({"key_in_body": true, "allow_on_headers_stop_iteration": !gateway.is_kong()});
    wasm_tests::merged(settings, more)
}

fn start(gateway: &Gateway, more: Value) -> Proxy {
    gateway.start(&[("key_auth", inline(in_bodies(gateway, more)))])
}

fn part(name: &str, content: &str) -> String {
    format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
}

fn post(content_type: &str, body: &str) -> Request {
    Request::post("/orders", body).header("content-type", content_type)
}

#[test]
fn a_key_in_a_form_a_json_object_or_a_multipart_body_is_a_key() {
    let multipart = format!("{}{}--cut--\r\n", part("a", "b"), part("apikey", "right"));
    for gateway in Gateway::giving_bodies() {
        let proxy = start(&gateway, json!({}));
        for (content_type, body) in [
            (FORM, "a=b&apikey=right"),
            (FORM, "a=b&api%6bey=righ%74"),
            ("application/json", r#"{"a":[1],"apikey":"right"}"#),
            ("Application/JSON; charset=utf-8", r#"{"apikey":"right"}"#),
            (MULTIPART, &multipart),
            ("multipart/form-data; boundary=\"cut\"", &multipart),
        ] {
            let forwarded = proxy.send(post(content_type, body)).forwarded();
            assert_eq!(forwarded.text(), body, "{}: {content_type}", gateway.name);
            assert!(forwarded.complete);
            assert_eq!(forwarded.header("x-consumer-username").as_deref(), Some("ana"));
        }
    }
}

#[test]
fn a_hidden_key_is_cut_out_of_the_body_and_nothing_else_is() {
    let (a, key) = (part("a", "b"), part("apikey", "right"));
    let multipart = format!("{a}{key}{a}--cut--\r\n");
    let multipart_left = format!("{a}{a}--cut--\r\n");
    for gateway in Gateway::giving_bodies() {
        let proxy = start(&gateway, json!({"hide_credentials": true}));
        for (content_type, body, left) in [
            (FORM, "b=%20&apikey=right&a=1+2", "b=%20&a=1+2"),
            (FORM, "apikey=right", ""),
            (
                "application/json",
                r#"{"z":1.50,"apikey":"right","a":{"apikey":2}}"#,
                r#"{"z":1.50,"a":{"apikey":2}}"#,
            ),
            ("application/json", r#"{"apikey":"right"}"#, "{}"),
            (MULTIPART, &multipart, &multipart_left),
        ] {
            let forwarded = proxy.send(post(content_type, body)).forwarded();
            assert_eq!(forwarded.text(), left, "{}: {content_type}", gateway.name);
            assert_eq!(forwarded.header("content-type").as_deref(), Some(content_type));
            let lengths = forwarded.headers_named("content-length");
            assert_eq!(lengths, [left.len().to_string()], "{}: {content_type}", gateway.name);
        }
    }
}

#[test]
fn a_key_that_is_repeated_or_no_text_in_a_body_is_refused_as_in_kong() {
    let no_key = refused_with(401, "No API key found in request");
    let twice = refused_with(401, "Duplicate API key found");
    let unknown = refused_with(401, "Unauthorized");
    let two_parts = format!("{}{}--cut--\r\n", part("apikey", "right"), part("apikey", "right"));
    let open_end = part("apikey", "right");
    for gateway in Gateway::giving_bodies() {
        let proxy = start(&gateway, json!({}));
        for (content_type, body, expected) in [
            (FORM, "apikey=right&apikey=right", &twice),
            (FORM, "apikey[]=right", &no_key),
            (FORM, "apikey=", &no_key),
            (FORM, "apikey", &no_key),
            (FORM, "apikey=wrong", &unknown),
            ("application/json", r#"{"apikey":["right"]}"#, &twice),
            ("application/json", r#"{"apikey":"right","apikey":"right"}"#, &twice),
            ("application/json", r#"{"apikey":1}"#, &no_key),
            ("application/json", r#"{"apikey":null}"#, &no_key),
            ("application/json", r#"{"apikey":"right""#, &no_key),
            ("application/json", r#"["apikey","right"]"#, &no_key),
            (MULTIPART, &two_parts, &twice),
            (MULTIPART, &open_end, &no_key),
            ("multipart/form-data", &open_end, &no_key),
            ("text/plain", "apikey=right", &no_key),
            ("application/octet-stream", "apikey=right", &no_key),
        ] {
            let stream = proxy.send(post(content_type, body));
            assert_eq!(&refusal(&stream), expected, "{}: {content_type} {body}", gateway.name);
        }
        let untyped = proxy.send(Request::post("/", "apikey=right"));
        assert_eq!(refusal(&untyped), no_key, "{}", gateway.name);
    }
}

#[test]
fn a_body_that_kong_does_not_promise_or_hand_over_holds_no_key() {
    let no_key = refused_with(401, "No API key found in request");
    let gateway = Gateway::kong();
    let proxy = start(&gateway, json!({}));
    let chunked = Request::new("POST", "/").header("content-type", FORM).chunks(&[b"apikey=right"]);
    assert_eq!(refusal(&proxy.send(chunked)), no_key);
    let empty = Request::post("/", "").header("content-type", FORM).header("content-length", "0");
    assert_eq!(refusal(&proxy.send(empty)), no_key);
    assert_eq!(refusal(&proxy.send(Request::post("/", "").header("content-type", FORM))), no_key);
    // Kong wrote the body to a file.
    let large = format!("apikey=right&a={}", "x".repeat(20_000));
    assert_eq!(refusal(&proxy.send(post(FORM, &large))), no_key);
    // A key in a header needs no body.
    let elsewhere = post(FORM, &large).header("apikey", "right");
    assert!(proxy.send(elsewhere).forwarded().complete);
}

#[test]
fn envoy_gives_a_body_in_pieces_and_refuses_what_it_cannot_keep() {
    let gateway = Gateway::envoy_holding().with(|profile| profile.buffer_limit(1000));
    let proxy = start(&gateway, json!({"hide_credentials": true}));
    let pieces: [&[u8]; 3] = [b"a=b&api", b"key=ri", b"ght"];
    let chunked = Request::new("POST", "/").header("content-type", FORM).chunks(&pieces);
    let stream = proxy.send(chunked);
    assert_eq!(stream.forwarded().text(), "a=b");
    assert!(stream.forwarded().complete);

    let unfinished =
        proxy.open(Request::new("POST", "/").header("content-type", FORM).chunks(&pieces));
    unfinished.push("apikey=right", false);
    assert_eq!(unfinished.outcome().forwarded, None, "not before all of it is here");
    unfinished.push("", true);
    assert_eq!(unfinished.forwarded().text(), "");

    let large = format!("apikey=right&a={}", "x".repeat(2000));
    assert_eq!(proxy.send(post(FORM, &large)).reply().status, 413);

    let empty = Request::new("POST", "/").header("content-type", FORM).chunks(&[b""]);
    assert_eq!(refusal(&proxy.send(empty)), refused_with(401, "No API key found in request"));
}

#[test]
fn a_key_from_a_body_is_looked_up_before_anything_goes_on() {
    for gateway in Gateway::giving_bodies() {
        let admin = Admin::default();
        admin.holder("bob", "key-of-bob");
        admin.hold();
        let settings = asking(in_bodies(&gateway, json!({"hide_credentials": true})));
        let proxy = gateway.serving(&admin, &[("key_auth", settings)]);

        let stream = proxy.send(post(FORM, "a=b&apikey=key-of-bob"));
        assert_eq!(stream.outcome().forwarded, None, "{}", gateway.name);
        admin.settle(&proxy.call());
        let forwarded = stream.forwarded();
        assert_eq!((forwarded.text().as_str(), forwarded.complete), ("a=b", true));
        assert_eq!(forwarded.headers_named("content-length"), ["3"], "{}", gateway.name);
        assert_eq!(forwarded.header("x-consumer-username").as_deref(), Some("bob"));

        let stranger = proxy.send(post(FORM, "a=b&apikey=nobodys"));
        assert_eq!(stranger.outcome().forwarded, None);
        admin.settle(&proxy.call());
        assert_eq!(refusal(&stranger), refused_with(401, "Unauthorized"), "{}", gateway.name);
    }
}

#[test]
fn envoy_without_the_option_cannot_look_into_bodies_and_says_so() {
    let gateway = Gateway::envoy().with(|profile| profile.vm_configuration(r#"{"host":"envoy"}"#));
    let proxy = gateway.start(&[("key_auth", inline(json!({"key_in_body": true})))]);
    let reason = proxy.rejected().expect("refused");
    assert!(
        reason.contains("key_in_body: found true without `allow_on_headers_stop_iteration`"),
        "{reason}"
    );

    let gateway = Gateway::envoy();
    let proxy = gateway.start(&[("key_auth", inline(json!({"key_in_body": true})))]);
    let stream = proxy.send(Request::get("/").header("apikey", "right"));
    assert_eq!(refusal(&stream), refused_with(500, "key_auth is misconfigured"));
}

#[test]
fn a_body_that_waits_for_a_lookup_is_not_let_past_it() {
    for gateway in Gateway::all() {
        for asserted in [false, true] {
            let admin = Admin::default();
            for key in ["key-1", "key-3"] {
                admin.holder(key, key);
            }
            admin.hold();
            let settings = asking(json!({"allow_on_headers_stop_iteration": asserted}));
            let proxy = gateway.serving(&admin, &[("key_auth", settings)]);
            for (key, pieces) in [("key-1", 1), ("key-3", 3), ("nobodys-1", 1), ("nobodys-3", 3)] {
                let chunks: Vec<&[u8]> = (0..pieces).map(|_| &b"piece"[..]).collect();
                let request = Request::new("POST", "/").header("apikey", key).chunks(&chunks);
                let stream = proxy.send(request);
                let what = format!("{} {asserted} {key} {pieces}", gateway.name);
                assert_eq!(stream.outcome().forwarded, None, "{what}");
                admin.settle(&proxy.call());
                if key.starts_with("key") {
                    let forwarded = stream.forwarded();
                    assert_eq!(forwarded.text(), "piece".repeat(pieces), "{what}");
                    assert!(forwarded.complete, "{what}");
                } else {
                    assert_eq!(refusal(&stream), refused_with(401, "Unauthorized"), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_body_that_arrives_after_the_decision_changes_nothing() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        let refused = proxy.open(Request::post("/", "later"));
        if refused.standing() == Standing::Answered {
            refused.push("later", true);
        }
        assert_eq!(refused.refused().status, 401, "{}", gateway.name);
        let passed = proxy.open(Request::post("/", "later").header("apikey", "right"));
        passed.push("later", true);
        assert_eq!(passed.forwarded().text(), "later", "{}", gateway.name);
    }
}

#[test]
fn a_wrong_key_is_hidden_too_if_there_is_an_anonymous_consumer() {
    for gateway in Gateway::giving_bodies() {
        for asks in [false, true] {
            let admin = Admin::default();
            let settings =
                inline(in_bodies(&gateway, json!({"hide_credentials": true, "anonymous": "ana"})));
            let settings = if asks { asking(settings) } else { settings };
            let proxy = gateway.serving(&admin, &[("key_auth", settings)]);
            let stream = proxy.send(
                Request::post("/?q=1&apikey=x", "a=b&apikey=wrong").header("content-type", FORM),
            );
            let forwarded = stream.forwarded();
            assert_eq!(forwarded.path, "/?q=1", "{}", gateway.name);
            assert_eq!(forwarded.text(), "a=b", "{} asks: {asks}", gateway.name);
            assert_eq!(forwarded.header("x-anonymous-consumer").as_deref(), Some("true"));
        }
    }
}

#[test]
fn while_a_body_is_awaited_later_filters_do_not_take_the_clients_word_for_who_it_is() {
    // Kong runs the header callbacks of later filters before the body is here.
    for version in KongVersion::ALL {
        let gateway = Gateway::kong_of(version);
        let trusting = json!({"mappings": {"2": ["bobs"]}, "trust_consumer_headers": true});
        let proxy = gateway
            .start(&[("key_auth", inline(in_bodies(&gateway, json!({})))), ("app_id", trusting)]);
        let forged =
            post(FORM, "apikey=right").header("X-Consumer-ID", "2").header("X-APP-ID", "bobs");
        let stream = proxy.send(forged);
        assert_eq!(refusal(&stream), refused_with(401, "Unauthorized"), "{}", gateway.name);
    }
}

#[test]
fn if_kong_goes_on_without_showing_the_body_the_response_is_replaced_by_500() {
    let gateway = Gateway::kong();
    let chain: [(&str, Value); 3] = [
        ("key_auth", inline(in_bodies(&gateway, json!({})))),
        ("upstream_jwt", json!({"private_key": TEST_KEY, "body_hash": true})),
        ("request_transformer", json!({"remove": {"body": ["role"]}})),
    ];
    let answer = |body: &str| {
        Response::json(201, body).with("set-cookie", "session=of-somebody").with("etag", "1")
    };
    for (feature, settings) in chain {
        let proxy = gateway.start(&[(feature, settings)]);
        let request = || post("application/json", r#"{"apikey":"right"}"#);
        let stream = proxy.send(request());
        stream.respond(answer(r#"{"secret":1}"#));
        assert_eq!(stream.reply().status, 201, "{feature}: decided");

        let stream = proxy.send(request().body_unseen());
        stream.respond(answer(r#"{"secret":1}"#));
        let reply = stream.reply();
        assert_eq!(reply.status, 500, "{feature}");
        assert!(!reply.text().contains("secret"), "{feature}: {}", reply.text());
        assert!(reply.text().contains("An unexpected error occurred"), "{feature}");
        for name in ["set-cookie", "etag", "content-length"] {
            assert_eq!(reply.header(name), None, "{feature}: {name}");
        }

        // A response that Lua buffers, whose request no filter has seen, is not changed.
        let stream = proxy.send(request().lua_buffered());
        stream.respond(answer(r#"{"secret":1}"#));
        assert_eq!((stream.reply().status, stream.reply().text()), (201, r#"{"secret":1}"#.into()));
    }
}

#[test]
fn another_filters_refusal_before_the_body_was_shown_stays_as_it_is() {
    let gateway = Gateway::kong();
    let proxy = gateway.start(&[
        ("key_auth", inline(in_bodies(&gateway, json!({})))),
        ("request_transformer", json!({"remove": {"body": ["role"]}})),
    ]);
    let stream = proxy.send(post("application/json", r#"{"apikey":"wrong"}"#));
    assert_eq!(refusal(&stream), refused_with(401, "Unauthorized"));
}
