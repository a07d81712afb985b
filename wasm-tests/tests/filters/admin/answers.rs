//! The responses of the pretend gatehouse-admin.

use super::{Consumer, Jwt, Key, Kind, State, digest};
use serde_json::{Value, json};

impl State {
    pub fn seq(&self) -> u64 {
        self.changes.len() as u64
    }

    pub fn change(&mut self, entity: &str, operation: &str, consumer: &str, key: &str) {
        let seq = self.seq() + 1;
        self.changes.push(json!({
            "seq": seq, "entity": entity, "operation": operation,
            "consumer_id": consumer, "key": key,
        }));
    }

    pub fn change_of_keys(&mut self, operation: &str, consumer: &str) {
        let keys = self.keys.iter().filter(|key| key.consumer == consumer);
        for digest in keys.map(|key| digest(&key.key)).collect::<Vec<_>>() {
            self.change("keyauth_credentials", operation, consumer, &digest);
        }
        let jwts = self.jwts.iter().filter(|jwt| jwt.consumer == consumer);
        for key in jwts.map(|jwt| jwt.key.clone()).collect::<Vec<_>>() {
            self.change("jwt_secrets", operation, consumer, &key);
        }
    }

    pub fn find(&self, name: &str) -> Option<&Consumer> {
        ["id", "username", "custom_id"].iter().find_map(|by| self.called(by, name))
    }

    pub fn called(&self, by: &str, name: &str) -> Option<&Consumer> {
        self.consumers.iter().find(|c| c.is_called(by, name))
    }

    pub fn respond(&self, path: &[&str], query: &[(String, String)]) -> (u16, Value) {
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

    pub fn page(&self, wanted: impl Fn(&str, &str) -> bool) -> Value {
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

    pub fn holder(&self, key: &Key) -> Option<Value> {
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

    pub fn jwt_holder(&self, jwt: &Jwt) -> Option<Value> {
        let consumer = self.find(&jwt.consumer)?;
        Some(json!({
            "consumer": consumer.shown(),
            "groups": consumer.groups,
            "credential": {"id": jwt.id, "type": "jwt", "identifier": jwt.key},
            "jwt": jwt.material,
        }))
    }

    pub fn changes_since(&self, query: &[(String, String)]) -> Value {
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
    pub fn as_kong(&self, path: &[&str]) -> (u16, Value) {
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
pub fn decoded(raw: &str) -> String {
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
