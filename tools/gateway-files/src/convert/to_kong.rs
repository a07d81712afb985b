//! Writes a declarative file with filter chains.

use super::foreign::is_left_out;
use super::kong_file::KongFile;
use super::notes::Notes;
use super::plugins::{Filter, is_known};
use super::values::{list, map, put, texts};
use super::{route_name, variables_of};
use crate::documents::Place;
use serde_norway::{Mapping, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the file and the number of filters in it.
pub(super) fn write(
    file: &KongFile,
    chains: &[Vec<Filter>],
    stays: &BTreeSet<Place>,
    notes: &mut Notes,
) -> Result<(String, usize), String> {
    let placed = place(file, chains, notes);
    // Where Kong's own plugin stays, its groups do.
    let keeps_groups =
        file.plugins.iter().any(|plugin| plugin.name == "acl" && stays.contains(&plugin.place));
    let is_group = |place: &Place| place.as_str().contains("acls[");
    let carried = file.consumers.iter().flat_map(|one| &one.carried);
    let carried = carried.filter(|place| !(keeps_groups && is_group(place)));
    let gone = file
        .plugins
        .iter()
        .filter(|plugin| !stays.contains(&plugin.place))
        .filter(|plugin| !plugin.enabled || is_known(&plugin.name) || is_left_out(&plugin.name))
        .map(|plugin| &plugin.place);
    let writer = Writer { gone: gone.chain(carried).cloned().collect(), placed: &placed };
    let mut root = writer.mapping(&file.root, &Place::default());
    put(&mut root, "_format_version", "3.0");
    root.shift_remove("_ignore");
    let shares = |plugin: &super::kong_file::Plugin| {
        stays.contains(&plugin.place) && plugin.value.contains_key("_config")
    };
    if !file.plugins.iter().any(shares) {
        root.shift_remove("_plugin_configs");
    }
    if !file.version.starts_with('3') {
        expressions(&mut root);
    }
    let filters = placed.values().map(|chain| chain.filters.len()).sum();
    let yaml = serde_norway::to_string(&Value::Mapping(root)).map_err(|error| error.to_string())?;
    Ok((format!("{}{yaml}", head(chains)), filters))
}

/// The chain of a service or of a route.
struct Chain<'a> {
    name: String,
    filters: &'a [Filter],
}

/// Returns the place of each chain: the service, if all of its routes have one and the same, and
/// otherwise the route.
fn place<'a>(
    file: &KongFile,
    chains: &'a [Vec<Filter>],
    notes: &mut Notes,
) -> BTreeMap<Place, Chain<'a>> {
    let mut placed = BTreeMap::new();
    let of = |service: Option<usize>| {
        let own = move |(_, route): &(usize, &super::kong_file::Route)| route.service == service;
        file.routes.iter().enumerate().filter(own).map(|(number, _)| number)
    };
    for (number, service) in file.services.iter().enumerate() {
        let routes: Vec<usize> = of(Some(number)).collect();
        let mut own = routes.iter().filter_map(|route| chains.get(*route));
        let Some(first) = own.next() else { continue };
        if own.all(|chain| chain == first) {
            if !first.is_empty() {
                let name = service.name.clone().or_else(|| service.id.clone());
                let name = name.unwrap_or_else(|| format!("service-{}", number + 1));
                placed.insert(service.place.clone(), Chain { name, filters: first });
            }
            continue;
        }
        for route in routes {
            of_route(file, route, chains, &mut placed);
        }
    }
    for route in of(None) {
        let place =
            file.routes.get(route).map(|route| route.entity.place.clone()).unwrap_or_default();
        if chains.get(route).is_some_and(|chain| !chain.is_empty()) {
            let why = "Kong answers a route without a service before any filter runs: its filters have no effect";
            notes.lost(&place, why);
        }
        of_route(file, route, chains, &mut placed);
    }
    placed
}

fn of_route<'a>(
    file: &KongFile,
    route: usize,
    chains: &'a [Vec<Filter>],
    placed: &mut BTreeMap<Place, Chain<'a>>,
) {
    let (Some(entity), Some(filters)) = (file.routes.get(route), chains.get(route)) else { return };
    if !filters.is_empty() {
        let name = format!("{}-route", route_name(file, route));
        placed.insert(entity.entity.place.clone(), Chain { name, filters });
    }
}

/// Copies the old file without what is gone, and with the chains.
struct Writer<'a> {
    gone: BTreeSet<Place>,
    placed: &'a BTreeMap<Place, Chain<'a>>,
}

