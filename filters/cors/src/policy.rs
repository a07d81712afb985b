//! The CORS headers of a response (Fetch standard, section 3.2).

use crate::config::Config;
use crate::origin::Origin;
use crate::origins::Answer;
use exchange::{Edit, Head, Occurrence, Reply};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

/// Returns `true` if a request from another origin, or without one, may get another response.
/// Caches have to know this for every response, even for one without a CORS header, so that they do
/// not serve it to other origins.
fn varies(config: &Config) -> bool {
    config.origins.vary() || config.credentials || !config.allow_origin_absent
}

/// Returns the headers about the origin: `Access-Control-Allow-Origin` and
/// `Access-Control-Allow-Credentials`. The flag is `true` if they depend on the request's origin.
fn origin_headers(config: &Config, origin: Option<&Origin>) -> (bool, Answer, bool) {
    let answer = config.origins.answer(origin);
    let vary = varies(config);
    if !config.credentials {
        return (vary, answer, false);
    }
    match (answer, origin) {
        // Browsers refuse `*` together with credentials.
        (Answer::Any, Some(origin)) => (vary, Answer::This(origin.whole.clone()), true),
        (Answer::Any, None) => (vary, Answer::Any, false),
        (answer, _) => (vary, answer, true),
    }
}

/// Returns the response to a preflight request.
pub(crate) fn preflight(config: &Config, head: &Head, origin: &Origin) -> Reply {
    let (vary, answer, credentials) = origin_headers(config, Some(origin));
    let mut reply = Reply::new(200, "preflight", exchange::Body::Empty);
    let mut say = |name: &'static str, value: &str| {
        reply.headers.push((name.into(), value.as_bytes().to_vec()));
    };
    match &answer {
        Answer::Any => say(ALLOW_ORIGIN, "*"),
        Answer::This(origin) => say(ALLOW_ORIGIN, origin),
        Answer::Nobody => {}
    }
    if credentials {
        say(ALLOW_CREDENTIALS, "true");
    }
    if vary {
        say("vary", "Origin");
    }
    let asked = head.first("access-control-request-headers").and_then(repeatable);
    if let Some(headers) = config.headers.as_deref().or(asked) {
        say("access-control-allow-headers", headers);
    }
    if !config.methods.is_empty() {
        say("access-control-allow-methods", &config.methods);
    }
    if let Some(max_age) = config.max_age {
        say("access-control-max-age", &max_age.to_string());
    }
    let private = head.occurrence("access-control-request-private-network");
    if config.private_network && private == Occurrence::One(b"true") {
        say("access-control-allow-private-network", "true");
    }
    reply
}

/// Returns a client's list of header names, if it contains only bytes that may be repeated to the
/// client.
fn repeatable(names: &[u8]) -> Option<&str> {
    let plain = |b: &u8| b.is_ascii_graphic() || *b == b' ';
    let fits = !names.is_empty() && names.iter().all(plain);
    fits.then(|| std::str::from_utf8(names).ok())?
}

/// Returns the edits of any other response with the headers `head`.
pub(crate) fn response(config: &Config, head: &Head, origin: Option<&Origin>) -> Vec<Edit> {
    let (vary, answer, credentials) = origin_headers(config, origin);
    let mut edits = vec![match answer {
        Answer::Any => Edit::set(ALLOW_ORIGIN, "*"),
        Answer::This(origin) => Edit::set(ALLOW_ORIGIN, origin),
        // The upstream's header for every origin must not reach this one.
        Answer::Nobody => Edit::remove(ALLOW_ORIGIN),
    }];
    if credentials {
        edits.push(Edit::set(ALLOW_CREDENTIALS, "true"));
    }
    if vary {
        edits.extend(told_caches(head));
    }
    if let Some(headers) = &config.exposed_headers {
        edits.push(Edit::set("access-control-expose-headers", headers.clone()));
    }
    edits
}

/// Returns the edits of a response to a request without an origin.
pub(crate) fn silent(head: &Head) -> Vec<Edit> {
    told_caches(head).into_iter().collect()
}

fn told_caches(head: &Head) -> Option<Edit> {
    (!names_origin(head)).then(|| Edit::Add("vary".into(), b"Origin".to_vec()))
}

/// Returns `true` if the response already has a `Vary` that contains `Origin`.
fn names_origin(head: &Head) -> bool {
    let mut names = head.values("vary").flat_map(|value| value.split(|b| *b == b','));
    names.any(|name| {
        let name = name.trim_ascii();
        name == b"*" || name.eq_ignore_ascii_case(b"origin")
    })
}
