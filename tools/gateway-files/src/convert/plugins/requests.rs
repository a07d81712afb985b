//! Plugins that look at a request and need neither consumers nor a service.

use super::Context;
use crate::convert::settings::Settings;
use crate::convert::values::{list, put, texts};
use serde_norway::Value;

pub(super) fn bot_detection(_: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.renamed(&["allow", "whitelist"], "allow");
    settings.renamed(&["deny", "blacklist"], "deny");
    Some(())
}

pub(super) fn cors(_: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&[
        "origins",
        "headers",
        "exposed_headers",
        "methods",
        "max_age",
        "credentials",
        "private_network",
        "preflight_continue",
        "allow_origin_absent",
    ]);
    if let Some(origins) = settings.out.get("origins").cloned()
        && !origins.is_sequence()
    {
        let origins = texts(Some(&origins));
        put(&mut settings.out, "origins", list(&origins));
    }
    // Kong writes its items one after the other, so that one may hold several names.
    for name in ["headers", "exposed_headers"] {
        if let Some(names) = settings.out.get(name).cloned() {
            let names = texts(Some(&names)).join(",");
            let each: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
            put(&mut settings.out, name, list(&each));
        }
    }
    Some(())
}

pub(super) fn ip_restriction(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.renamed(&["allow", "whitelist"], "allow");
    settings.renamed(&["deny", "blacklist"], "deny");
    settings.same(&["status", "message"]);
    if context.options.to.is_envoy() {
        let how = "Kong's `trusted_ips` is in no such file: if a proxy stands in front of Envoy, set \
                   `xff_num_trusted_hops`, or `trusted_proxies` of gatehouse_ip_restriction";
        context.notes.differs(&context.plugin.place, how);
    }
    Some(())
}

pub(super) fn termination(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&["status_code", "message", "content_type", "body", "echo", "trigger"]);
    context.reads_body = settings.out.get("echo").and_then(Value::as_bool) == Some(true);
    Some(())
}

pub(super) fn transformer(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    const PARTS: [&str; 5] = ["remove", "rename", "replace", "add", "append"];
    settings.same(&["http_method"]);
    settings.same(&PARTS);
    let body = |part: &&str| settings.out.get(*part).is_some_and(|part| part.get("body").is_some());
    context.reads_body = PARTS.iter().any(body);
    let all = PARTS.iter().filter_map(|part| settings.out.get(*part));
    let text = all.filter_map(|part| serde_json::to_string(part).ok()).collect::<String>();
    if text.contains("uri_captures") {
        captures(context, settings);
    }
    if context.options.to.is_envoy() {
        chosen_anew(context, settings);
    }
    if context.reads_body {
        let how = "a body that cannot be changed is refused where fields are removed, renamed or replaced; Kong \
                   passes it on (`unreadable_body: pass` does so too)";
        context.notes.differs(&context.place, how);
    }
    Some(())
}

/// Envoy chooses the route anew when a filter has changed the request.
fn chosen_anew(context: &mut Context<'_>, settings: &Settings) {
    let why = "Envoy chooses the route anew by what the filter has made of the request: give it a route that fits, with \
               the cluster of this one";
    if settings.out.get("replace").is_some_and(|replace| replace.get("uri").is_some()) {
        context.notes.lost(&settings.place.member("replace").member("uri"), why);
    }
    let methods = context
        .file
        .routes
        .get(context.route)
        .map(|route| texts(route.entity.value.get("methods")));
    let methods = methods.unwrap_or_default();
    let new = settings.out.get("http_method").and_then(Value::as_str);
    if new.is_some_and(|new| !methods.is_empty() && !methods.iter().any(|method| method == new)) {
        context.notes.lost(&settings.place.member("http_method"), why);
    }
}

/// Filters are not told what a route has captured, so the route's expression is given to them.
fn captures(context: &mut Context<'_>, settings: &mut Settings) {
    let paths =
        context.file.routes.get(context.route).map(|route| texts(route.entity.value.get("paths")));
    let paths = paths.unwrap_or_default();
    match &paths[..] {
        [path] if path.starts_with('~') => {
            put(&mut settings.out, "uri_pattern", path.trim_start_matches('~'));
        }
        // Before format 3.0, an expression has no mark.
        [path] if path.contains('(') => put(&mut settings.out, "uri_pattern", path.as_str()),
        _ => {
            let why = "`uri_captures` need a route with one path that is an expression: set `uri_pattern` by hand";
            context.notes.lost(&settings.place, why);
        }
    }
}
