//! app_id with gatehouse-admin: lookups, their answers, and outages.

use super::{chain, request};
use crate::admin::{Admin, Kind};
use crate::gateways::{Gateway, asking, refusal, taken_out};
use crate::key_auth::failures;
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{
    Answer, BLANK_APP_ID, INVALID_APP_ID, KongVersion, NO_APP_ID, Request, Response, Standing,
    refused_with,
};

/// The response of gatehouse-admin about consumer `1`.
pub fn ids(ids: &[&str]) -> Response {
    let data: Vec<Value> =
        ids.iter().map(|id| json!({"id": "i", "consumer_id": "1", "appid": id})).collect();
    Response::json(200, json!({"total": data.len(), "data": data, "seq": 1}).to_string())
}

#[test]
fn ids_of_consumers_stay_one_segment_of_the_path() {
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
            let asked = request("-", "portal").property(path, json!({"id": name}).to_string());
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
                format!("/appids?consumer_id={encoded}&app_id=portal"),
                "{}",
                gateway.name
            );
            call.json(200, json!({"total": 0, "data": []}).to_string());
            assert_eq!(refusal(&stream), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
        }
    }
}

#[test]
fn what_is_no_app_id_is_refused_without_a_lookup() {
    let long = "a".repeat(101);
    for gateway in Gateway::all() {
        let proxy = gateway.start(&chain(asking(json!({"fail_open": true}))));
        for app_id in ["a b", "a&b", "../../x", "?x=1", "%2e%2e", "größe", &long] {
            let stream = proxy.send(request("ana", app_id));
            assert_eq!(refusal(&stream), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
            assert_eq!(stream.outcome().callouts, 0, "{}: {app_id}", gateway.name);
        }
    }
}

/// A service, and the id of its consumer, who has more App IDs than a filter keeps.
fn with_many_app_ids() -> (Admin, String) {
    let admin = Admin::default();
    let id = admin.holder("ana", "key-of-ana");
    for n in 0..300 {
        admin.app_id(&id, &format!("application.number-{n}"));
    }
    (admin, id)
}

#[test]
fn more_app_ids_than_may_be_looked_up_open_no_door() {
    for gateway in Gateway::all() {
        let (admin, _) = with_many_app_ids();
        let open = asking(json!({"fail_open": true}));
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({}))), ("app_id", open)]);
        proxy.send(request("key-of-ana", "application.number-0")).forwarded();
        let statuses: Vec<_> = (0..300)
            .map(|n| proxy.send(request("key-of-ana", format!("made-up-{n}"))).refused().status)
            .collect();
        assert!(statuses.contains(&403) && statuses.contains(&503), "{statuses:?}");
    }
}

#[test]
fn a_consumer_with_more_app_ids_than_are_kept_is_asked_about_one_by_one() {
    for gateway in Gateway::all() {
        let (admin, id) = with_many_app_ids();
        let proxy = gateway
            .serving(&admin, &[("key_auth", asking(json!({}))), ("app_id", asking(json!({})))]);
        for _ in 0..2 {
            for n in [0, 150, 299] {
                proxy.send(request("key-of-ana", format!("application.number-{n}"))).forwarded();
            }
            let unknown = proxy.send(request("key-of-ana", "application.number-300"));
            assert_eq!(refusal(&unknown), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
        }
        // The filter looks up the key, the list, and each App ID once.
        assert_eq!(admin.lookups().len(), 1 + 1 + 4, "{}", gateway.name);
        admin.remove_app_id(&id, "application.number-150");
        admin.app_id(&id, "application.number-300");
        proxy.advance(Duration::from_secs(6));
        let gone = proxy.send(request("key-of-ana", "application.number-150"));
        assert_eq!(refusal(&gone), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
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
        assert_eq!(refusal(&proxy.send(request("ana", ""))), refused_with(403, BLANK_APP_ID));
        let stream = proxy.send(request("ana", "other"));
        proxy.call().answer(ids(&["portal"]));
        assert_eq!(refusal(&stream), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
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
                    assert_eq!(
                        refusal(&stream),
                        refused_with(403, INVALID_APP_ID),
                        "{}",
                        gateway.name
                    );
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
        assert_eq!(refusal(&stream), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
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
        assert_eq!(refusal(&send("portal")), refused_with(403, INVALID_APP_ID), "{}", gateway.name);
        send("renamed").forwarded();
        // A consumer that the service does not know has no App IDs.
        let stranger = request("-", "portal").property(path, r#"{"id":"stranger"}"#);
        assert_eq!(
            refusal(&proxy.send(stranger)),
            refused_with(403, NO_APP_ID),
            "{}",
            gateway.name
        );
    }
}
