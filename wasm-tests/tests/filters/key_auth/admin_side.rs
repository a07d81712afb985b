//! key_auth with keys in gatehouse-admin: lookups, their answers, and outages.

use crate::admin::{Admin, Kind, digest};
use crate::gateways::{ADMIN, Gateway, asking, refusal, settled, with_key};
use serde_json::json;
use std::time::Duration;
use wasm_tests::{Answer, KongVersion, Level, Request, Response, Standing, refused_with};

#[test]
fn a_key_is_looked_up_once_and_only_by_its_digest() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let id = admin.holder("ana", "key-of-ana");
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        for _ in 0..3 {
            let stream = proxy.send(with_key("key-of-ana"));
            let forwarded = stream.forwarded();
            assert_eq!(forwarded.header("x-consumer-id"), Some(id.clone()));
            assert_eq!(
                forwarded.header("x-credential-identifier").as_deref(),
                Some("credential-1")
            );
            assert_eq!(refusal(&proxy.send(with_key("wrong"))), refused_with(401, "Unauthorized"));
        }
        let expected =
            ["key-of-ana", "wrong"].map(|key| format!("/identities/key-auth/{}", digest(key)));
        assert_eq!(admin.lookups(), expected, "{}", gateway.name);
    }
}

#[test]
fn no_key_ever_leaves_the_gateway_or_reaches_its_log() {
    let hostile = [
        "x HTTP/1.1\r\nHost: evil\r\n\r\n",
        "../../appids",
        "?size=1",
        "#",
        "a b",
        "a/b",
        "%2e%2e",
        "\0",
        "\u{fc}",
    ];
    for gateway in Gateway::all() {
        let admin = Admin::default();
        for how in [None, Some(Answer::Refused), Some(Answer::Response(Response::new(500)))] {
            match how {
                Some(how) => admin.breaks(how),
                None => admin.works(),
            }
            let settings = asking(json!({"admin": {"upstream": ADMIN, "token": "tok-en"}}));
            let proxy = gateway.serving(&admin, &[("key_auth", settings)]);
            for key in hostile {
                // In the query, escapes can express any byte.
                let escaped = wasm_tests::percent_encoded(key);
                let stream = proxy.send(Request::get(&format!("/?apikey={escaped}")));
                assert!([401, 503].contains(&stream.refused().status), "{} {key:?}", gateway.name);
            }
            let asked = admin.lookups();
            assert_eq!(asked.len(), hostile.len(), "{}", gateway.name);
            for (key, path) in hostile.iter().zip(asked) {
                assert_eq!(path, format!("/identities/key-auth/{}", digest(key)));
            }
            let log = proxy.log_text(Level::Trace);
            for secret in hostile.iter().filter(|key| key.len() > 3).chain(&["tok-en"]) {
                assert!(!log.contains(secret), "{log}");
            }
        }
    }
}

#[test]
fn the_name_of_the_anonymous_consumer_stays_one_path_segment() {
    let names = [
        ("a/../b", "a%2F%2E%2E%2Fb"),
        ("..", "%2E%2E"),
        ("?x=1#y", "%3Fx%3D1%23y"),
        ("a b HTTP/1.1\r\nX: y", "a%20b%20HTTP%2F1%2E1%0D%0AX%3A%20y"),
        ("nul\0", "nul%00"),
        ("%2e", "%252e"),
        ("größe", "gr%C3%B6%C3%9Fe"),
    ];
    for gateway in Gateway::all() {
        for (name, encoded) in names {
            let admin = Admin::default();
            let id = admin.consumer(name);
            let proxy =
                gateway.serving(&admin, &[("key_auth", asking(json!({"anonymous": name})))]);
            let forwarded = proxy.send(Request::get("/")).forwarded();
            assert_eq!(forwarded.header("x-consumer-id"), Some(id), "{}: {name:?}", gateway.name);
            let asked = [
                format!("/identities/consumers/{encoded}?by=username"),
                "/identities/consumers/0000000a-0000-4000-8000-000000000001?by=id".to_owned(),
            ];
            assert_eq!(admin.lookups(), asked);
        }
    }
}

