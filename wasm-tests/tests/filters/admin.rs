//! A pretend gatehouse-admin: the gateway's side of its API, with the responses of the real one.

use crate::gateways::{ADMIN, Service};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_tests::{Answer, Callout, Proxy, Response};

/// A handle to a service. A clone stands for the service of the original.
#[derive(Clone, Default)]
pub struct Admin(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    consumers: Vec<Consumer>,
    keys: Vec<Key>,
    jwts: Vec<Jwt>,
    app_ids: Vec<(String, String)>,
    changes: Vec<Value>,
    /// The number of databases before this one.
    restored: u64,
    /// The number of the newest change that the history has dropped.
    forgotten: u64,
    /// `true` if the test answers lookups.
    holds: bool,
    broken: Option<Answer>,
    kind: Kind,
    asked: Vec<String>,
}

/// The kind of server.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Gatehouse,
    /// A server without a list of changes and without numbers, as the requirement document
    /// describes it.
    Plain,
    /// A Kong Admin API.
    Kong,
}

#[derive(Clone)]
struct Consumer {
    id: String,
    username: String,
    custom_id: Option<String>,
    groups: Vec<String>,
}

impl Consumer {
    /// The consumer as the responses show it.
    fn shown(&self) -> Value {
        json!({"id": self.id, "username": self.username, "custom_id": self.custom_id})
    }

    fn is_called(&self, by: &str, name: &str) -> bool {
        match by {
            "id" => self.id == name.to_ascii_lowercase(),
            "username" => self.username == name,
            _ => self.custom_id.as_deref() == Some(name),
        }
    }
}

struct Key {
    id: String,
    key: String,
    consumer: String,
    expires_at: Option<u64>,
}

/// A JWT credential, as [`Admin::jwt`] was given it.
struct Jwt {
    id: String,
    consumer: String,
    key: String,
    /// The members `algorithm`, `secret` and `rsa_public_key`.
    material: Value,
}

