//! app_id on the pretend gateways: a consumer's own App ID passes, and nothing else.

use crate::admin::{Admin, Kind};
use crate::gateways::{ADMIN, Gateway, asking, identified, refusal, taken_out};
use crate::key_auth::failures;
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{
    Answer, KongVersion, Level, Proxy, Request, Response, Standing, merged, refused_with,
};

const MAPPING: &str = "Consumer and X-APP-ID mapping doesn't exist";
const BLANK: &str = "X-APP-ID can't be blank";
const INVALID: &str = "Invalid X-APP-ID";

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

/// The response of gatehouse-admin about consumer `1`.
fn ids(ids: &[&str]) -> Response {
    let data: Vec<Value> =
        ids.iter().map(|id| json!({"id": "i", "consumer_id": "1", "appid": id})).collect();
    Response::json(200, json!({"total": data.len(), "data": data, "seq": 1}).to_string())
}

#[test]
fn only_ones_own_app_id_is_let_through() {
    let long = "a".repeat(64 * 1024);
    let cases: Vec<(&str, Vec<u8>, Option<&str>)> = vec![
        ("ana", b"portal".to_vec(), None),
        ("ana", b"mobile_app.v2".to_vec(), None),
        ("ana", b"  portal\t".to_vec(), None),
        ("ana", b"".to_vec(), Some(BLANK)),
        ("ana", b" \t ".to_vec(), Some(BLANK)),
        ("ana", b"Portal".to_vec(), Some(INVALID)),
        ("ana", b"porta".to_vec(), Some(INVALID)),
        ("ana", b"portal,mobile_app.v2".to_vec(), Some(INVALID)),
        ("ana", b"\xff\xfe".to_vec(), Some(INVALID)),
        ("ana", b"portal\xff".to_vec(), Some(INVALID)),
        ("ana", b"../1/appids".to_vec(), Some(INVALID)),
        ("ana", long.into_bytes(), Some(INVALID)),
        ("bob", b"portal".to_vec(), Some(MAPPING)),
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
        assert_eq!(refusal(&without), refused_with(403, BLANK));
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
        assert_eq!(refusal(&proxy.send(different)), refused_with(403, INVALID), "{}", gateway.name);
        let and_blank = request("ana", "portal").header("x-app-id", "");
        assert_eq!(refusal(&proxy.send(and_blank)), refused_with(403, INVALID));
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
        assert_eq!(refusal(&proxy.send(request("unknown", "portal"))), refused_with(403, INVALID));
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
        assert_eq!(refusal(&proxy.send(request("ana", "other"))), refused_with(403, INVALID));
        assert_eq!(refusal(&proxy.send(request("bob", "by-id"))), refused_with(403, MAPPING));

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
        assert_eq!(refusal(&proxy.send(request("ana", "other"))), refused_with(403, INVALID));
        assert_eq!(refusal(&proxy.send(request("bob", "inline"))), refused_with(403, MAPPING));
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
fn ids_of_consumers_and_app_ids_stay_one_segment_of_the_path() {
    let names = [
        ("../../x", "%2E%2E%2F%2E%2E%2Fx"),
        ("a b", "a%20b"),
        ("?x=1", "%3Fx%3D1"),
        ("#", "%23"),
        (
            "x HTTP/1.1\r\nHost: evil\r\n\r\nGET /",
            "x%20HTTP%2F1%2E1%0D%0AHost%3A%20evil%0D%0A%0D%0AGET%20%2F",
        ),
        ("%2e%2e", "%252e%252e"),
        ("nul\0", "nul%00"),
        ("größe", "gr%C3%B6%C3%9Fe"),
    ];
    for gateway in Gateway::all() {
        for (name, encoded) in names {
            let path = gateway.identity();
            let proxy = gateway.start(&[("app_id", asking(json!({})))]);
            // nginx escapes bytes that would end a header line.
            let app_id = match gateway.is_kong() {
                true => name.replace('\r', "%0D").replace('\n', "%0A").replace('\0', "%00"),
                false => name.to_owned(),
            };
            let app_id_encoded =
                if app_id == name { encoded.to_owned() } else { encoded_again(encoded) };
            let asked = request("-", format!("app {app_id}"))
                .property(path, json!({"id": name}).to_string());
            let stream = proxy.send(asked);
            let call = proxy.call();
            assert_eq!(call.path(), format!("/consumers/{encoded}/appids"), "{}", gateway.name);
            // The consumer has more App IDs than the filter keeps, so that this one is looked up by
            // itself.
            let many: Vec<Value> = (0..200)
                .map(|n| json!({"id": "i", "consumer_id": name, "appid": format!("another-{n}")}))
                .collect();
            call.json(200, json!({"total": 200, "data": many}).to_string());
            let call = proxy.call();
            assert_eq!(
                call.path(),
                format!("/appids?consumer_id={encoded}&app_id=app%20{app_id_encoded}"),
                "{}",
                gateway.name
            );
            call.json(200, json!({"total": 0, "data": []}).to_string());
            assert_eq!(refusal(&stream), refused_with(403, INVALID), "{}", gateway.name);
        }
    }
}

/// The text with its escapes of line ends escaped once more.
fn encoded_again(encoded: &str) -> String {
    encoded.replace("%0D", "%250D").replace("%0A", "%250A").replace("%00", "%2500")
}

#[test]
fn a_consumer_with_more_app_ids_than_are_kept_is_asked_about_one_by_one() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let id = admin.holder("ana", "key-of-ana");
        for n in 0..300 {
            admin.app_id(&id, &format!("application.number-{n}"));
        }
        let proxy = gateway
            .serving(&admin, &[("key_auth", asking(json!({}))), ("app_id", asking(json!({})))]);
        for _ in 0..2 {
            for n in [0, 150, 299] {
                proxy.send(request("key-of-ana", format!("application.number-{n}"))).forwarded();
            }
            let unknown = proxy.send(request("key-of-ana", "application.number-300"));
            assert_eq!(refusal(&unknown), refused_with(403, INVALID), "{}", gateway.name);
        }
        // The filter looks up the key, the list, and each App ID once.
        assert_eq!(admin.lookups().len(), 1 + 1 + 4, "{}", gateway.name);
        admin.remove_app_id(&id, "application.number-150");
        admin.app_id(&id, "application.number-300");
        proxy.advance(Duration::from_secs(6));
        let gone = proxy.send(request("key-of-ana", "application.number-150"));
        assert_eq!(refusal(&gone), refused_with(403, INVALID), "{}", gateway.name);
        proxy.send(request("key-of-ana", "application.number-300")).forwarded();
    }
}

