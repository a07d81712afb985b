use super::*;

fn values(content_type: &str, body: &str) -> Vec<Option<String>> {
    let fields = Kind::of(content_type).unwrap().fields(body.as_bytes());
    let text =
        |value: &Option<Vec<u8>>| value.clone().map(|bytes| String::from_utf8(bytes).unwrap());
    fields.values("apikey").iter().map(text).collect()
}

fn without(content_type: &str, body: &str) -> String {
    String::from_utf8(Kind::of(content_type).unwrap().without(body.as_bytes(), "apikey")).unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "Application/JSON";
const MULTIPART: &str = "multipart/form-data; boundary=\"b0\"";

const PARTS: &str = "--b0\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\nkong\r\n--b0\r\ncontent-disposition: form-data; name=file; filename=x\r\nContent-Type: text/plain\r\n\r\n--b\r\n\r\n--b0--\r\n";

#[test]
fn each_kind_of_body_carries_a_key() {
    assert_eq!(values(FORM, "x=1&apikey=ko+ng"), [Some("ko ng".into())]);
    assert_eq!(values(JSON, r#"{"x":1,"apikey":"kong"}"#), [Some("kong".into())]);
    assert_eq!(values(MULTIPART, PARTS), [Some("kong".into())]);
    assert_eq!(values(MULTIPART, &format!("preamble\r\n{PARTS}epilogue")), [Some("kong".into())]);
}

#[test]
fn several_values_are_told_from_none() {
    assert_eq!(values(FORM, "apikey=1&apikey=2").len(), 2);
    assert_eq!(values(JSON, r#"{"apikey":["a"]}"#).len(), 2);
    assert_eq!(values(JSON, r#"{"apikey":{"a":1}}"#).len(), 2);
    assert_eq!(values(JSON, r#"{"apikey":"a","apikey":"b"}"#).len(), 2);
    for value in ["5", "null", "true"] {
        assert_eq!(values(JSON, &format!(r#"{{"apikey":{value}}}"#)), [None]);
    }
    assert_eq!(values(FORM, "apikey[]=1&apikey%5B1%5D=2&other=3").len(), 0);
}

#[test]
fn other_kinds_carry_none() {
    for kind in [
        "text/plain",
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/json5",
    ] {
        assert_eq!(Kind::of(kind), None, "{kind}");
    }
}

#[test]
fn a_body_without_the_key_is_otherwise_the_same() {
    assert_eq!(without(FORM, "b=%20&apikey=x&a=1+2"), "b=%20&a=1+2");
    assert_eq!(
        without(JSON, r#"{"z":1.0,"apikey":"x","a":[1e400, {}],"a":"\u00e9"}"#),
        r#"{"z":1.0,"a":[1e400, {}],"a":"\u00e9"}"#
    );
    assert_eq!(
        without(MULTIPART, PARTS),
        "--b0\r\ncontent-disposition: form-data; name=file; filename=x\r\nContent-Type: text/plain\r\n\r\n--b\r\n\r\n--b0--\r\n"
    );
}

#[test]
fn a_malformed_body_has_no_fields_and_stays() {
    for (kind, body) in [
        (JSON, "{"),
        (JSON, "[1]"),
        (MULTIPART, "--b0"),
        (MULTIPART, "--b0\r\nx"),
        (MULTIPART, "--b0x\r\n\r\n--b0--"),
    ] {
        assert!(values(kind, body).is_empty(), "{body}");
        assert_eq!(without(kind, body), body);
    }
}

proptest::proptest! {
    #[test]
    fn no_body_panics(body in "(--b0|\r\n|:|;|name=|apikey|\"|\\{|\\}|,|.){0,40}") {
        for kind in [FORM, JSON, MULTIPART] {
            let kind = Kind::of(kind).unwrap();
            kind.fields(body.as_bytes());
            kind.without(body.as_bytes(), "apikey");
        }
    }

    #[test]
    fn what_was_taken_out_is_not_there(body in "(apikey=[a-z%0-9]{0,3}&|[a-z]=1&){0,8}") {
        let left = without(FORM, &body);
        proptest::prop_assert!(values(FORM, &left).is_empty());
    }
}
