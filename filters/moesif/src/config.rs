//! The settings of the filter: those of Kong's Moesif plugin with its names and defaults, some of
//! the Envoy plugin, and some more.

use crate::body::Treatment;
use crate::collector::{Endpoint, Place};
use crate::identify::Sources;
use crate::mask::Masks;
use settings::{Common, Fields, Invalid, Rule, target};
use std::time::Duration;

/// Settings that passed every check.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    pub(crate) application_id: String,
    /// The collector's address. `None` only in settings that are rejected.
    pub(crate) place: Option<Place>,
    /// The timeout of calls that fetch documents.
    pub(crate) connect_timeout: Duration,
    /// The timeout of calls that send batches.
    pub(crate) send_timeout: Duration,
    pub(crate) api_version: Option<String>,
    pub(crate) request: Direction,
    pub(crate) response: Direction,
    pub(crate) query_masks: Masks,
    pub(crate) sources: Sources,
    pub(crate) trust_client_ip_headers: bool,
    pub(crate) transaction_id: bool,
    pub(crate) batch_size: usize,
    /// The longest time that an event waits for a full batch, in milliseconds.
    pub(crate) batch_max_wait: u64,
    pub(crate) max_events: usize,
    pub(crate) max_queue_bytes: usize,
    pub(crate) compress: bool,
    pub(crate) debug: bool,
    /// `true` to refuse a request if a rule that blocks depends on something that cannot be read.
    pub(crate) refuses_unreadable: bool,
    /// The names of settings that were given and have no effect.
    pub(crate) ignored: Vec<&'static str>,
}

/// The settings for requests, or for responses.
#[derive(Debug)]
pub(crate) struct Direction {
    pub(crate) header_masks: Masks,
    pub(crate) capture_body: bool,
    pub(crate) body: Treatment,
}

/// Settings of older versions, and of plugins that send one batch at a time on a timer.
const UNUSED: [&str; 8] = [
    "timeout",
    "keepalive",
    "max_callback_time_spent",
    "max_events_sent_per_callback",
    "sampling_percentage",
    "max_body_size_limit",
    "enable_reading_send_event_response",
    "disable_moesif_payload_compression",
];

const API_ENDPOINT: &str = "https://api.moesif.net";

const URL: Rule = Rule {
    what: "a URL with `http` or `https`, host, optional port and path, and nothing else",
    pattern: Some(r"^([hH][tT][tT][pP][sS]?://)?[A-Za-z0-9._\[\]:-]+(/[^?#]*)?$"),
    max: 2048,
    check: |text| Endpoint::read(text).is_some(),
};

/// A name in a body or a query, which may be any text.
const NAME: Rule = Rule { what: "a name", pattern: None, max: 256, check: |_| true };

const HEADER_NAMES: Rule = Rule {
    what: "header names (letters, digits, `-` and `_`), separated by commas",
    pattern: Some("^[a-zA-Z0-9_, -]+$"),
    max: 1024,
    check: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-, ".contains(&b)),
};

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let application_id = f.secret("application_id", "application_id_env", Rule::WORD);
        let given = f.is_given("application_id") || f.is_given("application_id_env");
        f.check(
            application_id.is_some() || given,
            "application_id",
            "found nothing, expected the application id that Moesif gave out",
        );
        let place = place(f);
        let mut milliseconds =
            |name, default| Duration::from_millis(f.integer(name, 1..=60_000, default));
        let connect_timeout = milliseconds("connect_timeout", 1000);
        let send_timeout = milliseconds("send_timeout", 5000);
        let api_version = f.text("api_version", Rule::TEXT).or_else(|| Some("1.0".to_owned()));
        let decompress = !f.flag("disable_gzip_payload_decompression", false);
        let request = Direction::read(f, &REQUEST, decompress);
        let response = Direction::read(f, &RESPONSE, decompress);
        let query_masks = Masks::new(f.texts("request_query_masks", NAME).unwrap_or_default());
        let sources = sources(f);
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            common,
            application_id: application_id.unwrap_or_default(),
            place,
            connect_timeout,
            send_timeout,
            api_version,
            request,
            response,
            query_masks,
            sources,
            trust_client_ip_headers: f.flag("trust_client_ip_headers", true),
            transaction_id: !f.flag("disable_transaction_id", false),
            batch_size: size(f.integer("batch_size", 1..=10_000, 50)),
            batch_max_wait: f.integer("batch_max_wait", 1..=60_000, 2000),
            max_events: size(f.integer("event_queue_size", 1..=10_000_000, 100_000)),
            max_queue_bytes: size(f.integer("max_queue_bytes", 65_536..=1 << 30, 8 << 20)),
            compress: f.flag("enable_compression", false),
            debug: f.flag("debug", false),
            refuses_unreadable: f
                .choice("unreadable_requests", &[("refuse", true), ("pass", false)])
                .unwrap_or(true),
            ignored: ignored(f),
        }
    }

    /// Checks the address of the collector with `usable`.
    ///
    /// # Errors
    /// The setting that the address comes from, if it is not usable.
    pub(crate) fn check_address(&self, usable: impl Fn(&str) -> bool) -> Result<(), Invalid> {
        let (path, upstream) = match &self.place {
            Some(Place::Named(target)) => ("collector.upstream", target.upstream.as_str()),
            Some(Place::Endpoint { upstream: Some(upstream), .. }) => {
                ("upstream", upstream.as_str())
            }
            Some(Place::Endpoint { upstream: None, .. }) | None => return Ok(()),
        };
        if usable(upstream) {
            return Ok(());
        }
        let message = "found a name that Kong cannot call, expected `host:port`";
        Err(Invalid::one(path, message))
    }

    /// Returns a message for the operator about settings without effect.
    pub(crate) fn ignored_message(&self) -> Option<String> {
        let list = self.ignored.join("`, `");
        let ignored = !list.is_empty();
        ignored.then(|| format!("gatehouse_moesif: `{list}` are accepted, but have no effect here"))
    }

    /// Returns the interval at which the filter looks for something to send.
    pub(crate) fn period(&self) -> Duration {
        Duration::from_millis((self.batch_max_wait / 2).clamp(100, 1000))
    }
}

