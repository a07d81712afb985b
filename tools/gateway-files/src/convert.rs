//! A file for Kong's own plugins becomes one for the filters.

mod admin;
mod distinct;
mod foreign;
mod kong_file;
mod mend;
mod notes;
mod parts;
mod plugins;
mod router;
mod scopes;
mod secrets;
mod settings;
mod to_envoy;
mod to_istio;
mod to_kong;
mod upstreams;
mod values;

pub use self::admin::Admin;
pub use self::notes::{Kind, Note};
pub use self::secrets::{Source, as_shell};

use self::foreign::{ANSWER, AUTHENTICATE, BYSTANDERS, CLOSED, guards, is_closed};
use self::kong_file::KongFile;
use self::notes::Notes;
use self::plugins::Filter;
use self::secrets::Secrets;
use crate::check::Gateway;
use crate::documents::{self, Place};
use serde_norway::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The kind of file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A declarative file with filter chains, for Kong 3.5 to 3.10 and decK.
    Kong,
    /// A bootstrap file for Envoy 1.35 or newer, with the module of all filters.
    Envoy,
    /// Resources for an ingress gateway of Istio 1.26 or newer, with the module of all filters.
    Istio,
}

impl Target {
    fn gateway(self) -> Gateway {
        match self {
            Self::Kong => Gateway::Kong,
            Self::Envoy | Self::Istio => Gateway::Envoy,
        }
    }

    /// Returns `true` if an Envoy reads the file, where no plugin of Kong's stays.
    fn is_envoy(self) -> bool {
        self.gateway() == Gateway::Envoy
    }
}

/// The choices of an operator.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kind of file to write.
    pub to: Target,
    /// Secrets stand in the file. Otherwise they become variables of the environment.
    pub inline_secrets: bool,
    /// The gatehouse-admin that owns the consumers. Without it, they stand in the settings.
    pub admin: Option<Admin>,
}

/// The result of a conversion.
#[derive(Debug)]
pub struct Converted {
    /// The new file.
    pub text: String,
    /// The settings that were not carried over, and those that differ.
    pub notes: Vec<Note>,
    /// The variables of the environment that the new file needs.
    pub variables: BTreeMap<String, Source>,
    /// The number of filters in the new file.
    pub filters: usize,
}

/// Converts the declarative file `text`.
///
/// # Errors
/// A message, if `text` is no declarative file of Kong or decK.
pub fn convert(text: &str, options: &Options) -> Result<Converted, String> {
    let documents = documents::read(text)?;
    let [root] = &documents[..] else {
        return Err(format!("found {} documents, expected one declarative file", documents.len()));
    };
    let mut notes = Notes::default();
    let mut secrets = Secrets::new(options.inline_secrets);
    let file = kong_file::read(root, &mut notes)?;
    let stays = stays(&file, options.to, &mut notes);
    let mut used = BTreeSet::new();
    let mut chains = Vec::new();
    for route in 0..file.routes.len() {
        for kind in plugins::KINDS {
            used.extend(
                scopes::applied(&file, route, kind.names).into_iter().map(|one| one.plugin),
            );
        }
        let mut chain = plugins::chain(&file, route, &stays, options, &mut notes, &mut secrets);
        if options.to.is_envoy() && is_closed(&file, route, &stays) {
            chain.insert(0, Filter::closed());
        }
        chains.push(chain);
    }
    for (number, plugin) in file.plugins.iter().enumerate() {
        let is_ours = plugins::is_known(&plugin.name) && !plugin.for_group;
        if plugin.enabled && is_ours && !used.contains(&number) {
            notes
                .differs(&plugin.place, "has no effect on any route of this file, and is left out");
        }
    }
    credentials(&file, options, &mut notes);
    let (text, filters) = match options.to {
        Target::Kong => to_kong::write(&file, &chains, &stays, &mut notes),
        Target::Envoy => to_envoy::write(&file, &chains, options, &mut notes),
        Target::Istio => to_istio::write(&file, &chains, options, &mut notes),
    }?;
    Ok(Converted { text, notes: notes.sorted(), variables: secrets.into_variables(), filters })
}

/// Returns the places of the plugins that stay Kong's own, and tells what becomes of all that are
/// not carried over.
fn stays(file: &KongFile, to: Target, notes: &mut Notes) -> BTreeSet<Place> {
    let mut stays = BTreeSet::new();
    for name in ["consumer_groups", "consumer_group_plugins", "consumer_group_consumers"] {
        if file.root.get(name).is_some_and(|list| !list.is_null()) {
            let why = "consumer groups of Kong Enterprise, and plugins for them, are not known to filters";
            notes.lost(&Place::default().member(name), why);
        }
    }
    for (number, plugin) in file.plugins.iter().enumerate() {
        let name = plugin.name.as_str();
        if name.starts_with("gatehouse_") {
            stays.insert(plugin.place.clone());
        } else if !plugin.enabled {
            notes.differs(&plugin.place, "is not enabled, and is left out");
        } else if plugin.for_group && plugins::is_known(name) {
            let why = "is for a consumer group of Kong Enterprise, which no filter knows";
            stay(&plugin.place, to, &mut stays, notes, why);
        } else if plugins::is_known(name) {
            let without = |route: usize| {
                let applies =
                    scopes::applied(file, route, &["acl"]).iter().any(|one| one.plugin == number);
                applies && !plugins::authenticates(file, route)
            };
            if name == "acl" && (0..file.routes.len()).any(without) {
                stay(
                    &plugin.place,
                    to,
                    &mut stays,
                    notes,
                    "acl needs one of the filters that authenticate",
                );
            }
        } else if to.is_envoy() {
            let closed = if guards(name) { CLOSED } else { "" };
            notes.lost(&plugin.place, format!("no filter does what {name} does{closed}"));
        } else if ANSWER.contains(&name) {
            let why = format!(
                "{name} would answer before any filter has judged the request, and is left out"
            );
            notes.lost(&plugin.place, why);
        } else if name.starts_with("ai-") {
            let why = format!(
                "{name} may buffer responses, which makes Kong skip every filter silently, and is left out"
            );
            notes.lost(&plugin.place, why);
        } else if BYSTANDERS.contains(&name) {
            stays.insert(plugin.place.clone());
            notes.differs(
                &plugin.place,
                format!("{name} stays Kong's own plugin, and runs before every filter"),
            );
        } else if AUTHENTICATE.contains(&name) {
            let why = format!(
                "no filter does what {name} does. Filters learn whom it has authenticated by the post-function in \
                 kong-config/kong.yml only"
            );
            stay(&plugin.place, to, &mut stays, notes, &why);
        } else {
            stay(&plugin.place, to, &mut stays, notes, &format!("no filter does what {name} does"));
        }
    }
    stays
}