impl Writer<'_> {
    fn mapping(&self, old: &Mapping, place: &Place) -> Mapping {
        let mut new = Mapping::new();
        for (name, value) in old {
            let inner = place.member(name.as_str().unwrap_or_default());
            match value {
                Value::Mapping(map) => {
                    new.insert(name.clone(), Value::Mapping(self.mapping(map, &inner)));
                }
                Value::Sequence(items) => {
                    let left = self.sequence(items, &inner);
                    if items.is_empty() || !left.is_empty() {
                        new.insert(name.clone(), Value::Sequence(left));
                    }
                }
                _ => {
                    new.insert(name.clone(), value.clone());
                }
            }
        }
        if let Some(chain) = self.placed.get(place) {
            add(&mut new, chain);
        }
        new
    }

    fn sequence(&self, items: &[Value], place: &Place) -> Vec<Value> {
        let all = items.iter().enumerate().map(|(number, item)| (place.item(number), item));
        all.filter(|(place, _)| !self.gone.contains(place))
            .map(|(place, item)| match item {
                Value::Mapping(map) => Value::Mapping(self.mapping(map, &place)),
                Value::Sequence(items) => Value::Sequence(self.sequence(items, &place)),
                other => other.clone(),
            })
            .collect()
    }
}

/// Adds a chain. Kong allows one for each service and route, so a chain that is there already gets
/// the filters at its beginning: Lua plugins have run before it until now.
fn add(entity: &mut Mapping, chain: &Chain<'_>) {
    let filters: Vec<Value> = chain.filters.iter().map(filter).collect();
    let old = entity.get_mut("filter_chains").and_then(Value::as_sequence_mut);
    let old = old.and_then(|chains| chains.first_mut()).and_then(|chain| chain.get_mut("filters"));
    if let Some(Value::Sequence(old)) = old {
        old.splice(0..0, filters);
        return;
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.~".contains(c) { c } else { '-' };
    let name: String = format!("gatehouse-{}", chain.name).chars().map(plain).collect();
    let mut all = map([("name", name.into())]);
    let mut tags: Vec<String> = Vec::new();
    let entity_tags = texts(entity.get("tags"));
    for tag in entity_tags.iter().chain(chain.filters.iter().flat_map(|filter| &filter.tags)) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    if !tags.is_empty() {
        put(&mut all, "tags", list(&tags));
    }
    put(&mut all, "filters", Value::Sequence(filters));
    put(entity, "filter_chains", Value::Sequence(vec![Value::Mapping(all)]));
}

fn filter(filter: &Filter) -> Value {
    let name = format!("gatehouse_{}", filter.name);
    Value::Mapping(map([("name", name.into()), ("config", Value::Mapping(filter.config.clone()))]))
}

/// From format 3.0 on, a path that is an expression begins with `~`. Before, Kong knew it by its
/// letters.
fn expressions(root: &mut Mapping) {
    let mark = |route: &mut Value| {
        let paths = route.get_mut("paths").and_then(Value::as_sequence_mut);
        for path in paths.into_iter().flatten() {
            let Some(text) = path.as_str() else { continue };
            let plain = |c: char| c.is_ascii_alphanumeric() || "._~/%-".contains(c);
            if !text.chars().all(plain) {
                *path = Value::from(format!("~{text}"));
            }
        }
    };
    let lists = |value: &mut Mapping| {
        value.get_mut("routes").and_then(Value::as_sequence_mut).map(std::mem::take)
    };
    if let Some(mut routes) = lists(root) {
        routes.iter_mut().for_each(mark);
        put(root, "routes", Value::Sequence(routes));
    }
    for service in root.get_mut("services").and_then(Value::as_sequence_mut).into_iter().flatten() {
        let routes = service.get_mut("routes").and_then(Value::as_sequence_mut);
        routes.into_iter().flatten().for_each(mark);
    }
}

/// Returns the lines that tell what kong.conf needs.
fn head(chains: &[Vec<Filter>]) -> String {
    let mut lines = String::from(
        "# Written by `gatehouse-admin convert --to kong`. It needs Kong 3.5 to 3.10, the filters' .wasm and .meta.json\n\
         # files in `wasm_filters_path`, and in kong.conf (kong-config/kong.conf says why):\n#\n#   wasm = on\n\
         #   nginx_proxy_set = $gatehouse_consumer \"\"; set $gatehouse_claims \"\"; set $gatehouse_session \"\"; set \
         $gatehouse_moesif \"\"; set $gatehouse_kong \"\"; set $gatehouse_refusal \"\"; set $gatehouse_debug \"\"\n#   nginx_wasm_shm_kv_gatehouse = 64m\n",
    );
    let variables = variables_of(chains);
    if !variables.is_empty() {
        lines += &format!("#   nginx_main_env = {}\n", variables.join("; env "));
    }
    lines + "\n"
}
