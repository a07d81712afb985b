//! A pretend gatehouse-admin that stores sessions.

use crate::admin::Admin;
use crate::gateways::ADMIN;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_tests::{Answer, Callout, Proxy, Response};

/// A pretend gatehouse-admin that stores sessions.
#[derive(Clone, Default)]
pub struct Vault {
    pub admin: Admin,
    pub state: Rc<RefCell<State>>,
}

#[derive(Default)]
pub struct State {
    /// The data of each session and its remaining seconds, which time does not shorten here.
    pub rows: BTreeMap<String, (String, u64)>,
    revoked: BTreeMap<String, u64>,
    /// The metadata of each session: the audiences and subjects.
    pub noted: BTreeMap<String, Value>,
    asked: Vec<String>,
    broken: bool,
    /// `true` if the test answers requests that write.
    pub holds: bool,
}

impl Vault {
    pub fn serve(&self, proxy: &Proxy) {
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

    pub fn answer(&self, call: &Callout) -> Answer {
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

    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().asked)
    }

    /// Ends the sessions of this subject, as an operator does, and returns their number.
    pub fn end_all_of(&self, subject: &str, audience: &str) -> usize {
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

    pub fn breaks(&self, broken: bool) {
        self.state.borrow_mut().broken = broken;
    }
}