/// Adds the headers that hold secrets of this gateway's own: they are for nobody else.
fn with_secrets(mut masks: Vec<String>) -> Vec<String> {
    masks.push("x-gatehouse-debug".to_owned());
    masks
}

/// The names of the settings of one direction.
struct Names {
    header_masks: &'static str,
    body_masks: &'static str,
    /// The former name of the setting for masks of bodies.
    masks: &'static str,
    disable: &'static str,
    limit: &'static str,
}

const REQUEST: Names = Names {
    header_masks: "request_header_masks",
    body_masks: "request_body_masks",
    masks: "request_masks",
    disable: "disable_capture_request_body",
    limit: "request_max_body_size_limit",
};

const RESPONSE: Names = Names {
    header_masks: "response_header_masks",
    body_masks: "response_body_masks",
    masks: "response_masks",
    disable: "disable_capture_response_body",
    limit: "response_max_body_size_limit",
};

impl Direction {
    fn read(f: &mut Fields<'_>, names: &Names, decompress: bool) -> Self {
        let header_masks = f.texts(names.header_masks, Rule::HEADER_NAME).unwrap_or_default();
        let masks = f.texts(names.body_masks, NAME).unwrap_or_default();
        let old_masks = f.texts(names.masks, NAME).unwrap_or_default();
        let masks = if masks.is_empty() { old_masks } else { masks };
        let limit = f.integer(names.limit, 0..=1_000_000, 100_000);
        Self {
            header_masks: Masks::new(with_secrets(header_masks)),
            capture_body: !f.flag(names.disable, false),
            body: Treatment {
                masks: Masks::new(masks),
                decompress,
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
            },
        }
    }
}

/// Reads `collector`, else `upstream` and `base_uri`, else `api_endpoint`.
fn place(f: &mut Fields<'_>) -> Option<Place> {
    let collector = target(f, "collector", 5000);
    let upstream = f.text("upstream", Rule::WORD);
    let base_uri = f.text("base_uri", URL);
    let endpoint = f.text("api_endpoint", URL);
    if let Some(collector) = collector {
        return Some(Place::Named(collector));
    }
    let url = base_uri.or(endpoint);
    let endpoint = Endpoint::read(url.as_deref().unwrap_or(API_ENDPOINT))?;
    Some(Place::Endpoint { upstream, endpoint })
}

fn sources(f: &mut Fields<'_>) -> Sources {
    // An empty text disables the setting, and an absent one means the default.
    let mut unless_empty = |name, rule, default: &str| {
        let text = f.text(name, rule);
        if text.is_none() && !f.is_given(name) { Some(default.to_owned()) } else { text }
    };
    let headers = unless_empty("authorization_header_name", HEADER_NAMES, "authorization");
    let user_claim = unless_empty("authorization_user_id_field", NAME, "sub");
    let headers = headers.unwrap_or_default();
    let names = headers.split(',').map(str::trim).filter(|name| !name.is_empty());
    Sources {
        user_header: f.text("user_id_header", Rule::HEADER_NAME),
        company_header: f.text("company_id_header", Rule::HEADER_NAME),
        credential_headers: names.map(str::to_ascii_lowercase).collect(),
        user_claim,
        company_claim: f.text("authorization_company_id_field", NAME),
    }
}

/// Returns the settings without effect here. Accepting them lets operators copy a configuration.
fn ignored(f: &mut Fields<'_>) -> Vec<&'static str> {
    UNUSED.iter().for_each(|name| f.unused(name));
    UNUSED.into_iter().filter(|name| f.is_given(name)).collect()
}

#[cfg(test)]
#[path = "config_tests.rs"]
pub(crate) mod tests;
