//! The plugin `session`.

use super::{Context, SAVE};
use crate::convert::Target;
use crate::convert::secrets::Source;
use crate::convert::settings::Settings;
use crate::convert::values::{put, text};
use serde_norway::{Mapping, Value};

/// The settings of Kong 2, and their names of today.
const RENAMED: [(&str, &str); 6] = [
    ("cookie_lifetime", "rolling_timeout"),
    ("cookie_idletime", "idling_timeout"),
    ("cookie_discard", "stale_ttl"),
    ("cookie_samesite", "cookie_same_site"),
    ("cookie_httponly", "cookie_http_only"),
    ("cookie_persistent", "remember"),
];

pub(super) fn session(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    secret(context, settings);
    // Kong takes `null` for no limit, where the setting has its old name only.
    let unlimited = settings.has("cookie_idletime") && !settings.has("idling_timeout");
    let told = RENAMED.iter().any(|(old, _)| settings.has(old));
    for (old, new) in RENAMED {
        settings.renamed(&[new, old], new);
    }
    if unlimited && !settings.out.contains_key("idling_timeout") {
        put(&mut settings.out, "idling_timeout", 0);
    }
    if text(&settings.out, "cookie_same_site") == Some("off") {
        put(&mut settings.out, "cookie_same_site", "Lax");
    }
    settings.ignore(&["cookie_renew"]);
    if told {
        let how = "has settings of Kong 2, which mean what they mean in Kong 3: a session ends after \
                   `absolute_timeout` (86400 s) too, and a body is read for a logout with `read_body_for_logout` only";
        context.notes.differs(&settings.place, how);
    }
    settings.same(&[
        "audience",
        "absolute_timeout",
        "cookie_name",
        "cookie_path",
        "cookie_domain",
        "cookie_secure",
        "remember_cookie_name",
        "remember_rolling_timeout",
        "remember_absolute_timeout",
        "response_headers",
        "request_headers",
        "read_body_for_logout",
        "logout_methods",
        "logout_query_arg",
        "logout_post_arg",
        "hash_subject",
        "store_metadata",
        "bind",
    ]);
    context.reads_body =
        settings.out.get("read_body_for_logout").and_then(Value::as_bool) == Some(true);
    let stored = settings.take("storage").as_ref().and_then(Value::as_str) == Some("kong");
    let mut admin = Mapping::new();
    let has_admin = context.admin(&mut admin);
    settings.out.extend(admin);
    if stored && !has_admin {
        let why = "sessions are stored at gatehouse-admin only, which `--admin` names: the cookie holds them";
        context.notes.lost(&settings.place.member("storage"), why);
    }
    if stored && has_admin {
        put(&mut settings.out, "storage", "admin");
        context.notes.differs(
            &settings.place.member("storage"),
            "users log in once more: Kong's rows stay in Kong's database",
        );
        if context.options.to == Target::Kong {
            put(&mut settings.out, "phase", "open");
            let mut save = settings.out.clone();
            put(&mut save, "phase", "save");
            context.second = Some((SAVE, save));
        }
    }
    if !has_admin && !context.file.consumers.is_empty() {
        context.people(&mut settings.out, |_| true, |_, _, _| {});
    }
    Some(())
}

fn secret(context: &mut Context<'_>, settings: &mut Settings) {
    const STEM: &str = "GATEHOUSE_SESSION_SECRET";
    match settings.take("secret") {
        Some(Value::String(secret)) if !secret.is_empty() => {
            context.secrets.put(&mut settings.out, "secret", STEM, &secret);
        }
        _ => {
            let why = Source::Operator(
                "a random text, the same on every node (openssl rand -hex 32)".to_owned(),
            );
            let variable = context.secrets.variable(STEM, why);
            let how = format!(
                "Kong makes up a secret where there is none: put a random text into `{variable}`, the same on every node"
            );
            context.notes.differs(&settings.place, how);
            put(&mut settings.out, "secret_env", variable);
        }
    }
}
