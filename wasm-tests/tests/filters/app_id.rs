//! app_id on the pretend gateways: a consumer's own App ID passes, and nothing else.

mod admin_side;

use crate::gateways::{ADMIN, Gateway, asking, identified, refusal, taken_out};
use crate::key_auth::failures;
use admin_side::ids;
use serde_json::{Value, json};
use wasm_tests::{
    BLANK_APP_ID, INVALID_APP_ID, KongVersion, Level, NO_APP_ID, Proxy, Request, merged,
    refused_with,
};

/// key_auth with two consumers, whose keys are their names, and app_id behind it.
fn chain(app_id: Value) -> [(&'static str, Value); 2] {
    let consumers = json!([
        {"id": "1", "username": "ana", "keyauth_credentials": [{"key": "ana"}]},
        {"id": "2", "username": "bob", "keyauth_credentials": [{"key": "bob"}]},
        {"id": "3", "username": "guest"},
    ]);
    [("key_auth", json!({"consumers": consumers})), ("app_id", app_id)]
}

fn request(consumer: &str, app_id: impl AsRef<[u8]>) -> Request {
    Request::get("/orders").header("apikey", consumer).header("X-APP-ID", app_id)
}

#[test]
fn only_ones_own_app_id_is_let_through() {
    let long = "a".repeat(64 * 1024);
    let cases: Vec<(&str, Vec<u8>, Option<&str>)> = vec![
        ("ana", b"portal".to_vec(), None),
        ("ana", b"mobile_app.v2".to_vec(), None),
        ("ana", b"  portal\t".to_vec(), None),
        ("ana", b"".to_vec(), Some(BLANK_APP_ID)),
        ("ana", b" \t ".to_vec(), Some(BLANK_APP_ID)),
        ("ana", b"Portal".to_vec(), Some(INVALID_APP_ID)),
        ("ana", b"porta".to_vec(), Some(INVALID_APP_ID)),
        ("ana", b"portal,mobile_app.v2".to_vec(), Some(INVALID_APP_ID)),
        ("ana", b"\xff\xfe".to_vec(), Some(INVALID_APP_ID)),
        ("ana", b"portal\xff".to_vec(), Some(INVALID_APP_ID)),
        ("ana", b"../1/appids".to_vec(), Some(INVALID_APP_ID)),
        ("ana", long.into_bytes(), Some(INVALID_APP_ID)),
        ("bob", b"portal".to_vec(), Some(NO_APP_ID)),
    ];
    for gateway in Gateway::all() {
        let proxy = gateway.start(&chain(asking(json!({}))));
        proxy.on_call(|call| match call.path().as_str() {
            "/consumers/1/appids" => Some(ids(&["portal", "mobile_app.v2"]).into()),
            "/consumers/2/appids" => Some(ids(&[]).into()),
            _ => None,
        });
        for (consumer, app_id, expected) in &cases {
            let stream = proxy.send(request(consumer, app_id));
            let what = String::from_utf8_lossy(&app_id[..app_id.len().min(30)]).into_owned();
            match expected {
                None => {
                    let forwarded = stream.forwarded();
                    assert_eq!(
                        forwarded.header("x-consumer-username").as_deref(),
                        Some("ana"),
                        "{what}"
                    );
                    assert_eq!(forwarded.headers_named("x-app-id").len(), 1, "{what}");
                }
                Some(message) => {
                    assert_eq!(
                        refusal(&stream),
                        refused_with(403, message),
                        "{}: {what:?}",
                        gateway.name
                    );
                }
            }
        }
        let without = proxy.send(Request::get("/").header("apikey", "ana"));
        assert_eq!(refusal(&without), refused_with(403, BLANK_APP_ID));
        assert_eq!(proxy.callouts_made(), 2, "{}: each consumer is asked for once", gateway.name);
    }
}

#[test]
fn a_refusal_is_the_documents_compact_answer() {
    for gateway in Gateway::both() {
        let proxy = gateway.start(&chain(json!({"mappings": {"ana": ["portal"]}})));
        let reply = proxy.send(request("ana", "other")).refused();
        assert_eq!(reply.text().trim_end(), r#"{"message":"Invalid X-APP-ID"}"#);
        let content_type = reply.header("content-type");
        assert_eq!(content_type.as_deref(), Some("application/json; charset=utf-8"));
    }
}

#[test]
fn two_different_app_ids_are_invalid_and_two_equal_ones_are_one() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&chain(json!({"mappings": {"ana": ["portal", "other"]}})));
        let different = request("ana", "portal").header("x-app-id", "other");
        assert_eq!(
            refusal(&proxy.send(different)),
            refused_with(403, INVALID_APP_ID),
            "{}",
            gateway.name
        );
        let and_blank = request("ana", "portal").header("x-app-id", "");
        assert_eq!(refusal(&proxy.send(and_blank)), refused_with(403, INVALID_APP_ID));
        proxy.send(request("ana", "portal").header("x-app-id", "portal")).forwarded();
    }
}

