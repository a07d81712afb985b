//! A gatehouse-admin with many consumers, each of whom has an API key and an App ID.

use super::Point;
use super::series::key;
use crate::case::{case, plain};
use crate::fixture::Fixture;
use crate::link::Link;
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use wasm_tests::real::Admin;

/// Stores so many consumers. They are written into the database while the service is down: over
/// its API a million would take ten minutes.
pub(super) fn add(admin: &mut Admin, consumers: usize) {
    admin.stop();
    let script = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/bench_crowd.py"));
    let status = Command::new("python3")
        .arg(script)
        .arg(admin.database())
        .arg(consumers.to_string())
        .status()
        .expect("python3");
    assert!(status.success(), "{status}");
    admin.resume();
}

/// The App ID of a consumer of a crowd.
pub(super) fn app_id(number: usize) -> String {
    format!("org.example.app-{number}")
}

/// Decisions about the last consumer of a crowd, which is remembered after the first request.
pub(super) fn points(fixture: &Fixture, consumers: usize) -> Vec<Point> {
    let admin = || json!({"admin": fixture.admin()});
    let request = || plain().header("apikey", key(consumers));
    let app_ids = [Link::ours("key_auth", admin()), Link::ours("app_id", admin())];
    let with_app_id = request().header("x-app-id", app_id(consumers));
    vec![
        Point {
            series: "key_auth, consumers at gatehouse-admin, cached",
            size: consumers,
            case: case("", [Link::ours("key_auth", admin())], request()),
        },
        Point {
            series: "key_auth and app_id, consumers at gatehouse-admin, cached",
            size: consumers,
            case: case("", app_ids, with_app_id),
        },
    ]
}
