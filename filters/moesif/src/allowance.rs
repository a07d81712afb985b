//! The bounds of one document of the collector, because all filters share the VM's memory.

use regex::Error;
use regex::bytes::{RegexSet, RegexSetBuilder};

/// The greatest number of rules, rates, groups and conditions of a document, all counted together.
const MAX_PARTS: usize = 4000;
/// The greatest size of all compiled expressions of a document together, in bytes.
const MAX_TOGETHER: usize = 4 << 20;
/// The greatest length of an expression in bytes. A longer one matches nothing.
const MAX_PATTERN: usize = 2048;
/// The sizes that a compiled expression counts with, in bytes. The crate does not tell the size, so
/// that an expression counts with the least of these limits that it keeps. One that keeps none of
/// them matches nothing.
const SIZES: [usize; 5] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18];

/// The reason why a document is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    /// The document takes more than its allowance.
    TooLarge,
}

/// The part of the bounds that a document has not used up.
#[derive(Debug)]
pub(crate) struct Allowance {
    parts: usize,
    bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { parts: MAX_PARTS, bytes: MAX_TOGETHER }
    }
}

impl Allowance {
    /// Counts a rule, a rate, a group or a condition.
    ///
    /// # Errors
    /// [`Refused::TooLarge`], if the document has too many of them.
    pub(crate) fn count(&mut self) -> Result<(), Refused> {
        self.parts = self.parts.checked_sub(1).ok_or(Refused::TooLarge)?;
        Ok(())
    }

    /// Compiles an expression. Returns `None` if it is invalid or too large by itself. A set of one
    /// expression records no groups, for which the first match would take memory beyond all bounds.
    ///
    /// # Errors
    /// [`Refused::TooLarge`], if all expressions together take too much.
    pub(crate) fn compile(&mut self, pattern: &str) -> Result<Option<RegexSet>, Refused> {
        if pattern.len() > MAX_PATTERN {
            return Ok(None);
        }
        let mut left = self.bytes;
        for size in SIZES {
            left = self.bytes.checked_sub(size).ok_or(Refused::TooLarge)?;
            // Without Unicode, `\d` and `\w` mean what they mean to Moesif's other plugins, and the
            // code stays small.
            let mut builder = RegexSetBuilder::new([pattern]);
            builder.unicode(false).size_limit(size).dfa_size_limit(size).nest_limit(50);
            match builder.build() {
                Ok(compiled) => {
                    self.bytes = left;
                    return Ok(Some(compiled));
                }
                Err(Error::CompiledTooBig(_)) => {}
                Err(_) => return Ok(None),
            }
        }
        // The attempt took as much time as the largest expression.
        self.bytes = left;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_counts_with_the_limit_that_it_keeps() {
        for (pattern, compiles, size) in [
            ("mutation", true, 1 << 10),
            ("(?i)^application/json", true, 1 << 12),
            (r"\w{1000}", true, 1 << 18),
            ("a{100000}", false, 1 << 18),
            ("(", false, 0),
            ("(?=x)", false, 0),
        ] {
            let mut allowance = Allowance::default();
            assert_eq!(allowance.compile(pattern).unwrap().is_some(), compiles, "{pattern}");
            assert_eq!(MAX_TOGETHER - allowance.bytes, size, "{pattern}");
        }
    }

    #[test]
    fn the_expressions_of_a_document_are_bounded_together() {
        for pattern in [r"\w{1000}", "a{100000}"] {
            let mut allowance = Allowance::default();
            for _ in 0..16 {
                allowance.compile(pattern).unwrap();
            }
            assert!(matches!(allowance.compile("a"), Err(Refused::TooLarge)), "{pattern}");
        }
    }

    #[test]
    fn the_parts_of_a_document_are_bounded() {
        let mut allowance = Allowance::default();
        assert!((0..MAX_PARTS).all(|_| allowance.count().is_ok()));
        assert_eq!(allowance.count(), Err(Refused::TooLarge));
    }
}
