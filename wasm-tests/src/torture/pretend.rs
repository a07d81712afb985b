//! Cases on a pretend gateway, and the verdict on each.

use super::alone::Alone;
use super::alone_rules;
use super::answer::Reading;
use super::families::normal;
use super::handed::handed;
use super::shape::{Case, Credentials, Shape, Want};
use super::tally::{Seen, Tally};
use super::upstream::{Rule, answer, findings, shown};
use super::{Protocol, admin, all_filters};
use crate::artifact::Filter;
use crate::message::{Forwarded, Response};
use crate::outcome::Standing;
use crate::profile::{KongVersion, Profile};
use crate::proxy::Proxy;
use crate::real;
use crate::values::merged;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The time of the gateway between two requests.
const BETWEEN: Duration = Duration::from_millis(20);

/// The zone of shared data, and the filters that use it on Kong.
const ZONE: &str = "gatehouse";
const REMEMBERING: [&str; 5] = ["key_auth", "app_id", "jwt_auth", "session", "rate_limiting"];

/// A pretend gateway that gets cases.
pub struct Pretend {
    proxy: Proxy,
    kong: bool,
    rule: Rule,
    reading: Reading,
    /// The number of each finding, and the first request that led to it.
    findings: BTreeMap<String, (u64, String)>,
    /// The faults of the batches that the filters sent to the collector.
    sent: Rc<RefCell<Vec<&'static str>>>,
    /// The number of requests that the parser of the real gateway would have refused.
    refused: u64,
    /// The number of requests that reached the upstream.
    passed: u64,
}

/// A gateway with these filters: a Kong of this version, as its operator should configure it, or an
/// Envoy, which holds the headers of a request whose body a filter waits for if `holds`.
fn gateway(kong: Option<KongVersion>, holds: bool, filters: Vec<(&str, Value)>) -> Proxy {
    let profile = match kong {
        Some(version) => Profile::kong(version).zone(ZONE).all_variables().body_buffer(1 << 20),
        None => Profile::envoy().allow_on_headers_stop_iteration(holds),
    };
    let filter = |(name, settings): (&str, Value)| {
        let zone = kong.is_some() && REMEMBERING.contains(&name);
        let settings = if zone { merged(settings, json!({"shm_zone": ZONE})) } else { settings };
        Filter::built(name).config(settings.to_string())
    };
    Proxy::new(profile, filters.into_iter().map(filter).collect::<Vec<_>>())
}

/// The newest Kong, or an Envoy.
fn newest(kong: bool) -> Option<KongVersion> {
    kong.then_some(KongVersion::V3_9)
}

impl Pretend {
    /// The chain of all filters, which ask gatehouse-admin, on a pretend Envoy or Kong.
    pub fn chain(kong: bool) -> Self {
        let target = json!({"upstream": "admin", "timeout": 60_000, "poll_interval": 1});
        let proxy = gateway(newest(kong), false, all_filters(Some(&target)));
        proxy.on_call(|call| Some(admin::answer(call)));
        Self::of(proxy, kong, findings, Reading::CHAIN)
    }

    /// The chain of all filters on a pretend Kong of this version, with the consumers in their
    /// settings, because not every version lets a request wait for a lookup.
    pub fn chain_of(version: KongVersion) -> Self {
        let proxy = gateway(Some(version), false, all_filters(None));
        proxy.on_call(|call| Some(admin::answer(call)));
        Self::of(proxy, true, findings, Reading::CHAIN)
    }

    /// One filter by itself, on a pretend Envoy or Kong.
    pub fn alone(kong: bool, alone: &Alone) -> Self {
        let proxy =
            gateway(newest(kong), alone.holds, vec![(alone.filter, alone.settings.clone())]);
        let pretend = Self::of(proxy, kong, alone.rule, alone.reading());
        let sent = pretend.sent.clone();
        pretend.proxy.on_call(move |call| {
            sent.borrow_mut().extend(alone_rules::collected(&call.path(), &call.body));
            Some(admin::answer(call))
        });
        pretend
    }

    fn of(proxy: Proxy, kong: bool, rule: Rule, reading: Reading) -> Self {
        let (findings, sent) = (BTreeMap::new(), Rc::default());
        Self { proxy, kong, rule, reading, findings, sent, refused: 0, passed: 0 }
    }

    /// The gateway.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Logs the consumer in who may pass, and returns the credentials.
    #[track_caller]
    pub fn credentials(&self) -> Credentials {
        let request = handed(&Shape::known("login"), self.kong).expect("a request");
        let stream = self.proxy.send(request);
        stream.respond(Response::new(200));
        let fields = stream.reply().headers_named("set-cookie");
        let field = fields.into_iter().find(|field| field.starts_with("session="));
        let cookie = field.expect("a session").split(';').next().unwrap_or_default().to_owned();
        Credentials { cookie }
    }