fn stay(place: &Place, to: Target, stays: &mut BTreeSet<Place>, notes: &mut Notes, why: &str) {
    let what = match to {
        Target::Kong => ". It stays Kong's own plugin, and runs before every filter",
        Target::Envoy | Target::Istio => CLOSED,
    };
    stays.insert(place.clone());
    notes.lost(place, format!("{why}{what}"));
}

/// Tells what of Kong's file is said elsewhere on an Envoy.
fn elsewhere(file: &KongFile, notes: &mut Notes) {
    const KNOWN: [&str; 16] = [
        "_format_version",
        "_transform",
        "_info",
        "_comment",
        "_ignore",
        "_workspace",
        "_plugin_configs",
        "services",
        "routes",
        "consumers",
        "plugins",
        "upstreams",
        "targets",
        "keyauth_credentials",
        "jwt_secrets",
        "acls",
    ];
    for (name, value) in &file.root {
        let name = name.as_str().unwrap_or_default();
        let is_told = name.starts_with("consumer_group");
        if !KNOWN.contains(&name) && name != "appids" && !is_told && !value.is_null() {
            let message = match name {
                "certificates" | "ca_certificates" | "snis" => {
                    "this listener speaks plain HTTP: give it TLS by hand"
                }
                "filter_chains" => "chains that are there already are not carried over",
                _ => "Envoy has no counterpart that is written here",
            };
            notes.lost(&Place::default().member(name), message);
        }
    }
    let entities = file.services.iter().chain(file.routes.iter().map(|route| &route.entity));
    for entity in entities.filter(|entity| entity.value.contains_key("filter_chains")) {
        let message = "chains that are there already are not carried over";
        notes.lost(&entity.place.member("filter_chains"), message);
    }
}

/// Tells what becomes of consumers and their credentials.
fn credentials(file: &KongFile, options: &Options, notes: &mut Notes) {
    const KNOWN: [&str; 13] = [
        "id",
        "username",
        "custom_id",
        "tags",
        "created_at",
        "updated_at",
        "plugins",
        "keyauth_credentials",
        "jwt_secrets",
        "acls",
        "appids",
        "groups",
        "type",
    ];
    let consumers = file.root.get("consumers").and_then(Value::as_sequence).into_iter().flatten();
    for (number, consumer) in consumers.enumerate() {
        let place = Place::default().member("consumers").item(number);
        for name in
            consumer.as_mapping().into_iter().flat_map(|map| map.keys()).filter_map(Value::as_str)
        {
            if !KNOWN.contains(&name) && options.to.is_envoy() {
                notes.lost(&place.member(name), "no filter takes these credentials");
            }
        }
        if consumer.get("groups").is_some_and(|groups| !groups.is_null()) {
            notes.lost(
                &place.member("groups"),
                "consumer groups of Kong Enterprise are not known to filters",
            );
        }
    }
    let nameless = file.consumers.iter().filter(|consumer| consumer.id.is_none()).count();
    if options.admin.is_none() && nameless > 0 {
        let how = format!(
            "{nameless} of {} have no `id`: the id that the upstream sees is made of the name, and is not the one that \
             Kong makes up",
            file.consumers.len()
        );
        notes.differs(&Place::default().member("consumers"), how);
    }
    let held: usize = file.consumers.iter().map(|consumer| consumer.carried.len()).sum();
    if options.admin.is_some() && held > 0 {
        let how = format!(
            "{held} credentials, groups and App IDs are not in the new file: `gatehouse-admin import` takes them from \
             the old one"
        );
        notes.differs(&Place::default().member("consumers"), how);
    }
}

/// Returns the name of a route in the new file.
fn route_name(file: &KongFile, route: usize) -> String {
    file.route_names.get(route).cloned().unwrap_or_default()
}

/// Returns the variables that filters need, in the order of their names.
fn variables_of(chains: &[Vec<Filter>]) -> Vec<String> {
    let mut all = BTreeSet::new();
    for filter in chains.iter().flatten() {
        collect(&Value::Mapping(filter.config.clone()), &mut all);
    }
    all.into_iter().collect()
}

fn collect(value: &Value, all: &mut BTreeSet<String>) {
    documents::walk(value, &Place::default(), &mut |value, place| {
        let Some(text) = value.as_str() else { return true };
        let last = place.as_str().rsplit('.').next().unwrap_or_default();
        if last.ends_with("_env") {
            all.insert(text.to_owned());
        } else if let Some(name) = text.strip_prefix("env://") {
            all.insert(name.to_owned());
        }
        true
    });
}

#[cfg(test)]
mod closing_tests;
#[cfg(test)]
mod tests;