/// The SHA-256 of a key in lower-case hex.
pub fn digest(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Service for Admin {
    fn serve(&self, proxy: &Proxy) {
        Admin::serve(self, proxy);
    }
}

impl Admin {
    pub fn of_kind(kind: Kind) -> Self {
        let admin = Self::default();
        admin.0.borrow_mut().kind = kind;
        admin
    }

    /// Answers the callouts of `proxy`.
    pub fn serve(&self, proxy: &Proxy) {
        let admin = self.clone();
        proxy.on_call(move |call| admin.take(call));
    }

    // === What is in it ===

    /// Creates a consumer and returns its id.
    pub fn consumer(&self, username: &str) -> String {
        let mut state = self.0.borrow_mut();
        let id = format!("0000000a-0000-4000-8000-{:012}", state.consumers.len() + 1);
        let consumer = Consumer {
            id: id.clone(),
            username: username.into(),
            custom_id: None,
            groups: Vec::new(),
        };
        state.consumers.push(consumer);
        state.change("consumers", "create", &id, username);
        id
    }

    /// Creates a consumer with an API key and returns its id.
    pub fn holder(&self, username: &str, key: &str) -> String {
        let id = self.consumer(username);
        self.key(&id, key);
        id
    }

    pub fn key(&self, consumer: &str, key: &str) {
        self.key_until(consumer, key, None);
    }

    /// Creates a key that expires at this time, in milliseconds since 1970.
    pub fn key_until(&self, consumer: &str, key: &str, expires_at: Option<u64>) {
        let mut state = self.0.borrow_mut();
        let id = format!("credential-{}", state.keys.len() + 1);
        state.keys.push(Key { id, key: key.into(), consumer: consumer.into(), expires_at });
        state.change("keyauth_credentials", "create", consumer, &digest(key));
    }

    pub fn remove_key(&self, key: &str) {
        let mut state = self.0.borrow_mut();
        let at = state.keys.iter().position(|k| k.key == key).expect("a key that is there");
        let consumer = state.keys.remove(at).consumer;
        state.change("keyauth_credentials", "delete", &consumer, &digest(key));
    }

    /// Creates a JWT credential. It may have the members `key`, `algorithm`, `secret` and
    /// `rsa_public_key`.
    pub fn jwt(&self, consumer: &str, credential: Value) {
        let mut state = self.0.borrow_mut();
        let key = credential["key"].as_str().expect("a key").to_owned();
        let mut material = json!({"algorithm": "HS256"});
        for name in ["algorithm", "secret", "rsa_public_key"] {
            if let Some(value) = credential.get(name) {
                material[name] = value.clone();
            }
        }
        let known = state.jwts.iter_mut().find(|jwt| jwt.key == key);
        let operation = if let Some(known) = known {
            known.material = material;
            "update"
        } else {
            let id = format!("jwt-{}", state.jwts.len() + 1);
            state.jwts.push(Jwt { id, consumer: consumer.into(), key: key.clone(), material });
            "create"
        };
        state.change("jwt_secrets", operation, consumer, &key);
    }

    pub fn remove_jwt(&self, key: &str) {
        let mut state = self.0.borrow_mut();
        let at = state.jwts.iter().position(|jwt| jwt.key == key).expect("a key that is there");
        let consumer = state.jwts.remove(at).consumer;
        state.change("jwt_secrets", "delete", &consumer, key);
    }

    pub fn group(&self, consumer: &str, group: &str) {
        let mut state = self.0.borrow_mut();
        let found = state.consumers.iter_mut().find(|c| c.id == consumer);
        found.expect("a consumer that is there").groups.push(group.into());
        state.change("acls", "create", consumer, group);
        state.change_of_keys("update", consumer);
    }

    pub fn remove_group(&self, consumer: &str, group: &str) {
        let mut state = self.0.borrow_mut();
        let found = state.consumers.iter_mut().find(|c| c.id == consumer);
        found.expect("a consumer that is there").groups.retain(|other| other != group);
        state.change("acls", "delete", consumer, group);
        state.change_of_keys("update", consumer);
    }

    pub fn rename(&self, consumer: &str, username: &str) {
        self.call(consumer, |found| found.username = username.into());
    }

    /// Sets or removes the consumer's custom id.
    pub fn custom_id(&self, consumer: &str, custom_id: Option<&str>) {
        self.call(consumer, |found| found.custom_id = custom_id.map(str::to_owned));
    }

    fn call(&self, consumer: &str, change: impl FnOnce(&mut Consumer)) {
        let mut state = self.0.borrow_mut();
        let found = state.consumers.iter_mut().find(|c| c.id == consumer);
        let found = found.expect("a consumer that is there");
        let names = |c: &Consumer| [Some(c.username.clone()), c.custom_id.clone()];
        let old = names(found);
        change(found);
        let names: std::collections::BTreeSet<_> = old.into_iter().chain(names(found)).collect();
        for name in names.into_iter().flatten() {
            state.change("consumers", "update", consumer, &name);
        }
        state.change_of_keys("update", consumer);
    }

    pub fn app_id(&self, consumer: &str, app_id: &str) {
        let mut state = self.0.borrow_mut();
        state.app_ids.push((consumer.into(), app_id.into()));
        state.change("appids", "create", consumer, app_id);
    }

    pub fn remove_app_id(&self, consumer: &str, app_id: &str) {
        let mut state = self.0.borrow_mut();
        let before = state.app_ids.len();
        state.app_ids.retain(|(c, a)| (c.as_str(), a.as_str()) != (consumer, app_id));
        assert_eq!(state.app_ids.len() + 1, before, "an App ID that is there");
        state.change("appids", "delete", consumer, app_id);
    }

    /// Renames an App ID.
    pub fn update_app_id(&self, consumer: &str, from: &str, to: &str) {
        let mut state = self.0.borrow_mut();
        let pair =
            state.app_ids.iter_mut().find(|(c, a)| (c.as_str(), a.as_str()) == (consumer, from));
        pair.expect("an App ID that is there").1 = to.into();
        state.change("appids", "update", consumer, from);
        state.change("appids", "update", consumer, to);
    }

    /// Deletes a consumer with everything that belongs to it.
    pub fn delete_consumer(&self, consumer: &str) {
        let mut state = self.0.borrow_mut();
        state.change_of_keys("delete", consumer);
        state.keys.retain(|key| key.consumer != consumer);
        state.jwts.retain(|jwt| jwt.consumer != consumer);
        let app_ids = std::mem::take(&mut state.app_ids);
        let (gone, kept) = app_ids.into_iter().partition(|(owner, _)| owner == consumer);
        state.app_ids = kept;
        for (_, app_id) in gone as Vec<(String, String)> {
            state.change("appids", "delete", consumer, &app_id);
        }
        let at = state.consumers.iter().position(|c| c.id == consumer);
        let gone = state.consumers.remove(at.expect("a consumer that is there"));
        for name in [Some(gone.username), gone.custom_id].into_iter().flatten() {
            state.change("consumers", "delete", consumer, &name);
        }
    }

    /// Records a change of another kind of entity, which this service does not keep.
    pub fn changed(&self, entity: &str, operation: &str, key: &str) {
        self.0.borrow_mut().change(entity, operation, "", key);
    }

    /// The number of the newest change.
    pub fn seq(&self) -> u64 {
        self.0.borrow().seq()
    }

    // === What happens to it ===

    /// Replaces the database by an older one, which changes the epoch.
    pub fn restore(&self) {
        let mut state = self.0.borrow_mut();
        state.restored += 1;
        state.changes.clear();
    }

    /// Drops the history, so that no gateway can ask for changes since an earlier number.
    pub fn forget_history(&self) {
        let mut state = self.0.borrow_mut();
        state.forgotten = state.changes.len() as u64;
    }

    /// Ends every callout like this, until [`Admin::works`].
    pub fn breaks(&self, how: impl Into<Answer>) {
        self.0.borrow_mut().broken = Some(how.into());
    }

    pub fn works(&self) {
        self.0.borrow_mut().broken = None;
    }

    /// Leaves lookups to the test, which answers them with [`Admin::settle`].
    pub fn hold(&self) {
        self.0.borrow_mut().holds = true;
    }

    pub fn release(&self) {
        self.0.borrow_mut().holds = false;
    }

    /// Answers a callout that was left to the test.
    pub fn settle(&self, call: &Callout) {
        let answer = self.answer(call);
        call.answer(answer);
    }

    // === What was asked ===

    /// The paths of all callouts since the last call of this function.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().asked)
    }

    /// The paths as in [`Admin::asked`], without `/changes`.
    pub fn lookups(&self) -> Vec<String> {
        self.asked().into_iter().filter(|path| !path.starts_with("/changes")).collect()
    }

    /// The number of requests for `/changes` since the last call of [`Admin::asked`].
    pub fn polls(&self) -> usize {
        self.asked().iter().filter(|path| path.starts_with("/changes")).count()
    }

    // === Answers ===

    fn take(&self, call: &Callout) -> Option<Answer> {
        let path = call.path();
        let lookup = !path.starts_with("/changes");
        self.0.borrow_mut().asked.push(path);
        if lookup && self.0.borrow().holds {
            return None;
        }
        Some(self.answer(call))
    }

    /// The present response to a callout.
    pub fn answer(&self, call: &Callout) -> Answer {
        assert_eq!((call.upstream.as_str(), call.method().as_str()), (ADMIN, "GET"));
        let state = self.0.borrow();
        if let Some(broken) = &state.broken {
            return broken.clone();
        }
        let (path, query) = call.path().split_once('?').map_or_else(
            || (call.path(), String::new()),
            |(path, query)| (path.to_owned(), query.to_owned()),
        );
        let path: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let query: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        let (status, document) = match state.kind {
            Kind::Kong => state.as_kong(&path),
            _ => state.respond(&path, &query),
        };
        Response::json(status, document.to_string()).into()
    }
}

