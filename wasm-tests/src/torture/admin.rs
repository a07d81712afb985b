//! The answers of gatehouse-admin and of the collector to the chain on a pretend gateway.

use super::shape::{APP, KEY};
use crate::callouts::{Answer, Callout};
use crate::message::Response;
use serde_json::{Value, json};

/// Answers a callout: to the collector, or to the service with the consumers of
/// [`super::Services`].
pub fn answer(call: &Callout) -> Answer {
    let path = call.path();
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if call.upstream == "collector" {
        return match path.as_slice() {
            ["v1", "events", ..] => Response::json(201, "{}"),
            ["v1", "config"] => Response::json(200, r#"{"sample_rate":100}"#),
            _ => Response::json(200, "[]"),
        }
        .into();
    }
    let (status, mut document) = match found(&path, query) {
        Some(document) => (200, document),
        None => (404, json!({"message": "Not found"})),
    };
    document["seq"] = json!(1);
    Response::json(status, document.to_string()).into()
}

fn consumer(username: &str) -> Value {
    let id = match username {
        "ana" => "0000000a-0000-4000-8000-000000000001",
        _ => "0000000a-0000-4000-8000-000000000002",
    };
    json!({"id": id, "username": username, "custom_id": null})
}

fn identity(username: &str, kind: &str, identifier: &str) -> Value {
    json!({
        "consumer": consumer(username), "groups": [],
        "credential": {"id": identifier, "type": kind, "identifier": identifier},
    })
}

fn found(path: &[&str], query: &str) -> Option<Value> {
    let of = |username: &str| {
        [consumer(username)["id"].as_str().unwrap_or_default().to_owned(), username.to_owned()]
    };
    let named =
        |name: &str| ["ana", "ado"].into_iter().find(|known| of(known).contains(&name.to_owned()));
    match path {
        ["changes"] => Some(json!({"data": [], "next": 1, "epoch": "one", "reset": false})),
        ["identities", "key-auth", digest] => {
            let known = [("ana", KEY), ("ado", "key-of-ado")];
            let (username, key) = known
                .into_iter()
                .find(|(_, key)| jose::hash::sha256_hex(key.as_bytes()) == *digest)?;
            let mut holder = identity(username, "key-auth", &format!("of-{username}"));
            holder["digest"] = json!(jose::hash::sha256_hex(key.as_bytes()));
            Some(holder)
        }
        ["identities", "jwt", "adokey"] => {
            let mut holder = identity("ado", "jwt", "adokey");
            holder["jwt"] = json!({"algorithm": "HS256", "secret": "supersecret"});
            Some(holder)
        }
        ["identities", "consumers", name] => {
            Some(json!({"consumer": consumer(named(name)?), "groups": []}))
        }
        ["consumers", name, "appids"] => Some(page(named(name)?)),
        ["appids"] => {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, name) = pairs.find(|(name, _)| *name == "consumer_id")?;
            Some(page(named(name)?))
        }
        _ => None,
    }
}

fn page(username: &str) -> Value {
    let app_id = if username == "ana" { APP } else { "partners" };
    let id = consumer(username)["id"].clone();
    json!({"total": 1, "data": [
        {"id": "1", "consumer_id": id, "appid": app_id, "created_at": 1_541_419_735_000_u64},
    ]})
}
