use super::*;
use crate::gzip;

fn read(fields: &[(&str, &str)], body: &[u8]) -> Content {
    let head = fields.iter().copied().collect();
    Content::read(&head, body, &HashSet::from(["action", "user.name"]), 1000)
}

/// Returns the values of `action`, and the reason if there may be more.
fn found(fields: &[(&str, &str)], body: &[u8]) -> (Vec<String>, Option<Unreadable>) {
    let content = read(fields, body);
    let (values, hidden) = content.values("action");
    (values.into_iter().map(Cow::into_owned).collect(), hidden)
}

fn actions(fields: &[(&str, &str)], body: &[u8]) -> Vec<String> {
    let (values, hidden) = found(fields, body);
    assert_eq!(hidden, None);
    values
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=X");
const PARTS: &[u8] =
    b"--X\r\nContent-Disposition: form-data; filename=\"a;b\"; name=action\r\n\r\n1\r\n--X--";

#[test]
fn every_value_of_a_field_is_found_in_whatever_a_server_may_read() {
    let twice = br#"{"action":"ok","action":"transfer"}"#;
    assert_eq!(actions(&[JSON], twice), ["ok", "transfer"]);
    assert_eq!(actions(&[], twice), ["ok", "transfer"]);
    assert_eq!(actions(&[JSON], b"\xef\xbb\xbf{\"action\":\"transfer\"}"), ["transfer"]);
    let packed = gzip::gzip(twice);
    assert_eq!(actions(&[JSON, ("content-encoding", "gzip")], &packed), ["ok", "transfer"]);
    assert_eq!(actions(&[FORM], b"action=ok&a=1;+acti%6fn=transfer"), ["ok", "transfer"]);
    assert_eq!(actions(&[FORM], b"action=a;action=b"), ["a;action=b", "a", "b"]);
    assert_eq!(actions(&[MULTIPART], PARTS), ["1"]);
    assert_eq!(read(&[FORM], b"user[name]=ana").values("user.name").0, ["ana"]);
}

#[test]
fn a_form_is_read_whatever_its_content_type() {
    let form = b"a=1&action=transfer";
    assert_eq!(actions(&[], form), ["transfer"]);
    for other in ["", " ", "text/plain", "APPLICATION/X-WWW-Form-urlencoded", "image/png", "odd"] {
        assert_eq!(actions(&[("content-type", other)], form), ["transfer"], "{other}");
    }
}

#[test]
fn a_body_that_is_what_its_only_content_type_says_is_nothing_else() {
    let both = b"{\"action\":\"ok\",\"x\":\"&action=transfer&\"}";
    assert_eq!(actions(&[JSON], both), ["ok"]);
    assert_eq!(actions(&[("content-type", "application/a+json; charset=utf-8")], both), ["ok"]);
    for content_type in ["text/plain", FORM.1, MULTIPART.1, ""] {
        let fields = [("content-type", content_type)];
        assert_eq!(actions(&fields, both), ["ok", "transfer"], "{content_type}");
    }
    assert_eq!(actions(&[], both), ["ok", "transfer"]);
    let text = [PARTS, b"\r\n&action=transfer"].concat();
    assert_eq!(actions(&[MULTIPART], &text), ["1"]);
    let disputed = (vec!["ok".to_owned(), "transfer".to_owned()], Some(Unreadable::Malformed));
    assert_eq!(found(&[JSON, FORM], both), disputed);
}

#[test]
fn a_content_type_that_servers_read_differently_hides_no_form() {
    let form = (vec!["transfer".to_owned()], Some(Unreadable::Malformed));
    for fields in [
        &[("content-type", "application/x-www-form-urlencoded; charset")][..],
        &[("content-type", "text/plain"), FORM],
        &[FORM, ("Content_Type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded, text/plain")],
        &[JSON],
    ] {
        assert_eq!(found(fields, b"action=transfer"), form, "{fields:?}");
        assert_eq!(found(fields, b"a=1"), (vec![], Some(Unreadable::Malformed)), "{fields:?}");
    }
    for content_type in ["multipart/form-data; boundary=X; y", "multipart/form-data"] {
        let fields = [("content-type", content_type)];
        assert_eq!(found(&fields, PARTS), (vec![], Some(Unreadable::Malformed)));
    }
    let parts = (vec!["1".to_owned()], Some(Unreadable::Malformed));
    assert_eq!(found(&[("content-type", "text/plain"), MULTIPART], PARTS), parts);
    assert_eq!(actions(&[("content-type", "multipart/mixed; boundary=X")], PARTS), ["1"]);
    assert_eq!(actions(&[("Content_Type", MULTIPART.1)], PARTS), ["1"]);
}

#[test]
fn a_body_with_fields_for_a_less_strict_reader_is_unreadable_and_not_empty() {
    let unreadable = |fields: &[(&str, &str)], body: &[u8]| match found(fields, body) {
        (values, Some(why)) if values.is_empty() => why,
        found => panic!("{found:?}"),
    };
    let malformed = Unreadable::Malformed;
    assert_eq!(unreadable(&[JSON], br#"{"action":"transfer",}"#), malformed);
    assert_eq!(unreadable(&[FORM], br#"{"action":"transfer",}"#), malformed);
    assert_eq!(unreadable(&[], b" {\"action\":\"\xff\"}"), malformed);
    assert_eq!(unreadable(&[], b"\xff\xfe{\0\"\0"), malformed);
    assert_eq!(unreadable(&[MULTIPART], b"a"), malformed);
    assert_eq!(unreadable(&[JSON, ("content-encoding", "br")], b"x"), Unreadable::Encoded);
    let bomb = gzip::gzip(&[b' '; 1001]);
    assert_eq!(unreadable(&[JSON, ("content-encoding", "gzip")], &bomb), Unreadable::Encoded);
    let utf16 = ("content-type", "application/json; charset=utf-16");
    assert_eq!(unreadable(&[utf16], b"{}"), Unreadable::Encoded);
}

#[test]
fn a_body_without_fields_for_any_reader_has_none() {
    for body in [&b""[..], b"<action>transfer</action>", b"\x89PNG", b"actions"] {
        assert_eq!(read(&[("content-type", "a/b")], body), Content::default());
    }
}

#[test]
fn a_body_of_very_many_fields_is_read_in_linear_time() {
    patience::assert_linear("a body", 2000, |fields| {
        read(&[], "action[=1;b&".repeat(fields).as_bytes());
    });
}
