//! The cookies of a request. They are found as nginx finds them, and removed without a change to
//! the others.

use crate::header::ENCODED;
use exchange::{Edit, Head, Occurrence};
use std::collections::BTreeMap;

/// The greatest length of a cookie with name and `=`, in bytes.
pub(crate) const MAX_COOKIE: usize = 4096;
/// The greatest number of cookies of one session.
pub(crate) const MAX_CHUNKS: usize = 9;

/// The number of cookies with one name that are examined. A browser sends several if they were set
/// for different paths or domains.
pub(crate) const MAX_COPIES: usize = 4;

/// The first few values of each cookie, by name in lower case, because case does not matter to
/// nginx.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jar(BTreeMap<Vec<u8>, Vec<Vec<u8>>>);

impl Jar {
    /// Finds the cookies of `head` that belong to a session with one of these names.
    pub(crate) fn of(head: &Head, names: &[&str]) -> Self {
        let mut jar = Self::default();
        for (name, value) in head.values("cookie").flat_map(pieces).filter_map(pair) {
            if names.iter().any(|own| is_of(name, own)) {
                let copies = jar.0.entry(name.to_ascii_lowercase()).or_default();
                if copies.len() < MAX_COPIES {
                    copies.push(value.to_vec());
                }
            }
        }
        jar
    }

    /// Returns the values of the cookies with this name, in order.
    pub(crate) fn copies(&self, name: &str) -> &[Vec<u8>] {
        self.0.get(name.to_ascii_lowercase().as_bytes()).map_or(&[], Vec::as_slice)
    }

    /// Returns the text after the header of the session `name`, whose size is `size`, from all of
    /// its cookies. `copy` chooses among several first cookies. Returns `None` if the cookies do
    /// not have exactly this size.
    pub(crate) fn payload(&self, name: &str, copy: usize, size: usize) -> Option<Vec<u8>> {
        let mut whole = self.copies(name).get(copy)?.get(ENCODED..)?.to_vec();
        for n in 2..=chunks(name, size)? {
            // Sessions of other paths may have fewer cookies. A session that is put together
            // wrongly does not open.
            let copies = self.copies(&chunk_name(name, n));
            whole.extend_from_slice(copies.get(copy).or(copies.last())?);
        }
        (whole.len() == size).then_some(whole)
    }

    /// Returns the numbers of the further cookies that the client sent for the session `name`.
    pub(crate) fn further(&self, name: &str) -> Vec<usize> {
        let name = name.to_ascii_lowercase();
        let number = |found: &Vec<u8>| match found.strip_prefix(name.as_bytes())? {
            [digit @ b'2'..=b'9'] => Some(usize::from(digit.saturating_sub(b'0'))),
            _ => None,
        };
        self.0.keys().filter_map(number).collect()
    }
}

/// Removes the cookies of these sessions from a request.
///
/// # Errors
/// `()`, if the client sent several `Cookie` headers and the gateway cannot change all of them.
pub(crate) fn hide(head: &Head, names: &[&str], can_remove: bool) -> Result<Option<Edit>, ()> {
    let ours = |piece: &&[u8]| {
        pair(piece).is_some_and(|(name, _)| names.iter().any(|own| is_of(name, own)))
    };
    if !head.values("cookie").flat_map(pieces).any(|piece| ours(&piece)) {
        return Ok(None);
    }
    if !can_remove && matches!(head.occurrence("cookie"), Occurrence::Many(_)) {
        return Err(());
    }
    let kept: Vec<&[u8]> =
        head.values("cookie").flat_map(pieces).filter(|piece| !ours(piece)).collect();
    Ok(Some(match kept.is_empty() {
        true => Edit::remove("cookie"),
        false => Edit::set("cookie", kept.join(&b"; "[..])),
    }))
}

/// Returns the number of cookies for a session with contents of `size` characters. Returns `None`
/// if there would be too many.
pub(crate) fn chunks(name: &str, size: usize) -> Option<usize> {
    let mut needed = name.len().saturating_add(1).saturating_add(ENCODED).saturating_add(size);
    for n in 1..=MAX_CHUNKS {
        if needed <= MAX_COOKIE.saturating_mul(n) {
            return Some(n);
        }
        needed = needed.saturating_add(name.len()).saturating_add(2);
    }
    None
}

/// Returns the number of characters of the contents that the cookie with this number holds.
pub(crate) fn room(name: &str, n: usize) -> usize {
    let taken = if n == 1 { ENCODED.saturating_add(1) } else { 2 };
    MAX_COOKIE.saturating_sub(name.len()).saturating_sub(taken)
}

/// Returns the name of the cookie with this number.
pub(crate) fn chunk_name(name: &str, n: usize) -> String {
    if n == 1 { name.to_owned() } else { format!("{name}{n}") }
}

/// Returns `true` if a cookie with this name can belong to the session `own`.
fn is_of(name: &[u8], own: &str) -> bool {
    let Some((start, rest)) = name.split_at_checked(own.len()) else { return false };
    start.eq_ignore_ascii_case(own.as_bytes()) && matches!(rest, [] | [b'2'..=b'9'])
}

