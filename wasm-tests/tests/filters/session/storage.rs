//! Sessions that gatehouse-admin stores, and its list of logins that have ended.

mod vault;

use super::browser::{
    Browser, browse, log_out, login, one_instance, session, stored, storing, two_instances,
};
use crate::gateways::{Gateway, asking, settled};
use serde_json::{Value, json};
use std::time::Duration;
use vault::Vault;
use wasm_tests::{KongVersion, Request, Response, Standing, merged};

#[test]
fn a_stored_session_is_in_the_admin_service_before_its_cookie_is_anywhere() {
    for gateway in Gateway::all() {
        for proxy in
            [storing(&gateway, stored(json!({}))), two_instances(&gateway, stored(json!({})))]
        {
            let vault = Vault::default();
            vault.serve(&proxy);
            let mut browser = Browser::default();
            let entered = browser.send(&proxy, login());
            assert_eq!(
                (entered.reply.status, entered.set_cookies().len()),
                (200, 1),
                "{}",
                gateway.name
            );
            assert_eq!(vault.asked(), ["PUT sessions"]);
            assert_eq!(browser.cookies["session"].len(), 110, "the header alone");
            let again = browser.send(&proxy, browse());
            assert_eq!((again.username().as_deref(), again.set_cookies().len()), (Some("ana"), 0));
            assert_eq!(vault.asked(), ["GET sessions"]);
            browser.send(&proxy, browse());
            assert_eq!(vault.asked(), [""; 0], "{}: it is in the cache", gateway.name);
            let stolen = browser.clone();
            let out = browser.send(&proxy, log_out());
            assert_eq!((out.reply.status, out.set_cookies().len()), (200, 1));
            assert_eq!(vault.asked(), ["DELETE sessions"]);
            assert!(vault.state.borrow().rows.is_empty());
            assert_eq!(
                stolen.clone().send(&proxy, browse()).reply.status,
                403,
                "{}: at once",
                gateway.name
            );
        }
    }
}

#[test]
fn on_envoy_the_response_waits_until_the_session_is_stored() {
    for gateway in [Gateway::envoy(), Gateway::envoy_holding()] {
        let proxy = one_instance(&gateway, stored(json!({})));
        let vault = Vault::default();
        vault.serve(&proxy);
        vault.state.borrow_mut().holds = true;
        let stream = proxy.send(login());
        stream.respond(Response::new(200).with_body("hello"));
        assert_ne!(stream.standing(), Standing::Answered, "{}: nothing has left", gateway.name);
        let call = proxy
            .calls()
            .into_iter()
            .find(|call| call.method() == "PUT")
            .expect("a row to be stored");
        call.answer(vault.answer(&call));
        let reply = stream.reply();
        assert_eq!((reply.text().as_str(), reply.headers_named("set-cookie").len()), ("hello", 1));
    }
}