#[test]
fn a_call_carries_the_token_the_authority_and_the_prefix() {
    for gateway in Gateway::all() {
        let gateway = gateway.with(|profile| profile.environment("TOKEN", "from-env"));
        let proxy = gateway.start(&[(
            "key_auth",
            json!({"admin": {
                "upstream": ADMIN, "authority": "admin.example", "scheme": "https",
                "path_prefix": "/api v1/..", "timeout": 250, "token_env": "TOKEN",
            }}),
        )]);
        let stream = proxy.send(with_key("k"));
        let call = proxy.call();
        assert_eq!(call.upstream, ADMIN);
        assert_eq!(call.method(), "GET");
        assert_eq!(call.path(), format!("/api%20v1/%2E%2E/identities/key-auth/{}", digest("k")));
        for (name, value) in [
            (":authority", "admin.example"),
            (":scheme", "https"),
            ("authorization", "Bearer from-env"),
            ("accept", "application/json"),
        ] {
            assert_eq!(call.header(name).as_deref(), Some(value), "{}: {name}", gateway.name);
        }
        assert_eq!((call.timeout_ms, call.text().as_str()), (250, ""));
        call.json(404, r#"{"message":"Not found","seq":0}"#);
        assert_eq!(stream.refused().status, 401);
    }
}

/// Every failure of a lookup at gatehouse-admin.
pub fn failures() -> Vec<(&'static str, Answer)> {
    let whole = json!({
        "consumer": {"id": "1", "username": "ana", "custom_id": null}, "groups": [],
        "credential": {"id": "c", "type": "key-auth", "identifier": "c"}, "seq": 1,
    })
    .to_string();
    let page = r#"{"data":[{"id":"i","consumer_id":"1","appid":"portal"}],"total":1,"seq":1}"#;
    let cut = |text: &str| text[..text.len() - 2].to_owned();
    let json = |status, body: &[u8]| Response::json(status, body);
    vec![
        ("refused", Answer::Refused),
        ("unknown host", Answer::UnknownHost),
        ("timeout", Answer::Timeout),
        ("end before the status", Answer::EndBeforeStatus),
        (
            "end in the headers",
            Answer::EndInHeaders(json(200, whole.as_bytes()).with("content-length", "500")),
        ),
        ("end in the body", Answer::EndInBody(json(200, cut(&whole).as_bytes()), 500)),
        ("no HTTP", Answer::Garbage),
        ("500", Answer::Response(json(500, r#"{"message":"broken","seq":1}"#.as_bytes()))),
        ("503", Answer::Response(json(503, page.as_bytes()))),
        ("401", Answer::Response(json(401, r#"{"message":"Unauthorized"}"#.as_bytes()))),
        ("403", Answer::Response(json(403, whole.as_bytes()))),
        ("302", Answer::Response(Response::new(302).with("location", "/elsewhere"))),
        ("204", Answer::Response(Response::new(204))),
        ("an empty 200", Answer::Response(json(200, "".as_bytes()))),
        ("a cut document", Answer::Response(json(200, cut(&whole).as_bytes()))),
        ("a cut page", Answer::Response(json(200, cut(page).as_bytes()))),
        (
            "shorter than said",
            Answer::Response(json(200, whole.as_bytes()).with("content-length", "9999")),
        ),
        ("HTML", Answer::Response(Response::new(200).with_body("<html>portal</html>"))),
        ("an empty object", Answer::Response(json(200, "{}".as_bytes()))),
        ("a list", Answer::Response(json(200, "[]".as_bytes()))),
        ("null", Answer::Response(json(200, "null".as_bytes()))),
        ("not text", Answer::Response(json(200, b"\xff\xfe\xfd"))),
        ("no JSON 404", Answer::Response(Response::new(404).with_body("no such page"))),
        (
            "another 404",
            Answer::Response(json(404, r#"{"message":"no Route matched"}"#.as_bytes())),
        ),
        ("deep nesting", Answer::Response(json(200, "[".repeat(100_000).as_bytes()))),
    ]
}

#[test]
fn whatever_goes_wrong_at_the_admin_service_lets_nobody_in() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", asking(json!({})))]);
        let of_somebody_without_key =
            json!({"consumer": {"id": "1", "username": "a"}, "groups": [], "seq": 1});
        let of_another_key = json!({
            "consumer": {"id": "1", "username": "a"}, "groups": [], "digest": "ab".repeat(32),
            "credential": {"id": "c", "type": "key-auth", "identifier": "c"}, "seq": 1,
        });
        let own = vec![
            (
                "a 404 without seq",
                Answer::Response(Response::json(404, r#"{"message":"Not found"}"#)),
            ),
            (
                "no credential",
                Answer::Response(Response::json(200, of_somebody_without_key.to_string())),
            ),
            (
                "an answer about another key",
                Answer::Response(Response::json(200, of_another_key.to_string())),
            ),
        ];
        for (n, (what, answer)) in failures().into_iter().chain(own).enumerate() {
            let stream = proxy.send(with_key(format!("key-{n}")));
            proxy.call().answer(answer);
            let expected = refused_with(503, "Service unavailable");
            assert_eq!(refusal(&stream), expected, "{}: {what}", gateway.name);
        }
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn a_slow_admin_service_is_waited_for_as_long_as_the_operator_says() {
    for gateway in Gateway::all() {
        let settings = json!({"admin": {"upstream": ADMIN, "timeout": 300}});
        let proxy = gateway.start(&[("key_auth", settings)]);
        let stream = proxy.send(with_key("k"));
        proxy.advance(Duration::from_millis(299));
        assert_eq!(stream.outcome().reply, None, "{}", gateway.name);
        assert_eq!(stream.outcome().forwarded, None);
        proxy.advance(Duration::from_millis(2));
        assert_eq!(refusal(&stream), refused_with(503, "Service unavailable"), "{}", gateway.name);
    }
}

#[test]
fn a_cluster_that_does_not_exist_is_no_answer() {
    let gateway = Gateway::envoy().with(|profile| profile.clusters(&["upstream"]));
    let proxy = gateway.start(&[("key_auth", asking(json!({})))]);
    assert_eq!(refusal(&proxy.send(with_key("k"))), refused_with(503, "Service unavailable"));
}

#[test]
fn an_address_that_kong_cannot_call_is_a_mistake_in_the_settings() {
    let gateway = Gateway::kong();
    for upstream in ["outbound|8001||admin", "admin:", "http://admin:8001", "admin:8001/x"] {
        let proxy = gateway.start(&[("key_auth", json!({"admin": {"upstream": upstream}}))]);
        assert_eq!(
            refusal(&proxy.send(with_key("k"))),
            refused_with(500, "key_auth is misconfigured")
        );
        assert!(proxy.log_text(Level::Error).contains("admin.upstream: found"), "{upstream}");
    }
}

#[test]
fn before_kong_3_9_a_failed_callout_lets_nobody_in() {
    for version in [
        KongVersion::V3_4,
        KongVersion::V3_5,
        KongVersion::V3_6,
        KongVersion::V3_7,
        KongVersion::V3_8,
    ] {
        let gateway = Gateway::kong_of(version);
        for (what, answer) in failures() {
            let proxy = gateway.start(&[("key_auth", asking(json!({})))]);
            let stream = proxy.send(with_key("k"));
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
fn on_a_kong_without_waiting_the_first_request_is_refused_and_the_tick_asks() {
    for version in [KongVersion::V3_4, KongVersion::V3_5, KongVersion::V3_8] {
        let gateway = Gateway::kong_of(version);
        let admin = Admin::default();
        admin.holder("ana", "key-of-ana");
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        proxy.send(with_key("somebody-elses"));
        proxy.advance(Duration::from_secs(5));
        let first = proxy.send(with_key("key-of-ana"));
        assert_eq!(first.outcome().callouts, 0, "{}", gateway.name);
        assert_eq!(refusal(&first), refused_with(503, "Service unavailable"));
        proxy.advance(Duration::from_secs(2));
        let second = proxy.send(with_key("key-of-ana"));
        assert_eq!(second.forwarded().header("x-consumer-username").as_deref(), Some("ana"));
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn on_kong_3_6_and_3_7_a_request_may_wait() {
    for version in [KongVersion::V3_6, KongVersion::V3_7] {
        let gateway = Gateway::kong_of(version);
        let admin = Admin::default();
        admin.holder("ana", "key-of-ana");
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        proxy.send(with_key("key-of-ana")).forwarded();
        assert_eq!(refusal(&proxy.send(with_key("wrong"))), refused_with(401, "Unauthorized"));
    }
}

#[test]
fn a_key_that_ended_is_a_key_that_nobody_has_also_from_the_cache() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        settled(&[&proxy]);
        let id = admin.consumer("ana");
        admin.key_until(&id, "short", Some(proxy.now_ms() + 20_000));
        proxy.send(with_key("short")).forwarded();
        proxy.advance(Duration::from_secs(19));
        proxy.send(with_key("short")).forwarded();
        proxy.advance(Duration::from_secs(1));
        assert_eq!(
            refusal(&proxy.send(with_key("short"))),
            refused_with(401, "Unauthorized"),
            "{}",
            gateway.name
        );
        assert_eq!(admin.lookups().len(), 1, "the end is known without asking again");
    }
}

#[test]
fn a_kong_admin_api_is_read_as_a_whole_and_never_asked_for_a_key() {
    for gateway in Gateway::all() {
        let admin = Admin::of_kind(Kind::Kong);
        let id = admin.holder("ana", "key-of-ana");
        admin.group(&id, "gold");
        let guest = admin.consumer("guest");
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({"anonymous": "guest"})))]);
        // The filter does not yet know the kind of the server.
        let cold = proxy.send(with_key("key-of-ana"));
        assert_eq!(refusal(&cold), refused_with(503, "Service unavailable"), "{}", gateway.name);
        // On Kong the filter fetches one page of a list at each tick.
        proxy.advance(Duration::from_secs(8));
        let forwarded = proxy.send(with_key("key-of-ana")).forwarded();
        assert_eq!(forwarded.header("x-consumer-id"), Some(id.clone()), "{}", gateway.name);
        let stranger = proxy.send(with_key("unknown")).forwarded();
        assert_eq!(stranger.header("x-consumer-id"), Some(guest.clone()), "{}", gateway.name);
        let asked = admin.asked();
        assert!(asked.iter().any(|path| path.starts_with("/key-auths?size=1000")), "{asked:?}");
        assert!(!asked.iter().any(|path| path.contains("key-of-ana")), "{asked:?}");

        // A change at such a server takes effect within the time to live.
        admin.remove_key("key-of-ana");
        admin.holder("bob", "key-of-bob");
        for _ in 0..70 {
            proxy.advance(Duration::from_secs(1));
            proxy.send(Request::get("/"));
        }
        let gone = proxy.send(with_key("key-of-ana")).forwarded();
        assert_eq!(gone.header("x-consumer-id"), Some(guest), "{}", gateway.name);
        let new = proxy.send(with_key("key-of-bob")).forwarded();
        assert_eq!(new.header("x-consumer-username").as_deref(), Some("bob"), "{}", gateway.name);
    }
}

#[test]
fn a_refusal_after_a_callout_is_final_whatever_filter_comes_next() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let admin = Admin::default();
        let second = json!({"key_names": ["second"]});
        let chains = [
            vec![("key_auth", asking(json!({}))), ("app_id", asking(json!({})))],
            vec![("key_auth", asking(json!({}))), ("key_auth", asking(second))],
        ];
        for chain in chains {
            let proxy = gateway.serving(&admin, &chain);
            let request = with_key("wrong").header("second", "wrong").header("X-APP-ID", "portal");
            let stream = proxy.send(request);
            assert_eq!(refusal(&stream), refused_with(401, "Unauthorized"), "{}", gateway.name);
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}