#[test]
fn a_caller_whom_nobody_has_identified_is_refused_whatever_it_says_of_itself() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("app_id", asking(json!({})))]);
        for request in [
            Request::get("/"),
            request("ana", "portal"),
            request("ana", "portal").header("X-Consumer-ID", "1").header("X_Consumer_ID", "1"),
        ] {
            let stream = proxy.send(request);
            assert_eq!(refusal(&stream), refused_with(401, "Unauthorized"), "{}", gateway.name);
            assert_eq!(stream.outcome().callouts, 0);
        }
    }
}

#[test]
fn an_anonymous_consumer_is_a_consumer_like_any_other() {
    for gateway in Gateway::all() {
        let mut chain = chain(json!({"mappings": {"guest": ["public"]}}));
        chain[0].1["anonymous"] = "guest".into();
        let proxy = gateway.start(&chain);
        proxy.send(request("unknown", "public")).forwarded();
        assert_eq!(
            refusal(&proxy.send(request("unknown", "portal"))),
            refused_with(403, INVALID_APP_ID)
        );
    }
}

#[test]
fn mappings_in_the_settings_are_by_id_or_username_and_ask_nobody() {
    for gateway in Gateway::all() {
        let proxy =
            gateway.start(&chain(json!({"mappings": {"1": ["by-id"], "ana": ["by-name"]}})));
        for app_id in ["by-id", "by-name"] {
            proxy.send(request("ana", app_id)).forwarded();
        }
        assert_eq!(
            refusal(&proxy.send(request("ana", "other"))),
            refused_with(403, INVALID_APP_ID)
        );
        assert_eq!(refusal(&proxy.send(request("bob", "by-id"))), refused_with(403, NO_APP_ID));

        // With gatehouse-admin, too: the settings are read first, then the service is asked.
        let both = merged(asking(json!({})), json!({"mappings": {"ana": ["inline"]}}));
        let proxy = gateway.start(&chain(both));
        proxy.on_call(|call| {
            let listed =
                if call.path() == "/consumers/1/appids" { ids(&["served"]) } else { ids(&[]) };
            Some(listed.into())
        });
        proxy.send(request("ana", "inline")).forwarded();
        assert_eq!(proxy.callouts_made(), 0);
        proxy.send(request("ana", "served")).forwarded();
        assert_eq!(
            refusal(&proxy.send(request("ana", "other"))),
            refused_with(403, INVALID_APP_ID)
        );
        assert_eq!(refusal(&proxy.send(request("bob", "inline"))), refused_with(403, NO_APP_ID));
    }
}

#[test]
fn another_header_name_stands_in_every_message() {
    for gateway in Gateway::both() {
        let settings = json!({"header_name": "X-Client", "mappings": {"ana": ["portal"]}});
        let proxy = gateway.start(&chain(settings));
        let with = |consumer: &str, value: &str| {
            Request::get("/").header("apikey", consumer).header("x-client", value)
        };
        proxy.send(with("ana", "portal")).forwarded();
        for (request, message) in [
            (with("ana", "x"), "Invalid X-Client"),
            (with("ana", ""), "X-Client can't be blank"),
            (with("bob", "x"), "Consumer and X-Client mapping doesn't exist"),
            (request("ana", "portal"), "X-Client can't be blank"),
        ] {
            assert_eq!(
                refusal(&proxy.send(request)),
                refused_with(403, message),
                "{}",
                gateway.name
            );
        }
    }
}

