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
use crate::store::Cursor;

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
pub(crate) struct Window {
    pub(crate) after: Cursor,
    /// The maximum number of items.
    pub(crate) size: i64,
    path: String,
    taken: Vec<(&'static str, String)>,
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
    pub(crate) fn window(mut self) -> Result<Window, Refusal> {
        let (default, most) = (PAGE_DEFAULT.cast_signed(), PAGE_MAX.cast_signed());
        let size = self.integer("size", 1, most).unwrap_or(default);
        let after = match self.values.remove("offset").map(|text| (Cursor::parse(&text), text)) {
            None => Cursor::start(),
            Some((Some(cursor), _)) => cursor,
            Some((None, _)) => {
                self.problem("offset", "is not an offset that this service has given out");
                Cursor::start()
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

impl Window {
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
        position: impl Fn(&T) -> Cursor,
    ) -> Option<(String, String)> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if items.len() <= size {
            return None;
        }
        items.truncate(size);
        let offset = position(items.last()?).encoded();
        let mut query = self.taken;
        query.push(("offset", offset.clone()));
        Some((format!("{}?{}", self.path, text::query(&query)), offset))
    }
}

// === Cursor ===

impl Cursor {
    /// The cursor as the parameter `offset`.
    fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}", self.created_at, self.id))
    }

    /// Parses the parameter `offset`. Returns `None` for a text that the service has not given out.
    fn parse(encoded: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        let (created_at, id) = text.split_once(':')?;
        Some(Self { created_at: created_at.parse().ok()?, id: fields::uuid(id)? })
    }
}