#[test]
fn whatever_goes_wrong_at_the_admin_service_lets_nobody_in() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("app_id", asking(json!({})))]);
        let path = gateway.identity();
        let own = vec![("somebody else's list", Answer::Response(ids(&["portal"])))];
        for (n, (what, answer)) in failures().into_iter().chain(own).enumerate() {
            let identity = json!({"id": format!("consumer-{n}")}).to_string();
            let stream = proxy.send(request("-", "portal").property(path, identity));
            proxy.call().answer(answer);
            let expected = refused_with(503, "Service unavailable");
            assert_eq!(refusal(&stream), expected, "{}: {what}", gateway.name);
        }
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn fail_open_opens_for_an_admin_service_that_is_away_and_for_nothing_else() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&chain(asking(json!({"fail_open": true, "hide_app_id": true}))));
        for (what, answer) in failures() {
            let stream = proxy.send(request("ana", "portal"));
            proxy.call().answer(answer);
            stream.forwarded();
            taken_out(&gateway, &stream, "x-app-id");
            assert!(!what.is_empty());
        }
        let unidentified = proxy.send(request("nobody", "portal"));
        assert_eq!(unidentified.refused().status, 401);
        assert_eq!(refusal(&proxy.send(request("ana", ""))), refused_with(403, BLANK));
        let stream = proxy.send(request("ana", "other"));
        proxy.call().answer(ids(&["portal"]));
        assert_eq!(refusal(&stream), refused_with(403, INVALID), "{}", gateway.name);
    }
}

