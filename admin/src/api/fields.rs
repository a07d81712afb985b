//! The fields of a body. A handler takes those that it knows, and any that are left over are
//! unknown.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use admin_api::is_digest;
use serde_json::Value;

use super::answer::{Refusal, UNKNOWN_MAX, shortened};

/// The value that a request gives to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given<T> {
    /// The field is missing.
    Absent,
    /// The field is to be empty: JSON `null`, or nothing after the `=` of a form.
    Null,
    /// The field has this value.
    Value(T),
}

impl<T> Given<T> {
    /// Returns the value, if there is one.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value after a change of `old`. An absent field leaves the value as it is or, with
    /// `whole`, empties it.
    pub(crate) fn over(self, old: Option<T>, whole: bool) -> Option<T> {
        match self {
            Self::Absent if !whole => old,
            given => given.value(),
        }
    }
}

impl Given<String> {
    /// Refuses an id that differs from `old`: the id of a thing never changes.
    pub(crate) fn must_stay(&self, old: &str) -> Result<(), Refusal> {
        match self {
            Self::Value(id) if id != old => Err(Refusal::field("id", "cannot be changed")),
            Self::Absent | Self::Null | Self::Value(_) => Ok(()),
        }
    }
}

/// The fields of a body that are not taken yet, and the problems of those that are.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: BTreeMap<String, Value>,
    problems: BTreeMap<String, String>,
    /// `true` for a form, in which every value is text.
    form: bool,
}

/// The maximum number of tags.
const TAGS_MAX: usize = 100;
/// The maximum length of a tag, in characters.
const TAG_MAX_CHARS: usize = 255;

impl Fields {
    pub(crate) fn form() -> Self {
        Self { form: true, ..Self::default() }
    }

    /// Returns the fields. It is an error if there are none.
    pub(crate) fn not_empty(self) -> Result<Self, Refusal> {
        if self.values.is_empty() {
            return Err(Refusal::Malformed("empty body".into()));
        }
        Ok(self)
    }

    /// Adds a field. Returns `false` if the field exists already.
    pub(crate) fn add(&mut self, name: &str, value: Value) -> bool {
        self.values.insert(name.to_owned(), value).is_none()
    }

