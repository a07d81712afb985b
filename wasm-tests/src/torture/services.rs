//! The services around a gateway with the chain, and a trial of that gateway.

use super::answer::Reading;
use super::drive::{Client, Protocol, Run, Target};
use super::families::normal;
use super::plan::Plan;
use super::shape::{APP, Case, Credentials, KEY, Want};
use super::tally::{Seen, Tally};
use super::upstream::Upstream;
use crate::real::{Admin, Answer, Connection, RawRequest, Server, Setup, eventually};
use crate::torture::all_filters;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Instant;

/// The parts into which the random requests are divided, with a look at the memory after each.
const PARTS: u64 = 5;

/// The upstream, gatehouse-admin with the consumers, and the collector of events.
pub struct Services {
    /// The upstream.
    pub upstream: Upstream,
    admin: Admin,
    collector: Server,
}

/// A look at the memory of a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// The size of the VMs' memories in KiB, or 0 where the system does not tell it.
    pub vms_kb: u64,
    /// The resident memory of the gateway's processes in KiB.
    pub resident_kb: f64,
}

/// What a trial has shown.
pub struct Trial {
    /// The table.
    pub tally: Tally,
    /// The memory before all requests, after the known cases, and after each part of the others.
    pub memory: Vec<Memory>,
    /// The time that it took.
    pub seconds: f64,
}

impl Services {
    /// Starts the services.
    #[track_caller]
    pub fn start() -> Self {
        let (upstream, admin) = (Upstream::start(), Admin::start());
        let collector = Server::start(|request| match request.path() {
            "/v1/events/batch" => Answer::json(201, "{}"),
            "/v1/config" => Answer::json(200, json!({"sample_rate": 100})),
            _ => Answer::json(200, "[]"),
        });
        admin.consumer("ana", KEY, &[APP]);
        admin.consumer("ado", "key-of-ado", &["partners"]);
        admin.create("/consumers/ado/jwt", &json!({"key": "adokey", "secret": "supersecret"}));
        Self { upstream, admin, collector }
    }

    /// The setup of a gateway with the chain. `one_module` puts all filters into one VM.
    pub fn setup(&self, one_module: bool) -> Setup {
        let target = json!({
            "upstream": "admin", "authority": self.admin.address().to_string(),
            // A busy machine must not cause a 503.
            "timeout": 60_000, "poll_interval": 1,
        });
        let filter = |(name, settings): (&str, Value)| {
            let filter = crate::real::Filter::new(name, &settings);
            if one_module { filter.of_all().vm_id("torture") } else { filter }
        };
        let filters = all_filters(Some(&target)).into_iter().map(filter).collect();
        Setup::new(self.upstream.address(), filters)
            .cluster("admin", self.admin.address())
            .cluster("collector", self.collector.address())
            .at_the_edge()
            // Envoy waits for a client that it has refused; these clients only wait for Envoy.
            .manager(json!({"delayed_close_timeout": "0.01s"}))
    }

    /// Logs the consumer in who may pass, and returns the credentials.
    #[track_caller]
    pub fn credentials(&self, gateway: SocketAddr) -> Credentials {
        let request = RawRequest::get("/orders?case=may")
            .header("x-case", "may")
            .header("apikey", KEY)
            .header("x-app-id", APP);
        let cookie = eventually("a session", || {
            let mut connection = Connection::open(gateway).ok()?;
            let answer = connection.exchange(&request).ok()?;
            let field = answer.all("set-cookie").into_iter().find(|f| f.starts_with("session="))?;
            Some(field.split(';').next().unwrap_or_default().to_owned())
        });
        Credentials { cookie }
    }

    /// Sends the cases of a plan for this number of requests. Normal requests must get right
    /// answers before, in between and afterwards.
    #[track_caller]
    pub fn trial(
        &self,
        target: Target,
        requests: u64,
        http2: bool,
        look: impl Fn() -> Memory,
    ) -> Trial {
        let credentials = self.credentials(target.address);
        assert_normal(target.address, &credentials, http2);
        let plan = Plan::new(&credentials, requests, http2);
        let run = Run { target, plan: &plan, http2 };
        let (begun, mut memory) = (Instant::now(), vec![look()]);
        let mut tally = run.go(0..plan.known());
        memory.push(look());
        let rest = plan.requests() - plan.known();
        for part in 0..PARTS {
            let at = |part: u64| plan.known() + rest * part / PARTS;
            tally.add(run.go(at(part)..at(part + 1)));
            memory.push(look());
            assert_normal(target.address, &credentials, http2);
        }
        Trial { tally, memory, seconds: begun.elapsed().as_secs_f64() }
    }
}

/// Panics unless normal requests get the right answers.
#[track_caller]
fn assert_normal(gateway: SocketAddr, credentials: &Credentials, http2: bool) {
    let mut client = Client::new(gateway, Reading::CHAIN);
    for shape in normal(credentials) {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let right = match shape.want {
                Want::Passes => Seen::Passed,
                Want::Status(status) => Seen::Ours(status),
                Want::Any => continue,
            };
            if http2 || protocol == Protocol::Http1 {
                let seen = client.send(&Case::Shape(shape.clone()), protocol);
                assert_eq!(seen, [right], "{protocol:?} {}", shape.text());
            }
        }
    }
}

impl Trial {
    /// Prints the table, and writes it into the file that `GATEHOUSE_TORTURE_OUT` names. Panics if
    /// there is a finding of another kind than those that are `known`, or if the memory grows: that
    /// of the VMs by more than an eighth since the known cases and the first part of the others,
    /// that of the gateway by more than a quarter over the most that was seen before the end.
    #[track_caller]
    pub fn report(&self, gateway: &str, upstream: &Upstream, known: &[&str]) {
        let Self { tally, memory, seconds } = self;
        let requests = tally.requests();
        println!("{requests} requests in {seconds:.0} s\n{}", tally.table(gateway));
        for ((family, seen), count) in &tally.seen {
            println!("{family}: {seen:?} {count} times");
        }
        println!("{memory:?}");
        if let Ok(out) = std::env::var("GATEHOUSE_TORTURE_OUT") {
            let look = |m: &Memory| json!({"vms_kb": m.vms_kb, "resident_kb": m.resident_kb});
            let document = json!({
                "gateway": gateway, "requests": requests, "seconds": seconds,
                "upstream": upstream.count(),
                "lines": tally.json(gateway), "memory": memory.iter().map(look).collect::<Vec<_>>(),
            });
            let file = format!("{out}/{gateway}.json");
            std::fs::write(&file, document.to_string()).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
        let at_upstream = upstream.findings().into_iter();
        let at_upstream =
            at_upstream.filter(|text| !known.iter().any(|known| text.contains(known)));
        let findings: Vec<String> = tally.findings.iter().cloned().chain(at_upstream).collect();
        assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
        let (warm, end) = (memory[2], memory[memory.len() - 1]);
        let looks = memory.iter().take(memory.len() - 1).map(|look| look.resident_kb);
        let most = looks.fold(0.0, f64::max);
        assert!(end.vms_kb <= warm.vms_kb + warm.vms_kb / 8, "the VMs grow: {memory:?}");
        assert!(end.resident_kb <= most * 1.25, "the gateway grows: {memory:?}");
    }
}

/// The number of requests that `GATEHOUSE_TORTURE_REQUESTS` sets, or the given one.
pub fn requests(otherwise: u64) -> u64 {
    let wanted = std::env::var("GATEHOUSE_TORTURE_REQUESTS").ok();
    wanted.map_or(otherwise, |text| {
        text.parse().expect("GATEHOUSE_TORTURE_REQUESTS is a number of requests")
    })
}
