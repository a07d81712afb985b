//! A case of a table, asked of the filters on a pretend gateway.

use crate::browser;
use crate::chains::{self, Chain};
use crate::compare;
use crate::named::{self, Jar};
use crate::table::{Asked, Case, Step, Table, values};
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;
use wasm_tests::{Answer, KongVersion, Profile, Proxy, Request, Response, Standing};

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every answer was that of the suite.
    Agrees,
    /// The first answer that was another one, and how.
    Differs(String),
    /// Why the case cannot be asked of a filter.
    NotAsked(String),
}

/// A pretend gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Kong,
    Envoy,
}

impl Host {
    pub const ALL: [Self; 2] = [Self::Kong, Self::Envoy];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kong => "Kong",
            Self::Envoy => "Envoy",
        }
    }

    /// Returns the gateway with the settings that the documents ask for.
    fn profile(self) -> Profile {
        match self {
            Self::Kong => Profile::kong(KongVersion::V3_9).zone("gatehouse").all_variables(),
            Self::Envoy => Profile::envoy()
                .allow_on_headers_stop_iteration(true)
                .vm_configuration(r#"{"host":"envoy"}"#),
        }
    }
}

/// Asks every question of a case. Each chain has a gateway of its own, which lives until the case
/// ends.
pub fn play(table: &Table, case: &Case, host: Host) -> Verdict {
    if let Some(why) = &case.not_recorded {
        return Verdict::NotAsked(why.clone());
    }
    let mut asked = 0;
    let mut gateways: BTreeMap<usize, Proxy> = BTreeMap::new();
    let mut jar = Jar::new();
    for (number, step) in case.steps.iter().enumerate() {
        let differs = |what: String| Verdict::Differs(format!("{}: {what}", number + 1));
        match step {
            Step::Admin { .. } => {}
            Step::Silent { error } => return Verdict::NotAsked(format!("no answer: {error}")),
            Step::Settings { plugin, config, ok } => {
                asked += 1;
                if let Err(what) = settings(plugin, config, *ok, host) {
                    return differs(what);
                }
            }
            Step::Fetch(fetched) => {
                let proxy = match gateway(&mut gateways, table, fetched.chain, case.at, host) {
                    Ok(proxy) => proxy,
                    Err(verdict) => return verdict.at(number),
                };
                asked += 1;
                if let Err(what) = browser::fetch(proxy, fetched) {
                    return differs(what);
                }
            }
            Step::Request(request) => {
                let Some(chain) = request.chain else { continue };
                let now = case.at + request.t;
                let proxy = match gateway(&mut gateways, table, chain, now, host) {
                    Ok(proxy) => proxy,
                    Err(verdict) => return verdict.at(number),
                };
                proxy.advance(Duration::from_millis(now.saturating_sub(proxy.now_ms())));
                asked += 1;
                let answered = match table.named {
                    true => named::ask(proxy, request, &mut jar),
                    false => ask(proxy, request, host),
                };
                if let Err(what) = answered {
                    return differs(what);
                }
            }
        }
    }
    match asked {
        0 => Verdict::NotAsked(nothing_to_ask(case).to_owned()),
        _ => Verdict::Agrees,
    }
}

impl Verdict {
    /// Adds the number of the question to a difference.
    fn at(self, number: usize) -> Self {
        match self {
            Self::Differs(what) => Self::Differs(format!("{}: {what}", number + 1)),
            other => other,
        }
    }
}

/// Returns the gateway of a chain, which starts at its first request.
fn gateway<'a>(
    gateways: &'a mut BTreeMap<usize, Proxy>,
    table: &Table,
    chain: usize,
    now: u64,
    host: Host,
) -> Result<&'a Proxy, Verdict> {
    let new = match gateways.entry(chain) {
        Entry::Occupied(known) => return Ok(known.into_mut()),
        Entry::Vacant(new) => new,
    };
    let part = &table.chains[chain];
    let filters = match chains::chain(part) {
        Chain::Filters(filters) => filters,
        Chain::Foreign(names) => return Err(Verdict::NotAsked(format!("decided by {names}"))),
    };
    let proxy = Proxy::new(host.profile().start_ms(now), chains::compiled(&filters, host));
    if let Some(why) = proxy.rejected() {
        return Err(Verdict::Differs(format!("the settings are refused: {why}")));
    }
    if let Some(answer) = part.get("callouts") {
        let status = answer["s"].as_u64().and_then(|status| u16::try_from(status).ok());
        let body = answer["b"].as_str().expect("a body").to_owned();
        let answer = Response::json(status.expect("a status"), body);
        proxy.on_call(move |_| Some(Answer::Response(answer.clone())));
        proxy.tick();
    }
    Ok(new.insert(proxy))
}