#[test]
fn a_hidden_app_id_does_not_reach_the_upstream() {
    for gateway in Gateway::all() {
        let settings = json!({"hide_app_id": true, "mappings": {"ana": ["portal"]}});
        let proxy = gateway.start(&chain(settings));
        let stream = proxy.send(request("ana", "portal"));
        taken_out(&gateway, &stream, "x-app-id");
        let twice = proxy.send(request("ana", "portal").header("x-app-id", "portal"));
        if gateway.is_kong() {
            let expected = refused_with(400, "Header x-app-id must not be sent more than once");
            assert_eq!(refusal(&twice), expected);
        } else {
            taken_out(&gateway, &twice, "x-app-id");
        }
    }
}

#[test]
fn one_hundred_and_twenty_headers_are_fine_on_envoy_and_too_many_on_kong() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("app_id", json!({"mappings": {"1": ["portal"]}}))]);
        let mut request = identified(&gateway, "1").header("X-APP-ID", "portal");
        for n in 0..120 {
            request = request.header(&format!("x-header-{n}"), "value");
        }
        let stream = proxy.send(request);
        if gateway.is_kong() {
            assert_eq!(stream.refused().status, 431);
        } else {
            stream.forwarded();
        }
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn on_every_kong_the_identity_arrives_and_kongs_own_word_counts_where_it_is_trusted() {
    for version in KongVersion::ALL {
        let gateway = Gateway::kong_of(version);
        let proxy = gateway.start(&chain(json!({"mappings": {"1": ["portal"]}})));
        proxy.send(request("ana", "portal")).forwarded();
        assert_eq!(proxy.send(request("bob", "portal")).refused().status, 403);

        let trusting = json!({"mappings": {"1": ["portal"]}, "trust_consumer_headers": true});
        let proxy = gateway.start(&[("app_id", trusting)]);
        let announced = request("-", "portal").header("X-Consumer-ID", "1");
        proxy.send(announced.clone()).forwarded();
        assert_eq!(proxy.send(announced.header("x-consumer-id", "2")).refused().status, 400);
    }
}

#[test]
fn consumers_of_match_are_those_of_the_identity() {
    for gateway in Gateway::all() {
        let limited = |matching: Value| json!({"mappings": {"none": ["x"]}, "match": matching});
        let start = |matching: Value| gateway.start(&chain(limited(matching)));
        let judged = |proxy: &Proxy, consumer: &str| {
            let stream = proxy.send(request(consumer, "portal"));
            let judged = stream.outcome().local;
            if !judged {
                stream.forwarded();
            }
            judged
        };
        let only_ana = start(json!({"consumers": ["ana"]}));
        assert!(judged(&only_ana, "ana") && !judged(&only_ana, "bob"), "{}", gateway.name);
        let by_id = start(json!({"consumers": ["2"]}));
        assert!(!judged(&by_id, "ana") && judged(&by_id, "bob"));
        let all_but_ana = start(json!({"not_consumers": ["ana"]}));
        assert!(!judged(&all_but_ana, "ana") && judged(&all_but_ana, "bob"));

        // Without an identity the filter cannot know whether the request is in its scope.
        let alone = gateway.start(&[("app_id", limited(json!({"consumers": ["ana"]})))]);
        assert_eq!(alone.send(request("ana", "portal")).refused().status, 500);
    }
}

#[test]
fn nothing_that_identifies_anybody_is_logged() {
    for gateway in Gateway::all() {
        let settings = json!({"admin": {"upstream": ADMIN, "token": "gateway-token"}});
        let proxy = gateway.start(&chain(settings));
        for (_, answer) in failures() {
            let stream = proxy.send(request("ana", "secret-application"));
            if let [call] = &proxy.calls()[..] {
                call.answer(answer);
            }
            stream.refused();
        }
        let log = proxy.log_text(Level::Trace);
        for secret in ["secret-application", "gateway-token", "portal"] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}
