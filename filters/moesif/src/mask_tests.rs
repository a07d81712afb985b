use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn masks(names: &[&str]) -> Masks {
    Masks::new(names.iter().map(|name| (*name).to_owned()))
}

fn masked(names: &[&str], text: &str) -> String {
    masks(names).json(text).unwrap().into_owned()
}

#[test]
fn a_member_goes_at_any_depth_and_the_rest_stays_as_it_is_written() {
    for (text, expected) in [
        (r#"{"a":1,"m":2,"b":3}"#, r#"{"a":1,"b":3}"#),
        (r#"{ "m" : 2 , "b":3}"#, r#"{"b":3}"#),
        (r#"{"a":1,"m":{"x":[1,{"m":2}]}}"#, r#"{"a":1}"#),
        (r#"{"m":1,"m":2,"n":3,"b":4, "m":5}"#, r#"{"b":4}"#),
        (r#"{"a":1, "m":2, "n":3, "b":4}"#, r#"{"a":1, "b":4}"#),
        (r#"[{"m":1},{"m":1,"z":[]},[[{"M":null}]]]"#, r#"[{},{"z":[]},[[{}]]]"#),
        (
            r#"{"x":{"m":1},"b":9007199254740993.10,"a":[]}"#,
            r#"{"x":{},"b":9007199254740993.10,"a":[]}"#,
        ),
        (r#"{"\u006d":1,"x":"m"}"#, r#"{"x":"m"}"#),
        (" [1] ", " [1] "),
        (r#""m""#, r#""m""#),
    ] {
        assert_eq!(masked(&["M", "n"], text), expected, "{text}");
    }
}

#[test]
fn names_are_compared_without_case_beyond_ascii_too() {
    assert_eq!(
        masked(&["Straße", "ÄRGER"], r#"{"STRASSE":1,"straße":2,"ärger":3}"#),
        r#"{"STRASSE":1}"#
    );
}

#[test]
fn text_that_is_no_json_is_an_error_and_never_passed_through() {
    for text in [r#"{"m":1"#, r#"{"m":NaN}"#, r#"{"a":1}{"m":2}"#, r#"{"m":[1}"#, ""] {
        assert_eq!(masks(&["m"]).json(text), Err(NotJson), "{text}");
        assert_eq!(masks(&[]).json(text), Err(NotJson), "{text}");
    }
}

#[test]
fn a_form_loses_the_field_in_every_spelling() {
    let masks = masks(&["Password", "api-key"]);
    let form = b"a=1&password=x&PASS%57ORD=y&user[password]=z&user.password=z&api%2Dkey=k&b=%20";
    assert_eq!(masks.form(form), b"a=1&b=%20");
    assert_eq!(Masks::default().form(form), form);
}

#[test]
fn a_mask_holds_for_underscores_and_dashes_alike() {
    let masks = masks(&["x-api-key", "card_number"]);
    for name in ["x-api-key", "X_API_KEY", "x_api-key", "card-number", "Card_Number"] {
        assert!(masks.cover(name), "{name}");
    }
    assert!(!masks.cover("xapikey"));
    assert_eq!(masks.json(r#"{"x_api_key":1,"a":2}"#).unwrap(), r#"{"a":2}"#);
    assert_eq!(masks.query(b"/?x_api_key=1").as_ref(), b"/?x_api_key=*****");
}

#[test]
fn no_spelling_of_a_form_hides_a_masked_field() {
    let masks = masks(&["password"]);
    for (form, left) in [
        ("a=1;password=x;b=2&c", "a=1;b=2&c"),
        ("a=1&+password=x", "a=1"),
        ("%20%09password=x;password=y", ""),
        ("a=1&password%00x=y", "a=1"),
    ] {
        assert_eq!(masks.form(form.as_bytes()), left.as_bytes(), "{form}");
    }
    assert_eq!(masks.query(b"/?+password=1;b").as_ref(), b"/?+password=*****;b");
}

#[test]
fn every_occurrence_of_a_query_parameter_is_masked_and_no_other() {
    let mask = |target: &str| {
        let masked = masks(&["key", "api-key"]).query(target.as_bytes()).into_owned();
        String::from_utf8(masked).unwrap()
    };
    for (target, expected) in [
        ("/p?key=s", "/p?key=*****"),
        ("/p?monkey=1&key=s&key=t&x", "/p?monkey=1&key=*****&key=*****&x"),
        ("/p?api-key=s&Api%2DKey=t", "/p?api-key=*****&Api%2DKey=*****"),
        ("/p?a=1;key=s;b=2&key=#key=x", "/p?a=1;key=*****;b=2&key=*****#key=*****"),
        ("/key=1/p?key&a=key", "/key=1/p?key&a=key"),
        ("/p?", "/p?"),
        ("/p?&&key=1&", "/p?&&key=*****&"),
        ("https://a/?q=1&user[key]=s", "https://a/?q=1&user[key]=*****"),
        ("/p", "/p"),
        ("/p?next=https://b/?key=s&a=1", "/p?next=https://b/?key=*****&a=1"),
        ("/p?key=s?t&a=1", "/p?key=*****&a=1"),
        ("/p?key=s,t%20\"<u>&a=1", "/p?key=*****&a=1"),
        ("https://a/#key=s&b=1", "https://a/#key=*****&b=1"),
        ("https://a/#/b?key=s", "https://a/#/b?key=*****"),
    ] {
        assert_eq!(mask(target), expected);
    }
    assert_eq!(Masks::default().query(b"/p?key=s").as_ref(), b"/p?key=s");
}

#[test]
fn a_parameter_is_masked_in_every_uri_of_a_header() {
    let mask = |value: &str| {
        let masked = masks(&["key"]).queries(value.as_bytes()).into_owned();
        String::from_utf8(masked).unwrap()
    };
    for (value, expected) in [
        (
            r#"<https://a/x?page=2>; rel="next", <https://a/x?key=s>; rel="last""#,
            r#"<https://a/x?page=2>; rel="next", <https://a/x?key=*****>; rel="last""#,
        ),
        (
            r#"<https://a/x?key=s&page=1>; rel="prev",<https://a/x?page=3&key=t>; rel="next""#,
            r#"<https://a/x?key=*****&page=1>; rel="prev",<https://a/x?page=3&key=*****>; rel="next""#,
        ),
        ("https://a/?b=1, https://a/?key=s", "https://a/?b=1, https://a/?key=*****"),
        ("https://a/?key=s, https://b/?c=1", "https://a/?key=***** https://b/?c=1"),
        ("https://a/?key=s,HTTPS://b/?c=1", "https://a/?key=*****,HTTPS://b/?c=1"),
        ("https://a/?key=s,/b?key=t,&c=1", "https://a/?key=*****&c=1"),
        ("https://a/?key=[\"s\",\"t\"]", "https://a/?key=*****"),
        ("https://a/?key=s,t,u&c=1", "https://a/?key=*****&c=1"),
        ("https://a/?key=s?t&c=1", "https://a/?key=*****&c=1"),
        ("https://a/?key=s\"t&c=1", "https://a/?key=*****&c=1"),
        ("https://a/?key= s, t", "https://a/?key=*****"),
        ("5; url=https://a/?key=s#top", "5; url=https://a/?key=*****#top"),
        ("next=/x?key=s; Path=/; HttpOnly", "next=/x?key=*****; Path=/; HttpOnly"),
        (
            "default-src 'self'; report-uri /r?key=s /t",
            "default-src 'self'; report-uri /r?key=*****",
        ),
        ("https://a/cb#key=s&c=1", "https://a/cb#key=*****&c=1"),
        ("a=1; key=s", "a=1; key=s"),
        ("\"url\":\"https://a/?b=1\",\"key=s", "\"url\":\"https://a/?b=1\",\"key=s"),
    ] {
        assert_eq!(mask(value), expected);
    }
}

#[test]
fn a_header_of_very_many_uris_is_masked_in_linear_time() {
    let masks = masks(&["key"]);
    patience::assert_linear("masks of a header", 5000, |count| {
        masks.queries("/?key=s,/?a,".repeat(count).as_bytes());
    });
}

#[test]
fn a_hundred_masks_and_deep_nesting_cost_one_pass() {
    let names: Vec<String> = (0..100).map(|n| format!("secret_{n}")).collect();
    let masks = Masks::new(names);
    let item = r#"{"a":{"secret_7":{"b":[1,2,3]},"c":{"secret_99":1,"d":"x"}}},"#;
    patience::assert_linear("masks of a list", 200, |items| {
        let text = format!("[{}0]", item.repeat(items));
        let out = masks.json(&text).unwrap();
        assert_eq!(out.len(), 2 + 1 + items * r#"{"a":{"c":{"d":"x"}}},"#.len());
    });
}

/// Removes masked members by building the whole document.
fn removed(value: Value, masks: &Masks) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(name, _)| !masks.cover(name))
                .map(|(name, value)| (name, removed(value, masks)))
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(|item| removed(item, masks)).collect(),
        other => other,
    }
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "[a\"m]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[mnMab\"]{1,2}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_masked_text_is_the_document_without_these_members(document in documents(), pretty in any::<bool>()) {
        let masks = masks(&["m", "n", "a\""]);
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let text = text.unwrap();
        let out = masks.json(&text).unwrap();
        let read: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(read, removed(document, &masks));
    }
}
