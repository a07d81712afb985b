//! Each filter by itself on a real gateway.

use super::alone::{Alone, alone};
use super::alone_rules as rules;
use super::drive::{Run, Target};
use super::plan::Plan;
use super::tally::Tally;
use super::upstream::Upstream;
use crate::real::{Answer, Filter, Listener, Server, Setup};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The filters on a real gateway: a listener, a cluster and an upstream for each.
pub struct Bed {
    all: Vec<(Alone, Upstream)>,
    collector: Server,
    sent: Arc<Mutex<Vec<&'static str>>>,
}

impl Bed {
    /// Starts the upstreams and the collector.
    #[track_caller]
    pub fn start() -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let found = Arc::clone(&sent);
        let collector = Server::start(move |request| {
            let broken = rules::collected(request.path(), &request.body);
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(broken);
            match request.path() {
                "/v1/events/batch" => Answer::json(201, "{}"),
                "/v1/config" => Answer::json(200, json!({"sample_rate": 100})),
                _ => Answer::json(200, "[]"),
            }
        });
        let with = |alone: Alone| {
            let upstream = Upstream::judging(alone.rule);
            (alone, upstream)
        };
        Self { all: alone().into_iter().map(with).collect(), collector, sent }
    }

    /// The setup of a gateway. `one_module` puts all filters into one VM.
    pub fn setup(&self, one_module: bool) -> Setup {
        let mut setup = Setup::new(self.all[0].1.address(), Vec::new())
            .cluster("collector", self.collector.address())
            .at_the_edge()
            .manager(json!({"delayed_close_timeout": "0.01s"}));
        for (alone, upstream) in &self.all {
            let filter = Filter::new(alone.filter, &alone.settings).holding_headers(alone.holds);
            let filter = if one_module { filter.of_all().vm_id("torture") } else { filter };
            let (name, filters) = (alone.name, vec![filter]);
            setup.listeners.push(Listener { name, filters, cluster: name });
            setup = setup.cluster(name, upstream.address());
        }
        setup
    }

    /// Sends the requests for each filter, and panics if one of them breaks a rule. `own_5xx` are
    /// the statuses with which the gateway itself may answer.
    #[track_caller]
    pub fn trial(
        &self,
        gateway: &str,
        own_5xx: &'static [u16],
        address: impl Fn(&str) -> SocketAddr,
    ) {
        let mut all = Vec::new();
        for (alone, upstream) in &self.all {
            let reading = alone.reading();
            let target = Target { address: address(alone.name), clients: 8, own_5xx, reading };
            let plan = Plan::of(alone.shapes());
            let tally: Tally = Run { target, plan: &plan, http2: true }.go(0..plan.known());
            println!("{}{} reached the upstream", tally.table(alone.name), upstream.count());
            for ((family, seen), count) in &tally.seen {
                println!("{family}: {seen:?} {count} times");
            }
            let findings = tally.findings.iter().cloned().chain(upstream.findings());
            all.extend(findings.map(|finding| format!("{}: {finding}", alone.name)));
            assert!(upstream.count() >= 10 || alone.filter == "app_id", "{}", alone.name);
        }
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(sent.iter().map(|finding| format!("at the collector: {finding}")));
        assert!(all.is_empty(), "{gateway}: {} findings:\n{}", all.len(), all.join("\n"));
    }
}
