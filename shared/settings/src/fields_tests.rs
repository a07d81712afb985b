use super::*;

#[derive(Debug, PartialEq)]
struct Example {
    names: Vec<String>,
    deep: Option<u64>,
    on: bool,
    realm: Option<String>,
    kind: Option<u8>,
    token: Option<String>,
    items: Vec<String>,
    map: Vec<(String, Vec<String>)>,
}

fn build(f: &mut Fields<'_>) -> Example {
    Example {
        names: f.texts("names", Rule::HEADER_NAME).unwrap_or_else(|| vec!["apikey".into()]),
        deep: f.object("deep", |f| f.integer("n", 1..=9, 5)),
        on: f.flag("on", true),
        realm: f.text("realm", Rule::QUOTABLE),
        kind: f.choice("kind", &[("a", 1), ("b", 2)]),
        token: f.secret("token", "token_env", Rule::WORD),
        items: f.objects("items", |f| f.required_text("name", Rule::TEXT)),
        map: f.lists_by_name("map", Rule::WORD),
    }
}

fn parse(json: &str) -> Result<Example, Invalid> {
    read(json.as_bytes(), &|name| (name == "TOKEN").then(|| "from-env".to_owned()), build)
}

fn paths(json: &str) -> Vec<String> {
    parse(json).unwrap_err().problems().iter().map(|p| p.path.clone()).collect()
}

