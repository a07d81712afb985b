//! Finds the rule for a User-Agent. One set of regular expressions holds all rules.

use crate::rules::Named;
use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder};
use std::borrow::Cow;

/// The greatest length of a User-Agent that is read, in bytes. Kong's nginx accepts no longer
/// header, and no browser sends one.
const LONGEST: usize = 8192;

/// The compiled rules: first the operator's rules that allow, then those that deny, then the
/// filter's own.
#[derive(Debug, Clone)]
pub(crate) struct Agents {
    set: RegexSet,
    allowed: usize,
    names: Vec<Cow<'static, str>>,
}

/// The judgement of a User-Agent, with the rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    Allowed(Cow<'static, str>),
    Bot(Cow<'static, str>),
}

impl Agents {
    /// Compiles the rules.
    ///
    /// # Errors
    /// A message, if all rules together are too large to compile.
    pub(crate) fn new(
        allow: &[String],
        deny: &[String],
        rules: impl IntoIterator<Item = Named>,
    ) -> Result<Self, regex::Error> {
        let numbered = |list: &'static str, patterns: &[String]| {
            let name = move |n| Cow::Owned(format!("{list}_{n}"));
            patterns.iter().enumerate().map(|(n, p)| (name(n), p.clone())).collect::<Vec<_>>()
        };
        let own = rules.into_iter().map(|(name, pattern)| (name.into(), pattern.to_owned()));
        let all = numbered("allow", allow).into_iter().chain(numbered("deny", deny)).chain(own);
        let (names, patterns): (Vec<_>, Vec<String>) = all.unzip();
        let set = RegexSetBuilder::new(patterns)
            .unicode(false)
            .size_limit(4 << 20)
            .dfa_size_limit(2 << 20)
            .build()?;
        Ok(Self { set, allowed: allow.len(), names })
    }

    pub(crate) fn verdict(&self, user_agent: &[u8]) -> Verdict {
        let read = user_agent.get(..LONGEST).unwrap_or(user_agent);
        // The set returns indices in ascending order, which is the order of the lists.
        let Some(first) = self.set.matches(read.trim_ascii()).into_iter().next() else {
            return Verdict::Unknown;
        };
        let name = self.names.get(first).cloned().unwrap_or_default();
        if first < self.allowed { Verdict::Allowed(name) } else { Verdict::Bot(name) }
    }
}

/// Returns the mistake in a regular expression on one line, or `None` if it is correct.
pub(crate) fn mistake(pattern: &str) -> Option<String> {
    let error = RegexBuilder::new(pattern).unicode(false).size_limit(1 << 20).build().err()?;
    let text = error.to_string();
    // The parser draws a picture of several lines, and names the mistake in the last one.
    let last = text.lines().last().unwrap_or_default();
    Some(last.strip_prefix("error: ").unwrap_or(last).to_owned())
}

#[cfg(test)]
#[path = "agents_tests.rs"]
mod tests;
