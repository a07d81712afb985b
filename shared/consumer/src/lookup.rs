//! Lookups of consumers at the admin service. Consumers are cached by id; other names lead to an
//! id.
//!
//! | table        | key         | value        | outdated by a change of             |
//! |--------------|-------------|--------------|-------------------------------------|
//! | `CONSUMERS`  | folded id   | the consumer | the consumer, or one of its groups  |
//! | `USERNAMES`  | username    | the id       | a consumer that has or had the name |
//! | `CUSTOM_IDS` | custom id   | the id       | a consumer that has or had the name |
//!
//! A client may choose the name that is looked up, while a change names the consumer's id. So a
//! consumer is never cached under another name than its id: a revocation would not reach it there.

use crate::identity::{Identity, folded, is_uuid};
use admin_api::{Change, Entity};
use exchange::{Answer, Call, Finding, Key, Step, Unavailable};

/// The numbers of the tables. No filter uses them for a table of its own.
const CONSUMERS: u8 = 241;
const USERNAMES: u8 = 242;
const CUSTOM_IDS: u8 = 243;

/// The greatest length of a consumer's name in bytes. The admin service accepts no longer one.
pub const MAX_NAME: usize = 2048;

/// The kinds of name that a consumer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The consumer's id.
    Id,
    /// The consumer's username.
    Username,
    /// The consumer's custom id.
    CustomId,
}

impl By {
    /// Returns the word for this kind in settings and in calls to the admin service.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Username => "username",
            Self::CustomId => "custom_id",
        }
    }

    const fn table(self) -> u8 {
        match self {
            Self::Id => CONSUMERS,
            Self::Username => USERNAMES,
            Self::CustomId => CUSTOM_IDS,
        }
    }

    const fn of(table: u8) -> Option<Self> {
        match table {
            CONSUMERS => Some(Self::Id),
            USERNAMES => Some(Self::Username),
            CUSTOM_IDS => Some(Self::CustomId),
            _ => None,
        }
    }

    /// Returns `true` if `name` is the consumer's name of this kind.
    fn names(self, identity: &Identity, name: &str) -> bool {
        match self {
            Self::Id => identity.id == folded(name),
            Self::Username => identity.username.as_deref() == Some(name),
            Self::CustomId => identity.custom_id.as_deref() == Some(name),
        }
    }
}

/// Returns the key to look up for a name of this kind.
#[must_use]
pub fn key(by: By, name: &str) -> Key {
    match by {
        By::Id => Key::new(CONSUMERS, folded(name)),
        By::Username | By::CustomId => Key::new(by.table(), name),
    }
}

/// Returns the call that asks for a key of [`key`], or `None` for any other key.
#[must_use]
pub fn call(key: &Key) -> Option<Call> {
    let by = By::of(key.table)?;
    Some(Call::get([b"identities".as_slice(), b"consumers", &key.name]).with("by", by.word()))
}

/// Reads the answer for a key of [`key`], with the number of the newest change that it knows of.
/// Returns `None` if the answer does not fit the key, or the key is of another table.
#[must_use]
pub fn read(key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
    let by = By::of(key.table)?;
    if answer.status == 404 {
        return absent(&answer.body).map(|seq| (Finding::Nothing, Some(seq)));
    }
    if answer.status != 200 {
        return None;
    }
    let found: admin_api::Identity = serde_json::from_slice(&answer.body).ok()?;
    let admin_api::Consumer { id, username, custom_id } = found.consumer;
    let id = folded(&id);
    let identity =
        Identity { id, username, custom_id, groups: found.groups, ..Identity::default() };
    let name = std::str::from_utf8(&key.name).ok()?;
    // An answer about another consumer would admit a caller under a wrong name. An answer to a name
    // contains no credential.
    let fits = !identity.id.is_empty() && by.names(&identity, name) && found.credential.is_none();
    let value = match by {
        By::Id => identity.to_json(),
        By::Username | By::CustomId => identity.id.into_bytes(),
    };
    fits.then_some((Finding::Value(value), found.seq))
}

/// Returns the keys whose answers a change makes outdated.
#[must_use]
pub fn touched(change: &Change) -> Vec<Key> {
    let consumer = || key(By::Id, &change.consumer_id);
    match change.entity {
        Entity::Acls => vec![consumer()],
        // A change does not tell the kind of the name that it contains.
        Entity::Consumers => {
            vec![consumer(), key(By::Username, &change.key), key(By::CustomId, &change.key)]
        }
        _ => Vec::new(),
    }
}

/// Returns all entries about one consumer, for a snapshot.
#[must_use]
pub fn entries(identity: &Identity) -> Vec<(Key, Finding)> {
    let id = || Finding::Value(identity.id.clone().into_bytes());
    let username = identity.username.as_deref().map(|name| (key(By::Username, name), id()));
    let custom_id = identity.custom_id.as_deref().map(|name| (key(By::CustomId, name), id()));
    let itself = (key(By::Id, &identity.id), Finding::Value(identity.to_json()));
    [Some(itself), username, custom_id].into_iter().flatten().collect()
}

