//! Which origins may, and what they are told.

use crate::origin::Origin;
use regex::bytes::{Regex, RegexBuilder};

/// The list `origins`, in the form in which it is asked.
#[derive(Debug, Clone)]
pub(crate) enum Origins {
    /// `*`, or no list.
    Any,
    /// One plain text: every response names it, and the browser compares.
    Fixed(String),
    /// Several, or expressions. With a `*` among them, whoever names itself may.
    Listed(Vec<Entry>, bool),
}

#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// The whole origin, to the letter.
    Plain(String),
    /// An expression for the whole origin, or (without a `:` in it) for its host.
    Expression { regex: Regex, by_host: bool },
}

/// What a response says in `Access-Control-Allow-Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `*`: any origin.
    Any,
    /// This origin.
    This(String),
    /// None.
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

    /// Whether another origin may get another answer: caches have to know.
    pub(crate) fn vary(&self) -> bool {
        !matches!(self, Self::Any)
    }

    /// The list of the settings; entries must have passed [`mistake`].
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

/// What Kong does not take for an expression.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/-".contains(&b))
}

/// Bytes of a compiled expression.
const SIZE: usize = 256 << 10;

/// From the first letter to the last, all alternatives of it.
fn expression(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{text})\z")).unicode(false).size_limit(SIZE).build()
}

/// What is wrong with an entry of the list, in one line.
pub(crate) fn mistake(text: &str) -> Option<String> {
    if text == "*" || is_plain(text) {
        return None;
    }
    // As an expression it would be satisfied with `https:/` and any letter before the domain.
    if text.starts_with("*.") || text.contains("/*.") {
        return Some(r"`*.` is no wildcard; write `https://([^.]+\.)+example\.com`".to_owned());
    }
    // Alone first, so that it cannot close the group that is put around it.
    let alone = RegexBuilder::new(text).unicode(false).size_limit(SIZE).build();
    let error = alone.and_then(|_| expression(text)).err()?.to_string();
    let last = error.lines().last().unwrap_or_default();
    Some(last.strip_prefix("error: ").unwrap_or(last).to_owned())
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
