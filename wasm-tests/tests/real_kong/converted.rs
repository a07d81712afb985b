//! Files that `gatehouse-admin convert` makes of Kong's own plugins: Kong starts with each, and
//! gives the answers that Envoy gives with its own file.

#[path = "../../../tools/gateway-files/tests/answers/mod.rs"]
mod answers;

use answers::{
    APP_ID, AUTH0, GROUPS, SCOPES, SESSION, UPSTREAM_JWT, UPSTREAMS, WEB_SHOP, echo, nowhere,
    served_at, variable,
};
use gateway_files::convert::{Options, Target, convert};
use serde_json::Value;
use std::path::Path;
use wasm_tests::real::{Kong, KongFiles};

/// Takes out what only decK reads, and names what a reference of decK names.
fn as_deck_sends(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !["_info", "_konnect"].contains(&name.as_str()));
            for kind in ["service", "route", "consumer"] {
                let Some(reference) = members.get_mut(kind) else { continue };
                let name = reference.get("name").or(reference.get("username")).cloned();
                if let Some(name) =
                    name.filter(|_| reference.as_object().is_some_and(|it| it.len() == 1))
                {
                    *reference = name;
                }
            }
            members.values_mut().for_each(as_deck_sends);
        }
        Value::Array(items) => items.iter_mut().for_each(as_deck_sends),
        _ => {}
    }
}

/// Starts a Kong with a file for its own plugins, as it was before the conversion.
#[track_caller]
fn start_before(name: &str, text: &str) -> Kong {
    let mut files = KongFiles { listeners: vec!["main".to_owned()], ..KongFiles::default() };
    files.on_one_machine(1);
    files.set("router_flavor", "traditional");
    files.environment.push(("KONG_PLUGINS".to_owned(), PLUGINS.to_owned()));
    files.declarative = text.to_owned();
    Kong::try_run(&files).unwrap_or_else(|log| panic!("{name}: {log}"))
}

/// Kong's own plugins of the files.
const PLUGINS: &str = "acl,basic-auth,bot-detection,correlation-id,cors,ip-restriction,jwt,key-auth,prometheus,\
                       rate-limiting,request-termination,request-transformer,session";

/// Converts a file, and starts a Kong with the result and the lines that its head asks for.
#[track_caller]
fn start(name: &str, text: &str) -> Kong {
    let options = Options { to: Target::Kong, inline_secrets: false, admin: None };
    let converted = convert(text, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut document: Value = serde_norway::from_str(&converted.text).expect("YAML");
    as_deck_sends(&mut document);
    let mut files = KongFiles { listeners: vec!["main".to_owned()], ..KongFiles::default() };
    for line in converted.text.lines().filter_map(|line| line.strip_prefix("#   ")) {
        let (key, value) = line.split_once(" = ").expect("a line of kong.conf");
        files.set(key, value);
    }
    files.on_one_machine(1);
    // The documents' order of routes, which the file for Envoy has (docs/migrating/README.md).
    files.set("router_flavor", "traditional");
    let variables = converted.variables.iter();
    files.environment =
        variables.map(|(name, from)| (name.clone(), variable(name, from))).collect();
    files.environment.push(("KONG_PLUGINS".to_owned(), PLUGINS.to_owned()));
    files.declarative = document.to_string();
    let declarative = files.declarative.clone();
    files.use_built_filters(&declarative);
    Kong::try_run(&files).unwrap_or_else(|log| panic!("{name}: {log}"))
}

#[test]
#[ignore = "needs a real Kong"]
fn kong_starts_with_every_converted_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/gateway-files/tests/kong");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the files").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let kong = start(&entry.path().display().to_string(), &served_at(&text, nowhere()));
        kong.assert_sound();
        count += 1;
    }
    assert!(count >= 15);
}

#[test]
#[ignore = "needs a real Kong"]
fn converted_files_give_the_same_answers_as_on_envoy() {
    for case in [SESSION, AUTH0, APP_ID, UPSTREAM_JWT, SCOPES, GROUPS, UPSTREAMS, WEB_SHOP] {
        let kong = start(case.name, &case.file(echo()));
        case.send(kong.address("main"), true, || kong.log());
        kong.assert_sound();
    }
}

/// The App ID plugin was never published, kong-upstream-jwt-extended is not part of Kong, and its
/// session plugin keeps sessions in a database.
#[test]
#[ignore = "needs a real Kong"]
fn kongs_own_plugins_gave_the_same_answers_before_the_conversion() {
    for case in [AUTH0, SCOPES, GROUPS, UPSTREAMS, WEB_SHOP] {
        let kong = start_before(case.name, &case.file(echo()));
        case.send(kong.address("main"), true, || kong.log());
    }
}
