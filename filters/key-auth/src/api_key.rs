//! Finds the key of a request, in Kong's order and with Kong's rule for duplicates.

use crate::body::Fields;
use crate::config::Config;
use exchange::{Edit, Head, Query};

/// The result of the search for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    /// This key, found under this name.
    Key(Vec<u8>, String),
    /// No key, or an empty one.
    Nothing,
    /// Several values under one name in one place.
    Twice,
}

/// The content of one place under one name.
enum Place {
    Absent,
    /// The name without a text: a flag in the query, a number in the body. This is no key, but it
    /// ends the search for the name.
    Flag,
    One(Vec<u8>),
    Twice,
}

/// Searches for each key name in turn: first the headers, then the query, then the body. The first
/// text wins, even an empty one. A later place does not correct a wrong key.
pub(crate) fn carried(
    config: &Config,
    head: &Head,
    query: Query<'_>,
    body: Option<&Fields>,
) -> Carried {
    for name in &config.key_names {
        let places = [
            config.key_in_header.then(|| in_header(head, name)),
            config.key_in_query.then(|| in_query(query, name)),
            body.map(|fields| in_body(fields, name)),
        ];
        // The search for a name ends at the first place that has it.
        for place in places.into_iter().flatten() {
            match place {
                Place::Absent => {}
                Place::Flag => break,
                Place::Twice => return Carried::Twice,
                Place::One(key) if key.is_empty() => return Carried::Nothing,
                Place::One(key) => return Carried::Key(key, name.clone()),
            }
        }
    }
    Carried::Nothing
}

/// In the name of a header, `_` equals `-`, as in OpenResty.
fn in_header(head: &Head, name: &str) -> Place {
    let mut values = head.spellings(name);
    match (values.next(), values.next()) {
        (None, _) => Place::Absent,
        (Some((_, value)), None) => Place::One(value.to_vec()),
        (Some(_), Some(_)) => Place::Twice,
    }
}

/// A name without `=` is a flag, which Kong reads as `true`.
fn in_query(query: Query<'_>, name: &str) -> Place {
    let mut values = query.pairs().filter(|(field, _)| field == name.as_bytes());
    match (values.next(), values.next()) {
        (None, _) => Place::Absent,
        (Some((_, None)), None) => Place::Flag,
        (Some((_, Some(value))), None) => Place::One(value),
        (Some(_), Some(_)) => Place::Twice,
    }
}

fn in_body(fields: &Fields, name: &str) -> Place {
    match fields.values(name) {
        [] => Place::Absent,
        [Some(value)] => Place::One(value.clone()),
        [None] => Place::Flag,
        _ => Place::Twice,
    }
}

/// Returns the edits that remove a key from headers and query, as far as the settings search there.
pub(crate) fn hide(config: &Config, query: Query<'_>, name: &str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    if config.key_in_header {
        edits.push(Edit::remove(name.to_owned()));
    }
    if config.key_in_query && query.pairs().any(|(field, _)| field == name.as_bytes()) {
        edits.push(Edit::DropParameters(vec![name.to_owned()]));
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn look(json: &str, fields: &[(&str, &str)], query: &str) -> Carried {
        let head: Head = fields.iter().copied().collect();
        let json = format!(r#"{{"admin":{{"upstream":"a"}}{json}}}"#);
        carried(&config(&json), &head, Query::new(query.as_bytes()), None)
    }

    fn key(text: &str) -> Carried {
        Carried::Key(text.into(), "apikey".into())
    }

    #[test]
    fn the_header_comes_before_the_query() {
        assert_eq!(look("", &[("apikey", "h")], "apikey=q"), key("h"));
        assert_eq!(look("", &[], "apikey=q"), key("q"));
        assert_eq!(look(r#","key_in_header":false"#, &[("apikey", "h")], "apikey=q"), key("q"));
        assert_eq!(look(r#","key_in_query":false"#, &[], "apikey=q"), Carried::Nothing);
    }

    #[test]
    fn an_empty_key_ends_the_search() {
        assert_eq!(look("", &[("apikey", "")], "apikey=q"), Carried::Nothing);
        assert_eq!(look("", &[], "apikey="), Carried::Nothing);
    }

    #[test]
    fn two_keys_under_one_name_are_refused() {
        assert_eq!(look("", &[("apikey", "a"), ("Apikey", "a")], ""), Carried::Twice);
        assert_eq!(look("", &[], "apikey=a&api%6bey=a"), Carried::Twice);
        assert_eq!(look("", &[], "apikey&apikey=a"), Carried::Twice);
        let dashed = r#","key_names":["api-key"]"#;
        assert_eq!(look(dashed, &[("api-key", "a"), ("api_key", "b")], ""), Carried::Twice);
    }

    #[test]
    fn a_name_without_a_value_is_no_key() {
        assert_eq!(look("", &[], "apikey"), Carried::Nothing);
        let two = r#","key_names":["apikey","two"]"#;
        assert_eq!(look(two, &[("two", "2")], "apikey"), Carried::Key(b"2".to_vec(), "two".into()));
        assert_eq!(look("", &[], "apikey%5B%5D=a&apikey[1]=b"), Carried::Nothing);
    }

    #[test]
    fn underscore_and_dash_are_the_same_in_a_header_only() {
        let dashed = r#","key_names":["api-key"]"#;
        assert_eq!(
            look(dashed, &[("API_Key", "a")], ""),
            Carried::Key(b"a".to_vec(), "api-key".into())
        );
        assert_eq!(look(dashed, &[], "api_key=a"), Carried::Nothing);
    }

    #[test]
    fn names_are_tried_in_their_order() {
        let two = r#","key_names":["one","two"]"#;
        assert_eq!(look(two, &[("two", "2")], "one=1"), Carried::Key(b"1".to_vec(), "one".into()));
        assert_eq!(look(two, &[("two", "2")], ""), Carried::Key(b"2".to_vec(), "two".into()));
    }

    #[test]
    fn a_hidden_key_leaves_header_and_query_and_nothing_else() {
        let config = config(r#"{"admin":{"upstream":"a"}}"#);
        let edits = hide(&config, Query::new(b"b=1&api-key=a&%61=2"), "api-key");
        assert_eq!(edits, [Edit::remove("api-key"), Edit::DropParameters(vec!["api-key".into()])]);
        assert_eq!(hide(&config, Query::new(b"b=1"), "api-key"), [Edit::remove("api-key")]);
    }
}
