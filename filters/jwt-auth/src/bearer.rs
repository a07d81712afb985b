//! Finds the token of a request, in Kong's places and with Kong's rule for several tokens.

use crate::config::Config;
use crate::cookies;
use exchange::{Edit, Head, Query, same_name};
use std::collections::BTreeMap;

/// The result of the search for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    /// One token, in one place or in several.
    Token(Vec<u8>),
    /// No token.
    Nothing,
    /// Different tokens.
    Several,
    /// A query parameter without a value, which is not a text.
    Unrecognizable,
}

/// Searches query, cookies and headers for the token. Equal tokens count as one. The search ends at
/// a second one, because a request can carry thousands.
pub(crate) fn carried(config: &Config, head: &Head, query: Query<'_>) -> Carried {
    let mut found: Option<Option<Vec<u8>>> = None;
    let ours = |name: &[u8]| config.uri_param_names.iter().any(|n| n.as_bytes() == name);
    let parameters = query.pairs().filter(|(name, _)| ours(name)).map(|(_, value)| value);
    let cookies = cookies::values(head, &config.cookie_names).map(|value| Some(value.to_vec()));
    let headers = config.header_names.iter().flat_map(|name| {
        parts(head, name).filter_map(|(_, part)| Some(Some(bearer(part)?.to_vec())))
    });
    for token in parameters.chain(cookies).chain(headers) {
        if token.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        match &found {
            Some(other) if *other != token => return Carried::Several,
            Some(_) => {}
            None => found = Some(token),
        }
    }
    match found {
        None => Carried::Nothing,
        Some(Some(token)) => Carried::Token(token),
        Some(None) => Carried::Unrecognizable,
    }
}

/// Returns the edits that remove every token from query, headers and cookie, and the names of the
/// headers that they change.
pub(crate) fn hide(config: &Config, head: &Head, query: Query<'_>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let names = &config.uri_param_names;
    if query.pairs().any(|(name, _)| names.iter().any(|own| own.as_bytes() == name)) {
        edits.push(Edit::DropParameters(names.clone()));
    }
    edits.extend(cookies::hide(head, &config.cookie_names));
    for name in &config.header_names {
        // Each spelling of a header's name maps to a flag, which is `true` if it has a token, and
        // to its other values.
        let mut fields: BTreeMap<String, (bool, Vec<&[u8]>)> = BTreeMap::new();
        for (field, part) in parts(head, name) {
            let field = String::from_utf8_lossy(field).to_ascii_lowercase();
            let (carries, others) = fields.entry(field).or_default();
            match bearer(part) {
                Some(_) => *carries = true,
                // Another scheme in the header belongs to another service.
                None => others.push(part),
            }
        }
        let fields = fields.into_iter().filter(|(_, (carries, _))| *carries);
        edits.extend(fields.map(|(field, (_, others))| match others.is_empty() {
            true => Edit::remove(field),
            false => Edit::set(field, others.join(&b", "[..])),
        }));
    }
    edits
}

/// Returns each value of a header, with the spelling of its name. As in OpenResty, `_` equals `-`.
///
/// Envoy joins several values with commas, and Kong does not. Neither a token nor a Basic
/// credential contains a comma, so a piece between commas is a value on both.
fn parts<'a>(head: &'a Head, name: &str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let ours = move |field: &[u8]| same_name(field, name.as_bytes());
    head.fields().filter(move |(field, _)| ours(field)).flat_map(|(field, value)| {
        let parts = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        parts.filter(|part| !part.is_empty()).map(move |part| (field, part))
    })
}

