//! The request headers that tell the upstream who is calling.

use crate::identity::{Credential, Identity};
use exchange::{Edit, Head, Occurrence, same_name};

/// The headers that Kong's authentication plugins set. A client's own copies never reach the upstream.
pub const IDENTITY_HEADERS: [&str; 7] = [
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-credential-identifier",
    "x-authenticated-groups",
    "x-consumer-groups",
    "x-anonymous-consumer",
];

/// A header that belongs to the gateway came more than once, on a host that cannot remove the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate(pub String);

/// Takes out what a client sent under the gateway's own header names, in every spelling that an upstream may
/// fold together. `owned` are the names that the filter sets besides [`IDENTITY_HEADERS`].
///
/// # Errors
/// When `can_remove` is false (Kong) and one of them came twice: setting it would leave the second value.
pub fn neutralise(head: &Head, owned: &[&str], can_remove: bool) -> Result<Vec<Edit>, Duplicate> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (name, _) in head.fields() {
        let mut all = IDENTITY_HEADERS.iter().chain(owned);
        if !all.any(|own| same_name(name, own.as_bytes())) {
            continue;
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match (names.contains(&name), can_remove) {
            (true, true) => {}
            (true, false) => return Err(Duplicate(name)),
            (false, _) => {
                edits.push(Edit::remove(name.clone()));
                names.push(name);
            }
        }
    }
    Ok(edits)
}

/// Refuses a header that this filter removes or sets if the host could not do so to all of its copies.
///
/// # Errors
/// When `can_remove` is false (Kong) and `name` came twice.
pub fn single_owned(head: &Head, name: &str, can_remove: bool) -> Result<(), Duplicate> {
    match head.occurrence(name) {
        Occurrence::Many(_) if !can_remove => Err(Duplicate(name.to_ascii_lowercase())),
        _ => Ok(()),
    }
}

/// The headers for `identity`, each set, or taken out of `head` if it is there, as Kong does.
#[must_use]
pub fn announce(head: &Head, identity: &Identity) -> Vec<Edit> {
    let credential = identity.credential.as_ref().filter(|_| !identity.anonymous);
    let identifier = credential.and_then(|credential| credential.identifier.as_deref());
    let anonymous = credential.is_none().then_some("true");
    [
        ("x-consumer-id", Some(identity.id.as_str())),
        ("x-consumer-username", identity.username.as_deref()),
        ("x-consumer-custom-id", identity.custom_id.as_deref()),
        ("x-credential-identifier", identifier),
        ("x-anonymous-consumer", anonymous),
    ]
    .into_iter()
    .filter_map(|(name, value)| match value {
        Some(value) => Some(Edit::set(name, header_value(value))),
        None => head.first(name).map(|_| Edit::remove(name)),
    })
    .collect()
}

/// The identity that Kong's own Lua plugins announced. Only for an operator who says that they did
/// (`trust_consumer_headers`).
///
/// # Errors
/// When one of the headers came twice: Kong sets each once, so a client had a hand in it.
pub fn trusted(head: &Head) -> Result<Option<Identity>, Duplicate> {
    for name in IDENTITY_HEADERS {
        single_owned(head, name, false)?;
    }
    let text = |name| head.text(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let Some(id) = text("x-consumer-id") else { return Ok(None) };
    let anonymous = text("x-anonymous-consumer").is_some();
    let identifier = text("x-credential-identifier");
    let groups = text("x-consumer-groups").or_else(|| text("x-authenticated-groups"));
    let groups = groups.unwrap_or_default();
    let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty());
    Ok(Some(Identity {
        username: text("x-consumer-username"),
        custom_id: text("x-consumer-custom-id"),
        groups: groups.map(str::to_owned).collect(),
        credential: (!anonymous).then(|| Credential {
            id: identifier.clone().unwrap_or_else(|| id.clone()),
            kind: "kong".to_owned(),
            identifier,
            key: None,
        }),
        id,
        anonymous,
    }))
}

/// `text` as a header value: a control character, which could end the header, is percent-encoded.
fn header_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_control() {
            out.push_str(&exchange::percent_encode(c.to_string().as_bytes()));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Identity {
        Identity {
            id: "1".into(),
            username: Some("ana".into()),
            credential: Some(Credential {
                id: "c".into(),
                identifier: Some("c".into()),
                ..Credential::default()
            }),
            ..Identity::default()
        }
    }

    #[test]
    fn every_spelling_of_an_identity_header_is_taken_out() {
        let head = Head::from_iter([
            ("X-Consumer-ID", "evil"),
            ("x_consumer_username", "root"),
            ("X-Consumer_Custom-ID", "7"),
            ("x-mine", "1"),
            ("accept", "*/*"),
        ]);
        let edits = neutralise(&head, &["X-Mine"], false).unwrap();
        assert_eq!(
            edits,
            ["x-consumer-id", "x_consumer_username", "x-consumer_custom-id", "x-mine"]
                .map(Edit::remove)
        );
    }

    #[test]
    fn a_copy_that_cannot_be_removed_is_refused() {
        let head = Head::from_iter([("X-Consumer-ID", "a"), ("x-consumer-id", "b")]);
        assert_eq!(neutralise(&head, &[], false), Err(Duplicate("x-consumer-id".into())));
        assert_eq!(neutralise(&head, &[], true), Ok(vec![Edit::remove("x-consumer-id")]));
        assert!(single_owned(&head, "X-Consumer-Id", false).is_err());
        assert!(single_owned(&head, "x-consumer-id", true).is_ok());
    }

    #[test]
    fn an_identity_sets_what_it_has_and_takes_out_what_it_has_not() {
        let head =
            Head::from_iter([("x-consumer-custom-id", "7"), ("x-anonymous-consumer", "true")]);
        assert_eq!(
            announce(&head, &ana()),
            [
                Edit::set("x-consumer-id", "1"),
                Edit::set("x-consumer-username", "ana"),
                Edit::remove("x-consumer-custom-id"),
                Edit::set("x-credential-identifier", "c"),
                Edit::remove("x-anonymous-consumer"),
            ]
        );
    }

    #[test]
    fn an_anonymous_consumer_is_announced_as_such() {
        let edits = announce(&Head::default(), &ana().into_anonymous());
        assert_eq!(
            edits,
            [
                Edit::set("x-consumer-id", "1"),
                Edit::set("x-consumer-username", "ana"),
                Edit::set("x-anonymous-consumer", "true"),
            ]
        );
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        let identity = Identity { username: Some("a\r\nX-Admin: 1\0é".into()), ..ana() };
        let edits = announce(&Head::default(), &identity);
        assert!(edits.contains(&Edit::set("x-consumer-username", "a%0D%0AX-Admin: 1%00é")));
    }

    #[test]
    fn trusted_headers_are_an_identity_unless_one_came_twice() {
        let mut fields = vec![
            ("X-Consumer-ID", "1"),
            ("X-Consumer-Username", "ana"),
            ("X-Consumer-Groups", "a, b"),
            ("X-Credential-Identifier", "c"),
        ];
        let identity = trusted(&fields.iter().copied().collect()).unwrap().unwrap();
        assert_eq!(
            (identity.groups.as_slice(), identity.is_authenticated()),
            (&["a".to_owned(), "b".to_owned()][..], true)
        );
        fields.push(("X-Anonymous-Consumer", "true"));
        assert!(!trusted(&fields.iter().copied().collect()).unwrap().unwrap().is_authenticated());
        fields.push(("x-consumer-id", "2"));
        assert!(trusted(&fields.iter().copied().collect()).is_err());
        assert_eq!(trusted(&Head::default()), Ok(None));
    }
}
