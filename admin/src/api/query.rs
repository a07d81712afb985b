//! The query of a request: taken out one by one, so that a misspelt filter is an error.

use std::collections::BTreeMap;

use admin_api::{PAGE_DEFAULT, PAGE_MAX};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::App;
use super::answer::{Refusal, UNKNOWN_MAX, brief};
use super::{fields, text};
use crate::store::Cursor;

/// The parameters that were not taken yet, and the path that they belong to.
#[derive(Debug)]
pub(crate) struct Query {
    /// As it was sent, still encoded.
    path: String,
    values: BTreeMap<String, String>,
    problems: BTreeMap<String, String>,
    /// What was taken, to be repeated in the address of the next page.
    taken: Vec<(&'static str, String)>,
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) after: Cursor,
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
                return Err(Refusal::field(&name, "given more than once"));
            }
        }
        Ok(Self { path, values, problems: BTreeMap::new(), taken: Vec::new() })
    }
}

impl Query {
    /// The value of a parameter.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.values.remove(name)?;
        self.taken.push((name, value.clone()));
        Some(value)
    }

    /// The value of a parameter that must be a UUID.
    pub(crate) fn uuid(&mut self, name: &'static str) -> Option<String> {
        let value = self.text(name)?;
        let id = fields::uuid(&value);
        if id.is_none() {
            self.problem(name, "expected a valid UUID");
        }
        id
    }

    /// The value of a parameter that must be a number.
    pub(crate) fn integer(&mut self, name: &'static str, least: i64, most: i64) -> Option<i64> {
        let value = self.text(name)?;
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problem(name, format!("expected an integer between {least} and {most}"));
        }
        number
    }

    pub(crate) fn problem(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.insert(name.to_owned(), problem.into());
    }

    /// Takes `size` and `offset`; then nothing may be left over.
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

    /// Nothing may be left over.
    pub(crate) fn finish(mut self) -> Result<(), Refusal> {
        for name in self.values.into_keys().take(UNKNOWN_MAX) {
            self.problems.entry(brief(&name)).or_insert_with(|| "unknown parameter".to_owned());
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Refusal::Fields(self.problems)) }
    }
}

impl Window {
    /// One more than fits: whether there is a next page.
    pub(crate) const fn probe(&self) -> i64 {
        self.size.saturating_add(1)
    }

    /// Cuts `items` to the size of the page; the address and the offset of the next one, if any.
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
    fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}", self.created_at, self.id))
    }

    fn parse(encoded: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        let (created_at, id) = text.split_once(':')?;
        Some(Self { created_at: created_at.parse().ok()?, id: fields::uuid(id)? })
    }
}
