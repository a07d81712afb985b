//! The cookies of a request: the values of those that carry tokens, and the header without them.
//!
//! To nginx, a cookie begins behind a semicolon or a comma, and its value ends at a semicolon. To
//! most upstreams, a cookie begins behind a semicolon only. So a token is looked for and hidden
//! wherever a cookie may begin.

use exchange::{Edit, Head};

/// A cookie, as it can be read from one place in a piece between semicolons.
struct Reading<'a> {
    /// The bytes of the piece before the cookie. They end with a comma, unless there are none.
    before: &'a [u8],
    name: &'a [u8],
    /// The value, which ends with the piece.
    value: &'a [u8],
}

/// Returns the values of all cookies with one of these names, compared without case.
pub(crate) fn values<'a>(head: &'a Head, names: &'a [String]) -> impl Iterator<Item = &'a [u8]> {
    let pieces = (!names.is_empty()).then(|| pieces(head)).into_iter().flatten();
    let ours = pieces.flat_map(readings).filter(move |reading| reading.is_of(names));
    ours.map(|reading| reading.value)
}

/// Returns the edit that removes all cookies with one of these names, or `None` if there is no such
/// cookie.
pub(crate) fn hide(head: &Head, names: &[String]) -> Option<Edit> {
    if names.is_empty() {
        return None;
    }
    let ours = |piece| readings(piece).find(|reading| reading.is_of(names));
    pieces(head).find_map(ours)?;
    let without = |piece| ours(piece).map_or(piece, |Reading { before, .. }| before);
    let kept = pieces(head).map(without).map(|piece| piece.strip_suffix(b",").unwrap_or(piece));
    let kept: Vec<&[u8]> = kept.filter(|piece| !piece.is_empty()).collect();
    Some(match kept.is_empty() {
        true => Edit::remove("cookie"),
        false => Edit::set("cookie", kept.join(&b"; "[..])),
    })
}

impl Reading<'_> {
    fn is_of(&self, names: &[String]) -> bool {
        names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(self.name))
    }
}

/// Returns the pieces between semicolons of all `Cookie` headers, without the space before them.
fn pieces(head: &Head) -> impl Iterator<Item = &[u8]> {
    let pieces = head.values("cookie").flat_map(|line| line.split(|byte| *byte == b';'));
    pieces.map(<[u8]>::trim_ascii_start)
}

/// Returns the cookie at the beginning of a piece, and those behind its commas.
fn readings(piece: &[u8]) -> impl Iterator<Item = Reading<'_>> {
    let bytes = piece.iter().enumerate();
    let commas = bytes.filter(|(_, byte)| **byte == b',').map(|(at, _)| at.saturating_add(1));
    std::iter::once(0).chain(commas).filter_map(|at| {
        let (before, text) = piece.split_at_checked(at)?;
        let end = text.iter().position(|byte| matches!(byte, b'=' | b','))?;
        let (name, rest) = text.split_at_checked(end)?;
        let value = rest.strip_prefix(b"=")?.trim_ascii_start();
        Some(Reading { before, name: name.trim_ascii(), value })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_cookie_goes_from_wherever_it_may_be_read() {
        let names = ["silly".to_owned()];
        for (line, kept) in [
            ("x=1,silly=a", "x=1"),
            ("x=1,y=2,silly=a,z=3; w=4,5", "x=1,y=2; w=4,5"),
            ("x=1;\tsilly=a", "x=1"),
            ("silly=a; x=1; SILLY = b", "x=1"),
            ("silly=; x=1", "x=1"),
        ] {
            let head = Head::from_iter([("cookie", line)]);
            assert_eq!(hide(&head, &names), Some(Edit::set("cookie", kept)), "{line}");
        }
        for line in ["xsilly=1; silly-=2,3", "x=silly=1", "silly; x=1,silly", ""] {
            let head = Head::from_iter([("cookie", line)]);
            assert_eq!(hide(&head, &names), None, "{line}");
        }
    }
}