    /// Sends a request and says how it ended; `None` if the parser would have refused it.
    pub fn send(&mut self, shape: &Shape) -> Option<Seen> {
        let Some(request) = handed(shape, self.kong) else {
            self.refused += 1;
            return None;
        };
        self.proxy.advance(BETWEEN);
        let stream = self.proxy.send(request);
        if let Some(forwarded) = stream.outcome().forwarded {
            let message = message(forwarded);
            for finding in (self.rule)(&message) {
                self.found(finding.to_owned(), || {
                    format!("{} {:?}", message.start, shown(&message))
                });
            }
            if stream.standing() == Standing::Forwarded {
                self.passed += 1;
                stream.respond(response(&answer(&message)));
            }
        }
        for fault in self.proxy.faults() {
            self.found(format!("{fault:?}"), || shape.text());
        }
        let outcome = stream.outcome();
        Some(match (outcome.standing, outcome.reply) {
            (Standing::Answered, Some(reply)) => {
                let headers = reply.headers.iter();
                let headers = headers.map(|(n, v)| (n.clone().into_bytes(), v.clone()));
                self.reading.seen(reply.status, &headers.collect::<Vec<_>>())
            }
            (Standing::Closed, _) => Seen::Closed,
            _ => Seen::Hung,
        })
    }

    /// Sends all of these and counts the answers.
    pub fn count(&mut self, shapes: impl IntoIterator<Item = Shape>, tally: &mut Tally) {
        for shape in shapes {
            if let Some(seen) = self.send(&shape) {
                tally.count(&Case::Shape(shape), Protocol::Http1, &[seen]);
            }
        }
    }

    /// Panics unless normal requests get the right answers.
    #[track_caller]
    pub fn assert_normal(&mut self, credentials: &Credentials) {
        for shape in normal(credentials) {
            let right = match shape.want {
                Want::Passes => Seen::Passed,
                Want::Status(status) => Seen::Ours(status),
                Want::Any => continue,
            };
            assert_eq!(self.send(&shape), Some(right), "{}", shape.text());
        }
    }

    fn found(&mut self, what: String, first: impl FnOnce() -> String) {
        self.findings.entry(what).or_insert_with(|| (0, first())).0 += 1;
    }

    /// Prints the table, and returns the findings of another kind than those that are `known`. It
    /// is one, too, that fewer than `least` requests reached the upstream.
    pub fn report(&mut self, name: &str, tally: &Tally, known: &[&str], least: u64) -> Vec<String> {
        // What is on its way to the collector arrives.
        self.proxy.advance(Duration::from_secs(10));
        for fault in self.proxy.faults() {
            self.found(format!("{fault:?}"), || "afterwards".to_owned());
        }
        for broken in self.sent.take() {
            self.found(broken.to_owned(), || "at the collector".to_owned());
        }
        let Self { refused, passed, .. } = self;
        println!("{}{refused} were the parser's, {passed} reached the upstream", tally.table(name));
        for ((family, seen), count) in &tally.seen {
            println!("{family}: {seen:?} {count} times");
        }
        let mine = self.findings.iter().filter(|(what, _)| !known.contains(&what.as_str()));
        let mine = mine.map(|(what, (count, first))| format!("{count} times: {what}: {first}"));
        let few =
            (*passed < least).then(|| format!("{passed} of at least {least} requests passed"));
        let all = tally.findings.iter().cloned().chain(mine).chain(few);
        all.map(|finding| format!("{name}: {finding}")).collect()
    }
}

/// The request as the judges of the real gateways read it.
fn message(forwarded: Forwarded) -> real::Message {
    let bytes = |pairs: Vec<(String, Vec<u8>)>| {
        let all = pairs.into_iter().filter(|(name, _)| !name.starts_with(':'));
        all.map(|(name, value)| (name.into_bytes(), value)).collect()
    };
    let target = String::from_utf8_lossy(&forwarded.target);
    real::Message {
        start: format!("{} {target} HTTP/1.1", forwarded.method),
        headers: bytes(forwarded.headers),
        body: forwarded.body,
        trailers: bytes(forwarded.trailers),
    }
}

fn response(answer: &real::Answer) -> Response {
    match answer {
        real::Answer::Reply { status, headers, body } => {
            let response = Response::new(*status).with_body(body);
            headers.iter().fold(response, |response, (name, value)| response.with(name, value))
        }
        // The only answer in bytes is the consent to an upgrade.
        real::Answer::Bytes(_) => Response::new(101)
            .with("connection", "Upgrade")
            .with("upgrade", "websocket")
            .with("x-upstream", "1"),
    }
}