#[test]
fn what_is_left_out_gets_its_default() {
    for nothing in
        ["", " ", "{}", r#""""#, r#""{}""#, "[]", r#"{"realm":"","names":null,"token":""}"#]
    {
        let example = parse(nothing).unwrap();
        assert_eq!(example.names, ["apikey"], "{nothing}");
        assert_eq!((example.on, example.realm, example.token), (true, None, None));
    }
}

#[test]
fn a_string_that_holds_the_object_is_read_like_the_object() {
    assert!(!parse(r#""{\"on\":false}""#).unwrap().on);
}

#[test]
fn an_empty_object_stands_for_an_empty_list() {
    let example = parse(r#"{"names":{},"items":{},"map":{"x":{}}}"#).unwrap();
    assert!(example.names.is_empty() && example.items.is_empty());
    assert_eq!(example.map, [("x".to_owned(), vec![])]);
}

#[test]
fn all_problems_are_reported_at_once_with_their_paths() {
    let json = r#"{"names":["ok","a b",7],"deep":{"n":0,"m":1},"on":"yes","kind":"c","items":[{},{"name":1},2],"map":{"x":["a b"],"y":3},"zzz":1}"#;
    assert_eq!(
        paths(json),
        [
            "names[1]",
            "names[2]",
            "deep.n",
            "deep.m",
            "on",
            "kind",
            "items[0].name",
            "items[1].name",
            "items[2]",
            "map.x[0]",
            "map.y",
            "zzz"
        ]
    );
}

#[test]
fn a_message_says_what_was_found_and_what_is_expected() {
    let error = parse(r#"{"deep":{"n":12}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid configuration: deep.n: found 12, expected a whole number from 1 to 9"
    );
    let error = parse("[1]").unwrap_err();
    assert_eq!(error.to_string(), "invalid configuration: found a list, expected an object");
    let error = parse("{\n \"on\": tru}").unwrap_err();
    assert!(error.to_string().contains("malformed JSON at line 2 column"), "{error}");
}

#[test]
fn a_found_text_is_short_and_on_one_line() {
    let error =
        parse(&format!(r#"{{"realm":"\u0000\n{}"}}"#, "x".repeat(5000))).unwrap_err().to_string();
    assert!(error.len() < 200 && !error.contains('\n'), "{error}");
}

#[test]
fn a_secret_comes_from_the_document_or_from_the_environment_and_is_never_quoted() {
    assert_eq!(parse(r#"{"token":"abc"}"#).unwrap().token.as_deref(), Some("abc"));
    assert_eq!(parse(r#"{"token_env":"TOKEN"}"#).unwrap().token.as_deref(), Some("from-env"));
    for json in [
        r#"{"token":"geheim geheim"}"#,
        r#"{"token":["geheim"]}"#,
        r#"{"token":"geheim","token_env":"TOKEN"}"#,
    ] {
        let error = parse(json).unwrap_err().to_string();
        assert!(!error.contains("geheim") && error.contains("token"), "{error}");
    }
    assert_eq!(paths(r#"{"token_env":"NOPE"}"#), ["token_env"]);
    let error = parse(r#"{"token_env":"NOPE"}"#).unwrap_err().to_string();
    assert!(error.contains("`NOPE`"), "{error}");
    // An operator has put the secret where the name of its variable belongs.
    for json in [
        r#"{"token_env":"geheim-geheim"}"#,
        r#"{"token_env":"geheim"}"#,
        r#"{"token_env":"a1Geheim2b"}"#,
        r#"{"token_env":["geheim"]}"#,
    ] {
        let error = parse(json).unwrap_err().to_string();
        assert!(!error.to_lowercase().contains("geheim") && error.contains("token_env"), "{error}");
    }
}

#[test]
fn a_text_where_a_list_or_an_object_belongs_is_not_quoted() {
    for json in [
        r#"{"items":"geheim"}"#,
        r#"{"items":["geheim"]}"#,
        r#"{"names":"geheim"}"#,
        r#"{"map":"geheim"}"#,
        r#"{"map":{"x":"geheim"}}"#,
        r#"{"deep":"geheim"}"#,
    ] {
        let error = parse(json).unwrap_err().to_string();
        assert!(!error.contains("geheim") && error.contains("found a text"), "{error}");
    }
}

#[test]
fn numbers_as_lua_writes_them_are_whole() {
    assert_eq!(parse(r#"{"deep":{"n":5.0}}"#).unwrap().deep, Some(5));
    assert_eq!(parse(r#"{"deep":{"n":1e0}}"#).unwrap().deep, Some(1));
    assert_eq!(paths(r#"{"deep":{"n":5.5}}"#), ["deep.n"]);
    assert_eq!(paths(r#"{"deep":{"n":-1}}"#), ["deep.n"]);
}

#[test]
fn the_schema_lists_every_setting() {
    let schema = schema(build);
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["deep", "items", "kind", "map", "names", "on", "realm", "token", "token_env"]
    );
    assert_eq!(schema["properties"]["deep"]["properties"]["n"]["maximum"], 9);
    let item = &schema["properties"]["items"]["anyOf"][0]["items"];
    assert_eq!(item["required"], json!(["name"]));
    assert_eq!(item["additionalProperties"], false);
}

proptest::proptest! {
    #[test]
    fn no_document_panics(text in "[\\[\\]{}:,\"a-z0-9 \\\\]{0,64}") {
        let _ = parse(&text);
    }
}

#[test]
fn an_object_of_texts_and_one_of_anything_keep_the_operators_names() {
    let build = |f: &mut Fields<'_>| (f.texts_by_name("t", Rule::WORD), f.any_object("o"));
    let parse = |text: &str| read(text.as_bytes(), &|_| None, build);
    let (texts, object) = parse(r#"{"t":{"X-A":"a"},"o":{"b":[1,{"c":null}]}}"#).unwrap();
    assert_eq!(texts, [("X-A".to_owned(), "a".to_owned())]);
    assert_eq!(Value::Object(object), json!({"b": [1, {"c": null}]}));
    assert_eq!(parse("{}").unwrap(), (Vec::new(), Map::new()));
    for (text, path) in [
        (r#"{"t":{"a":""}}"#, "t.a"),
        (r#"{"t":{"a":1}}"#, "t.a"),
        (r#"{"t":[]}"#, "t"),
        (r#"{"o":"x"}"#, "o"),
    ] {
        assert_eq!(parse(text).unwrap_err().problems()[0].path, path, "{text}");
    }
}

#[test]
fn secrets_come_from_the_list_and_from_the_environment_and_are_never_shown() {
    let build = |f: &mut Fields<'_>| f.secrets("old", "old_env", Rule::WORD);
    let env = |name: &str| match name {
        "OLD" => Some("from-env".to_owned()),
        "BAD" => Some("hush hush".to_owned()),
        _ => None,
    };
    let parse = |text: &str| read(text.as_bytes(), &env, build);
    assert_eq!(parse(r#"{"old":["a","b"],"old_env":["OLD"]}"#).unwrap(), ["a", "b", "from-env"]);
    assert_eq!(parse(r#"{"old":{}}"#).unwrap(), Vec::<String>::new());
    for (text, path) in [
        (r#"{"old":"hush"}"#, "old"),
        (r#"{"old":["a","hush hush"]}"#, "old[1]"),
        (r#"{"old":[["hush"]]}"#, "old[0]"),
        (r#"{"old_env":["OLD","NONE"]}"#, "old_env[1]"),
        (r#"{"old_env":["BAD"]}"#, "old_env[0]"),
        (r#"{"old_env":["hush-hush"]}"#, "old_env[0]"),
        (r#"{"old_env":["hush"]}"#, "old_env[0]"),
        (r#"{"old_env":"hush"}"#, "old_env"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.problems()[0].path, path, "{text}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
    let schema = schema(build);
    let item = &schema["properties"]["old"]["anyOf"][0]["items"];
    assert_eq!(
        item["not"]["not"]["pattern"], "^[!-~]+$",
        "Kong would show what is under `pattern`"
    );
    assert_eq!(schema["properties"]["old_env"]["anyOf"][0]["type"], "array");
}

#[test]
fn what_stands_where_a_secret_is_looked_for_is_shown_only_if_it_is_a_path() {
    const PLACE: Rule = Rule {
        what: "a place",
        pattern: Some("^env://"),
        max: 100,
        check: |text| text.starts_with("env://"),
    };
    let build = |f: &mut Fields<'_>| f.place_of_secret("place", PLACE);
    let parse = |text: &str| read(text.as_bytes(), &|_| None, build);
    assert_eq!(parse(r#"{"place":"env://KEY"}"#).unwrap().as_deref(), Some("env://KEY"));
    assert_eq!(parse(r#"{"place":""}"#).unwrap(), None);
    let path = parse(r#"{"place":"/etc/key.pem"}"#).unwrap_err().to_string();
    assert!(path.contains("place: found \"/etc/key.pem\", expected a place"), "{path}");
    for text in [r#"{"place":"hush"}"#, r#"{"place":["hush"]}"#, r#"{"place":"-----hush"}"#] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains("place: found something else (not shown)"), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
    let schema = schema(build);
    assert_eq!(schema["properties"]["place"].get("pattern"), None);
    assert_eq!(schema["properties"]["place"]["not"]["not"]["pattern"], "^$|^env://");
}

#[test]
fn no_message_and_no_kong_shows_the_password_of_an_address() {
    const ADDRESS: Rule = Rule {
        what: "an address without a user",
        pattern: Some("^https?://[^/@]+/"),
        max: 100,
        check: |text| text.starts_with("http") && !text.contains('@'),
    };
    let build = |f: &mut Fields<'_>| f.text("uri", ADDRESS);
    let parse = |text: &str| read(text.as_bytes(), &|_| None, build).unwrap_err().to_string();
    for address in ["https://me:hush@idp/keys", "https://me:hush@idp", "ftp://hush@idp?x"] {
        let error = parse(&format!(r#"{{"uri":"{address}"}}"#));
        assert!(error.contains("uri: found an address with a user (not shown)"), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
    let error = parse(r#"{"uri":"ftp://idp/me@here"}"#);
    assert!(error.contains("found \"ftp://idp/me@here\""), "{error}");
    assert_eq!(schema(build)["properties"]["uri"].get("pattern"), None);
}

#[test]
fn a_null_can_be_told_from_nothing() {
    let build = |f: &mut Fields<'_>| (f.is_null("on"), f.is_given("on"), f.flag("on", true));
    let parse = |text: &str| read(text.as_bytes(), &|_| None, build).unwrap();
    assert_eq!(parse(r#"{"on":null}"#), (true, false, true));
    assert_eq!(parse("{}"), (false, false, true));
    assert_eq!(parse(r#"{"on":false}"#), (false, true, false));
}

#[test]
fn a_setting_without_a_meaning_here_may_be_anything_and_is_in_the_schema() {
    let build = |f: &mut Fields<'_>| f.unused("redis");
    for json in ["{}", r#"{"redis":null}"#, r#"{"redis":{"host":"h"}}"#, r#"{"redis":7}"#] {
        assert!(read(json.as_bytes(), &|_| None, build).is_ok(), "{json}");
    }
    assert_eq!(schema(build)["properties"]["redis"], serde_json::json!({}));
    assert!(read(b"{\"radis\":1}", &|_| None, build).is_err());
}
