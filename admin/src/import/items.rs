//! The items in the objects of a declarative file or of an Admin API.

use serde_json::{Map, Value};

use crate::api::{Item, What};

/// The lists of items, by their names in a declarative file.
pub(super) const LISTS: [(&str, What); 5] = [
    ("consumers", What::Consumer),
    ("keyauth_credentials", What::Key),
    ("jwt_secrets", What::Jwt),
    ("acls", What::Group),
    ("appids", What::AppId),
];

/// The members of a consumer in Kong's files that no consumer has here.
const ELSEWHERE: [&str; 2] = ["plugins", "groups"];

/// Returns the items of an object in the list `what`, each with its place below `place`. A consumer
/// may hold lists of what it owns.
pub(super) fn items(
    what: What,
    mut object: Map<String, Value>,
    place: &str,
) -> Vec<(String, Result<Item, String>)> {
    if what != What::Consumer {
        let owner = object.get("consumer").and_then(owner);
        return vec![(place.to_owned(), Ok(Item { what, owner, body: object }))];
    }
    let mut owned = Vec::new();
    for (list, what) in LISTS.into_iter().skip(1) {
        if let Some(Value::Array(items)) = object.remove(list) {
            owned.push((list, what, items));
        }
    }
    let mut all = Vec::new();
    let other = |name: &String| ELSEWHERE.contains(&name.as_str()) || name.contains("auth");
    for name in object.keys().filter(|name| other(name)).cloned().collect::<Vec<_>>() {
        // Credentials of other kinds stay where they are, and are told.
        if object.remove(&name).is_some_and(|value| !value.is_null()) && name.contains("auth") {
            all.push((
                format!("{place}.{name}"),
                Err("no filter takes these credentials".to_owned()),
            ));
        }
    }
    let named = ["id", "username", "custom_id"].into_iter().find_map(|name| text(&object, name));
    all.insert(0, (place.to_owned(), Ok(Item { what, owner: None, body: object })));
    for (list, what, items) in owned {
        for (number, item) in items.into_iter().enumerate() {
            let place = format!("{place}.{list}[{number}]");
            let item = match item {
                Value::Object(body) => Ok(Item { what, owner: named.clone(), body }),
                _ => Err("expected an object".to_owned()),
            };
            all.push((place, item));
        }
    }
    all
}

/// Returns the name in a reference: `ana`, `{"id": …}` or `{"username": …}`.
fn owner(reference: &Value) -> Option<String> {
    match reference {
        Value::String(name) => Some(name.clone()),
        Value::Object(map) => {
            ["id", "username", "custom_id"].into_iter().find_map(|name| text(map, name))
        }
        _ => None,
    }
}

fn text(map: &Map<String, Value>, name: &str) -> Option<String> {
    map.get(name)?.as_str().map(str::to_owned)
}
