//! Where a request carries its token: Kong's places, and Kong's idea of "several".

use crate::config::Config;
use exchange::{Edit, Head, Query, same_name};

/// What a request says of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    /// This one, in one place or in several.
    Token(Vec<u8>),
    /// None.
    Nothing,
    /// Different ones.
    Several,
    /// A parameter without a value, which is not text.
    Unrecognizable,
}

/// Collects the token from query, cookies and headers. The same token twice is one token.
pub(crate) fn carried(config: &Config, head: &Head, query: Query<'_>) -> Carried {
    let mut found: Vec<Option<Vec<u8>>> = Vec::new();
    let mut add = |token: Option<Vec<u8>>| {
        if token.as_ref().is_none_or(|token| !token.is_empty()) && !found.contains(&token) {
            found.push(token);
        }
    };
    if !config.uri_param_names.is_empty() {
        let ours = |name: &[u8]| config.uri_param_names.iter().any(|n| n.as_bytes() == name);
        query.pairs().filter(|(name, _)| ours(name)).for_each(|(_, value)| add(value));
    }
    for name in &config.cookie_names {
        if let Some(value) = cookies(head).find_map(|line| cookie(line, name.as_bytes())) {
            add(Some(value.to_vec()));
        }
    }
    for name in &config.header_names {
        if let Some(token) = first(head, name).and_then(bearer) {
            add(Some(token.to_vec()));
        }
    }
    match (found.len(), found.pop()) {
        (0, _) | (_, None) => Carried::Nothing,
        (1, Some(Some(token))) => Carried::Token(token),
        (1, Some(None)) => Carried::Unrecognizable,
        (_, Some(_)) => Carried::Several,
    }
}

/// The edits that take every token out of header, query and cookie, and the names of the headers that they
/// change.
pub(crate) fn hide(config: &Config, head: &Head, query: Query<'_>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let unwanted = |name: &[u8]| config.uri_param_names.iter().any(|n| n.as_bytes() == name);
    if query.pairs().any(|(name, _)| unwanted(&name)) {
        edits.push(Edit::Query(query.without(unwanted)));
    }
    let ours =
        |name: &[u8]| config.cookie_names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name));
    if cookies(head).any(|line| pairs(line).any(|(name, _)| ours(name))) {
        let kept: Vec<&[u8]> = cookies(head)
            .flat_map(pairs)
            .filter(|(name, _)| !ours(name))
            .map(|(_, whole)| whole)
            .collect();
        edits.push(match kept.is_empty() {
            true => Edit::remove("cookie"),
            false => Edit::set("cookie", kept.join(&b"; "[..])),
        });
    }
    for name in &config.header_names {
        // Another scheme in the same header is somebody else's.
        let mut values =
            head.fields().filter(|(field, _)| same_name(field, name.as_bytes())).peekable();
        if values.peek().and_then(|(_, value)| bearer(value)).is_none() {
            continue;
        }
        for (field, _) in values {
            let edit = Edit::remove(String::from_utf8_lossy(field).to_ascii_lowercase());
            if !edits.contains(&edit) {
                edits.push(edit);
            }
        }
    }
    edits
}

/// Only the first value of a header counts. `_` and `-` are the same, as in OpenResty.
fn first<'a>(head: &'a Head, name: &str) -> Option<&'a [u8]> {
    head.fields().find(|(field, _)| same_name(field, name.as_bytes())).map(|(_, value)| value)
}

/// What Kong's `\s*[Bb]earer\s+(.+)` captures: the rest of the value after the first "Bearer" that white space
/// follows, wherever it is.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | 0x0a..=0x0d);
    (0..value.len()).find_map(|at| {
        let rest = value.get(at..)?;
        let rest = rest.strip_prefix(b"Bearer").or_else(|| rest.strip_prefix(b"bearer"))?;
        let spaces = rest.iter().take_while(|byte| space(byte)).count();
        let token = rest.get(spaces..).filter(|_| spaces > 0)?;
        let line = token.split(|byte| *byte == b'\n').next().unwrap_or_default();
        (!line.is_empty()).then_some(line)
    })
}

fn cookies(head: &Head) -> impl Iterator<Item = &[u8]> {
    head.values("cookie")
}

/// The value of nginx's `$cookie_<name>`: names compare without case, and the first one wins.
fn cookie<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = line;
    while !rest.is_empty() {
        let (start, after) = rest.split_at_checked(name.len())?;
        if start.eq_ignore_ascii_case(name)
            && let Some(value) = trim_start(after).strip_prefix(b"=")
        {
            return trim_start(value).split(|byte| *byte == b';').next();
        }
        // To the next piece; nginx takes a comma for an end here.
        let end = rest.iter().position(|byte| matches!(byte, b';' | b','))?;
        rest = trim_start(rest.get(end.checked_add(1)?..)?);
    }
    None
}

/// Each cookie of a line: its name, and all of it.
fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|piece| !piece.is_empty()).map(
        |piece| {
            let name = piece.split(|byte| *byte == b'=').next().unwrap_or_default();
            (name.trim_ascii_end(), piece)
        },
    )
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
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
    fn only_the_first_value_of_a_header_counts() {
        let fields = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(look("", &fields, ""), token("a"));
        let fields = [("authorization", "Basic x"), ("authorization", "Bearer b")];
        assert_eq!(look("", &fields, ""), Carried::Nothing);
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
            ("BEARER a", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearera", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), expected.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn cookies_are_found_as_nginx_finds_them() {
        for (line, expected) in [
            ("silly=a", Some("a")),
            ("SILLY = a ; b", Some("a ")),
            ("x=1;silly=a;silly=b", Some("a")),
            ("x=1,silly=a", Some("a")),
            ("sillyx=1; silly=a", Some("a")),
            ("silly; silly=a", Some("a")),
            ("xsilly=1", None),
            ("silly", None),
            ("", None),
        ] {
            assert_eq!(cookie(line.as_bytes(), b"silly"), expected.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn hidden_tokens_leave_every_place_and_nothing_else_does() {
        let config =
            config(r#"{"admin":{"upstream":"a"},"cookie_names":["c"],"header_names":["A","b"]}"#);
        let head = Head::from_iter([
            ("a", "Bearer t"),
            ("b", "Basic x"),
            ("cookie", "x=1; C=t ;y=\"2;"),
            ("cookie", "c=t"),
        ]);
        let edits = hide(&config, &head, Query::new(b"k=1&jwt=t&%6awt=u"));
        assert_eq!(
            edits,
            [Edit::Query(b"k=1".to_vec()), Edit::set("cookie", "x=1; y=\"2"), Edit::remove("a"),]
        );
        let only = Head::from_iter([("cookie", "c=t")]);
        assert_eq!(hide(&config, &only, Query::new(b"")), [Edit::remove("cookie")]);
        assert!(hide(&config, &Head::default(), Query::new(b"k=1")).is_empty());
    }
}