#[test]
fn a_session_that_cannot_be_stored_is_none_and_does_not_fail_the_request() {
    for gateway in Gateway::all() {
        let proxy = storing(&gateway, stored(json!({})));
        let vault = Vault::default();
        vault.serve(&proxy);
        vault.breaks(true);
        let mut browser = Browser::default();
        let entered = browser.send(&proxy, login());
        assert_eq!(
            (entered.reply.status, entered.set_cookies()),
            (200, vec![]),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn without_the_admin_service_a_session_serves_while_it_is_known_and_then_nobody_is_called_a_stranger()
 {
    for gateway in Gateway::all() {
        let settings = stored(json!({"idling_timeout": 0, "cache": {"ttl": 10, "stale_ttl": 30}}));
        let proxy = storing(&gateway, settings);
        let vault = Vault::default();
        vault.serve(&proxy);
        settled(&[&proxy]);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        browser.send(&proxy, browse());
        vault.breaks(true);
        proxy.advance(Duration::from_secs(20));
        assert_eq!(browser.send(&proxy, browse()).reply.status, 200, "{}", gateway.name);
        proxy.advance(Duration::from_secs(25));
        assert_eq!(browser.send(&proxy, browse()).reply.status, 503, "{}", gateway.name);
        assert_eq!(browser.send(&proxy, log_out()).reply.status, 503);
        assert_eq!(
            Browser::default().send(&proxy, browse()).reply.status,
            403,
            "without a cookie nobody is asked"
        );
        vault.breaks(false);
        proxy.advance(Duration::from_secs(10));
        assert_eq!(browser.send(&proxy, browse()).reply.status, 200);
    }
}

#[test]
fn a_session_that_ended_in_one_worker_ends_in_all_of_them_within_the_interval() {
    for gateway in Gateway::all() {
        let proxy = storing(&gateway, stored(json!({})));
        let vault = Vault::default();
        vault.serve(&proxy);
        let other = proxy.worker();
        vault.serve(&other);
        settled(&[&proxy, &other]);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let stolen = browser.clone();
        for worker in [&proxy, &other] {
            assert_eq!(browser.send(worker, browse()).reply.status, 200, "{}", gateway.name);
        }
        assert_eq!(browser.send(&proxy, log_out()).reply.status, 200);
        proxy.advance(Duration::from_secs(11));
        for worker in [&proxy, &other] {
            assert_eq!(stolen.clone().send(worker, browse()).reply.status, 403, "{}", gateway.name);
        }
    }
}

#[test]
fn an_operator_ends_the_sessions_of_a_subject_by_its_name_or_hash() {
    let hashed = "JNS5b1jabUqFEjE7vQKijg";
    for (settings, ana) in [
        (json!({"store_metadata": true}), "ana"),
        (json!({"store_metadata": true, "hash_subject": true}), hashed),
    ] {
        for gateway in Gateway::all() {
            let proxy = storing(&gateway, stored(settings.clone()));
            let vault = Vault::default();
            vault.serve(&proxy);
            settled(&[&proxy]);
            let (mut ana_at_work, mut ana_at_home, mut bob) =
                (Browser::default(), Browser::default(), Browser::default());
            ana_at_work.send(&proxy, login());
            ana_at_home.send(&proxy, login());
            bob.send(&proxy, Request::get("/").header("apikey", "other"));
            for browser in [&mut ana_at_work, &mut ana_at_home, &mut bob] {
                assert_eq!(browser.send(&proxy, browse()).reply.status, 200, "{}", gateway.name);
            }
            assert_eq!(vault.end_all_of(ana, "other"), 0);
            assert_eq!(vault.end_all_of(ana, "default"), 2, "{}", gateway.name);
            proxy.advance(Duration::from_secs(11));
            for browser in [&mut ana_at_work, &mut ana_at_home] {
                assert_eq!(browser.send(&proxy, browse()).reply.status, 403, "{}", gateway.name);
            }
            assert_eq!(bob.send(&proxy, browse()).username().as_deref(), Some("bob"));
        }
    }
    // The subject is stored only if the settings ask for it.
    let proxy = storing(&Gateway::envoy(), stored(json!({"hash_subject": true})));
    let vault = Vault::default();
    vault.serve(&proxy);
    Browser::default().send(&proxy, login());
    assert_eq!(vault.state.borrow().noted.values().collect::<Vec<_>>(), [&Value::Null]);
}

#[test]
fn a_renewed_sessions_row_is_shortened_when_the_new_one_is_in_use() {
    for gateway in Gateway::all() {
        let proxy = storing(&gateway, stored(json!({"idling_timeout": 0})));
        let vault = Vault::default();
        vault.serve(&proxy);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        proxy.advance(Duration::from_secs(2701));
        vault.asked();
        assert_eq!(browser.send(&proxy, browse()).set_cookies().len(), 1, "{}", gateway.name);
        assert_eq!(vault.asked(), ["GET sessions", "PUT sessions"]);
        let left = |vault: &Vault| {
            vault.state.borrow().rows.values().filter(|(_, ttl)| *ttl == 10).count()
        };
        assert_eq!(left(&vault), 0, "the browser may not have got the new one");
        assert_eq!(browser.send(&proxy, browse()).reply.status, 200);
        assert_eq!(vault.asked(), ["GET sessions", "PATCH sessions"]);
        assert_eq!(left(&vault), 1);
    }
}

#[test]
fn a_stolen_cookie_dies_with_a_logout_that_revokes() {
    for gateway in Gateway::all() {
        let settings = asking(session(
            json!({"logout_revokes": true, "check_consumer": false, "idling_timeout": 0}),
        ));
        let proxy = one_instance(&gateway, settings);
        let vault = Vault::default();
        vault.serve(&proxy);
        let other = proxy.worker();
        vault.serve(&other);
        settled(&[&proxy, &other]);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let stolen = browser.clone();
        proxy.advance(Duration::from_secs(2800));
        assert_eq!(
            browser.send(&proxy, browse()).set_cookies().len(),
            1,
            "{}: renewed",
            gateway.name
        );
        let mut thief = stolen.clone();
        assert_eq!(thief.send(&other, browse()).reply.status, 200);
        assert_eq!(browser.send(&proxy, log_out()).reply.status, 200);
        proxy.advance(Duration::from_secs(11));
        for worker in [&proxy, &other] {
            assert_eq!(stolen.clone().send(worker, browse()).reply.status, 403, "{}", gateway.name);
            assert_eq!(
                thief.clone().send(worker, browse()).reply.status,
                403,
                "{}: renewed by the thief",
                gateway.name
            );
        }
    }
}

#[test]
fn a_consumer_of_the_admin_service_that_is_deleted_takes_the_session_along() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[
            ("session", asking(session(json!({})))),
            ("key_auth", asking(json!({"anonymous": "nobody"}))),
            ("request_termination", super::browser::no_strangers()),
        ]);
        let vault = Vault::default();
        vault.admin.consumer("nobody");
        let ana = vault.admin.holder("ana", "open_sesame");
        vault.admin.group(&ana, "readers");
        vault.serve(&proxy);
        settled(&[&proxy]);
        let mut browser = Browser::default();
        assert_eq!(browser.send(&proxy, login()).set_cookies().len(), 1, "{}", gateway.name);
        let visit = browser.send(&proxy, browse());
        assert_eq!(visit.username().as_deref(), Some("ana"));
        let groups = visit.forwarded.expect("it went on").header("x-authenticated-groups");
        assert_eq!(groups.as_deref(), Some("readers"));
        vault.admin.delete_consumer(&ana);
        proxy.advance(Duration::from_secs(11));
        assert_eq!(browser.send(&proxy, browse()).reply.status, 403, "{}", gateway.name);
        assert!(browser.cookies.is_empty());
    }
}

#[test]
fn kong_3_8_never_waits_for_a_row() {
    let gateway = Gateway::kong_of(KongVersion::V3_8);
    let proxy = storing(&gateway, stored(json!({})));
    let vault = Vault::default();
    vault.serve(&proxy);
    let mut browser = Browser::default();
    let entered = browser.send(&proxy, login());
    assert_eq!(
        (entered.reply.status, entered.set_cookies()),
        (200, vec![]),
        "no row, so no cookie"
    );
}

#[test]
fn the_saving_instance_refuses_where_nobody_opened() {
    for gateway in Gateway::both() {
        let save = merged(session(json!({})), json!({"phase": "save"}));
        let proxy = gateway.start(&[("key_auth", super::browser::keys()), ("session", save)]);
        assert_eq!(Browser::default().send(&proxy, login()).reply.status, 500, "{}", gateway.name);
        assert_eq!(
            Browser::default().send(&proxy, browse()).reply.status,
            200,
            "the anonymous consumer has none"
        );
    }
}
