//! A declarative file of Kong or decK: its services, routes, consumers and plugins, each with its
//! place and with its references resolved.

use super::notes::Notes;
use super::values::{owned, texts};
use crate::documents::Place;
use serde_norway::{Mapping, Value};
use std::collections::HashMap;

/// The name of the route for requests that Kong has no route for.
pub(super) const NO_ROUTE: &str = "no-route";

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct KongFile {
    /// `_format_version`, such as `3.0`.
    pub(super) version: String,
    pub(super) root: Mapping,
    pub(super) services: Vec<Entity>,
    pub(super) routes: Vec<Route>,
    /// The name of each route in a new file, which no other route has.
    pub(super) route_names: Vec<String>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) plugins: Vec<Plugin>,
}

/// A service, or what a route has in common with one.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) place: Place,
    pub(super) value: Mapping,
}

#[derive(Debug)]
pub(super) struct Route {
    pub(super) entity: Entity,
    /// The number of its service.
    pub(super) service: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) custom_id: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) app_ids: Vec<String>,
    pub(super) keys: Vec<Credential>,
    pub(super) jwts: Vec<Credential>,
    pub(super) place: Place,
    /// The places of what `groups`, `keys` and `jwts` hold.
    pub(super) carried: Vec<Place>,
}

#[derive(Debug)]
pub(super) struct Credential {
    pub(super) place: Place,
    pub(super) value: Mapping,
}

/// One instance of a plugin.
#[derive(Debug)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) route: Option<usize>,
    pub(super) service: Option<usize>,
    pub(super) consumer: Option<usize>,
    pub(super) enabled: bool,
    /// The plugin is for the members of a consumer group alone.
    pub(super) for_group: bool,
    /// The whole plugin.
    pub(super) value: Mapping,
    /// Its settings, without those that are null.
    pub(super) config: Mapping,
}

impl Consumer {
    /// Returns the name by which `match` and `anonymous` know the consumer.
    pub(super) fn name(&self) -> String {
        let custom = || self.custom_id.as_ref().map(|id| format!("custom_id:{id}"));
        self.username.clone().or_else(|| self.id.clone()).or_else(custom).unwrap_or_default()
    }

    /// Returns `true` if Kong finds the consumer under `name`, as the setting `anonymous` does.
    pub(super) fn is(&self, name: &str) -> bool {
        self.id.as_deref() == Some(name) || self.username.as_deref() == Some(name)
    }
}

/// Returns a name for each route: its own, or its number. In Istio a name alone tells which route
/// has which filters, so that two routes must never share one.
fn route_names(routes: &[Route]) -> Vec<String> {
    let own = |route: &Route| route.entity.name.clone().or_else(|| route.entity.id.clone());
    let mut uses = HashMap::from([(NO_ROUTE.to_owned(), 1_usize)]);
    for name in routes.iter().filter_map(own) {
        *uses.entry(name).or_default() += 1;
    }
    let distinct = |(number, route): (usize, &Route)| {
        let (own, number) = (own(route), number + 1);
        let most = usize::from(own.is_some());
        let mut name = own.unwrap_or_else(|| format!("route-{number}"));
        let mut taken = uses.get(&name).is_some_and(|count| *count > most);
        while taken {
            // The number keeps it apart from the names that others get here.
            name = format!("{name}-{number}");
            taken = uses.contains_key(&name);
        }
        name
    };
    routes.iter().enumerate().map(distinct).collect()
}

/// Reads the file.
///
/// # Errors
/// A message, if this is no declarative file.
pub(super) fn read(root: &Value, notes: &mut Notes) -> Result<KongFile, String> {
    let Value::Mapping(root) = root else {
        return Err("found no object, expected a declarative file of Kong".to_owned());
    };
    let version = owned(root, "_format_version")
        .ok_or("found no `_format_version`, expected a declarative file of Kong or decK")?;
    let known = ["1.1", "2.1", "3.0", "3", "1", "2"];
    if !known.contains(&version.as_str()) {
        return Err(format!(
            "found `_format_version` {version}, expected \"1.1\", \"2.1\" or \"3.0\""
        ));
    }
    let mut reader = Reader {
        file: KongFile { version, root: root.clone(), ..KongFile::default() },
        notes,
        shared: shared(root),
    };
    reader.entities();
    reader.plugins();
    reader.file.route_names = route_names(&reader.file.routes);
    Ok(reader.file)
}

