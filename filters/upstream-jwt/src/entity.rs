//! Consumer, credential, route and service, and the choice of their members for a token.

use crate::members::Members;
use consumer::Identity;
use exchange::{Entity, Named};
use serde_json::{Map, Value};

/// Envoy: the namespace in the metadata of a route or cluster that describes it.
const NAMESPACE: &str = "gatehouse";

/// The members that come first, as in the original's example. The others follow in the order of
/// their names.
const FIRST: [&str; 3] = ["username", "name", "id"];

/// The members that `*` leaves out. The original put them into the token.
const SECRETS: [&str; 3] = ["key", "secret", "password"];

/// The error of a gateway's description that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Returns the members of `entity` that `wanted` lists. `*` lists all except secrets. Missing
/// members are left out.
pub(crate) fn picked(entity: &Map<String, Value>, wanted: &[String]) -> String {
    let lists = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let all = lists("*");
    let mut object = Members::new();
    let first = FIRST.iter().filter_map(|name| entity.get_key_value(*name));
    let rest = entity.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
    for (name, value) in first.chain(rest) {
        if !value.is_null() && (lists(name) || (all && !SECRETS.contains(&name.as_str()))) {
            object.put(name, value);
        }
    }
    object.json()
}

/// Returns the consumer as an entity, or an empty one without an identity.
pub(crate) fn of_consumer(identity: Option<&Identity>) -> Map<String, Value> {
    let mut map = Map::new();
    let Some(identity) = identity else { return map };
    put(&mut map, "id", Some(&identity.id));
    put(&mut map, "username", identity.username.as_ref());
    put(&mut map, "custom_id", identity.custom_id.as_ref());
    if !identity.groups.is_empty() {
        map.insert("groups".to_owned(), identity.groups.as_slice().into());
    }
    map
}

/// Returns the credential as an entity, or an empty one if there is none.
pub(crate) fn of_credential(identity: Option<&Identity>) -> Map<String, Value> {
    let mut map = Map::new();
    let Some(credential) = identity.and_then(|identity| identity.credential.as_ref()) else {
        return map;
    };
    // The key of a JWT credential is not secret, because every token of it contains the key as a
    // claim.
    let public = credential.identifier.as_ref().filter(|_| credential.kind == "jwt");
    put(&mut map, "id", Some(&credential.id));
    put(&mut map, "type", Some(&credential.kind));
    put(&mut map, "identifier", credential.identifier.as_ref());
    put(&mut map, "key", credential.key.as_ref().or(public));
    map
}

/// Returns a route or service. The operator's description (`inline`) has precedence over the
/// gateway's.
pub(crate) fn of_host(
    described: &Entity,
    named: &Named,
    inline: &Map<String, Value>,
) -> Result<Map<String, Value>, Unreadable> {
    let mut map = Map::new();
    put(&mut map, "id", named.id.as_ref());
    put(&mut map, "name", named.name.as_ref());
    let said = match described {
        Entity::Unknown => Map::new(),
        Entity::Json(json) => serde_json::from_slice(json).map_err(|_| Unreadable)?,
        Entity::Metadata(bytes) => settings::metadata(bytes, NAMESPACE).ok_or(Unreadable)?,
    };
    map.extend(said);
    map.extend(inline.clone());
    Ok(map)
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<&String>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        map.insert(name.to_owned(), value.as_str().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consumer::Credential;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn pick(entity: Value, wanted: &[&str]) -> String {
        picked(&map(entity), &wanted.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn identity(kind: &str, key: Option<&str>) -> Identity {
        Identity {
            id: "1".into(),
            username: Some("Company A".into()),
            credential: Some(Credential {
                id: "c".into(),
                kind: kind.into(),
                identifier: Some("i".into()),
                key: key.map(str::to_owned),
            }),
            ..Identity::default()
        }
    }

    #[test]
    fn what_is_listed_and_there_is_picked_in_the_originals_order() {
        let entity = json!({"id": "1", "name": "R", "paths": ["/a"], "none": null, "tags": {}});
        assert_eq!(pick(entity.clone(), &["id", "name", "absent"]), r#"{"name":"R","id":"1"}"#);
        assert_eq!(
            pick(entity.clone(), &["*"]),
            r#"{"name":"R","id":"1","paths":["/a"],"tags":{}}"#
        );
        assert_eq!(pick(entity, &["none"]), "{}");
        assert_eq!(pick(json!({}), &["*"]), "{}");
    }

    #[test]
    fn a_star_never_means_a_secret_and_a_name_does() {
        let entity = json!({"id": "1", "key": "k", "password": "p", "secret": "s"});
        assert_eq!(pick(entity.clone(), &["*"]), r#"{"id":"1"}"#);
        assert_eq!(pick(entity.clone(), &["*", "key"]), r#"{"id":"1","key":"k"}"#);
        assert_eq!(pick(entity, &["key"]), r#"{"key":"k"}"#);
    }

    #[test]
    fn the_key_is_there_only_where_it_is_exposed_or_no_secret() {
        let key = |identity: &Identity| of_credential(Some(identity)).get("key").cloned();
        assert_eq!(key(&identity("key-auth", None)), None);
        assert_eq!(key(&identity("key-auth", Some("k"))), Some("k".into()));
        assert_eq!(key(&identity("jwt", None)), Some("i".into()));
        assert_eq!(of_credential(Some(&identity("jwt", None).into_anonymous())), Map::new());
    }

    #[test]
    fn a_consumer_has_what_its_identity_has() {
        let consumer = of_consumer(Some(&identity("jwt", None)));
        assert_eq!(Value::Object(consumer), json!({"id": "1", "username": "Company A"}));
        let grouped = Identity { groups: vec!["g".into()], ..identity("jwt", None) };
        assert_eq!(of_consumer(Some(&grouped))["groups"], json!(["g"]));
        assert_eq!(of_consumer(None), Map::new());
    }

    #[test]
    fn the_operators_word_counts_more_than_the_hosts() {
        let named = Named { id: Some("1".into()), name: Some("n".into()) };
        let said = Entity::Json(br#"{"id":"1","name":"N","port":80,"paths":["\/a"]}"#.to_vec());
        let read = |entity: &Entity, inline: Value| of_host(entity, &named, &map(inline));
        assert_eq!(
            read(&said, json!({"name": "mine"})),
            Ok(map(json!({"id": "1", "name": "mine", "port": 80, "paths": ["/a"]})))
        );
        assert_eq!(read(&Entity::Unknown, json!({})), Ok(map(json!({"id": "1", "name": "n"}))));
        for odd in [Entity::Json(b"[".to_vec()), Entity::Metadata(b"\x0a".to_vec())] {
            assert_eq!(read(&odd, json!({})), Err(Unreadable));
        }
    }
}
