//! Lua plugins before the filters: Kong's own authentication plugins, and an operator's code.

use crate::fixture::{Fixture, filter, header};
use serde_json::{Value, json};
use wasm_tests::real::{Filter, Kong, KongFiles, RawRequest, Setup};
use wasm_tests::refused_with;

/// Code in the sandbox that Kong has by default.
fn post_function(code: &str) -> Value {
    json!({"name": "post-function", "config": {"access": [code]}})
}

/// A filter that shows the caller's identity in a header.
fn reader() -> Filter {
    let transformer = json!({"add": {"headers": ["X-Caller:$(consumer.username or 'nobody')"]}});
    filter("request_transformer", &transformer)
}

/// A filter that refuses `root`, and answers 500 to a caller without identity.
fn bouncer() -> Filter {
    let root = json!({"match": {"paths": ["/inside"], "consumers": ["root"]}, "status_code": 403, "message": "Not you"});
    filter("request_termination", &root)
}

#[test]
#[ignore = "needs a real Kong"]
fn filters_read_whom_lua_code_has_written_into_the_variable() {
    let code = r#"
        local name = kong.request.get_query_arg("as")
        if name then
          ngx.var.gatehouse_consumer = '{"id":"7","username":"' .. name .. '"}'
        end
    "#;
    let fixture = Fixture::with(
        |setup: Setup| setup.kong_plugin(post_function(code)),
        |_| vec![bouncer(), reader()],
    );
    let caller = |path: &str| header(&fixture.passed(&RawRequest::get(path)), "x-caller");
    assert_eq!(caller("/?as=ana").as_deref(), Some("ana"));
    assert_eq!(caller("/").as_deref(), Some("nobody"), "of another request");
    assert_eq!(fixture.refused(&RawRequest::get("/inside?as=root")), refused_with(403, "Not you"));
}

#[test]
#[ignore = "needs a real Kong"]
fn text_from_lua_that_is_no_identity_lets_no_request_through() {
    let code = "ngx.var.gatehouse_consumer = kong.request.get_header('x-raw')";
    let fixture = Fixture::with(
        |setup: Setup| setup.kong_plugin(post_function(code)),
        |_| {
            let apps = json!({"admin": {"upstream": "admin"}});
            vec![filter("app_id", &apps)]
        },
    );
    for raw in ["root", "{", "[]", "7", r#"{"username":7}"#, &"[".repeat(5000)] {
        let request = RawRequest::get("/").header("x-raw", raw).header("x-app-id", "portal");
        let before = fixture.upstream.count();
        let status = fixture.send(&request).status();
        assert!([401, 500, 503].contains(&status), "{raw}: {status}");
        assert_eq!(fixture.upstream.count(), before, "{raw}");
    }
}

/// Kong's own plugin authenticates, and the post-function of `kong-config/kong.yml` publishes the
/// identity.
#[test]
#[ignore = "needs a real Kong"]
fn filters_know_whom_kongs_own_key_auth_has_authenticated() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../kong-config/kong.yml");
    let shipped = std::fs::read_to_string(shipped).expect("kong.yml");
    let shipped: Value = serde_norway::from_str(&shipped).expect("YAML");
    let published = shipped["plugins"].as_array().expect("plugins").iter();
    let fixture = Fixture::with(
        |setup: Setup| {
            let own = json!({"name": "key-auth", "config": {"key_names": ["apikey"]}});
            let mut setup = setup
                .kong_plugin(own)
                .kong_conf("untrusted_lua", "sandbox")
                .kong_conf("untrusted_lua_sandbox_requires", "cjson.safe,kong.plugins.acl.groups");
            for plugin in published {
                setup = setup.kong_plugin(plugin.clone());
            }
            setup.kong_entities(json!({"consumers": [
                {"username": "fiona", "keyauth_credentials": [{"key": "open_sesame"}],
                    "acls": [{"group": "gold"}]},
                {"username": "bob", "keyauth_credentials": [{"key": "key-of-bob"}]},
                {"username": "root", "keyauth_credentials": [{"key": "key-of-root"}]},
            ]}))
        },
        |_| {
            let limits = json!({"minute": 100, "limits": [{"groups": ["gold"], "minute": 1000}]});
            vec![bouncer(), filter("rate_limiting", &limits), reader()]
        },
    );
    let by = |key: &str| RawRequest::get("/inside").header("apikey", key);
    assert_eq!(header(&fixture.passed(&by("open_sesame")), "x-caller").as_deref(), Some("fiona"));
    assert_eq!(fixture.refused(&by("key-of-root")), refused_with(403, "Not you"));
    assert_eq!(fixture.refused(&by("wrong")).0, 401, "by Kong's plugin");
    for (key, limit) in [("open_sesame", "1000"), ("key-of-bob", "100")] {
        let told = fixture.send(&by(key)).header("x-ratelimit-limit-minute");
        assert_eq!(told.as_deref(), Some(limit), "{key}");
    }
}

#[test]
#[ignore = "needs a real Kong"]
fn kong_refuses_a_configuration_that_a_filters_schema_refuses() {
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let good = filter("cors", &json!({"max_age": 60}));
    let bad = filter("cors", &json!({"max_age": "soon", "colour": "red"}));
    let files = |filter| KongFiles::of(&Setup::new(nowhere, vec![filter]));
    assert_eq!(Kong::accepts(&files(good)), Ok(()));
    let said = Kong::accepts(&files(bad)).expect_err("a refusal");
    assert!(said.contains("colour") || said.contains("max_age"), "{said}");
}
