//! Cheaper edits with the same effect.

use exchange::{Edit, Head};

/// Turns each edit that sets a header into one that adds it, where the message has no such header.
/// `edits` are the first ones that are made to the message, and `head` is the head that it arrived
/// with. Envoy adds a header in two thirds of the instructions that it needs to replace one.
///
/// `host` and pseudo-headers stay as they are, because Envoy keeps them elsewhere.
pub(super) fn prefer(head: &Head, edits: &mut [Edit]) {
    for at in 0..edits.len() {
        let Some((before, [edit, ..])) = edits.split_at_mut_checked(at) else { return };
        let Edit::Set(name, value) = edit else { continue };
        let special = name.starts_with(':') || name.eq_ignore_ascii_case("host");
        let touched = |earlier: &Edit| touches(earlier, name);
        if !special && head.first(name).is_none() && !before.iter().any(touched) {
            *edit = Edit::Add(std::mem::take(name), std::mem::take(value));
        }
    }
}

/// Leaves out each edit that removes a header, where the message has no such header and no earlier
/// edit gave it one. `edits` and `head` are those of [`prefer`].
pub(super) fn without_needless(head: &Head, edits: Vec<Edit>) -> Vec<Edit> {
    let mut out: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        let needless = match &edit {
            Edit::Remove(name) => {
                head.first(name).is_none() && !out.iter().any(|earlier| touches(earlier, name))
            }
            _ => false,
        };
        if !needless {
            out.push(edit);
        }
    }
    out
}

/// Returns `true` if the edit changes the header of this name.
fn touches(edit: &Edit, name: &str) -> bool {
    match edit {
        Edit::Set(other, _) | Edit::Add(other, _) | Edit::Remove(other) => {
            other.eq_ignore_ascii_case(name)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_added_only_where_the_request_has_none_and_no_edit_gave_it_one() {
        let head = Head::from_iter([(":authority", "a"), ("x-old", "1")]);
        let set = |name: &'static str| Edit::set(name, "v");
        let mut edits = vec![
            set("x-new"),
            set("X-NEW"),
            set("X-Old"),
            Edit::remove("x-gone"),
            set("x-gone"),
            set("Host"),
            set(":scheme"),
            Edit::Method(b"GET".to_vec()),
        ];
        let mut wanted = edits.clone();
        wanted[0] = Edit::Add("x-new".into(), b"v".to_vec());
        prefer(&head, &mut edits);
        assert_eq!(edits, wanted);
    }

    #[test]
    fn a_header_is_removed_only_where_the_message_has_one_or_an_edit_gave_it_one() {
        let head = Head::from_iter([("x-old", "1")]);
        let edits = vec![
            Edit::remove("X-Old"),
            Edit::remove("x-none"),
            Edit::Add("x-new".into(), b"v".to_vec()),
            Edit::remove("X-New"),
        ];
        let mut wanted = edits.clone();
        wanted.remove(1);
        assert_eq!(without_needless(&head, edits), wanted);
    }
}
