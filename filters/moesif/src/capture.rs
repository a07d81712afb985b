//! Captures a body as it passes: wholly up to a limit, or not at all.

use std::cell::Cell;
use std::rc::Rc;

/// The number of bytes of bodies that one VM may keep at once.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<usize>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: Cell::new(bytes) }
    }

    fn take(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        if let Some(left) = left {
            self.left.set(left);
        }
        left.is_some()
    }

    fn give_back(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_add(bytes));
    }
}

/// The reason why an event lacks a body that the message had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// The body is longer than the limit, or the event would be.
    TooLarge,
    /// The end of the body did not arrive.
    Incomplete,
    /// The gateway did not deliver the body.
    NotAvailable,
    /// Masks are set, and the body has no structure in which masked fields can be found.
    NotMaskable,
    /// Too many bodies were captured at once.
    NoRoom,
}

impl LeftOut {
    /// Returns the name of the reason in the event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::NotAvailable => "not_available",
            Self::NotMaskable => "not_maskable",
            Self::NoRoom => "no_room",
        }
    }
}

/// A body that is being captured.
#[derive(Debug)]
pub(crate) struct Capture {
    budget: Rc<Budget>,
    limit: usize,
    bytes: Vec<u8>,
    /// The length that the headers declare.
    said: Option<u64>,
    seen: u64,
    ended: bool,
    lost: Option<LeftOut>,
}

impl Capture {
    /// Begins to capture a body. `said` is the length that the headers declare, in bytes.
    pub(crate) fn new(budget: &Rc<Budget>, limit: usize, said: Option<u64>) -> Self {
        let too_large = said.is_some_and(|said| said > u64::try_from(limit).unwrap_or(u64::MAX));
        Self {
            budget: Rc::clone(budget),
            limit,
            bytes: Vec::new(),
            said,
            seen: 0,
            ended: false,
            lost: too_large.then_some(LeftOut::TooLarge),
        }
    }

    /// Returns `true` if further bytes of the body are needed.
    pub(crate) fn wants_more(&self) -> bool {
        self.lost.is_none() && !self.ended
    }

    /// Takes the next bytes. `last` is `true` for the last ones.
    pub(crate) fn take(&mut self, piece: &[u8], last: bool) {
        self.seen = self.seen.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        self.ended |= last;
        if self.lost.is_some() || piece.is_empty() {
            return;
        }
        if piece.len() > self.limit.saturating_sub(self.bytes.len()) {
            self.lose(LeftOut::TooLarge);
        } else if !self.budget.take(piece.len()) {
            self.lose(LeftOut::NoRoom);
        } else {
            self.bytes.extend_from_slice(piece);
        }
    }

    /// Gives up the body, for the reason `why`.
    pub(crate) fn lose(&mut self, why: LeftOut) {
        self.budget.give_back(self.bytes.len());
        self.bytes = Vec::new();
        self.lost.get_or_insert(why);
    }

    /// Returns the length of the body in bytes, if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.said.or(self.ended.then_some(self.seen))
    }

    /// Returns the bytes captured so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the whole body. It is empty if there was none.
    ///
    /// # Errors
    /// The reason why the body is unavailable, if there was one.
    pub(crate) fn whole(&self) -> Result<&[u8], LeftOut> {
        match (self.lost, self.said) {
            (Some(why), _) => Err(why),
            // Kong does not mark the end of a body that comes in several pieces.
            (None, Some(said)) if said == self.seen => Ok(&self.bytes),
            // A response to HEAD declares a length and has no body.
            (None, _) if self.ended || self.seen == 0 => Ok(&self.bytes),
            (None, _) => Err(LeftOut::Incomplete),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(limit: usize, said: Option<u64>) -> Capture {
        Capture::new(&Rc::new(Budget::new(1000)), limit, said)
    }

    #[test]
    fn a_body_up_to_the_limit_is_kept_whole() {
        let mut body = capture(10, None);
        body.take(b"12345", false);
        assert_eq!(body.whole(), Err(LeftOut::Incomplete));
        body.take(b"67890", true);
        assert_eq!(body.whole(), Ok(&b"1234567890"[..]));
        assert_eq!(body.length(), Some(10));
    }

    #[test]
    fn a_longer_one_is_not_kept_at_all() {
        let mut body = capture(10, None);
        body.take(b"1234567890", false);
        assert!(body.wants_more());
        body.take(b"1", true);
        assert_eq!(body.whole(), Err(LeftOut::TooLarge));
        assert_eq!((body.length(), body.bytes.len()), (Some(11), 0));
        let said = capture(10, Some(11));
        assert!(!said.wants_more());
        assert_eq!((said.whole(), said.length()), (Err(LeftOut::TooLarge), Some(11)));
    }

    #[test]
    fn an_end_that_nobody_marks_is_known_from_the_length() {
        let mut body = capture(10, Some(4));
        body.take(b"12", false);
        assert_eq!(body.whole(), Err(LeftOut::Incomplete));
        body.take(b"34", false);
        assert_eq!(body.whole(), Ok(&b"1234"[..]));
    }

    #[test]
    fn no_body_is_an_empty_one() {
        assert_eq!(capture(10, Some(4)).whole(), Ok(&b""[..]), "the answer to HEAD");
        assert_eq!(capture(0, None).whole(), Ok(&b""[..]));
    }

    #[test]
    fn all_bodies_together_are_bounded_and_what_ends_makes_room() {
        let budget = Rc::new(Budget::new(10));
        let mut first = Capture::new(&budget, 8, None);
        first.take(b"12345678", false);
        let mut second = Capture::new(&budget, 8, None);
        second.take(b"12", false);
        second.take(b"3", true);
        assert_eq!(second.whole(), Err(LeftOut::NoRoom));
        assert_eq!(budget.left.get(), 2);
        first.take(b"9", false);
        assert_eq!((first.whole(), budget.left.get()), (Err(LeftOut::TooLarge), 10));
        drop((first, second));
        assert_eq!(budget.left.get(), 10);
    }
}
