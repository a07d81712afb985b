use super::*;

pub(crate) fn config(json: &str) -> Config {
    settings::read(json.as_bytes(), &|_| None, Config::read)
        .unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn problem(json: &str) -> String {
    settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err().to_string()
}

#[test]
fn without_settings_nothing_is_changed() {
    let config = config("{}");
    assert!(config.headers.is_empty() && config.query.is_empty() && config.body.is_empty());
    assert!(config.method.is_none() && config.uri.is_none() && config.uri_pattern.is_none());
}

#[test]
fn a_value_is_what_follows_the_colons() {
    let config =
        config(r#"{"add":{"headers":["h1:v1","h2:value:2","h3::x"],"body":["a b:c\nd"]}}"#);
    let added = |changes: &Changes| -> Vec<(String, String)> {
        changes.add.iter().map(|(name, value)| (name.clone(), value.texts().collect())).collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(added(&config.headers), [pair("h1", "v1"), pair("h2", "value:2"), pair("h3", "x")]);
    assert_eq!(added(&config.body), [pair("a b", "c\nd")]);
}

#[test]
fn each_mistake_is_refused_with_its_path() {
    for (json, says) in [
        (r#"{"http_method":"get"}"#, "http_method: "),
        (r#"{"http_method":"CONNECT"}"#, "http_method: found CONNECT"),
        (r#"{"add":{"headers":["novalue"]}}"#, "add.headers[0]: "),
        (r#"{"add":{"headers":["empty:"]}}"#, "add.headers[0]: "),
        (r#"{"add":{"headers":["ok:1","a b:1"]}}"#, "add.headers[1]: "),
        (r#"{"add":{"headers":["a:b\r\nc"]}}"#, "add.headers[0]: "),
        (r#"{"append":{"body":["x"]}}"#, "append.body[0]: "),
        (r#"{"rename":{"headers":["a:b c"]}}"#, "rename.headers[0]: "),
        (r#"{"remove":{"headers":["a b"]}}"#, "remove.headers[0]: "),
        (r#"{"remove":{"uri":"/"}}"#, "remove.uri: found an unknown"),
        (r#"{"replace":{"uri":"x"}}"#, "replace.uri: "),
        (r#"{"replace":{"uri":"/a/%2e%2E/b"}}"#, "replace.uri: found a path that"),
        (r#"{"replace":{"uri":"//b"}}"#, "replace.uri: found a path that"),
        (r#"{"uri_pattern":"("}"#, "uri_pattern: found another text (unclosed group)"),
        (r#"{"uri_pattern":"a)|(b"}"#, "uri_pattern: found another text (unopened group)"),
        (
            r#"{"add":{"querystring":["q:$(os.exit())"]}}"#,
            "add.querystring[0]: found another text (unknown source",
        ),
        (r#"{"add":{"headers":["q:$(uri_captures.a)"]}}"#, "add.headers[0]: found a capture"),
        (
            r#"{"uri_pattern":"/(?<a>x)","add":{"headers":["q:$(uri_captures.b)"]}}"#,
            "found a capture",
        ),
        (
            r#"{"uri_pattern":"/(?<a>x)","add":{"headers":["q:$(uri_captures[2])"]}}"#,
            "found a capture",
        ),
    ] {
        let problem = problem(json);
        assert!(problem.contains(says), "{json}: {problem}");
    }
    config(
        r#"{"uri_pattern":"/(?<a>x)","replace":{"uri":"/$(uri_captures.a)/$(uri_captures[1])"}}"#,
    );
}

#[test]
fn identity_headers_cannot_be_set() {
    for name in [
        "X-Consumer-ID",
        "x_consumer_username",
        "X-Credential_Identifier",
        "x-anonymous-consumer",
        "X-Authenticated-Groups",
        "X-Consumer-Groups",
        "X-Consumer-Custom-ID",
    ] {
        for json in [
            format!(r#"{{"add":{{"headers":["{name}:root"]}}}}"#),
            format!(r#"{{"append":{{"headers":["{name}:root"]}}}}"#),
            format!(r#"{{"replace":{{"headers":["{name}:$(headers.x)"]}}}}"#),
            format!(r#"{{"rename":{{"headers":["x-user:{name}"]}}}}"#),
        ] {
            assert!(problem(&json).contains("found a header that the gateway"), "{json}");
        }
        // Removing or renaming a header forges nothing.
        config(&format!(r#"{{"remove":{{"headers":["{name}"]}}}}"#));
        config(&format!(r#"{{"rename":{{"headers":["{name}:x-user"]}}}}"#));
    }
}

#[test]
fn the_protocols_own_headers_are_nobodys() {
    for name in ["Content-Length", "transfer_encoding", "Connection", "TE", "Upgrade"] {
        for json in [
            format!(r#"{{"remove":{{"headers":["{name}"]}}}}"#),
            format!(r#"{{"rename":{{"headers":["{name}:x"]}}}}"#),
            format!(r#"{{"rename":{{"headers":["x:{name}"]}}}}"#),
            format!(r#"{{"add":{{"headers":["{name}:1"]}}}}"#),
        ] {
            assert!(problem(&json).contains("found a header that the gateway"), "{json}");
        }
    }
}

#[test]
fn a_value_that_may_be_a_credential_is_in_no_message() {
    let told = problem(r#"{"add":{"headers":["Authorization:Basic c2VjcmV0$(nothing)"]}}"#);
    assert!(told.contains("add.headers[0]") && !told.contains("c2VjcmV0"), "{told}");
}

#[test]
fn claims_are_asked_for_only_where_a_template_uses_them() {
    assert!(!config(r#"{"add":{"body":["a:$(consumer.id)"]}}"#).uses_claims);
    assert!(config(r#"{"add":{"body":["a:$(headers.x or claims.sub)"]}}"#).uses_claims);
}

#[test]
fn the_query_is_read_where_something_depends_on_it() {
    for (json, expected) in [
        (r#"{"add":{"headers":["a:$(headers.x)"]},"remove":{"body":["a"]}}"#, false),
        (r#"{"http_method":"POST","uri_pattern":"/a"}"#, false),
        (r#"{"add":{"headers":["a:$(headers.x or query_params.a)"]}}"#, true),
        (r#"{"rename":{"querystring":["a:b"]}}"#, true),
        (r#"{"replace":{"uri":"/x"}}"#, true),
        (r#"{"http_method":"GET"}"#, true),
    ] {
        assert_eq!(config(json).reads_query(), expected, "{json}");
    }
}