fn nothing_to_ask(case: &Case) -> &'static str {
    let mut steps = case.steps.iter();
    match steps.any(|step| matches!(step, Step::Admin { .. })) {
        true => "Kong's Admin API",
        false => "a Lua module without a gateway",
    }
}

/// Compares what a filter thinks of settings with what the plugin's schema thinks of them.
fn settings(plugin: &str, config: &serde_json::Value, ok: bool, host: Host) -> Result<(), String> {
    let mut config = config.clone();
    if ["key-auth", "jwt"].contains(&plugin) {
        // A filter has to be told where the consumers are; Kong's plugin reads its database.
        config["admin"] = json!({"upstream": "admin.test:8001"});
    }
    let filter = (chains::mirror(plugin), config);
    let proxy = Proxy::new(host.profile(), chains::compiled(&[filter], host));
    // A Kong serves the route, and the filter answers 500.
    let refused = proxy.rejected().map(str::to_owned).or_else(|| {
        let reply = proxy.send(Request::get("/")).outcome().reply?;
        (reply.status == 500).then(|| reply.text())
    });
    match (ok, refused) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(why)) => Err(format!("the settings are refused: {why}")),
        (false, None) => Err("the settings are accepted".to_owned()),
    }
}

/// Returns the request of a table as a client sends it.
pub fn request(asked: &Asked) -> Request {
    let (method, target) = asked.line();
    let mut request = Request::new(method, target)
        .client(asked.ip.as_deref().unwrap_or("127.0.0.1"), 40_000)
        .scheme(if asked.tls { "https" } else { "http" });
    for (name, value) in asked.headers() {
        request = match name.eq_ignore_ascii_case("host") {
            true => request.host(&value),
            false => request.header(&name, value),
        };
    }
    if let Some(body) = asked.body() {
        request = request.body(body);
    }
    request
}

fn ask(proxy: &Proxy, asked: &Asked, host: Host) -> Result<(), String> {
    let stream = proxy.send(request(asked));
    let outcome = stream.outcome();
    if let Some(trap) = outcome.traps.first() {
        return Err(format!("a filter trapped: {trap:?}"));
    }
    match (&asked.up, outcome.standing) {
        (Some(_), Standing::Forwarded) => {
            if let Some(upstream) = &asked.u {
                compare::upstream(asked, upstream, &stream.forwarded(), host)?;
            }
            if asked.s == 502 {
                stream.upstream_fails();
            } else {
                stream.respond(upstream_answer(asked));
            }
            compare::reply(asked, &stream.reply(), false)
        }
        (None, Standing::Answered) if outcome.forwarded.is_none() => {
            compare::reply(asked, &stream.reply(), true)
        }
        (Some(_), Standing::Answered) => {
            let reply = stream.reply();
            Err(format!("answered with {} {}", reply.status, reply.text()))
        }
        (None, Standing::Forwarded) => Err(format!("goes on instead of {}", asked.s)),
        (_, other) => Err(format!("is {other:?}")),
    }
}

/// Returns the upstream's own answer. Kong's test upstream sends the headers that the query of
/// `/response-headers` names.
fn upstream_answer(asked: &Asked) -> Response {
    let status = asked.up.as_ref().and_then(serde_json::Value::as_u64).unwrap_or(200);
    let mut answer = Response::new(u16::try_from(status).expect("a status"));
    let (_, target) = asked.line();
    if let Some(query) = target.strip_prefix("/response-headers?") {
        for (name, value) in compare::pairs(query) {
            answer = answer.with(&name, value);
        }
    }
    let typed = asked.r.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    for (name, value) in typed.flat_map(|(name, value)| values(name, value)) {
        answer = answer.with(&name, value);
    }
    answer
}