/// The settings that decK's plugins share (`_plugin_configs`).
fn shared(root: &Mapping) -> Mapping {
    root.get("_plugin_configs").and_then(Value::as_mapping).cloned().unwrap_or_default()
}

struct Reader<'a> {
    file: KongFile,
    notes: &'a mut Notes,
    shared: Mapping,
}

impl Reader<'_> {
    fn entities(&mut self) {
        let top = Place::default();
        for (place, value) in items(&self.file.root, &top, "services") {
            let number = self.file.services.len();
            for (place, value) in items(&value, &place, "routes") {
                self.file
                    .routes
                    .push(Route { entity: entity(place, value), service: Some(number) });
            }
            self.file.services.push(entity(place, value));
        }
        for (place, value) in items(&self.file.root, &top, "routes") {
            let service = value.get("service").and_then(|reference| self.service(reference));
            if service.is_none() && value.get("service").is_some_and(|service| !service.is_null()) {
                self.notes
                    .lost(&place.member("service"), "found a service that this file does not have");
            }
            self.file.routes.push(Route { entity: entity(place, value), service });
        }
        for (place, value) in items(&self.file.root, &top, "consumers") {
            self.file.consumers.push(consumer(place, &value));
        }
        for (list, which) in
            [("keyauth_credentials", 0), ("jwt_secrets", 1), ("acls", 2), ("appids", 3)]
        {
            for (place, value) in items(&self.file.root, &top, list) {
                let Some(number) =
                    value.get("consumer").and_then(|reference| self.consumer(reference))
                else {
                    self.notes.lost(
                        &place,
                        "found no consumer of this file, expected the one that it belongs to",
                    );
                    continue;
                };
                let Some(consumer) = self.file.consumers.get_mut(number) else { continue };
                consumer.carried.push(place.clone());
                let credential = Credential { place, value };
                match which {
                    0 => consumer.keys.push(credential),
                    1 => consumer.jwts.push(credential),
                    2 => consumer.groups.extend(owned(&credential.value, "group")),
                    _ => consumer.app_ids.extend(owned(&credential.value, "appid")),
                }
            }
        }
    }

    fn plugins(&mut self) {
        let mut all = Vec::new();
        let top = Place::default();
        let none = (None, None, None);
        all.extend(items(&self.file.root, &top, "plugins").into_iter().map(|item| (item, none)));
        for (number, service) in self.file.services.iter().enumerate() {
            let own = items(&service.value, &service.place, "plugins");
            all.extend(own.into_iter().map(|item| (item, (None, Some(number), None))));
        }
        for (number, route) in self.file.routes.iter().enumerate() {
            let own = items(&route.entity.value, &route.entity.place, "plugins");
            all.extend(own.into_iter().map(|item| (item, (Some(number), None, None))));
        }
        for (number, (place, value)) in
            items(&self.file.root, &top, "consumers").into_iter().enumerate()
        {
            let own = items(&value, &place, "plugins");
            all.extend(own.into_iter().map(|item| (item, (None, None, Some(number)))));
        }
        for ((place, value), nested) in all {
            if let Some(plugin) = self.plugin(place, value, nested) {
                self.file.plugins.push(plugin);
            }
        }
    }

    fn plugin(
        &mut self,
        place: Place,
        value: Mapping,
        nested: (Option<usize>, Option<usize>, Option<usize>),
    ) -> Option<Plugin> {
        let Some(name) = owned(&value, "name") else {
            self.notes.lost(&place, "found a plugin without a name");
            return None;
        };
        let mut scope = [nested.0, nested.1, nested.2];
        for (which, kind) in ["route", "service", "consumer"].into_iter().enumerate() {
            let Some(reference) = value.get(kind).filter(|reference| !reference.is_null()) else {
                continue;
            };
            let found = match which {
                0 => self.route(reference),
                1 => self.service(reference),
                _ => self.consumer(reference),
            };
            if found.is_none() {
                let message = format!(
                    "found a {kind} that this file does not have: the plugin has no effect"
                );
                self.notes.lost(&place.member(kind), message);
                return None;
            }
            scope[which] = found;
        }
        let mut config = Mapping::new();
        if let Some(shared) = owned(&value, "_config") {
            match self.shared.get(shared.as_str()).and_then(Value::as_mapping) {
                Some(shared) => config.extend(shared.clone()),
                None => self.notes.lost(
                    &place.member("_config"),
                    "found a name that `_plugin_configs` does not have",
                ),
            }
        }
        config.extend(value.get("config").and_then(Value::as_mapping).cloned().unwrap_or_default());
        let enabled = value.get("enabled").and_then(Value::as_bool) != Some(false);
        let for_group = value.get("consumer_group").is_some_and(|group| !group.is_null());
        let [route, service, consumer] = scope;
        Some(Plugin { name, place, route, service, consumer, enabled, for_group, value, config })
    }

    fn service(&self, reference: &Value) -> Option<usize> {
        let wanted = names(reference);
        self.file.services.iter().position(|service| refers(&wanted, [&service.id, &service.name]))
    }

    fn route(&self, reference: &Value) -> Option<usize> {
        let wanted = names(reference);
        let of = |route: &Route| refers(&wanted, [&route.entity.id, &route.entity.name]);
        self.file.routes.iter().position(of)
    }

    fn consumer(&self, reference: &Value) -> Option<usize> {
        let wanted = names(reference);
        let of = |consumer: &Consumer| {
            refers(&wanted, [&consumer.id, &consumer.username])
                || refers(&wanted, [&consumer.custom_id, &None])
        };
        self.file.consumers.iter().position(of)
    }
}

