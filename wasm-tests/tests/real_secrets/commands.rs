//! The commands of gatehouse-admin beside `serve`: what they say of files and addresses that hold
//! secrets.

use crate::installation::wrong_settings;
use crate::places::Places;
use crate::planted::Planted;
use serde_json::{Value, json};
use std::process::Command;
use wasm_tests::real::{Answer, Scratch, Server, service};

/// Returns a command without the variables that would stand in for flags. One that does not end by
/// itself is ended.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(service());
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("GATEHOUSE_") {
            command.env_remove(variable);
        }
    }
    command.args(words);
    command
}

/// Runs a command, and returns its exit code and what it wrote on either output.
fn run(words: &[&str]) -> (i32, Vec<u8>, Vec<u8>) {
    let output = command(words).output().expect("gatehouse-admin");
    let code = output.status.code().unwrap_or_else(|| panic!("{words:?}: {}", output.status));
    (code, output.stdout, output.stderr)
}

/// A file of Kong with one filter.
fn with_filter(name: &str, settings: &Value) -> Value {
    let filters = json!([{"name": format!("gatehouse_{name}"), "config": settings}]);
    json!({"_format_version": "3.0", "services": [{
        "name": "orders", "url": "http://127.0.0.1:9",
        "routes": [{"name": "orders", "paths": ["/"]}],
        "filter_chains": [{"name": "chain", "filters": filters}],
    }]})
}

#[test]
fn a_check_of_settings_shows_no_secret() {
    let mut planted = Planted::default();
    let scratch = Scratch::new("secrets");
    let mut all = Vec::new();
    for (name, settings) in wrong_settings(&mut planted) {
        let file = scratch.file("kong.yml", &with_filter(name, &settings).to_string());
        let (code, out, err) = run(&["check-config", &file.display().to_string()]);
        let text = String::from_utf8_lossy(&out).into_owned();
        // A variable of any name may be there in the gateway.
        let warned =
            settings == json!({"secret_env": planted.secret("secret that could be a name")});
        assert_eq!(code, i32::from(!warned), "{name}: {settings}: {text}");
        all.extend([out, err].concat());
    }
    let mut places = Places::default();
    places.add("gatehouse-admin check-config", all);
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A file of Kong with secrets of each kind, of which some cannot be stored or carried over.
fn of_kong(planted: &mut Planted) -> Value {
    let mut secret = |name: &str| planted.plant(name);
    let (key, long) =
        (secret("API key"), format!("{}{}", secret("API key that is too long"), "x".repeat(9000)));
    let (good, bad) = (secret("JWT secret"), secret("JWT secret without a use"));
    let mine = json!([
        {"key": key}, {"key": key}, {"key": long}, {"key": [key]}, {"key": format!("{key}\n")},
        {"kee": key},
    ]);
    let tokens = json!([
        {"key": "fiona", "secret": good},
        {"key": "none", "secret": bad, "algorithm": "none"},
        {"key": "rsa", "rsa_public_key": bad, "algorithm": "RS256"},
        {"key": "typed", "secret": [bad]},
    ]);
    json!({
        "_format_version": "3.0",
        "consumers": [
            {
                "username": "fiona", "keyauth_credentials": mine, "jwt_secrets": tokens,
                "basicauth_credentials": [{"username": "f", "password": secret("basic password")}],
                "hmacauth_credentials": [{"username": "f", "secret": secret("HMAC secret")}],
            },
            {"username": "ana", "keyauth_credentials": [{"key": key}]},
        ],
        "services": [{
            "name": "orders", "url": "http://127.0.0.1:9",
            "routes": [{"name": "orders", "paths": ["/"]}],
            "plugins": [
                {"name": "key-auth", "config": {"key_names": ["apikey"]}},
                {"name": "session", "config": {"secret": secret("session secret"), "storage": "cookie"}},
                {"name": "rate-limiting", "config": {"minute": 1, "policy": "redis",
                    "redis": {"host": "redis", "password": secret("password of Redis")}}},
                {"name": "moesif", "config": {"application_id": secret("Moesif application id")}},
                {"name": "ldap-auth", "config": {"bind_password": secret("a password of LDAP")}},
            ],
        }],
    })
}

#[test]
fn commands_for_files_of_kong_show_no_secret() {
    let mut planted = Planted::default();
    let scratch = Scratch::new("secrets");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let document = of_kong(&mut planted);
    let file = scratch.file("kong.yml", &document.to_string()).display().to_string();
    let database = format!("sqlite:{}", path("gatehouse.db"));
    let mut places = Places::default();

    let (code, out, err) = run(&["import", &file, "--database-url", &database]);
    let told = String::from_utf8_lossy(&err).into_owned();
    assert!(code == 1 && told.contains("refused: "), "{code}: {told}");
    places.add("gatehouse-admin import", [out, err].concat());

    let written = path("new.yml");
    let (code, out, err) = run(&["convert", &file, "--output", &written]);
    let told = String::from_utf8_lossy(&err).into_owned();
    assert!(code == 0 && told.contains("not carried over"), "{code}: {told}");
    places.add("gatehouse-admin convert: its words", [out, err].concat());
    places.add_but(
        "gatehouse-admin convert: the new file",
        std::fs::read(&written).expect("a file"),
        &["basic password", "HMAC secret", "a password of LDAP"],
        "what other plugins own is as it was",
    );

    let (code, out, err) = run(&["export", "--database-url", &database]);
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&err));
    places.add_but(
        "gatehouse-admin export",
        out,
        &["JWT secret"],
        "what `import` needs; no API key",
    );
    places.add("gatehouse-admin export: its words", [b" ".to_vec(), err].concat());
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_password_in_an_address_is_shown() {
    let mut planted = Planted::default();
    let password = planted.plant("password of an address");
    let header = planted.plant("header for an Admin API");
    let refuses = Server::start(|_| Answer::json(401, json!({"message": "Unauthorized"})));
    let scratch = Scratch::new("secrets");
    let database = format!("sqlite:{}", scratch.path().join("gatehouse.db").display());
    let mut all = Vec::new();
    for source in [
        format!("http://admin:{password}@127.0.0.1:1"),
        format!("https://admin:{password}@127.0.0.1:1/kong"),
        format!("ftp://admin:{password}@127.0.0.1"),
        format!("https://admin:{password}@[::1"),
        format!("http://{password}@{}", refuses.address()),
    ] {
        let (code, out, err) = run(&["import", &source, "--database-url", &database]);
        assert_eq!(code, 2, "{source}: {}", String::from_utf8_lossy(&err));
        all.extend([out, err].concat());
    }
    let source = format!("http://{}", refuses.address());
    for header in
        [format!("Kong-Admin-Token: {header}"), header.clone(), format!("Bad\u{e4}: {header}\n")]
    {
        let words = ["import", &source, "--database-url", &database, "--header", &header];
        let (code, out, err) = run(&words);
        assert_eq!(code, 2, "{}", String::from_utf8_lossy(&err));
        all.extend([out, err].concat());
    }
    for collector in [
        format!("http://user:{password}@127.0.0.1:1"),
        format!("https://user:{password}@127.0.0.1:1"),
        format!("http://user:{password}@[::1"),
        format!("grpc://user:{password}@127.0.0.1"),
    ] {
        let words = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &database,
            "--otlp-endpoint",
            &collector,
        ];
        let (code, out, err) = run(&words);
        assert!(![0, 124].contains(&code), "it serves with {collector}");
        all.extend([out, err].concat());
    }
    let mut places = Places::default();
    places.add("gatehouse-admin: what it says of addresses with a password", all);
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
