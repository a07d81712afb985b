//! The body of a request that creates or changes an item that a consumer owns.

use serde_json::Value;

use super::answer::Refusal;
use super::descriptor::{Descriptor, Rules};
use super::fields::{self, Fields, Given};

/// A body of the kind `D`, checked.
pub(super) struct Draft<D: Descriptor> {
    pub(super) id: Given<String>,
    pub(super) name: Given<String>,
    pub(super) consumer_id: Given<String>,
    /// A JSON list.
    pub(super) tags: Given<String>,
    pub(super) more: D::More,
}

/// The characters of a random key, each 6 bits.
const KEY_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The length of a random key, in characters: 192 bits.
const KEY_LENGTH: usize = 32;

impl<D: Descriptor> Draft<D> {
    /// Reads a body. The error lists every wrong or unknown member.
    pub(super) fn take(rules: Rules, mut fields: Fields) -> Result<Self, Refusal> {
        let name = fields.text(D::NAME, D::NAME_MAX);
        if let Given::Value(text) = &name
            && let Some(problem) = D::flaw(rules, text)
        {
            fields.problem(D::NAME, problem);
        }
        let draft = Self {
            id: fields.uuid("id"),
            name,
            consumer_id: fields.consumer_id(D::CONSUMER),
            tags: if D::HAS_TAGS { fields.tags() } else { Given::Absent },
            more: D::more(&mut fields),
        };
        fields.finish()?;
        Ok(draft)
    }

    /// Adds the id or the name in the path of a `PUT`. It is an error if the body gives another.
    pub(super) fn name_by_path(&mut self, rules: Rules, item: &str) -> Result<(), Refusal> {
        let (member, text) = match fields::uuid(item) {
            Some(id) => ("id", id),
            None => (D::NAME, item.to_owned()),
        };
        let mut from_path = Fields::default();
        from_path.add(member, Value::String(text));
        let path = Self::take(rules, from_path)?;
        let (own, given) = match member {
            "id" => (&mut self.id, path.id),
            _ => (&mut self.name, path.name),
        };
        if matches!(own, Given::Value(_)) && *own != given {
            return Err(Refusal::field(member, "differs from the path"));
        }
        *own = given;
        Ok(())
    }
}

/// Returns a key that nobody can guess. It is an error if the system gives no randomness.
pub(super) fn random_key() -> Result<String, Refusal> {
    let mut bytes = [0_u8; KEY_LENGTH];
    if getrandom::fill(&mut bytes).is_err() {
        return Err(Refusal::Database(sqlx::Error::Protocol("no randomness to be had".into())));
    }
    let letter = |byte: &u8| KEY_LETTERS.get(usize::from(byte % 64)).copied().map(char::from);
    Ok(bytes.iter().filter_map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_that_the_service_makes_are_never_the_same() {
        let keys = [random_key().unwrap(), random_key().unwrap()];
        assert_ne!(keys[0], keys[1]);
        assert!(keys.iter().all(|key| key.len() == KEY_LENGTH));
    }
}
