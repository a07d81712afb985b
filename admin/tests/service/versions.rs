//! `tests/versions` keeps the answers of each released version and a database that it has left. The
//! present version still has to give these answers, to read them, and to open the database.
//!
//! A file of a version never changes after its release. A release adds its own.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::program::{Program, digest, text};

/// The versions that were released, and this one.
const VERSIONS: [&str; 1] = ["0.1.0"];

/// Returns the requests of a version's filters with the answers of its service.
fn exchanges(version: &str) -> Vec<Value> {
    serde_json::from_str(&read(&format!("{version}.json"))).unwrap()
}

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/versions");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn filters_of_each_version_get_the_answers_that_they_know() {
    for version in VERSIONS {
        let program = Program::on_sqlite();
        for exchange in exchanges(version) {
            let (method, path) = (text(&exchange["method"]), text(&exchange["path"]));
            let answer = match exchange.get("body") {
                Some(body) => program.json(&method, &path, body),
                None => program.send(&method, &path, &[], b""),
            };
            let status = u16::try_from(exchange["status"].as_u64().unwrap()).unwrap();
            let found = answer.expect(status);
            if let Some(expected) = exchange.get("answer") {
                assert_holds(&found, expected, &format!("{version}: {method} {path}: "));
            }
        }
    }
}

/// Fails unless `found` has each member of `expected`, of the same kind. A list has to be as long.
#[track_caller]
fn assert_holds(found: &Value, expected: &Value, at: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                let found = found.get(name).unwrap_or_else(|| panic!("{at}{name} is missing"));
                assert_holds(found, expected, &format!("{at}{name}."));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}");
            found.iter().zip(expected).for_each(|(f, e)| assert_holds(f, e, at));
        }
        // Times and random numbers differ.
        (Value::Number(_), Value::Number(_)) => {}
        (Value::String(found), Value::String(expected)) if at.ends_with("epoch.") => {
            assert_eq!(found.len(), expected.len(), "{at}");
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

#[test]
fn filters_of_this_version_read_the_answers_of_each_version() {
    fn reads<T: DeserializeOwned>(answer: &Value) {
        let read = serde_json::from_value::<T>(answer.clone());
        assert!(read.is_ok(), "{answer}: {:?}", read.err());
    }
    for exchange in VERSIONS.into_iter().flat_map(exchanges) {
        let (path, answer) = (text(&exchange["path"]), &exchange["answer"]);
        let path = path.split('?').next().unwrap();
        match (path, exchange["status"].as_u64(), exchange["method"].as_str()) {
            (_, _, Some("DELETE")) | (_, Some(201), _) => {}
            (_, Some(404), _) => reads::<admin_api::NotFound>(answer),
            ("/changes", ..) => reads::<admin_api::ChangesPage>(answer),
            ("/appids" | "/consumers/fiona/appids", ..) => reads::<admin_api::AppIdPage>(answer),
            ("/identities/key-auth", ..) => reads::<admin_api::HolderPage>(answer),
            ("/counters", ..) => reads::<admin_api::Totals>(answer),
            _ if path.starts_with("/identities/jwt/") => reads::<admin_api::JwtIdentity>(answer),
            _ if path.starts_with("/identities/") => reads::<admin_api::Identity>(answer),
            _ if path.starts_with("/sessions/") => reads::<admin_api::Session>(answer),
            _ if path.starts_with("/revocations/") => reads::<admin_api::Revocation>(answer),
            _ => panic!("{path}"),
        }
    }
}

#[test]
fn a_database_of_each_version_opens_with_everything_in_it() {
    for version in VERSIONS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gatehouse.db");
        let url = format!("sqlite:{}", file.display());
        crate::durability::execute(&format!("{url}?mode=rwc"), &read(&format!("{version}.sql")));
        let program = Program::start(&url, &[]);
        let asked = format!("/identities/key-auth/{}", digest("open_sesame"));
        let identity = program.get(&asked).expect(200);
        assert_eq!(identity["consumer"]["username"], "fiona", "{version}");
        assert_eq!(identity["groups"][0], "gold");
        let jwt = program.get("/identities/jwt/issuer").expect(200);
        assert_eq!(jwt["jwt"]["secret"], "a-secret-of-an-issuer-of-tokens-");
        program.get("/consumers/fiona/appids/Portal").expect(200);
        assert_eq!(
            program.get(&format!("/sessions/{}", "5e".repeat(32))).expect(200)["data"],
            "c2VhbGVk"
        );
        program.key("fiona", "another");
    }
}