/// The search for a consumer by name. It looks up at most three keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    by: By,
    name: String,
    /// `true` if the name is looked up as a username when no consumer has it as id.
    or_username: bool,
    /// The time of the request in milliseconds since 1970.
    now: u64,
    asked: Asked,
}

/// The last lookup of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// The id of the consumer with the name.
    Id,
    /// The consumer with this id. `newest` is `true` if a cached consumer was too old to serve.
    Consumer { id: String, newest: bool },
}

/// The state of a search after a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The search goes on with this step.
    Ask(Search, Step),
    /// This consumer has the name.
    Found(Identity),
    /// No consumer has the name.
    Nobody,
    /// The lookup failed.
    Unavailable,
}

impl Search {
    /// Begins the search for the consumer with this name. `now` is in milliseconds since 1970.
    #[must_use]
    pub fn begin(by: By, name: &str, now: u64) -> (Self, Step) {
        let asked = match by {
            By::Id => Asked::Consumer { id: folded(name), newest: false },
            By::Username | By::CustomId => Asked::Id,
        };
        let search = Self { by, name: name.to_owned(), or_username: false, now, asked };
        (search, Step::find(key(by, name)))
    }

    /// Begins the search for the consumer with this id or, if there is none, with this username.
    /// `now` is in milliseconds since 1970.
    #[must_use]
    pub fn id_or_username(name: &str, now: u64) -> (Self, Step) {
        // Every id of the admin service is a UUID.
        if !is_uuid(name) {
            return Self::begin(By::Username, name, now);
        }
        let (search, step) = Self::begin(By::Id, name, now);
        (Self { or_username: true, ..search }, step)
    }

    /// Continues with the result of the lookup.
    #[must_use]
    pub fn on(self, found: Result<Finding, Unavailable>) -> Progress {
        let value = match found {
            Ok(Finding::Value(value)) => value,
            Ok(Finding::Nothing) if self.or_username => {
                let (search, step) = Self::begin(By::Username, &self.name, self.now);
                return Progress::Ask(search, step);
            }
            Ok(Finding::Nothing) => return Progress::Nobody,
            Err(Unavailable) => return Progress::Unavailable,
        };
        let (id, newest) = match &self.asked {
            Asked::Id => {
                let Ok(id) = String::from_utf8(value) else { return Progress::Unavailable };
                let step = Step::find(key(By::Id, &id));
                let asked = Asked::Consumer { id, newest: false };
                return Progress::Ask(Self { asked, ..self }, step);
            }
            Asked::Consumer { id, newest } => (id.clone(), *newest),
        };
        let identity = Identity::from_json(&value).filter(|identity| identity.id == id);
        let Some(identity) = identity else { return Progress::Unavailable };
        if self.by.names(&identity, &self.name) {
            return Progress::Found(identity);
        }
        // One of the two answers is older than a change of the consumer's name.
        if newest {
            return Progress::Nobody;
        }
        let step = Step::find_newer(key(By::Id, &id), self.now);
        Progress::Ask(Self { asked: Asked::Consumer { id, newest: true }, ..self }, step)
    }
}

/// Returns the change number of gatehouse-admin's own 404. A 404 of another server has none.
fn absent(body: &[u8]) -> Option<u64> {
    let not_found: admin_api::NotFound = serde_json::from_slice(body).ok()?;
    not_found.seq.filter(|_| not_found.message == "Not found")
}

#[cfg(test)]
mod tests {
    use super::*;
    use admin_api::Operation;

    const ID: &str = "0aa00000-0000-4000-8000-00000000000f";

