//! A pretend gatehouse-admin: the gateway's side of its API, with the responses of the real one.

mod answers;

use crate::gateways::{ADMIN, Service};
use answers::decoded;
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
