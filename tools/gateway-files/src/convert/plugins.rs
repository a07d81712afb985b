//! The plugins that are carried over, in Kong's order, and what is alike for all of them.

mod auth;
mod limits;
mod moesif;
mod requests;
mod session;
mod upstream_jwt;

use super::kong_file::{Entity, KongFile, Plugin};
use super::mend::{Verdict, mend};
use super::notes::Notes;
use super::scopes::{Applied, applied};
use super::secrets::Secrets;
use super::settings::Settings;
use super::values::{list, map, put, text, texts};
use super::{Options, Target};
use crate::documents::Place;
use serde_norway::{Mapping, Value};
use std::collections::BTreeSet;

/// A kind of plugin.
pub(super) struct Kind {
    /// The names under which it is known.
    pub(super) names: &'static [&'static str],
    /// Its place in a chain: Kong's priority. Moesif's is another one, since it sees every request
    /// in Kong's last phase and therefore comes first here.
    priority: u16,
    /// The name of the filter.
    filter: &'static str,
    /// Kong takes the plugin for a consumer.
    for_consumers: bool,
    /// A request that the plugin would have judged must not pass unjudged.
    guards: bool,
    convert: fn(&mut Context<'_>, &mut Settings) -> Option<()>,
}

/// All kinds, in the order in which they run.
pub(super) const KINDS: &[Kind] = &[
    kind(&["moesif"], 3000, "moesif", false, false, moesif::moesif),
    kind(&["bot-detection"], 2500, "bot_detection", false, true, requests::bot_detection),
    kind(&["cors"], 2000, "cors", false, false, requests::cors),
    kind(&["session"], 1900, "session", false, false, session::session),
    kind(&["jwt"], 1450, "jwt_auth", false, true, auth::jwt),
    kind(&["key-auth"], 1250, "key_auth", false, true, auth::key_auth),
    kind(
        &["kong-upstream-jwt-extended", "upstream-jwt-extended"],
        999,
        "upstream_jwt",
        true,
        true,
        upstream_jwt::extended,
    ),
    kind(&["ip-restriction"], 990, "ip_restriction", true, true, requests::ip_restriction),
    kind(&["acl"], 950, "request_termination", false, true, auth::acl),
    kind(&["appid", "app-id"], 940, "app_id", true, true, auth::app_id),
    kind(&["rate-limiting"], 910, "rate_limiting", true, true, limits::rate_limiting),
    kind(
        &["kong-upstream-jwt", "upstream-jwt"],
        900,
        "upstream_jwt",
        true,
        true,
        upstream_jwt::original,
    ),
    kind(&["request-transformer"], 801, "request_transformer", true, true, requests::transformer),
    kind(&["request-termination"], 2, "request_termination", true, true, requests::termination),
];

const fn kind(
    names: &'static [&'static str],
    priority: u16,
    filter: &'static str,
    for_consumers: bool,
    guards: bool,
    convert: fn(&mut Context<'_>, &mut Settings) -> Option<()>,
) -> Kind {
    Kind { names, priority, filter, for_consumers, guards, convert }
}

/// Returns `true` if the plugin is carried over.
pub(super) fn is_known(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.names.contains(&name))
}

/// The priority of a session's second instance: after all filters that authenticate.
const SAVE: u16 = 1200;

/// A filter of a chain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub(super) priority: u16,
    pub(super) name: &'static str,
    pub(super) config: Mapping,
    pub(super) tags: Vec<String>,
    /// The filter judges by the body.
    pub(super) reads_body: bool,
}

impl Filter {
    /// Refuses every request, before any other filter but moesif.
    pub(super) fn closed() -> Self {
        let config = map([("status_code", 503.into())]);
        Self {
            priority: 2600,
            name: "request_termination",
            config,
            tags: Vec::new(),
            reads_body: false,
        }
    }
}

/// The knowledge of a conversion, and the place for its notes.
pub(super) struct Context<'a> {
    pub(super) file: &'a KongFile,
    pub(super) options: &'a Options,
    pub(super) notes: &'a mut Notes,
    pub(super) secrets: &'a mut Secrets,
    pub(super) route: usize,
    pub(super) plugin: &'a Plugin,
    pub(super) place: Place,
    reads_body: bool,
    /// The conversion asks for a second instance of the filter, with these settings in place of the
    /// first one's.
    second: Option<(u16, Mapping)>,
    /// The match that the conversion itself needs.
    matching: Mapping,
}

