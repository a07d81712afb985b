//! Hostile cookies give no session and cause no trap.

use super::browser::{Browser, SECRET, browse, login, one_instance, session};
use crate::gateways::Gateway;
use serde_json::json;
use wasm_tests::{KongVersion, Request};

#[test]
fn a_cookie_that_is_of_no_use_is_no_session() {
    let versions = [KongVersion::V3_6, KongVersion::V3_8, KongVersion::V3_9].map(Gateway::kong_of);
    for gateway in versions.into_iter().chain([Gateway::envoy(), Gateway::envoy_holding()]) {
        let proxy =
            one_instance(&gateway, session(json!({"remember": true, "expire_invalid": true})));
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let good = browser.cookies["session"].clone();
        let mut all: Vec<Vec<u8>> = vec![
            b"session".to_vec(),
            b"session=".to_vec(),
            b"=".to_vec(),
            b";;;===".to_vec(),
            b"session=\xff\xfe\x00\x80".to_vec(),
            format!("session={}", "A".repeat(60_000)).into_bytes(),
            format!("session={}", "A".repeat(110)).into_bytes(),
            format!("session={good}; session2=x")
                .replacen("session=AQ", "session=Ag", 1)
                .into_bytes(),
            format!("session=x; session={}", &good[1..]).into_bytes(),
            format!("remember={good}").into_bytes(),
            (0..200).map(|n| format!("c{n}=1")).collect::<Vec<_>>().join(";").into_bytes(),
            (1..10)
                .map(|n| format!("session{n}={good}"))
                .collect::<Vec<_>>()
                .join(";")
                .into_bytes(),
        ];
        for cut in [1, 60, 109, 110, 111, good.len() - 1] {
            all.push(format!("session={}", &good[..cut]).into_bytes());
        }
        for at in 0..good.len() {
            let mut flipped = good.clone().into_bytes();
            flipped[at] = if flipped[at] == b'B' { b'C' } else { b'B' };
            all.push([b"session=".as_slice(), &flipped].concat());
        }
        for cookie in all {
            let stream = proxy.send(Request::get("/").header("cookie", &cookie));
            let reply = stream.refused();
            assert_eq!(reply.status, 403, "{}: {}", gateway.name, String::from_utf8_lossy(&cookie));
        }
        let stream =
            proxy.send(Request::get("/").header("cookie", format!("a=b; session={good}; c")));
        assert_eq!(stream.forwarded().header("x-consumer-username").as_deref(), Some("ana"));
    }
}

#[test]
fn a_cookie_of_another_secret_is_expired_where_the_operator_wishes() {
    for gateway in Gateway::both() {
        let proxy = one_instance(&gateway, session(json!({"expire_invalid": true})));
        let mut browser = Browser::default();
        let other = one_instance(&gateway, json!({"secret": "other"}));
        browser.send(&other, login());
        let visit = browser.send(&proxy, browse());
        assert_eq!(visit.set_cookies().len(), 1, "{}", gateway.name);
        assert!(browser.cookies.is_empty());
        let mut browser = Browser::default();
        browser.send(&other, login());
        let both = one_instance(&gateway, json!({"secret": SECRET, "secret_fallbacks": ["other"]}));
        let visit = browser.send(&both, browse());
        assert_eq!((visit.username().as_deref(), visit.set_cookies().len()), (Some("ana"), 1));
        assert_eq!(browser.send(&proxy, browse()).username().as_deref(), Some("ana"));
    }
}

#[test]
fn a_filter_that_cannot_work_lets_nobody_through() {
    let gateway = Gateway::kong();
    for settings in [
        json!({}),
        json!({"secret": "s", "storage": "kong", "admin": {"upstream": "admin.test:8001"}}),
        json!({"secret": "s", "logout_revokes": true}),
    ] {
        let proxy = gateway.start(&[("session", settings.clone())]);
        let stream = proxy.send(browse());
        assert_eq!(
            crate::gateways::refusal(&stream),
            (500, "session is misconfigured".to_owned()),
            "{settings}"
        );
        proxy.faults();
    }
}