    fn ana() -> Identity {
        Identity {
            id: ID.into(),
            username: Some("ana".into()),
            custom_id: Some("c9".into()),
            groups: vec!["g".into()],
            ..Identity::default()
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer::new(status, body)
    }

    fn value(identity: &Identity) -> Result<Finding, Unavailable> {
        Ok(Finding::Value(identity.to_json()))
    }

    fn id(id: &str) -> Result<Finding, Unavailable> {
        Ok(Finding::Value(id.into()))
    }

    #[track_caller]
    fn asked(progress: Progress) -> (Search, Step) {
        match progress {
            Progress::Ask(search, step) => (search, step),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_consumer_is_kept_under_its_folded_id_and_its_other_names_lead_there() {
        let body = format!(
            r#"{{"consumer":{{"id":"{}","username":"ana","custom_id":"c9"}},"groups":["g"],"seq":7}}"#,
            ID.to_uppercase()
        );
        for (by, name) in [(By::Username, "ana"), (By::CustomId, "c9")] {
            let read = read(&key(by, name), &answer(200, &body));
            assert_eq!(read, Some((Finding::Value(ID.into()), Some(7))), "{name}");
        }
        for name in [ID, &ID.to_uppercase()] {
            assert_eq!(key(By::Id, name), key(By::Id, ID));
            let read = read(&key(By::Id, name), &answer(200, &body));
            assert_eq!(read, Some((Finding::Value(ana().to_json()), Some(7))), "{name}");
        }
        let kept = entries(&ana());
        let keys: Vec<&Key> = kept.iter().map(|(key, _)| key).collect();
        let names = [(By::Id, ID), (By::Username, "ana"), (By::CustomId, "c9")];
        assert_eq!(keys, names.map(|(by, name)| key(by, name)).iter().collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_about_another_name_or_of_another_kind_is_no_answer() {
        let body = r#"{"consumer":{"id":"1","username":"ana","custom_id":"c9"},"seq":7}"#;
        for (by, name) in
            [(By::Username, "c9"), (By::CustomId, "ana"), (By::Id, "ana"), (By::Username, "Ana")]
        {
            assert_eq!(read(&key(by, name), &answer(200, body)), None, "{by:?} {name}");
        }
        let proved = body.replace(
            r#""seq""#,
            r#""credential":{"id":"k","type":"key-auth","identifier":"k"},"seq""#,
        );
        for body in ["", "{}", r#"{"consumer":{"id":""}}"#, &proved] {
            assert_eq!(read(&key(By::Username, "ana"), &answer(200, body)), None, "{body}");
        }
        let gone = r#"{"message":"Not found","seq":3}"#;
        let username = key(By::Username, "x");
        assert_eq!(read(&username, &answer(404, gone)), Some((Finding::Nothing, Some(3))));
        assert_eq!(read(&username, &answer(404, r#"{"message":"Not found"}"#)), None);
        assert_eq!(read(&Key::new(1, "x"), &answer(404, gone)), None);
        assert_eq!(call(&Key::new(1, "x")), None);
    }

    #[test]
    fn a_change_reaches_the_consumer_by_its_id_and_each_name_that_moved() {
        let change = |entity| Change {
            seq: 1,
            entity,
            operation: Operation::Update,
            consumer_id: ID.to_uppercase(),
            key: "ana".into(),
        };
        assert_eq!(touched(&change(Entity::Acls)), [key(By::Id, ID)]);
        assert_eq!(
            touched(&change(Entity::Consumers)),
            [key(By::Id, ID), key(By::Username, "ana"), key(By::CustomId, "ana")]
        );
        assert!(touched(&change(Entity::Appids)).is_empty());
    }

    #[test]
    fn a_search_goes_from_the_name_to_the_id_to_the_consumer() {
        let (search, step) = Search::begin(By::CustomId, "c9", 5);
        assert_eq!(step, Step::find(key(By::CustomId, "c9")));
        let (search, step) = asked(search.on(id(ID)));
        assert_eq!(step, Step::find(key(By::Id, ID)));
        assert_eq!(search.on(value(&ana())), Progress::Found(ana()));

        let (search, step) = Search::begin(By::Id, &ID.to_uppercase(), 5);
        assert_eq!(step, Step::find(key(By::Id, ID)));
        assert_eq!(search.on(value(&ana())), Progress::Found(ana()));

        let (search, _) = Search::begin(By::Username, "ana", 5);
        assert_eq!(search.clone().on(Ok(Finding::Nothing)), Progress::Nobody);
        assert_eq!(search.clone().on(Err(Unavailable)), Progress::Unavailable);
        let (search, _) = asked(search.on(id(ID)));
        assert_eq!(search.clone().on(Ok(Finding::Nothing)), Progress::Nobody);
        let other = Identity { id: "2".into(), ..ana() };
        assert_eq!(search.on(value(&other)), Progress::Unavailable);
    }

    #[test]
    fn a_consumer_that_is_not_called_so_any_more_is_asked_for_once_and_is_nobody() {
        let renamed = Identity { username: Some("bea".into()), ..ana() };
        let (search, _) = Search::begin(By::Username, "ana", 5);
        let (search, _) = asked(search.on(id(ID)));
        let (search, step) = asked(search.on(value(&renamed)));
        assert_eq!(step, Step::find_newer(key(By::Id, ID), 5));
        assert_eq!(search.clone().on(value(&renamed)), Progress::Nobody);
        // Here the cached consumer was older than the name.
        assert_eq!(search.on(value(&ana())), Progress::Found(ana()));
    }

    #[test]
    fn an_operators_name_is_an_id_or_else_a_username_and_never_a_custom_id() {
        let (_, step) = Search::id_or_username("guests", 5);
        assert_eq!(step, Step::find(key(By::Username, "guests")));
        let (search, step) = Search::id_or_username(ID, 5);
        assert_eq!(step, Step::find(key(By::Id, ID)));
        let (search, step) = asked(search.on(Ok(Finding::Nothing)));
        assert_eq!(step, Step::find(key(By::Username, ID)));
        assert_eq!(search.on(Ok(Finding::Nothing)), Progress::Nobody);
    }
}