/// Returns the group of Kong's `\s*[Bb]earer\s+(.+)`: the rest of the value after the first
/// "Bearer" that white space follows, wherever it stands. Case does not matter here (RFC 9110,
/// section 11.1), while it matters to Kong's expression.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | 0x0a..=0x0d);
    (0..value.len()).find_map(|at| {
        let (scheme, rest) = value.get(at..)?.split_at_checked(b"bearer".len())?;
        let rest = scheme.eq_ignore_ascii_case(b"bearer").then_some(rest)?;
        let spaces = rest.iter().take_while(|byte| space(byte)).count();
        let token = rest.get(spaces..).filter(|_| spaces > 0)?;
        let line = token.split(|byte| *byte == b'\n').next().unwrap_or_default();
        (!line.is_empty()).then_some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn look(json: &str, fields: &[(&str, &str)], query: &str) -> Carried {
        let head: Head = fields.iter().copied().collect();
        let json = format!(r#"{{"admin":{{"upstream":"a"}}{json}}}"#);
        carried(&config(&json), &head, Query::new(query.as_bytes()))
    }

    fn token(text: &str) -> Carried {
        Carried::Token(text.into())
    }

    #[test]
    fn query_cookie_and_header_carry_tokens() {
        let cookies = r#","cookie_names":["silly"]"#;
        assert_eq!(look("", &[], "jwt=q"), token("q"));
        assert_eq!(look("", &[("authorization", "Bearer h")], ""), token("h"));
        assert_eq!(look(cookies, &[("cookie", "a=b; silly=c; d")], ""), token("c"));
        assert_eq!(look(cookies, &[("authorization", "bearer h")], ""), token("h"));
        assert_eq!(look("", &[("cookie", "silly=c")], ""), Carried::Nothing);
        let custom = r#","uri_param_names":["t","u"],"header_names":["X-Token"]"#;
        assert_eq!(look(custom, &[], "u=1"), token("1"));
        assert_eq!(look(custom, &[("X_Token", "Bearer h")], ""), token("h"));
        assert_eq!(look(custom, &[("authorization", "Bearer h")], "jwt=q"), Carried::Nothing);
    }

    #[test]
    fn one_token_in_two_places_is_one_and_two_are_several() {
        let both = [("authorization", "Bearer a")];
        assert_eq!(look("", &both, "jwt=a"), token("a"));
        assert_eq!(look("", &both, "jwt=b"), Carried::Several);
        assert_eq!(look("", &[], "jwt=a&jwt=b"), Carried::Several);
        assert_eq!(look("", &both, "jwt="), token("a"));
        assert_eq!(look("", &[], "jwt="), Carried::Nothing);
    }

    #[test]
    fn a_parameter_without_a_value_is_no_text() {
        assert_eq!(look("", &[], "jwt"), Carried::Unrecognizable);
        assert_eq!(look("", &[], "jwt&jwt=a"), Carried::Several);
    }

    #[test]
    fn each_value_of_a_header_is_judged_in_any_order_and_joined_or_not() {
        for (values, expected) in [
            (&["Bearer a", "Bearer a"][..], token("a")),
            (&["Bearer a", "bearer  a"], token("a")),
            (&["Bearer a", "Bearer b"], Carried::Several),
            (&["Basic x", "Bearer b"], token("b")),
            (&["Bearer b", "Basic x"], token("b")),
            (&["Basic x", "Digest a=1, b=2"], Carried::Nothing),
            (&["Bearer b", ""], token("b")),
        ] {
            let fields: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
            assert_eq!(look("", &fields, ""), expected, "{values:?}");
            // These are the forms in which Envoy delivers several values.
            for comma in [",", ", ", " ,"] {
                let joined = values.join(comma);
                let fields = [("Authorization", joined.as_str())];
                assert_eq!(look("", &fields, ""), expected, "{joined}");
            }
        }
    }

    #[test]
    fn nothing_is_looked_at_after_a_second_token() {
        let query: String = (0..100_000).map(|n| format!("jwt={n}&")).collect();
        assert_eq!(look("", &[], &query), Carried::Several);
        let same = "jwt=a&".repeat(10_000);
        assert_eq!(look("", &[], &same), token("a"));
    }

    #[test]
    fn the_word_bearer_is_found_as_kongs_expression_finds_it() {
        for (value, expected) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a", Some("a")),
            ("  Bearer\ta b", Some("a b")),
            ("xBearer a", Some("a")),
            ("Basic x, Bearer a", Some("a")),
            ("BearerBearer a", Some("a")),
            ("BEARER a", Some("a")),
            ("bEaReR a", Some("a")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearera", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), expected.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn cookies_are_found_as_nginx_finds_them_and_as_an_upstream_may() {
        for (line, expected) in [
            ("silly=a", token("a")),
            ("SILLY = a ; b", token("a ")),
            ("x=1;silly=a", token("a")),
            ("x=1,silly=a", token("a")),
            ("x=1;\tsilly=a", token("a")),
            ("silly=a,x=1; y", token("a,x=1")),
            ("sillyx=1; silly=a", token("a")),
            ("silly; silly=a", token("a")),
            ("silly,silly=a", token("a")),
            ("silly=; silly=a", token("a")),
            ("xsilly=1", Carried::Nothing),
            ("silly", Carried::Nothing),
            ("", Carried::Nothing),
        ] {
            let found = look(r#","cookie_names":["silly"]"#, &[("cookie", line)], "");
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn each_cookie_of_one_name_is_judged() {
        let names = r#","cookie_names":["silly","other"]"#;
        for (lines, expected) in [
            (&["silly=a; silly=a"][..], token("a")),
            (&["silly=a", "Silly=a; other=a"], token("a")),
            (&["silly=a; silly=b"], Carried::Several),
            (&["silly=a; SILLY=b"], Carried::Several),
            (&["silly=a", "silly=b"], Carried::Several),
            (&["silly=a,silly=b"], Carried::Several),
            (&["silly=a; x=1,other=b"], Carried::Several),
            (&["other=a,silly=a"], Carried::Several),
        ] {
            let fields: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            assert_eq!(look(names, &fields, ""), expected, "{lines:?}");
        }
        // The search ends at the second token, however many follow.
        let line = "silly=a,".repeat(10_000);
        assert_eq!(look(names, &[("cookie", &line)], ""), Carried::Several);
    }

    #[test]
    fn hidden_tokens_leave_every_place_and_nothing_else_does() {
        let config =
            config(r#"{"admin":{"upstream":"a"},"cookie_names":["c"],"header_names":["A","b"]}"#);
        let head = Head::from_iter([
            ("a", "Bearer t"),
            ("b", "Basic x"),
            ("Authorization", "Bearer t"),
            ("cookie", "x=1; C=t ;y=\"2;"),
            ("cookie", "c=t"),
        ]);
        let edits = hide(&config, &head, Query::new(b"k=1&jwt=t&%6awt=u"));
        assert_eq!(
            edits,
            [
                Edit::DropParameters(vec!["jwt".into()]),
                Edit::set("cookie", "x=1; y=\"2"),
                Edit::remove("a"),
            ]
        );
        // Another scheme beside the token stays.
        for values in [&["Basic x", "Bearer t"][..], &["BEARER t,Basic x"]] {
            let head = values.iter().map(|value| ("A", *value)).collect::<Head>();
            let hidden = hide(&config, &head, Query::new(b""));
            assert_eq!(hidden, [Edit::set("a", "Basic x")], "{values:?}");
        }
        let only = Head::from_iter([("cookie", "c=t")]);
        assert_eq!(hide(&config, &only, Query::new(b"")), [Edit::remove("cookie")]);
        assert!(hide(&config, &Head::default(), Query::new(b"k=1")).is_empty());
    }
}
