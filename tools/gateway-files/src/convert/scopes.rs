//! Which instances of a plugin Kong runs on a route, for whom.

use super::kong_file::{KongFile, Plugin};

/// One instance of a plugin on a route, with the consumers whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    /// The number of the plugin.
    pub(super) plugin: usize,
    /// The consumers whom it is for alone; empty for everybody.
    pub(super) only: Vec<usize>,
    /// The consumers whom another instance is for.
    pub(super) never: Vec<usize>,
}

/// Returns the instances of the plugins with one of these names that Kong runs on the route. For
/// each request Kong runs one instance, the most specific one: route, service and consumer; route
/// and consumer; service and consumer; route and service; consumer; route; service; all. Instances
/// that are not enabled, or that are for a consumer group, do not count.
pub(super) fn applied(file: &KongFile, route: usize, names: &[&str]) -> Vec<Applied> {
    let service = file.routes.get(route).and_then(|route| route.service);
    let best = |consumer: Option<usize>| -> Option<usize> {
        let fits = |plugin: &Plugin| {
            plugin.enabled
                && !plugin.for_group
                && names.contains(&plugin.name.as_str())
                && plugin.route.is_none_or(|own| own == route)
                && plugin.service.is_none_or(|own| Some(own) == service)
                && plugin.consumer.is_none_or(|own| Some(own) == consumer)
        };
        let all = file.plugins.iter().enumerate().filter(|(_, plugin)| fits(plugin));
        // Of equals, which Kong refuses, the first one counts.
        all.rev().max_by_key(|(_, plugin)| rank(plugin)).map(|(number, _)| number)
    };
    let base = best(None);
    let mut own: Vec<(usize, Vec<usize>)> = Vec::new();
    for consumer in 0..file.consumers.len() {
        let chosen = best(Some(consumer));
        let Some(chosen) = chosen.filter(|_| chosen != base) else { continue };
        match own.iter_mut().find(|(plugin, _)| *plugin == chosen) {
            Some((_, consumers)) => consumers.push(consumer),
            None => own.push((chosen, vec![consumer])),
        }
    }
    let never: Vec<usize> = own.iter().flat_map(|(_, consumers)| consumers.clone()).collect();
    let mut all: Vec<Applied> =
        own.into_iter().map(|(plugin, only)| Applied { plugin, only, never: Vec::new() }).collect();
    all.extend(base.map(|plugin| Applied { plugin, only: Vec::new(), never }));
    all
}

/// Returns the place of an instance in Kong's order of precedence; the greatest wins.
fn rank(plugin: &Plugin) -> u8 {
    match (plugin.route.is_some(), plugin.service.is_some(), plugin.consumer.is_some()) {
        (true, true, true) => 7,
        (true, false, true) => 6,
        (false, true, true) => 5,
        (true, true, false) => 4,
        (false, false, true) => 3,
        (true, false, false) => 2,
        (false, true, false) => 1,
        (false, false, false) => 0,
    }
}
