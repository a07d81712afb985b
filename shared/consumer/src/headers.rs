//! The request headers that tell the upstream who is calling.

use crate::identity::{Credential, Identity, folded};
use exchange::{Head, Occurrence};
use settings::Common;

/// The headers that Kong's authentication plugins set. A client's copies never reach the upstream
/// if a filter owns the headers.
pub const IDENTITY_HEADERS: [&str; 7] = [
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-credential-identifier",
    AUTHENTICATED_GROUPS,
    CONSUMER_GROUPS,
    "x-anonymous-consumer",
];

const AUTHENTICATED_GROUPS: &str = "x-authenticated-groups";
const CONSUMER_GROUPS: &str = "x-consumer-groups";

/// The kind of a credential that is a session.
pub const SESSION: &str = "session";

/// The error of a header that a request has more than once, on a gateway that cannot remove or
/// replace every copy. It holds the header's name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate(pub String);

/// Checks that a filter can remove or set the header `name` in all of its copies.
///
/// # Errors
/// Fails if `can_remove` is `false` (Kong) and the request has more than one copy.
pub fn reject_duplicate(head: &Head, name: &str, can_remove: bool) -> Result<(), Duplicate> {
    match head.occurrence(name) {
        Occurrence::Many(_) if !can_remove => Err(Duplicate(name.to_ascii_lowercase())),
        _ => Ok(()),
    }
}

/// Returns all identity headers that a request with this identity has to have. `current` gives the
/// present value of a header.
pub(crate) fn identity_headers<'a>(
    identity: Option<&Identity>,
    current: &impl Fn(&'static str) -> Option<&'a [u8]>,
) -> Vec<(&'static str, Vec<u8>)> {
    let Some(identity) = identity else { return Vec::new() };
    let credential = identity.credential.as_ref().filter(|_| !identity.anonymous);
    let identifier = credential.and_then(|credential| credential.identifier.as_deref());
    let anonymous = credential.is_none().then_some("true");
    let value = |text: &str| escaped(text, false).into_bytes();
    let mut headers: Vec<(&'static str, Vec<u8>)> = [
        ("x-consumer-id", Some(identity.id.as_str())),
        ("x-consumer-username", identity.username.as_deref()),
        ("x-consumer-custom-id", identity.custom_id.as_deref()),
        ("x-credential-identifier", identifier),
        ("x-anonymous-consumer", anonymous),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some((name, value(text?))))
    .collect();
    // As in Kong, only a session sets a header for groups. A list that a Lua plugin has set stays
    // if it names exactly the groups of the identity.
    let of_session = credential.is_some_and(|credential| credential.kind == SESSION);
    for name in [AUTHENTICATED_GROUPS, CONSUMER_GROUPS] {
        let present = current(name).filter(|list| names_exactly(list, &identity.groups));
        let own = (of_session && name == AUTHENTICATED_GROUPS && !identity.groups.is_empty())
            .then(|| joined(&identity.groups));
        headers.extend(own.or_else(|| present.map(<[u8]>::to_vec)).map(|value| (name, value)));
    }
    headers
}

fn joined(groups: &[String]) -> Vec<u8> {
    let all: Vec<String> = groups.iter().map(|group| escaped(group, true)).collect();
    all.join(", ").into_bytes()
}

/// Returns `true` if the list in a header names exactly these groups, and at least one.
fn names_exactly(list: &[u8], groups: &[String]) -> bool {
    let mut named: Vec<&[u8]> = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let mut held: Vec<&[u8]> = groups.iter().map(|group| group.as_bytes()).collect();
    named.sort_unstable();
    held.sort_unstable();
    !held.is_empty() && named == held
}

