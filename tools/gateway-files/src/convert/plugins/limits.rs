//! The plugin `rate-limiting`.

use super::Context;
use crate::convert::Target;
use crate::convert::settings::Settings;
use crate::convert::values::{put, text};
use serde_norway::Value;

const PERIODS: [&str; 6] = ["second", "minute", "hour", "day", "month", "year"];

const REDIS: [&str; 10] = [
    "redis",
    "redis_host",
    "redis_port",
    "redis_timeout",
    "redis_username",
    "redis_password",
    "redis_database",
    "redis_ssl",
    "redis_ssl_verify",
    "redis_server_name",
];

pub(super) fn rate_limiting(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    for period in PERIODS {
        settings.same(&[period]);
        let fraction =
            settings.out.get(period).and_then(Value::as_f64).filter(|most| most.fract() != 0.0);
        if let Some(most) = fraction {
            let up = most.ceil();
            let message = format!("found {most}, and a filter counts whole requests: {up} it is");
            context.notes.lost(&settings.place.member(period), message);
            put(&mut settings.out, period, up as i64);
        }
    }
    settings.same(&["limit_by", "header_name", "path", "fault_tolerant", "hide_client_headers"]);
    settings.same(&["error_code", "error_message", "policy", "sync_rate"]);
    let counted_together = text(&settings.out, "policy").is_some_and(|policy| policy != "local");
    let is_redis = text(&settings.out, "policy") == Some("redis");
    if is_redis {
        let how = "gatehouse-admin counts: give it the same Redis with `--redis-url`";
        settings.tell(&REDIS, how, context.notes);
    } else {
        settings.ignore(&REDIS);
    }
    let mut admin = serde_norway::Mapping::new();
    if counted_together && context.admin(&mut admin) {
        settings.out.extend(admin);
    } else {
        if counted_together {
            let why = "nodes count together at gatehouse-admin only, which `--admin` names: each node counts alone";
            context.notes.lost(&settings.place.member("policy"), why);
        }
        settings.out.shift_remove("policy");
        settings.out.shift_remove("sync_rate");
        if context.options.to == Target::Kong {
            put(&mut settings.out, "shm_zone", "gatehouse");
        }
    }
    // Kong counts apart for each plugin, wherever it runs.
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let namespace: String = format!("kong.{}", context.scope()).chars().map(plain).collect();
    put(&mut settings.out, "namespace", namespace);
    Some(())
}