fn pieces(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|piece| !piece.is_empty())
}

fn pair(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = piece.iter().position(|byte| *byte == b'=')?;
    let (name, value) = piece.split_at_checked(at)?;
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(headers: &[&str]) -> Head {
        headers.iter().map(|value| ("cookie", *value)).collect()
    }

    #[test]
    fn the_first_cookie_of_a_name_counts_in_any_case_and_field() {
        let head = head(&["a=1; SESSION=x ;session=y", "session2=z;; =;session10=no; sessions=no"]);
        let jar = Jar::of(&head, &["session"]);
        assert_eq!(jar.copies("session"), [b"x".to_vec(), b"y".to_vec()]);
        assert_eq!(jar.further("session"), [2]);
        assert_eq!(jar.0.len(), 2);
    }

    #[test]
    fn of_seven_thousand_cookies_a_few_of_each_name_are_kept() {
        let many: Vec<String> = (0..7000).map(|n| format!("SESSION{}={n}", n % 10)).collect();
        let jar = Jar::of(&head(&[&many.join("; ")]), &["session", "remember"]);
        // `session0` and `session1` belong to no session.
        assert_eq!(jar.0.len(), 8);
        assert!(jar.0.values().all(|copies| copies.len() == MAX_COPIES));
    }

    #[test]
    fn contents_are_put_together_only_if_all_of_them_are_there() {
        let name = "session";
        let size = room(name, 1) + room(name, 2) + 3;
        assert_eq!((chunks(name, size), chunks(name, room(name, 1))), (Some(3), Some(1)));
        let first = format!("session={}{}", "h".repeat(ENCODED), "a".repeat(room(name, 1)));
        assert_eq!(first.len(), MAX_COOKIE);
        let second = format!("session2={}", "b".repeat(room(name, 2)));
        assert_eq!(second.len(), MAX_COOKIE);
        let all = [first.as_str(), &second, "session3=ccc"];
        let whole = Jar::of(&head(&all), &[name]).payload(name, 0, size).unwrap();
        assert!(whole.starts_with(b"aa") && whole.ends_with(b"bccc"));
        assert_eq!(
            Jar::of(&head(&all[..2]), &[name]).payload(name, 0, size),
            None,
            "one is missing"
        );
        assert_eq!(Jar::of(&head(&all), &[name]).payload(name, 0, size - 1), None, "one too many");
    }

    #[test]
    fn contents_that_do_not_fit_nine_cookies_are_refused() {
        let most = (1..=9).map(|n| room("session", n)).sum();
        assert_eq!(chunks("session", most), Some(9));
        assert_eq!(chunks("session", most + 1), None);
        assert_eq!(chunks("session", usize::MAX), None);
    }

    #[test]
    fn hiding_leaves_the_other_cookies_as_they_were() {
        let one = head(&["a=1; session=x; session2=y; b=\"2\";Remember=z; sessionx=3"]);
        let edit = Edit::set("cookie", "a=1; b=\"2\"; sessionx=3");
        assert_eq!(hide(&one, &["session", "remember"], false), Ok(Some(edit)));
        assert_eq!(hide(&head(&["a=1"]), &["session"], false), Ok(None));
        assert_eq!(
            hide(&head(&["session=1"]), &["session"], true),
            Ok(Some(Edit::remove("cookie")))
        );
        let two = head(&["a=1", "session=x"]);
        assert_eq!(
            hide(&two, &["session"], false),
            Err(()),
            "one of them would reach the upstream"
        );
        assert_eq!(hide(&two, &["session"], true), Ok(Some(Edit::set("cookie", "a=1"))));
    }

    proptest! {
        #[test]
        fn a_session_is_cut_into_cookies_and_put_together_again(size in 0_usize..30_000, name in "[a-z]{1,20}") {
            let text: Vec<u8> = (b'a'..=b'z').cycle().take(size).collect();
            let mut rest = text.as_slice();
            let mut headers = Vec::new();
            for n in 1..=chunks(&name, size).unwrap() {
                let (part, tail) = rest.split_at(room(&name, n).min(rest.len()));
                rest = tail;
                let before = if n == 1 { "h".repeat(ENCODED) } else { String::new() };
                let header = format!("{}={before}{}", chunk_name(&name, n), String::from_utf8_lossy(part));
                prop_assert!(header.len() <= MAX_COOKIE);
                headers.push(header);
            }
            prop_assert!(rest.is_empty());
            let head: Head = headers.iter().map(|value| ("cookie", value)).collect();
            prop_assert_eq!(Jar::of(&head, &[&name]).payload(&name, 0, size), Some(text));
        }

        #[test]
        fn no_bytes_make_it_stumble(header in proptest::collection::vec(any::<u8>(), 0..300), size in any::<usize>()) {
            let head: Head = [("cookie", header)].into_iter().collect();
            let jar = Jar::of(&head, &["session"]);
            let _ = (jar.payload("session", 1, size), jar.further("session"));
            let _ = hide(&head, &["session"], true);
        }
    }
}