/// Returns the names in a reference: `orders`, `{ name: orders }` or `{ id: … }`.
fn names(reference: &Value) -> Vec<String> {
    match reference {
        Value::Mapping(map) => ["id", "name", "username", "custom_id"]
            .into_iter()
            .filter_map(|name| owned(map, name))
            .collect(),
        other => texts(Some(other)),
    }
}

fn refers(wanted: &[String], known: [&Option<String>; 2]) -> bool {
    known.into_iter().flatten().any(|known| wanted.contains(known))
}

/// Returns the objects of a list, each with its place.
fn items(map: &Mapping, place: &Place, list: &str) -> Vec<(Place, Mapping)> {
    let place = place.member(list);
    let list = map.get(list).and_then(Value::as_sequence).into_iter().flatten().enumerate();
    list.filter_map(|(n, item)| Some((place.item(n), item.as_mapping()?.clone()))).collect()
}

fn entity(place: Place, value: Mapping) -> Entity {
    Entity { id: owned(&value, "id"), name: owned(&value, "name"), place, value }
}

fn consumer(place: Place, value: &Mapping) -> Consumer {
    let mut carried = Vec::new();
    let mut credentials = |list: &str| -> Vec<Credential> {
        let all = items(value, &place, list).into_iter();
        all.map(|(place, value)| {
            carried.push(place.clone());
            Credential { place, value }
        })
        .collect()
    };
    let keys = credentials("keyauth_credentials");
    let jwts = credentials("jwt_secrets");
    let groups = credentials("acls");
    let app_ids = credentials("appids");
    Consumer {
        id: owned(value, "id"),
        username: owned(value, "username"),
        custom_id: owned(value, "custom_id"),
        groups: groups.iter().filter_map(|acl| owned(&acl.value, "group")).collect(),
        app_ids: app_ids.iter().filter_map(|item| owned(&item.value, "appid")).collect(),
        keys,
        jwts,
        carried,
        place,
    }
}
