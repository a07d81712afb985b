//! The description of a kind of item that a consumer owns: its paths, and the members of a body.

use super::answer::Refusal;
use super::fields::Fields;

/// The operator's decisions about names and sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// `true` if App IDs must be `<organisation>.<app>` in lower case.
    pub(crate) strict_app_ids: bool,
    /// The maximum size of a session's data, in bytes.
    pub(crate) session_data_max: usize,
}

/// The description of a kind: its paths, and how a body that describes an item is read.
pub(super) trait Descriptor: Send + Sync + 'static {
    /// The collection of one consumer; it contains the parameter `{consumer}`.
    const UNDER_CONSUMER: &'static str;
    /// The collection of all consumers.
    const COLLECTION: &'static str;
    /// The member of a body that holds the name of an item.
    const NAME: &'static str;
    /// The maximum length of a name, in characters.
    const NAME_MAX: usize;
    /// The member of a body that holds the id of the consumer, as errors name it.
    const CONSUMER: &'static str = "consumer.id";
    /// `true` if an item has tags.
    const HAS_TAGS: bool = true;

    /// The members of a body that no other kind has.
    type More: Send + Sync;

    /// Reads the members of [`Descriptor::More`]. A wrong one becomes a problem of `fields`.
    fn more(fields: &mut Fields) -> Self::More;

    /// Returns a reason to refuse `name`, beyond its length and its characters.
    fn flaw(_rules: Rules, _name: &str) -> Option<&'static str> {
        None
    }

    /// Returns the name of a new item whose body gives none. An error says that a name is needed.
    fn default_name() -> Result<String, Refusal> {
        Err(name_missing::<Self>())
    }
}

/// The refusal of a body without the name of an item.
pub(super) fn name_missing<D: Descriptor + ?Sized>() -> Refusal {
    Refusal::field(D::NAME, "required field missing")
}
