//! The token's header, as a client may have sent it: nothing of that reaches the upstream.

use consumer::{Duplicate, single_owned};
use exchange::{Edit, Head, same_name};

/// What a client sent under the header's name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// Whether it sent the very header.
    pub(crate) same: bool,
    /// Takes out the spellings that an upstream may fold together with it: `X_Token` for `X-Token`.
    pub(crate) others: Vec<Edit>,
}

/// Looks for `header` in every spelling.
///
/// # Errors
/// When one came twice and the host (Kong) cannot take out the second.
pub(crate) fn claimed(head: &Head, header: &str, can_remove: bool) -> Result<Claimed, Duplicate> {
    let mut found = Claimed { same: false, others: Vec::new() };
    for (name, _) in head.fields().filter(|(name, _)| same_name(name, header.as_bytes())) {
        // Names are what HTTP allows, so this loses nothing.
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        single_owned(head, &name, can_remove)?;
        if name.eq_ignore_ascii_case(header) {
            found.same = true;
        } else if !found.others.contains(&Edit::remove(name.clone())) {
            found.others.push(Edit::remove(name));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found() {
        let head =
            Head::from_iter([("X_Token", "a"), ("x-token", "b"), ("x_token", "c"), ("y", "")]);
        let found = claimed(&head, "X-Token", true).unwrap();
        assert_eq!(found, Claimed { same: true, others: vec![Edit::remove("x_token")] });
        let none = claimed(&head, "Authorization", true).unwrap();
        assert_eq!(none, Claimed { same: false, others: vec![] });
    }

    #[test]
    fn two_copies_are_refused_where_one_would_stay() {
        let head = Head::from_iter([("X_Token", "a"), ("x_token", "b")]);
        assert_eq!(claimed(&head, "X-Token", false), Err(Duplicate("x_token".into())));
        let spellings = Head::from_iter([("X_Token", "a"), ("X-Token", "b")]);
        assert!(claimed(&spellings, "X-Token", false).is_ok());
    }
}