/// Returns `true` if one of the route's filters tells who is calling.
pub(super) fn authenticates(file: &KongFile, route: usize) -> bool {
    ["jwt", "key-auth", "session"].iter().any(|name| !applied(file, route, &[name]).is_empty())
}

/// Returns the filters that take the place of the route's plugins, in Kong's order.
pub(super) fn chain(
    file: &KongFile,
    route: usize,
    stays: &BTreeSet<Place>,
    options: &Options,
    notes: &mut Notes,
    secrets: &mut Secrets,
) -> Vec<Filter> {
    let authenticates = authenticates(file, route);
    let mut all = Vec::new();
    for kind in KINDS {
        for mut applied in applied(file, route, kind.names) {
            let Some(plugin) = file.plugins.get(applied.plugin) else { continue };
            if stays.contains(&plugin.place) {
                continue;
            }
            if plugin.consumer.is_some() && !kind.for_consumers {
                notes.lost(
                    &plugin.place,
                    "found a consumer, which Kong does not take for this plugin",
                );
                continue;
            }
            if !authenticates {
                if !applied.only.is_empty() {
                    // Kong does not run it either, unless one of its other plugins authenticates.
                    continue;
                }
                applied.never.clear();
            }
            let mut context = Context {
                file,
                options,
                notes,
                secrets,
                route,
                plugin,
                place: plugin.place.member("config"),
                reads_body: false,
                second: None,
                matching: Mapping::new(),
            };
            all.extend(context.filters(kind, &applied));
        }
    }
    all.sort_by_key(|filter: &Filter| std::cmp::Reverse(filter.priority));
    expose_keys(&mut all);
    all
}

/// A token for the upstream can hold the caller's key only if the filter that has found it leaves
/// it for later filters.
fn expose_keys(chain: &mut [Filter]) {
    let wants = |filter: &Filter| {
        filter.name == "upstream_jwt"
            && texts(filter.config.get("credentials")).iter().any(|name| name == "key")
    };
    if chain.iter().any(wants) {
        for filter in chain.iter_mut().filter(|filter| filter.name == "key_auth") {
            put(&mut filter.config, "expose_key", true);
        }
    }
}

