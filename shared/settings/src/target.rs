//! The settings of the services that a filter calls.

use crate::fields::Fields;
use crate::rule::Rule;
use exchange::Target;
use std::time::Duration;

/// The setting `admin`: the admin service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The service and the settings of calls to it.
    pub target: Target,
    /// The time between two polls for changes, in seconds (1 to 3600). A change takes effect in the
    /// gateway within this time.
    pub poll_interval: Duration,
}

/// Reads the common setting `admin`.
pub fn admin(fields: &mut Fields<'_>) -> Option<Admin> {
    fields.object("admin", |f| {
        let target = target_fields(f, 1000);
        let poll_interval = Duration::from_secs(f.integer("poll_interval", 1..=3600, 5));
        Admin { target, poll_interval }
    })
}

/// Reads the setting `name`, which describes a service. `timeout` is its default timeout in
/// milliseconds.
pub fn target(fields: &mut Fields<'_>, name: &'static str, timeout: u64) -> Option<Target> {
    fields.object(name, |f| target_fields(f, timeout))
}

fn target_fields(f: &mut Fields<'_>, timeout: u64) -> Target {
    let upstream = f.required_text("upstream", Rule::WORD);
    let authority = f.text("authority", Rule::WORD).unwrap_or_else(|| upstream.clone());
    let tls = f.choice("scheme", &[("http", false), ("https", true)]).unwrap_or(false);
    let prefix = f.text("path_prefix", Rule::PATH).unwrap_or_default();
    let prefix = prefix.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let timeout = Duration::from_millis(f.integer("timeout", 1..=60_000, timeout));
    let token = f.secret("token", "token_env", Rule::WORD);
    Target { upstream, authority, tls, prefix, timeout, token }
}
