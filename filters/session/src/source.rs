//! The look-ups at the admin service: rows of sessions, revoked logins and consumers.

use crate::rows::{Name, Row, revocation, session, unhex};
use admin_api::{Change, Entity, Revocation};
use consumer::lookup::{self, By};
use exchange::{Answer, Call, Finding, Key};
use runtime::Source;

const ROWS: u8 = 1;
const LOGINS: u8 = 2;

/// Returns the key of a session's row.
pub(crate) fn row(name: Name) -> Key {
    Key::new(ROWS, name)
}

/// Returns the key under which it is looked up if a login has ended. The value is [`ENDED`] or
/// [`LASTS`].
pub(crate) fn login(name: Name) -> Key {
    Key::new(LOGINS, name)
}

/// Returns the key of a consumer, by id.
pub(crate) fn consumer(id: &str) -> Key {
    lookup::key(By::Id, id)
}

/// The cached value for a login that has ended.
pub(crate) const ENDED: &[u8] = b"ended";
/// The cached value for a login that has not ended. It is a value and not an absence, so that it is
/// kept for as long as other answers, and serves while the admin service is away.
pub(crate) const LASTS: &[u8] = b"lasts";

/// The admin service as the source of rows, logins and consumers.
pub(crate) struct Service {
    /// The clock, in milliseconds since 1970.
    pub(crate) now: fn() -> u64,
}

impl Source for Service {
    fn call(&self, key: &Key) -> Call {
        match key.table {
            ROWS => session(&key.name),
            LOGINS => revocation(&key.name),
            _ => lookup::call(key).unwrap_or_else(|| revocation(&key.name)),
        }
    }

    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        if !matches!(key.table, ROWS | LOGINS) {
            return lookup::read(key, answer);
        }
        if answer.status == 404 {
            let seq = Some(absent(&answer.body)?);
            let lasts = Finding::Value(LASTS.to_vec());
            return Some((if key.table == LOGINS { lasts } else { Finding::Nothing }, seq));
        }
        if answer.status != 200 {
            return None;
        }
        let (value, seq) = match key.table {
            ROWS => {
                let found: admin_api::Session = serde_json::from_slice(&answer.body).ok()?;
                (Row::kept(&found, (self.now)())?, found.seq)
            }
            _ => {
                let found: Revocation = serde_json::from_slice(&answer.body).ok()?;
                (ENDED.to_vec(), found.seq)
            }
        };
        Some((Finding::Value(value), seq))
    }

    fn is_secret(&self, _key: &Key) -> bool {
        // The rows of sessions are encrypted already. The other values are names and groups.
        false
    }

    fn touched(&self, change: &Change) -> Vec<Key> {
        let named = |table| unhex(&change.key).map(|name| Key::new(table, name));
        match change.entity {
            Entity::Sessions => named(ROWS).into_iter().collect(),
            Entity::Revocations => named(LOGINS).into_iter().collect(),
            _ => lookup::touched(change),
        }
    }
}

/// Returns the change number of gatehouse-admin's own 404. Returns `None` for any other 404, which
/// comes from something in between.
fn absent(body: &[u8]) -> Option<u64> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    (document.get("message")?.as_str()? == "Not found").then(|| document.get("seq")?.as_u64())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use admin_api::Operation;

    const SERVICE: Service = Service { now: || 1000 };

    fn read(key: &Key, status: u16, body: &str) -> Option<(Finding, Option<u64>)> {
        SERVICE.read(key, &Answer::new(status, body))
    }

    fn change(entity: Entity, consumer: &str, key: &str) -> Change {
        Change {
            seq: 1,
            entity,
            operation: Operation::Update,
            consumer_id: consumer.into(),
            key: key.into(),
        }
    }

    #[test]
    fn a_consumer_is_found_by_its_id_and_not_by_a_name() {
        let key = consumer("1");
        let body = r#"{"consumer":{"id":"1","username":"ana"},"groups":["g"],"seq":4}"#;
        let Some((Finding::Value(value), Some(4))) = read(&key, 200, body) else { panic!() };
        let ana = consumer::Identity::from_json(&value).unwrap();
        assert_eq!((ana.username.as_deref(), ana.groups.len()), (Some("ana"), 1));
        let other = r#"{"consumer":{"id":"2","username":"1"},"seq":4}"#;
        assert_eq!(read(&key, 200, other), None, "an answer about somebody else");
    }

    #[test]
    fn the_answer_that_a_login_has_not_ended_is_a_value() {
        let key = login([1; 32]);
        let nothing = r#"{"message":"Not found","seq":9}"#;
        assert_eq!(read(&key, 404, nothing), Some((Finding::Value(LASTS.to_vec()), Some(9))));
        assert_eq!(
            read(&key, 200, r#"{"ttl":5,"seq":9}"#),
            Some((Finding::Value(ENDED.to_vec()), Some(9)))
        );
        assert_eq!(read(&row([1; 32]), 404, nothing), Some((Finding::Nothing, Some(9))));
    }

    #[test]
    fn a_response_that_is_not_the_services_own_is_a_failure() {
        for key in [row([1; 32]), login([1; 32]), consumer("1")] {
            for (status, body) in [
                (404, "<html>"),
                (404, r#"{"message":"Not found"}"#),
                (500, r#"{"ttl":1,"data":"AA=="}"#),
                (200, "{}"),
                (200, "<html>"),
                (204, ""),
            ] {
                assert_eq!(read(&key, status, body), None, "{key:?} {status} {body}");
            }
        }
        assert_eq!(read(&row([1; 32]), 200, r#"{"data":"!","ttl":1}"#), None);
    }

    #[test]
    fn a_row_says_when_it_ends() {
        let data = r#"{"data":"AQAF","ttl":3,"seq":2}"#;
        let Some((Finding::Value(value), Some(2))) = read(&row([1; 32]), 200, data) else {
            panic!()
        };
        let row = Row::read(&value).unwrap();
        assert_eq!((row.expires_at, row.sealed), (4000, vec![5]));
    }

    #[test]
    fn a_change_makes_its_own_answers_outdated() {
        let id = "ab".repeat(32);
        assert_eq!(SERVICE.touched(&change(Entity::Sessions, "", &id)), [row([0xab; 32])]);
        assert_eq!(SERVICE.touched(&change(Entity::Revocations, "", &id)), [login([0xab; 32])]);
        assert_eq!(SERVICE.touched(&change(Entity::Acls, "1", "g")), [consumer("1")]);
        let renamed = SERVICE.touched(&change(Entity::Consumers, "1", "ana"));
        assert!(renamed.contains(&consumer("1")));
        assert_eq!(SERVICE.touched(&change(Entity::Appids, "1", "x")), []);
        assert_eq!(SERVICE.touched(&change(Entity::Sessions, "", "odd")), []);
    }
}