impl Context<'_> {
    fn filters(&mut self, kind: &Kind, applied: &Applied) -> Vec<Filter> {
        self.of_plugin(kind.filter);
        let mut settings = Settings::new(&self.plugin.config, self.place.clone());
        let Some(()) = (kind.convert)(self, &mut settings) else { return Vec::new() };
        let mut config = settings.finish(kind.filter, self.notes);
        let mut matching = std::mem::take(&mut self.matching);
        let names = |numbers: &[usize]| -> Vec<String> {
            numbers.iter().filter_map(|n| Some(self.file.consumers.get(*n)?.name())).collect()
        };
        for (name, numbers) in [("consumers", &applied.only), ("not_consumers", &applied.never)] {
            let mut all = texts(matching.get(name));
            all.extend(
                names(numbers).into_iter().filter(|name| !all.contains(name)).collect::<Vec<_>>(),
            );
            if !all.is_empty() {
                put(&mut matching, name, list(&all));
            }
        }
        if !matching.is_empty() {
            put(&mut config, "match", Value::Mapping(matching));
        }
        if self.reads_body && self.options.to.is_envoy() {
            put(&mut config, "allow_on_headers_stop_iteration", true);
        }
        let second = self.second.take();
        let mut all = vec![self.filter(kind, kind.priority, config)];
        if let Some((priority, config)) = second {
            all.push(self.filter(kind, priority, config));
        }
        all
    }

    /// Makes a filter whose settings the filter accepts. In place of one that cannot be made, and
    /// that guards something, every request is refused.
    fn filter(&mut self, kind: &Kind, priority: u16, mut config: Mapping) -> Filter {
        let tags = texts(self.plugin.value.get("tags"));
        let verdict =
            mend(kind.filter, &mut config, self.options.to, self.secrets, &self.place, self.notes);
        let mut name = kind.filter;
        if verdict == Verdict::Refused {
            let instead =
                if kind.guards { ": the route answers 503 until this is done by hand" } else { "" };
            self.notes
                .lost(&self.plugin.place, format!("gatehouse_{name} cannot do this{instead}"));
            name = "request_termination";
            config = match kind.guards {
                true => map([("status_code", 503.into())]),
                // A trigger that no request has: the filter does nothing.
                false => map([
                    ("status_code", 503.into()),
                    ("trigger", "x-gatehouse-not-carried-over".into()),
                ]),
            };
        }
        Filter { priority, name, config, tags, reads_body: self.reads_body }
    }

    /// Tells what a plugin has besides its settings and has no counterpart.
    fn of_plugin(&mut self, filter: &str) {
        let plugin = self.plugin;
        for (name, value) in &plugin.value {
            let name = name.as_str().unwrap_or_default();
            let place = plugin.place.member(name);
            match name {
                _ if value.is_null() => {}
                "name" | "config" | "_config" | "enabled" | "route" | "service" | "consumer"
                | "tags" | "id" | "created_at" | "updated_at" => {}
                "instance_name" => {
                    self.notes.differs(&place, "a filter of a chain has no name of its own")
                }
                "run_on" => {}
                "protocols" => self.protocols(value, &place),
                "ordering" => self
                    .notes
                    .lost(&place, "filters run in the order of the chain: move the filter there"),
                _ => self
                    .notes
                    .lost(&place, format!("gatehouse_{filter} has no counterpart of this")),
            }
        }
    }

    /// A filter runs for every protocol of its route.
    fn protocols(&mut self, value: &Value, place: &Place) {
        let Some(route) = self.file.routes.get(self.route) else { return };
        let of_plugin = texts(Some(value));
        let mut of_route = texts(route.entity.value.get("protocols"));
        if of_route.is_empty() {
            of_route = vec!["http".to_owned(), "https".to_owned()];
        }
        let left_out: Vec<String> =
            of_route.into_iter().filter(|one| !of_plugin.contains(one)).collect();
        if !left_out.is_empty() && !of_plugin.is_empty() {
            let message =
                format!("the filter runs for {} too, as the route does", left_out.join(" and "));
            self.notes.lost(place, message);
        }
    }

    /// Returns words that name the plugin's scope, such as `service.orders`.
    fn scope(&self) -> String {
        let mut words = Vec::new();
        let named = |id: &Option<String>, name: &Option<String>, place: &Place| {
            name.clone().or_else(|| id.clone()).unwrap_or_else(|| place.as_str().to_owned())
        };
        if let Some(route) = self.plugin.route.and_then(|n| self.file.routes.get(n)) {
            let Entity { id, name, place, .. } = &route.entity;
            words.push(format!("route.{}", named(id, name, place)));
        }
        if let Some(Entity { id, name, place, .. }) =
            self.plugin.service.and_then(|n| self.file.services.get(n))
        {
            words.push(format!("service.{}", named(id, name, place)));
        }
        if let Some(consumer) = self.plugin.consumer.and_then(|n| self.file.consumers.get(n)) {
            words.push(format!("consumer.{}", consumer.name()));
        }
        if words.is_empty() { "global".to_owned() } else { words.join(".") }
    }

    /// Writes the settings `admin` and `shm_zone`, if there is an admin service. Returns `true` if
    /// there is.
    fn admin(&mut self, out: &mut Mapping) -> bool {
        let Some(admin) = &self.options.admin else { return false };
        if self.options.to == Target::Kong {
            put(out, "shm_zone", "gatehouse");
        }
        put(out, "admin", admin.settings(self.options.to, self.secrets));
        true
    }

    /// Makes the setting `anonymous` of a consumer that the file has. Returns its number.
    fn anonymous(&mut self, settings: &mut Settings) -> Option<usize> {
        settings.renamed(&["anonymous"], "anonymous");
        let name = text(&settings.out, "anonymous")?.to_owned();
        let found = self.file.consumers.iter().position(|consumer| consumer.is(&name));
        if found.is_none() && self.options.admin.is_none() {
            let message = "found a consumer that this file does not have: strangers get 401 instead of Kong's 500";
            self.notes.lost(&settings.place.member("anonymous"), message);
            settings.out.shift_remove("anonymous");
        }
        found
    }
}