    /// Adds a field of a form, where `name[]` and `name[1]` are items of a list. It is an error
    /// if the field exists already and is not a list.
    pub(crate) fn add_text(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        let list = name.strip_suffix(']').and_then(|name| name.split_once('['));
        let is_new = match list {
            Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let list =
                    self.values.entry(name.to_owned()).or_insert_with(|| Value::Array(vec![]));
                match list {
                    Value::Array(items) => {
                        items.push(Value::String(value));
                        true
                    }
                    _ => false,
                }
            }
            _ => self.add(name, Value::String(value)),
        };
        if is_new { Ok(()) } else { Err(repeated(name)) }
    }

    /// Returns the fields that are not taken yet, in the order of their names.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn values(&self) -> std::collections::btree_map::Iter<'_, String, Value> {
        self.values.iter()
    }

    /// Takes a field of any type.
    fn take(&mut self, name: &str) -> Given<Value> {
        match self.values.remove(name) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(Value::String(text)) if text.is_empty() && self.form => Given::Null,
            Some(value) => Given::Value(value),
        }
    }

    /// Records a problem of a field, unless the field has one already.
    pub(crate) fn problem(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.entry(name.to_owned()).or_insert_with(|| problem.into());
    }

    /// Takes a text of 1 to `max` characters that an HTTP header can hold.
    pub(crate) fn text(&mut self, name: &str, max: usize) -> Given<String> {
        let text = match self.take(name) {
            Given::Absent => return Given::Absent,
            Given::Null => return Given::Null,
            Given::Value(Value::String(text)) => text,
            Given::Value(_) => {
                self.problem(name, "expected a string");
                return Given::Absent;
            }
        };
        match flaw(&text, max) {
            None => Given::Value(text),
            Some(flaw) => {
                self.problem(name, flaw);
                Given::Absent
            }
        }
    }

    /// Takes a text of 1 to `max` bytes in any number of lines, such as a PEM or a secret.
    pub(crate) fn lines(&mut self, name: &str, max: usize) -> Given<String> {
        let text = match self.take(name) {
            Given::Absent => return Given::Absent,
            Given::Null => return Given::Null,
            Given::Value(text) => text.as_str().map(str::to_owned),
        };
        match text {
            Some(text) if !text.is_empty() && text.len() <= max && !text.contains('\0') => {
                Given::Value(text)
            }
            _ => {
                self.problem(name, format!("expected a string of 1 to {max} octets"));
                Given::Absent
            }
        }
    }

    /// Takes a UUID and returns it in lower case.
    pub(crate) fn uuid(&mut self, name: &str) -> Given<String> {
        match self.text(name, 36) {
            Given::Value(text) => match uuid(&text) {
                Some(id) => Given::Value(id),
                None => {
                    self.problem(name, "expected a valid UUID");
                    Given::Absent
                }
            },
            other => other,
        }
    }

    /// Takes an integer in `range`.
    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Given<i64> {
        let number = match self.take(name) {
            Given::Absent => return Given::Absent,
            Given::Null => return Given::Null,
            Given::Value(Value::String(text)) if self.form => text.parse().ok(),
            Given::Value(value) => value.as_i64(),
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Given::Value(number),
            None => {
                let (least, most) = range.into_inner();
                self.problem(name, format!("expected an integer between {least} and {most}"));
                Given::Absent
            }
        }
    }

    /// Takes `tags`: a list of texts or, in a form, also one text with commas. Returns a JSON list.
    pub(crate) fn tags(&mut self) -> Given<String> {
        let items = match self.take("tags") {
            Given::Absent => return Given::Absent,
            Given::Null => return Given::Null,
            Given::Value(Value::Array(items)) => items,
            Given::Value(Value::String(text)) if self.form => {
                text.split(',').map(|item| Value::String(item.to_owned())).collect()
            }
            Given::Value(_) => {
                self.problem("tags", "expected a list of strings");
                return Given::Absent;
            }
        };
        let mut sound = items.len() <= TAGS_MAX;
        for item in &items {
            sound &= item.as_str().is_some_and(|text| flaw(text, TAG_MAX_CHARS).is_none());
        }
        if !sound {
            let expected = format!(
                "expected at most {TAGS_MAX} strings of 1 to {TAG_MAX_CHARS} characters without \
                 control characters"
            );
            self.problem("tags", expected);
            return Given::Absent;
        }
        Given::Value(Value::Array(items).to_string())
    }

    /// Takes the id of a consumer. For the name `consumer.id`, a JSON body may also have the member
    /// `"consumer": {"id": …}`.
    pub(crate) fn consumer_id(&mut self, name: &'static str) -> Given<String> {
        const OBJECT: &str = "consumer";
        if name == "consumer.id" {
            match self.take(OBJECT) {
                Given::Absent => {}
                Given::Value(Value::Object(mut members)) if members.len() == 1 => {
                    match members.remove("id") {
                        Some(id) => {
                            self.values.insert(name.to_owned(), id);
                        }
                        None => self.problem(OBJECT, "expected {\"id\": …}"),
                    }
                }
                Given::Null | Given::Value(_) => self.problem(OBJECT, "expected {\"id\": …}"),
            }
        }
        self.uuid(name)
    }

    /// Ignores a field that only the service sets: a client may send back what it has read.
    pub(crate) fn read_only(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// The error lists all problems, and every field that nobody took as unknown.
    pub(crate) fn finish(mut self) -> Result<(), Refusal> {
        self.read_only("created_at");
        self.read_only("updated_at");
        for name in self.values.into_keys().take(UNKNOWN_MAX) {
            self.problems.entry(shortened(&name)).or_insert_with(|| "unknown field".to_owned());
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Refusal::Fields(self.problems)) }
    }
}

/// Returns the problem of `text` as a name of at most `max` characters, if it has one.
fn flaw(text: &str, max: usize) -> Option<String> {
    if text.is_empty() {
        Some("length must be at least 1".into())
    } else if text.chars().count() > max {
        Some(format!("length must be at most {max}"))
    } else if text.chars().any(char::is_control) {
        // The text becomes part of an HTTP header.
        Some("must not contain control characters".into())
    } else if text.trim() != text {
        // Gateways trim headers, so that nobody could tell " ana" from "ana".
        Some("must not begin or end with white space".into())
    } else {
        None
    }
}

/// Returns a UUID of the usual form, in lower case. Returns `None` for any other text.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let usual = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    usual.then(|| text.to_ascii_lowercase())
}

/// The refusal of a field or parameter that occurs twice.
pub(crate) fn repeated(name: &str) -> Refusal {
    Refusal::field(name, "given more than once")
}

/// Refuses a `text` that is not SHA-256 in lower-case hex. The error names the field `name`.
pub(crate) fn check_digest(name: &str, text: &str) -> Result<(), Refusal> {
    if is_digest(text) {
        Ok(())
    } else {
        Err(Refusal::field(name, "expected 64 lower-case hex digits"))
    }
}