impl State {
    fn seq(&self) -> u64 {
        self.changes.len() as u64
    }

    fn change(&mut self, entity: &str, operation: &str, consumer: &str, key: &str) {
        let seq = self.seq() + 1;
        self.changes.push(json!({
            "seq": seq, "entity": entity, "operation": operation,
            "consumer_id": consumer, "key": key,
        }));
    }

    fn change_of_keys(&mut self, operation: &str, consumer: &str) {
        let keys = self.keys.iter().filter(|key| key.consumer == consumer);
        for digest in keys.map(|key| digest(&key.key)).collect::<Vec<_>>() {
            self.change("keyauth_credentials", operation, consumer, &digest);
        }
        let jwts = self.jwts.iter().filter(|jwt| jwt.consumer == consumer);
        for key in jwts.map(|jwt| jwt.key.clone()).collect::<Vec<_>>() {
            self.change("jwt_secrets", operation, consumer, &key);
        }
    }

    fn find(&self, name: &str) -> Option<&Consumer> {
        ["id", "username", "custom_id"].iter().find_map(|by| self.called(by, name))
    }

    fn called(&self, by: &str, name: &str) -> Option<&Consumer> {
        self.consumers.iter().find(|c| c.is_called(by, name))
    }

    fn respond(&self, path: &[&str], query: &[(String, String)]) -> (u16, Value) {
        let answer = match path {
            ["changes"] if self.kind == Kind::Gatehouse => Some(self.changes_since(query)),
            ["consumers", name, "appids"] => {
                self.find(name).map(|consumer| self.page(|owner, _| owner == consumer.id))
            }
            ["appids"] => Some(self.page(|owner, app_id| {
                query.iter().all(|(name, value)| match name.as_str() {
                    "consumer_id" => owner == value,
                    "app_id" => app_id == value,
                    _ => true,
                })
            })),
            ["identities", "key-auth"] => {
                let all: Vec<Value> = self.keys.iter().filter_map(|key| self.holder(key)).collect();
                Some(json!({"data": all, "next": null}))
            }
            ["identities", "key-auth", wanted] => {
                let key = self.keys.iter().find(|key| digest(&key.key) == *wanted);
                key.and_then(|key| self.holder(key))
            }
            ["identities", "jwt", wanted] => {
                let jwt = self.jwts.iter().find(|jwt| jwt.key == *wanted);
                jwt.and_then(|jwt| self.jwt_holder(jwt))
            }
            ["identities", "consumers", name] => {
                let named = |c: &Consumer| json!({"consumer": c.shown(), "groups": c.groups});
                let found = match query.iter().find(|(name, _)| name == "by") {
                    Some((_, by)) => self.called(by, name),
                    None => self.find(name),
                };
                found.map(named)
            }
            _ => None,
        };
        let (status, mut document) = match answer {
            Some(document) => (200, document),
            None => (404, json!({"message": "Not found"})),
        };
        if self.kind == Kind::Gatehouse {
            document["seq"] = self.seq().into();
        }
        (status, document)
    }

