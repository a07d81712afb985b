//! Sessions that gatehouse-admin stores, and its list of logins that have ended.

use super::browser::{
    Browser, browse, log_out, login, one_instance, session, stored, storing, two_instances,
};
use crate::admin::Admin;
use crate::gateways::{ADMIN, Gateway, asking, settled};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wasm_tests::{Answer, Callout, KongVersion, Proxy, Request, Response, Standing, merged};

/// A pretend gatehouse-admin that stores sessions.
#[derive(Clone, Default)]
struct Vault {
    admin: Admin,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    /// The data of each session and its remaining seconds, which time does not shorten here.
    rows: BTreeMap<String, (String, u64)>,
    revoked: BTreeMap<String, u64>,
    /// The metadata of each session: the audiences and subjects.
    noted: BTreeMap<String, Value>,
    asked: Vec<String>,
    broken: bool,
    /// `true` if the test answers requests that write.
    holds: bool,
}

impl Vault {
    fn serve(&self, proxy: &Proxy) {
        let vault = self.clone();
        proxy.on_call(move |call| {
            assert_eq!(call.upstream, ADMIN);
            if call.path().starts_with("/changes") || call.path().starts_with("/identities") {
                let broken = vault.state.borrow().broken;
                return Some(if broken { Answer::Refused } else { vault.admin.answer(call) });
            }
            let line =
                format!("{} {}", call.method(), call.path().split('/').nth(1).unwrap_or_default());
            let holds = vault.state.borrow().holds && call.method() != "GET";
            vault.state.borrow_mut().asked.push(line);
            (!holds).then(|| vault.answer(call))
        });
    }

    fn answer(&self, call: &Callout) -> Answer {
        let (mut state, seq) = (self.state.borrow_mut(), self.admin.seq());
        if state.broken {
            return Answer::Refused;
        }
        let path = call.path();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let id = parts[1].to_owned();
        assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "a digest: {path}");
        let row =
            |(data, ttl): &(String, u64)| (200, json!({"data": data, "ttl": ttl, "seq": seq}));
        let missing = (404, json!({"message": "Not found", "seq": seq}));
        let (status, document) = match (call.method().as_str(), parts[0]) {
            ("PUT", "sessions") => {
                let data = body["data"].as_str().expect("data").to_owned();
                let kept = (data, body["ttl"].as_u64().expect("a time"));
                let answer = row(&kept);
                state.noted.insert(id.clone(), body["metadata"].clone());
                state.rows.insert(id, kept);
                answer
            }
            ("GET", "sessions") => state.rows.get(&id).map_or(missing, row),
            ("PATCH", "sessions") => match state.rows.get_mut(&id) {
                Some(kept) => {
                    kept.1 = kept.1.min(body["ttl"].as_u64().expect("a time"));
                    self.admin.changed("sessions", "update", &id);
                    row(kept)
                }
                None => missing,
            },
            ("DELETE", "sessions") => {
                state.rows.remove(&id);
                self.admin.changed("sessions", "delete", &id);
                return Response::new(204).with("date", "today").into();
            }
            ("PUT", "revocations") => {
                let ttl = body["ttl"].as_u64().expect("a time");
                state.revoked.insert(id.clone(), ttl);
                self.admin.changed("revocations", "create", &id);
                (200, json!({"ttl": ttl, "seq": seq}))
            }
            ("GET", "revocations") => match state.revoked.get(&id) {
                Some(ttl) => (200, json!({"ttl": ttl, "seq": seq})),
                None => missing,
            },
            other => panic!("{other:?}"),
        };
        Response::json(status, document.to_string()).into()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().asked)
    }

    /// Ends the sessions of this subject, as an operator does, and returns their number.
    fn end_all_of(&self, subject: &str, audience: &str) -> usize {
        let metadata = json!([{"audience": audience, "subject": subject}]);
        let mut state = self.state.borrow_mut();
        let noted = std::mem::take(&mut state.noted);
        let (ended, kept): (BTreeMap<_, _>, _) =
            noted.into_iter().partition(|(_, noted)| *noted == metadata);
        state.noted = kept;
        for id in ended.keys() {
            state.rows.remove(id).expect("a row");
            self.admin.changed("sessions", "delete", id);
        }
        ended.len()
    }

    fn breaks(&self, broken: bool) {
        self.state.borrow_mut().broken = broken;
    }
}

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
fn what_cannot_be_stored_is_no_session_and_no_reason_to_fail() {
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
fn an_operator_ends_the_sessions_of_somebody_by_name_or_by_its_hash() {
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