#[test]
fn before_kong_3_9_a_failed_callout_lets_nobody_in() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_8] {
        let gateway = Gateway::kong_of(version);
        for (what, answer) in failures() {
            let proxy = gateway.start(&chain(asking(json!({}))));
            let stream = proxy.send(request("ana", "portal"));
            if stream.standing() == Standing::Waiting {
                proxy.call().answer(answer);
            }
            // Before 3.8, Kong itself answers 500 to a failed callout.
            let status = stream.reply().status;
            assert!(status == 503 || status == 500, "{} {what}: {status}", gateway.name);
            assert_eq!(stream.outcome().forwarded, None);
        }
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
fn a_body_that_waits_for_a_lookup_is_not_let_past_it() {
    for gateway in Gateway::all() {
        for (app_id, passes) in [("portal", true), ("other", false)] {
            for pieces in [1, 3] {
                let chunks: Vec<&[u8]> = (0..pieces).map(|_| &b"piece"[..]).collect();
                let proxy = gateway.start(&chain(asking(json!({}))));
                let request = Request::new("POST", "/").chunks(&chunks);
                let request = request.header("apikey", "ana").header("X-APP-ID", app_id);
                let stream = proxy.send(request);
                assert_eq!(stream.outcome().forwarded, None, "{}", gateway.name);
                proxy.call().answer(ids(&["portal"]));
                if passes {
                    let forwarded = stream.forwarded();
                    assert_eq!(forwarded.text(), "piece".repeat(pieces), "{}", gateway.name);
                    assert!(forwarded.complete);
                } else {
                    assert_eq!(refusal(&stream), refused_with(403, INVALID), "{}", gateway.name);
                }
            }
        }
    }
}

#[test]
fn a_client_that_goes_away_while_it_waits_leaves_nothing_behind() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&chain(asking(json!({}))));
        let gone = proxy.send(request("ana", "portal"));
        gone.abort();
        let calls = proxy.calls();
        if gateway.is_kong() {
            assert!(calls.is_empty(), "the call goes with the request");
        } else {
            // The response still serves later requests.
            calls[0].answer(ids(&["portal"]));
        }
        let next = proxy.send(request("ana", "portal"));
        if gateway.is_kong() {
            proxy.call().answer(ids(&["portal"]));
        }
        next.forwarded();
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn a_refusal_after_a_callout_is_final_whatever_filter_comes_next() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let [key_auth, app_id] = chain(asking(json!({})));
        let second = ("app_id", asking(json!({"header_name": "X-Second"})));
        let proxy = gateway.start(&[key_auth, app_id, second]);
        let stream = proxy.send(request("ana", "other").header("X-Second", "other"));
        proxy.call().answer(ids(&["portal"]));
        assert_eq!(refusal(&stream), refused_with(403, INVALID), "{}", gateway.name);
        assert_eq!(stream.outcome().callouts, 1, "the second one does not ask any more");
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn a_cached_decision_makes_no_callout_and_few_host_calls() {
    for gateway in Gateway::all() {
        let path = gateway.identity();
        let proxy = gateway.start(&[("app_id", asking(json!({})))]);
        proxy.on_call(|_| Some(ids(&["portal"]).into()));
        let request = request("-", "portal").property(path, r#"{"id":"1","username":"ana"}"#);
        proxy.send(request.clone()).forwarded();
        let cached = proxy.send(request);
        cached.forwarded();
        cached.respond(Response::new(200));
        let outcome = cached.outcome();
        let calls = outcome.host_calls.total();
        println!("{}: {calls} host calls, {:?}", gateway.name, outcome.host_calls);
        assert_eq!(outcome.callouts, 0, "{}", gateway.name);
        assert!(calls <= 12, "{}: {:?}", gateway.name, outcome.host_calls);
        assert_eq!(outcome.host_calls.named("proxy_log"), 0, "{}", gateway.name);
    }
}

#[test]
fn a_server_without_sequence_numbers_is_used_with_its_time_to_live_alone() {
    for gateway in Gateway::all() {
        let admin = Admin::of_kind(Kind::Plain);
        let id = admin.consumer("ana");
        admin.app_id(&id, "portal");
        let path = gateway.identity();
        let proxy = gateway.serving(&admin, &[("app_id", asking(json!({})))]);
        let send = |app_id: &str| {
            let identity = json!({"id": id}).to_string();
            proxy.send(request("-", app_id).property(path, identity))
        };
        send("portal").forwarded();
        admin.remove_app_id(&id, "portal");
        admin.app_id(&id, "renamed");
        for _ in 0..55 {
            proxy.advance(Duration::from_secs(1));
            send("portal").forwarded();
        }
        proxy.advance(Duration::from_secs(6));
        send("portal");
        proxy.advance(Duration::from_secs(1));
        assert_eq!(refusal(&send("portal")), refused_with(403, INVALID), "{}", gateway.name);
        send("renamed").forwarded();
        // A consumer that the service does not know has no App IDs.
        let stranger = request("-", "portal").property(path, r#"{"id":"stranger"}"#);
        assert_eq!(refusal(&proxy.send(stranger)), refused_with(403, MAPPING), "{}", gateway.name);
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
