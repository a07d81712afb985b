//! The list of targets.

mod exchange;
mod filter_settings;
mod filters;
mod gateway_files;
mod jose;
mod networks;
mod rsa;
mod settings;
mod shared;

use filter_settings as whole;

/// One target: a name, and a function that panics where a promise is broken.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All targets, each of which `docs/hostile-input.md` describes.
pub const TARGETS: &[Target] = &[
    target("headers", exchange::headers),
    target("request_target", exchange::request_target),
    target("bodies", exchange::bodies),
    target("settings", settings::filters),
    target("settings_forms", settings::forms),
    target("tokens", jose::tokens),
    target("jwk_sets", jose::jwk_sets),
    target("keys", jose::keys),
    target("rsa_verdicts", rsa::verdicts),
    target("rsa_forgeries", rsa::forgeries),
    target("rsa_exact", rsa::powers),
    target("rsa_signatures", rsa::signatures),
    target("identities", shared::identities),
    target("convert", gateway_files::convert),
    target("key_auth", whole::key_auth),
    target("jwt_auth", whole::jwt_auth),
    target("app_id", whole::app_id),
    target("rate_limiting", whole::rate_limiting),
    target("request_transformer", whole::request_transformer),
    target("moesif", whole::moesif),
    target("session", whole::sessions),
    target("other_filters", other_filters),
    target("moesif_json", gatehouse_moesif::fuzzing::json),
    target("moesif_bodies", |data| {
        gatehouse_moesif::fuzzing::bodies(data);
        gatehouse_moesif::fuzzing::documents(data);
    }),
    target("networks", networks::networks),
    target("session_cookies", gatehouse_session::fuzzing::everything),
];

/// Filters that read little: the first byte chooses one.
fn other_filters(data: &[u8]) {
    let all = [
        whole::ip_restriction,
        whole::cors,
        whole::bot_detection,
        whole::request_termination,
        whole::upstream_jwt,
    ];
    if let Some((chosen, rest)) = crate::input::choice(data, all.len()) {
        all[chosen](rest);
    }
}