    fn page(&self, wanted: impl Fn(&str, &str) -> bool) -> Value {
        let data: Vec<Value> = self
            .app_ids
            .iter()
            .filter(|(owner, app_id)| wanted(owner, app_id))
            .map(|(owner, app_id)| {
                json!({
                    "id": format!("{owner}/{app_id}"), "consumer_id": owner, "appid": app_id,
                    "created_at": 1_541_419_735_000_u64,
                })
            })
            .collect();
        json!({"total": data.len(), "data": data})
    }

    fn holder(&self, key: &Key) -> Option<Value> {
        let consumer = self.find(&key.consumer)?;
        let mut holder = json!({
            "digest": digest(&key.key),
            "consumer": consumer.shown(),
            "groups": consumer.groups,
            "credential": {"id": key.id, "type": "key-auth", "identifier": key.id},
        });
        if let Some(expires_at) = key.expires_at {
            holder["expires_at"] = expires_at.into();
        }
        Some(holder)
    }

    fn jwt_holder(&self, jwt: &Jwt) -> Option<Value> {
        let consumer = self.find(&jwt.consumer)?;
        Some(json!({
            "consumer": consumer.shown(),
            "groups": consumer.groups,
            "credential": {"id": jwt.id, "type": "jwt", "identifier": jwt.key},
            "jwt": jwt.material,
        }))
    }

    fn changes_since(&self, query: &[(String, String)]) -> Value {
        let given = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value);
        let epoch = format!("epoch-{}", self.restored);
        let since = given("since").and_then(|since| since.parse::<u64>().ok());
        let other = given("epoch").is_some_and(|given| *given != epoch);
        let (data, reset) = match since {
            Some(since) if other || since > self.seq() || since < self.forgotten => (&[][..], true),
            Some(since) => (self.changes.get(since as usize..).unwrap_or_default(), false),
            None => (&[][..], false),
        };
        json!({"data": data, "next": self.seq(), "epoch": epoch, "reset": reset})
    }

    /// The response of a Kong Admin API, which has lists and no numbers.
    fn as_kong(&self, path: &[&str]) -> (u16, Value) {
        let data: Vec<Value> = match path {
            ["consumers"] => self.consumers.iter().map(Consumer::shown).collect(),
            ["acls"] => {
                let groups = self.consumers.iter().flat_map(|c| {
                    c.groups.iter().map(move |g| json!({"group": g, "consumer": {"id": c.id}}))
                });
                groups.collect()
            }
            ["key-auths"] => {
                let keys = self.keys.iter();
                keys.map(|k| json!({"id": k.id, "key": k.key, "consumer": {"id": k.consumer}}))
                    .collect()
            }
            ["jwts"] => {
                let jwts = self.jwts.iter().map(|jwt| {
                    let mut entry = jwt.material.clone();
                    entry["id"] = jwt.id.as_str().into();
                    entry["key"] = jwt.key.as_str().into();
                    entry["consumer"] = json!({"id": jwt.consumer});
                    entry
                });
                jwts.collect()
            }
            _ => return (404, json!({"message": "Not found"})),
        };
        (200, json!({"data": data, "next": null}))
    }
}

/// A path segment or query value with its escapes resolved, byte by byte.
fn decoded(raw: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (*first, tail) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let hex = String::from_utf8_lossy(&[*high, *low]).into_owned();
                u8::from_str_radix(&hex, 16).expect("an escape of two hex digits")
            }
            (byte, _) => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