/// Reads the identity from the headers that Kong's Lua plugins set. The caller has checked that the
/// operator trusts them (`trust_consumer_headers`). Most of these plugins leave the headers for
/// groups as a client sent them, so groups count only with the setting `trust_group_headers`.
///
/// # Errors
/// Fails if the request has one of the headers twice: Kong sets each once, so a client sent one.
pub(crate) fn trusted(head: &Head, common: &Common) -> Result<Option<Identity>, Duplicate> {
    for name in IDENTITY_HEADERS {
        reject_duplicate(head, name, false)?;
    }
    let text = |name| head.text(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let Some(id) = text("x-consumer-id") else { return Ok(None) };
    let id = folded(&id);
    let anonymous = text("x-anonymous-consumer").is_some();
    let identifier = text("x-credential-identifier");
    let groups = || text(CONSUMER_GROUPS).or_else(|| text(AUTHENTICATED_GROUPS));
    let groups = common.trust_group_headers.then(groups).flatten().unwrap_or_default();
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

/// Converts `text` to the value of a header, or to an element of a list in one.
///
/// Control characters are percent-encoded, in a list commas too, and a `%` that would read as the
/// start of such an escape. So two different texts never have one value, and usual texts stay as
/// they are.
fn escaped(text: &str, in_list: bool) -> String {
    let is_special = |b: &u8| b.is_ascii_control() || *b == b'%' || (*b == b',' && in_list);
    if !text.as_bytes().iter().any(is_special) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let escape = || {
            let digits = text.as_bytes().get(at.saturating_add(1)..at.saturating_add(3));
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        if c.is_ascii_control() || (c == ',' && in_list) || (c == '%' && escape()) {
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
            groups: vec!["a".into(), "b".into()],
            credential: Some(Credential {
                id: "c".into(),
                kind: "key-auth".into(),
                identifier: Some("c".into()),
                key: None,
            }),
            ..Identity::default()
        }
    }

    fn of(identity: &Identity, head: &Head) -> Vec<(&'static str, String)> {
        let headers = identity_headers(Some(identity), &|name| head.first(name));
        let text = |value| String::from_utf8(value).unwrap();
        headers.into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    fn common(json: &str) -> Common {
        settings::read(json.as_bytes(), &|_| None, Common::identified).unwrap()
    }

    #[test]
    fn an_identity_has_the_headers_that_kong_sets() {
        let id = ("x-consumer-id", "1".to_owned());
        let username = ("x-consumer-username", "ana".to_owned());
        assert_eq!(
            of(&ana(), &Head::default()),
            [id.clone(), username.clone(), ("x-credential-identifier", "c".to_owned())]
        );
        assert_eq!(
            of(&ana().into_anonymous(), &Head::default()),
            [id, username, ("x-anonymous-consumer", "true".to_owned())]
        );
        assert_eq!(identity_headers(None, &|_| None), []);
    }

    #[test]
    fn groups_are_announced_for_a_session_and_stay_where_they_are_the_identitys_own() {
        let groups =
            |identity: &Identity, fields: &[(&str, &str)]| -> Vec<(&'static str, String)> {
                let all = of(identity, &fields.iter().copied().collect());
                all.into_iter().filter(|(name, _)| name.ends_with("groups")).collect()
            };
        let mut session = ana();
        session.credential.as_mut().unwrap().kind = SESSION.into();
        assert_eq!(groups(&session, &[]), [(AUTHENTICATED_GROUPS, "a, b".to_owned())]);
        session.groups = vec!["a,b".into(), "%".into(), "c%\n".into()];
        assert_eq!(groups(&session, &[]), [(AUTHENTICATED_GROUPS, "a%2Cb, %, c%%0A".to_owned())]);
        assert_eq!(
            groups(&ana(), &[("X-Consumer-Groups", "b,a")]),
            [(CONSUMER_GROUPS, "b,a".to_owned())]
        );
        for other in ["a", "a,b,c", "", "a, b, b"] {
            assert_eq!(groups(&ana(), &[("x-consumer-groups", other)]), [], "{other}");
        }
        let nobody = Identity { groups: vec![], ..ana() };
        assert_eq!(groups(&nobody, &[("x-consumer-groups", "")]), []);
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        let identity = Identity { username: Some("a%\r\nX-Admin: 1\0é".into()), ..ana() };
        let name = ("x-consumer-username", "a%%0D%0AX-Admin: 1%00é".to_owned());
        assert!(of(&identity, &Head::default()).contains(&name));
    }

    #[test]
    fn no_two_names_have_one_value_and_the_usual_ones_stay_as_they_are() {
        for (name, value) in [
            ("100%", "100%"),
            ("50% off", "50% off"),
            ("a\r", "a%0D"),
            ("a%0D", "a%250D"),
            ("a%250D", "a%25250D"),
            ("%\r", "%%0D"),
            ("%2\u{5}", "%2%05"),
            ("é%é", "é%é"),
        ] {
            assert_eq!(escaped(name, false), value);
        }
    }

    #[test]
    fn trusted_headers_are_an_identity_unless_one_came_twice() {
        let mut fields = vec![
            ("X-Consumer-ID", "1"),
            ("X-Consumer-Username", "ana"),
            ("X-Consumer-Groups", "a, b"),
            ("X-Credential-Identifier", "c"),
        ];
        let trusting = common(r#"{"trust_consumer_headers":true}"#);
        let identity = trusted(&fields.iter().copied().collect(), &trusting).unwrap().unwrap();
        assert_eq!((identity.id.as_str(), identity.is_authenticated()), ("1", true));
        fields.push(("X-Anonymous-Consumer", "true"));
        let anonymous = trusted(&fields.iter().copied().collect(), &trusting).unwrap().unwrap();
        assert!(!anonymous.is_authenticated());
        fields.push(("x-consumer-id", "2"));
        assert!(trusted(&fields.iter().copied().collect(), &trusting).is_err());
        assert_eq!(trusted(&Head::default(), &trusting), Ok(None));
    }

    #[test]
    fn groups_in_headers_count_only_where_the_operator_trusts_these_too() {
        let head = |name: &'static str| Head::from_iter([("X-Consumer-ID", "1"), (name, "a, b")]);
        let trusting = r#"{"trust_consumer_headers":true,"trust_group_headers":true}"#;
        for name in ["X-Consumer-Groups", "X-Authenticated-Groups"] {
            let groups = |json| trusted(&head(name), &common(json)).unwrap().unwrap().groups;
            assert!(groups(r#"{"trust_consumer_headers":true}"#).is_empty(), "{name}");
            assert_eq!(groups(trusting), ["a", "b"], "{name}");
        }
    }
}
