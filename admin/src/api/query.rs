//! The parameters of a query. Those that no handler takes are errors, so that a misspelt filter is
//! one.

use std::collections::BTreeMap;

use admin_api::{PAGE_DEFAULT, PAGE_MAX};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::App;
use super::answer::{Refusal, UNKNOWN_MAX, shortened};
use super::{fields, text};
use crate::store::{Cursor, NameCursor};

/// The parameters of a request that are not taken yet, and its path.
#[derive(Debug)]
pub(crate) struct Query {
    /// The path as the client sent it, still encoded.
    path: String,
    values: BTreeMap<String, String>,
    problems: BTreeMap<String, String>,
    /// The parameters that were taken, which the address of the next page repeats.
    taken: Vec<(&'static str, String)>,
}

/// The part of a list that a request asks for.
#[derive(Debug)]
pub(crate) struct Window<P = Cursor> {
    pub(crate) after: P,
    /// The maximum number of items.
    pub(crate) size: i64,
    path: String,
    taken: Vec<(&'static str, String)>,
}

/// A position in a list, which a client sends back as the parameter `offset`.
pub(crate) trait Position: Sized {
    /// Returns the position before all items.
    fn start() -> Self;

    /// Returns the position as plain text.
    fn to_text(&self) -> String;

    /// Reads what [`Position::to_text`] has written. Returns `None` for any other text.
    fn from_text(text: &str) -> Option<Self>;
}

impl FromRequestParts<App> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        let path = parts.uri.path().to_owned();
        let pairs = text::pairs(parts.uri.query().unwrap_or_default().as_bytes())
            .map_err(|problem| Refusal::Malformed(format!("Cannot parse query: {problem}")))?;
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            if value.contains('\0') {
                return Err(Refusal::field(&name, "must not contain control characters"));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(fields::repeated(&name));
            }
        }
        Ok(Self { path, values, problems: BTreeMap::new(), taken: Vec::new() })
    }
}

impl Query {
    /// Takes a parameter.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.values.remove(name)?;
        self.taken.push((name, value.clone()));
        Some(value)
    }

    /// Takes a parameter that must be a UUID, and returns it in lower case.
    pub(crate) fn uuid(&mut self, name: &'static str) -> Option<String> {
        let value = self.text(name)?;
        let id = fields::uuid(&value);
        if id.is_none() {
            self.problem(name, "expected a valid UUID");
        }
        id
    }

    /// Takes a parameter that must be an integer from `least` to `most`.
    pub(crate) fn integer(&mut self, name: &'static str, least: i64, most: i64) -> Option<i64> {
        let value = self.text(name)?;
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problem(name, format!("expected an integer between {least} and {most}"));
        }
        number
    }

    /// Records a problem of a parameter.
    pub(crate) fn problem(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.insert(name.to_owned(), problem.into());
    }

    /// Takes `size` and `offset`. The error lists all problems, and every parameter that nobody
    /// took.
    pub(crate) fn window(self) -> Result<Window, Refusal> {
        self.window_by()
    }

    /// Like [`Query::window`], for a list that is in another order than that of creation.
    pub(crate) fn window_by<P: Position>(mut self) -> Result<Window<P>, Refusal> {
        let (default, most) = (PAGE_DEFAULT.cast_signed(), PAGE_MAX.cast_signed());
        let size = self.integer("size", 1, most).unwrap_or(default);
        let after = match self.values.remove("offset").map(|text| decoded(&text)) {
            None => P::start(),
            Some(Some(position)) => position,
            Some(None) => {
                self.problem("offset", "is not an offset that this service has given out");
                P::start()
            }
        };
        let (path, taken) = (std::mem::take(&mut self.path), std::mem::take(&mut self.taken));
        self.finish()?;
        Ok(Window { after, size, path, taken })
    }

    /// The error lists all problems, and every parameter that nobody took.
    pub(crate) fn finish(mut self) -> Result<(), Refusal> {
        for name in self.values.into_keys().take(UNKNOWN_MAX) {
            self.problems.entry(shortened(&name)).or_insert_with(|| "unknown parameter".to_owned());
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Refusal::Fields(self.problems)) }
    }
}

impl<P: Position> Window<P> {
    /// Returns the number of items to read: one more than fits, which shows that there is a next
    /// page.
    pub(crate) const fn probe(&self) -> i64 {
        self.size.saturating_add(1)
    }

    /// Cuts `items` to the size of the page. Returns the address and the offset of the next page,
    /// if there is one.
    pub(crate) fn cut<T>(
        self,
        items: &mut Vec<T>,
        position: impl Fn(&T) -> P,
    ) -> Option<(String, String)> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if items.len() <= size {
            return None;
        }
        items.truncate(size);
        let offset = encoded(&position(items.last()?));
        let mut query = self.taken;
        query.push(("offset", offset.clone()));
        Some((format!("{}?{}", self.path, text::query(&query)), offset))
    }
}

/// Returns a position as the parameter `offset`.
pub(super) fn encoded(position: &impl Position) -> String {
    URL_SAFE_NO_PAD.encode(position.to_text())
}

/// Reads the parameter `offset`. Returns `None` for a text that the service has not given out.
pub(super) fn decoded<P: Position>(offset: &str) -> Option<P> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(offset).ok()?).ok()?;
    // A number and an id can be written in several ways, and the service writes one of them.
    P::from_text(&text).filter(|position: &P| position.to_text() == text)
}

// === Positions ===

impl Position for Cursor {
    fn start() -> Self {
        Self::start()
    }

    fn to_text(&self) -> String {
        format!("{}:{}", self.created_at, self.id)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (created_at, id) = text.split_once(':')?;
        Some(Self { created_at: created_at.parse().ok()?, id: fields::uuid(id)? })
    }
}

impl Position for NameCursor {
    fn start() -> Self {
        Self { name: String::new(), id: String::new() }
    }

    fn to_text(&self) -> String {
        format!("{}:{}", self.id, self.name)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (id, name) = text.split_once(':')?;
        let name = Some(name).filter(|name| !name.contains('\0'))?;
        Some(Self { name: name.to_owned(), id: fields::uuid(id)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f4d7a59-1d7a-4a2a-8a4c-1c3f5f6f7a01";

    #[test]
    fn an_offset_is_taken_in_the_one_form_that_the_service_gives_out() {
        let given = Cursor { created_at: 5, id: ID.to_owned() };
        assert_eq!(decoded(&encoded(&given)), Some(given));
        for text in [format!("+5:{ID}"), format!("05:{ID}"), format!("5:{}", ID.to_uppercase())] {
            assert_eq!(decoded::<Cursor>(&URL_SAFE_NO_PAD.encode(&text)), None, "{text}");
        }
        let name = URL_SAFE_NO_PAD.encode(format!("{}:ana", ID.to_uppercase()));
        assert!(decoded::<NameCursor>(&name).is_none());
    }
}
