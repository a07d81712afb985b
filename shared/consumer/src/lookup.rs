//! Consumers that the admin service knows: kept by id, and every other name leads to an id.
//!
//! | table        | named by         | value        | outdated by a change of          |
//! |--------------|------------------|--------------|----------------------------------|
//! | `CONSUMERS`  | an id, folded    | the consumer | the consumer, or one of its groups |
//! | `USERNAMES`  | a username       | the id       | a consumer that has or had the name |
//! | `CUSTOM_IDS` | a custom id      | the id       | the same                         |
//!
//! The text that is looked up comes from a client, and a change names the id. So nothing about a consumer is
//! kept under a name that a client chooses: a revocation would not reach it there.

use crate::identity::{Identity, folded, is_uuid};
use admin_api::{Change, Entity};
use exchange::{Answer, Call, Finding, Key, Step, Unavailable};

/// The tables have numbers that no filter uses for its own.
const CONSUMERS: u8 = 241;
const USERNAMES: u8 = 242;
const CUSTOM_IDS: u8 = 243;

/// A longer name is nobody's: the admin service takes none.
pub const MAX_NAME: usize = 2048;

/// Which of its names a consumer is called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its id.
    Id,
    /// Its username.
    Username,
    /// Its custom id.
    CustomId,
}

impl By {
    /// The word for it in settings and in questions to the admin service.
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

    /// Whether the consumer is called this.
    fn names(self, identity: &Identity, name: &str) -> bool {
        match self {
            Self::Id => identity.id == folded(name),
            Self::Username => identity.username.as_deref() == Some(name),
            Self::CustomId => identity.custom_id.as_deref() == Some(name),
        }
    }
}

/// What is kept about this name.
#[must_use]
pub fn key(by: By, name: &str) -> Key {
    match by {
        By::Id => Key::new(CONSUMERS, folded(name)),
        By::Username | By::CustomId => Key::new(by.table(), name),
    }
}

/// The question for a key of [`key`]; `None` for any other.
#[must_use]
pub fn call(key: &Key) -> Option<Call> {
    let by = By::of(key.table)?;
    Some(Call::get([b"identities".as_slice(), b"consumers", &key.name]).with("by", by.word()))
}

/// What an answer says of a key of [`key`], and the change number that it was read at. `None` if it is no answer
/// to the question, or the key is another filter's.
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
    // An answer about somebody else would let in whoever is called otherwise. The answer to a name names no
    // credential.
    let fits = !identity.id.is_empty() && by.names(&identity, name) && found.credential.is_none();
    let value = match by {
        By::Id => identity.to_json(),
        By::Username | By::CustomId => identity.id.into_bytes(),
    };
    fits.then_some((Finding::Value(value), found.seq))
}

/// What a change made outdated.
#[must_use]
pub fn touched(change: &Change) -> Vec<Key> {
    let consumer = || key(By::Id, &change.consumer_id);
    match change.entity {
        Entity::Acls => vec![consumer()],
        // A change does not say which kind of name it names.
        Entity::Consumers => {
            vec![consumer(), key(By::Username, &change.key), key(By::CustomId, &change.key)]
        }
        _ => Vec::new(),
    }
}

/// Everything that is kept about one consumer, for a snapshot.
#[must_use]
pub fn entries(identity: &Identity) -> Vec<(Key, Finding)> {
    let id = || Finding::Value(identity.id.clone().into_bytes());
    let username = identity.username.as_deref().map(|name| (key(By::Username, name), id()));
    let custom_id = identity.custom_id.as_deref().map(|name| (key(By::CustomId, name), id()));
    let itself = (key(By::Id, &identity.id), Finding::Value(identity.to_json()));
    [Some(itself), username, custom_id].into_iter().flatten().collect()
}

/// The way from a name to a consumer. At most three things are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    by: By,
    name: String,
    /// Whether the name may be a username if it is no id.
    or_username: bool,
    /// Milliseconds since 1970.
    now: u64,
    asked: Asked,
}

/// What was looked up last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// The id that the name leads to.
    Id,
    /// The consumer with this id, and whether what was kept would not do.
    Consumer(String, bool),
}

/// How a search goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This is to be looked up next.
    Ask(Search, Step),
    /// This is who it is.
    Found(Identity),
    /// Nobody is called so.
    Nobody,
    /// It cannot be found out.
    Unavailable,
}

impl Search {
    /// Looks for the consumer with this name.
    #[must_use]
    pub fn begin(by: By, name: &str, now: u64) -> (Self, Step) {
        let asked = match by {
            By::Id => Asked::Consumer(folded(name), false),
            By::Username | By::CustomId => Asked::Id,
        };
        let search = Self { by, name: name.to_owned(), or_username: false, now, asked };
        (search, Step::find(key(by, name)))
    }

    /// Looks for the consumer with this id or, if there is none, this username.
    #[must_use]
    pub fn id_or_username(name: &str, now: u64) -> (Self, Step) {
        // No id of the admin service is anything but a UUID.
        if !is_uuid(name) {
            return Self::begin(By::Username, name, now);
        }
        let (search, step) = Self::begin(By::Id, name, now);
        (Self { or_username: true, ..search }, step)
    }

    /// Takes what was found.
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
                return Progress::Ask(Self { asked: Asked::Consumer(id, false), ..self }, step);
            }
            Asked::Consumer(id, newest) => (id.clone(), *newest),
        };
        let identity = Identity::from_json(&value).filter(|identity| identity.id == id);
        let Some(identity) = identity else { return Progress::Unavailable };
        if self.by.names(&identity, &self.name) {
            return Progress::Found(identity);
        }
        // One of the two was read before the consumer was given another name.
        if newest {
            return Progress::Nobody;
        }
        let step = Step::find_newer(key(By::Id, &id), self.now);
        Progress::Ask(Self { asked: Asked::Consumer(id, true), ..self }, step)
    }
}

/// gatehouse-admin's own "there is none" carries a change number. Any other 404 comes from something else.
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
        // The other way round: what was kept was older than the name.
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
