//! All that gatehouse-admin writes.

use crate::databases::PASSWORDS;
use crate::installation::{Installation, KNOWN_TO_THE_SERVICE, OF_THE_SERVICE};
use crate::places::Places;
use crate::planted::Planted;
use crate::process::{self, Which};
use serde_json::json;
use std::process::Command;
use wasm_tests::real::{Admin, RawRequest, service as program};

/// Adds what an installation wrote beside its gateway.
pub fn searched(installation: &Installation, places: &mut Places) {
    let Installation { planted, admin, .. } = installation;
    places.add("refusals, as clients got them", installation.refusals.clone());
    places.add("events of Moesif, with masks", installation.events.lock().expect("a lock").clone());
    asked(admin, places, planted.secret("admin token"));
    places
        .add("gatehouse-admin: traces (OTLP)", installation.spans.lock().expect("a lock").clone());
    let files: Vec<u8> = admin.database_files().into_iter().flat_map(|(_, bytes)| bytes).collect();
    places.add("gatehouse-admin: files of the database, with an encryption key", files);
    remembered(admin, places, planted);
}

/// Adds the memory of the service, which never sees what clients send to a gateway.
pub fn remembered(admin: &Admin, places: &mut Places, planted: &Planted) {
    let Some(found) = process::searched("gatehouse-admin", &[admin.id()], Which::Own, planted)
    else {
        return;
    };
    assert!(found.names().contains("gateway token") || found.names().contains("admin token"));
    let known = |name: &&str| {
        OF_THE_SERVICE.contains(name)
            || KNOWN_TO_THE_SERVICE.contains(name)
            || PASSWORDS.contains(name)
    };
    let never = planted.names().filter(|name| !known(name));
    places.add_memory("gatehouse-admin: memory", found, never, "in use, or not overwritten yet");
}

/// Adds what a service tells that has served, which is asked for everything.
pub fn asked(admin: &Admin, places: &mut Places, admin_token: &str) {
    let mut answers = Vec::new();
    let mut credentials = Vec::new();
    for path in [
        "/consumers",
        "/consumers/fiona",
        "/consumers/fiona/key-auth",
        "/key-auths",
        "/appids",
        "/acls",
        "/changes?since=0",
        "/sessions",
        "/gateways",
        "/status",
        "/identities/consumers/fiona",
    ] {
        answers.extend(admin.send(RawRequest::get(path)).body);
    }
    for path in ["/consumers/fiona/jwt", "/jwts", "/identities/jwt/fiona"] {
        credentials.extend(admin.send(RawRequest::get(path)).body);
    }
    places.add("gatehouse-admin: answers of its API", answers);
    places.add_but(
        "gatehouse-admin: answers about JWT credentials",
        credentials,
        &["JWT secret"],
        "shown to the admin's token, as Kong does; SECURITY.md",
    );
    let mut pages = Vec::new();
    for path in ["/ui", "/ui/", "/ui/app.js", "/ui/style.css"] {
        pages.extend(admin.send(RawRequest::get(path)).body);
    }
    places.add("gatehouse-admin: page at /ui", pages);
    places.add("gatehouse-admin: /metrics", admin.send(RawRequest::get("/metrics")).body);
    // Requests that it refuses, with secrets in every part.
    let mut refusals = Vec::new();
    for request in [
        RawRequest::get(format!("/consumers/{admin_token}")),
        RawRequest::get(format!("/{admin_token}?x={admin_token}")),
        RawRequest::post(
            "/consumers",
            format!("{{\"username\": 1, \"secret\": \"{admin_token}\"}}"),
        )
        .header("content-type", "application/json"),
        RawRequest::post("/consumers", admin_token).header("content-type", "application/json"),
        RawRequest::post(
            "/consumers/fiona/jwt",
            json!({"algorithm": "none", "secret": admin_token}).to_string(),
        )
        .header("content-type", "application/json"),
    ] {
        let answer = admin.send(request);
        assert!(answer.status() >= 400, "{}", answer.text());
        refusals.extend(answer.body);
    }
    places.add("gatehouse-admin: refusals of its API", refusals);
    let wrong = RawRequest::get("/consumers")
        .header("host", admin.address().to_string())
        .header("authorization", format!("Bearer not-{admin_token}"));
    assert_eq!(wrong.send(admin.address()).status(), 401);
    places.add("gatehouse-admin: log, level debug", admin.log());
}

#[test]
fn a_service_that_cannot_start_does_not_tell_its_secrets() {
    let mut planted = Planted::default();
    let password = planted.plant("password of the database");
    let redis = planted.plant("password of Redis");
    let token = planted.plant("token that is unusable");
    let key = planted.plant("encryption key that is unusable");
    let scratch = wasm_tests::real::Scratch::new("secrets");
    let database = format!("sqlite:{}", scratch.path().join("gatehouse.db").display());
    let file = |name: &str, text: &str| scratch.file(name, text).display().to_string();
    let postgres = format!("postgres://gatehouse:{password}@127.0.0.1:1/gatehouse");
    let no_address = format!("postgres://gatehouse:{password}@[::1/gatehouse");
    let no_redis = format!("redis://:{redis}@127.0.0.1:1/0");
    let bad_redis = format!("redis://:{redis}@[::1/0");
    let token_file = file("token", &format!("{token}\u{e4}\n"));
    let key_file = file("key", &key);
    let tls_key =
        file("tls", &format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"));
    let mut places = Places::default();
    let mut all = Vec::new();
    for flags in [
        vec!["--database-url", &postgres],
        vec!["--database-url", &no_address],
        vec!["--database-url", &password],
        vec!["--database-url", &database, "--redis-url", &bad_redis],
        vec!["--database-url", &database, "--redis-url", &redis],
        vec!["--database-url", &database, "--admin-token-file", &token_file],
        vec!["--database-url", &database, "--encryption-key-file", &key_file],
        vec!["--database-url", &database, "--tls-cert", &tls_key, "--tls-key", &tls_key],
    ] {
        let mut command = Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "debug"]);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("GATEHOUSE_") {
                command.env_remove(variable);
            }
        }
        // What would serve is stopped: `timeout` asks it to end.
        let output = Command::new("timeout")
            .arg("10")
            .arg(command.get_program())
            .args(command.get_args())
            .args(&flags)
            .output()
            .expect("gatehouse-admin");
        assert!(!output.status.success(), "{flags:?}: {output:?}");
        all.extend(output.stdout);
        all.extend(output.stderr);
    }
    places.add("gatehouse-admin: what it says when it cannot start", all);
    let _ = no_redis;
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
