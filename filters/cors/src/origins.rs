//! Decides which origins are allowed, and what a response tells them.

use crate::origin::Origin;
use regex::bytes::{Regex, RegexBuilder};

/// The setting `origins`, prepared for decisions.
#[derive(Debug, Clone)]
pub(crate) enum Origins {
    /// The list contains only `*`, or there is no list.
    Any,
    /// The list has one plain text. Every response names it, and the browser compares.
    Fixed(String),
    /// The list has several entries, or expressions. The flag is `true` if `*` is among them: every
    /// origin is then allowed.
    Listed(Vec<Entry>, bool),
}

#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// An origin that is compared exactly.
    Plain(String),
    /// An expression for the whole origin or, if it contains no `:`, for the host.
    Expression { regex: Regex, by_host: bool },
}

/// The value of `Access-Control-Allow-Origin` in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `*`, for every origin.
    Any,
    /// This origin.
    This(String),
    /// No value: the header is absent.
    Nobody,
}

impl Origins {
    pub(crate) fn answer(&self, origin: Option<&Origin>) -> Answer {
        match (self, origin) {
            (Self::Any, _) => Answer::Any,
            (Self::Fixed(text), _) => Answer::This(text.clone()),
            (Self::Listed(..), None) => Answer::Nobody,
            (Self::Listed(_, true), Some(_)) => Answer::Any,
            (Self::Listed(entries, false), Some(origin)) => {
                match entries.iter().any(|entry| entry.fits(origin)) {
                    true => Answer::This(origin.whole.clone()),
                    false => Answer::Nobody,
                }
            }
        }
    }

    /// Returns `true` if responses differ between origins. Caches have to know that.
    pub(crate) fn vary(&self) -> bool {
        !matches!(self, Self::Any)
    }

    /// Makes the list of the setting. Its entries have passed [`mistake`].
    pub(crate) fn new(texts: &[String]) -> Self {
        match texts {
            [] => Self::Any,
            [one] if one == "*" => Self::Any,
            [one] if is_plain(one) => Self::Fixed(one.clone()),
            several => {
                let any = several.iter().any(|text| text == "*");
                let listed = several.iter().filter(|text| *text != "*");
                Self::Listed(listed.filter_map(|text| Entry::new(text)).collect(), any)
            }
        }
    }
}

impl Entry {
    fn new(text: &str) -> Option<Self> {
        if is_plain(text) {
            return Some(Self::Plain(Origin::parse(text.as_bytes())?.whole));
        }
        let by_host = !text.contains(':');
        expression(text).ok().map(|regex| Self::Expression { regex, by_host })
    }

    fn fits(&self, origin: &Origin) -> bool {
        match self {
            Self::Plain(whole) => *whole == origin.whole,
            Self::Expression { regex, by_host } => {
                let subject = if *by_host { &origin.host } else { &origin.whole };
                regex.is_match(subject.as_bytes())
            }
        }
    }
}

/// Returns `true` for a text that Kong does not take for an expression.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/-".contains(&b))
}

/// The greatest size of a compiled expression in bytes.
const SIZE: usize = 256 << 10;

/// Compiles an expression that must match the whole text, with all of its alternatives.
fn expression(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{text})\z")).unicode(false).size_limit(SIZE).build()
}

/// Returns the mistake in an entry of the list on one line, or `None` if it is correct.
pub(crate) fn mistake(text: &str) -> Option<String> {
    if text == "*" || is_plain(text) {
        return None;
    }
    // Such a text, taken as an expression, would match `https:/` and any character before the
    // domain.
    if text.starts_with("*.") || text.contains("/*.") {
        return Some(r"`*.` is no wildcard; write `https://([^.]+\.)+example\.com`".to_owned());
    }
    // The expression is compiled alone first, so that it cannot close the group that is put around
    // it.
    let alone = RegexBuilder::new(text).unicode(false).size_limit(SIZE).build();
    let error = alone.and_then(|_| expression(text)).err()?.to_string();
    let last = error.lines().last().unwrap_or_default();
    Some(last.strip_prefix("error: ").unwrap_or(last).to_owned())
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
