//! The collector of events is away, slow, fails, or lies.

use crate::bed::Upstream;
use crate::collector::{APPLICATION, Collector, Mood};
use crate::table::{Answers, Events, Row, length};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wasm_tests::merged;
use wasm_tests::real::{Connection, Filter, Proxy, RawRequest, Setup, eventually};

const PART: &str = "Moesif's collector";
/// The connections of a storm.
const CONNECTIONS: usize = 8;
/// The filter's counters of events that are lost.
const DROPPED: [&str; 5] = ["queue_full", "rejected", "too_large", "at_end", "no_randomness"];

/// A gateway that sends events to a collector.
struct Reported {
    gateway: Proxy,
    collector: Collector,
    recorded: AtomicUsize,
    // Declared last: the gateway's requests end before the upstream does.
    _upstream: Upstream,
}

/// The filter with short times, and these settings.
pub fn moesif(settings: Value) -> Filter {
    let common = json!({"application_id": APPLICATION, "collector": {"upstream": "collector"},
        "batch_max_wait": 200, "send_timeout": 1000, "batch_size": 20});
    Filter::new("moesif", &merged(common, settings))
}

impl Reported {
    fn start(settings: Value) -> Self {
        let (collector, upstream) = (Collector::start(), Upstream::start());
        let setup = Setup::new(upstream.address(), vec![moesif(settings)])
            .cluster("collector", collector.address());
        let gateway = Proxy::start(&setup);
        Self { gateway, collector, recorded: AtomicUsize::new(0), _upstream: upstream }
    }

    fn metric(&self, name: &str) -> u64 {
        metric(&self.gateway, name)
    }

    /// Sends so many requests, which must not be held up by the collector.
    fn storm(&self, requests: usize) {
        let to = self.gateway.address("main");
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut open = Connection::open(to).expect("a connection");
                    for n in 0..requests / CONNECTIONS {
                        let request = RawRequest::get(format!("/orders/{n}"));
                        let answer = open.exchange(&request).expect("an answer");
                        assert_eq!(answer.status(), 200);
                        self.recorded.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }

    /// Lets the collector be in this mood during a storm, until the filter's counter `met` shows
    /// that it has met the mood, and well afterwards.
    fn through(&self, mood: Mood, met: &str) {
        let before = self.metric(met);
        self.collector.is(mood);
        self.storm(length(80, 800));
        eventually(&format!("{mood:?}"), || (self.metric(met) > before).then_some(()));
        self.collector.is(Mood::Well);
        self.until_empty();
    }

    /// Waits until every event has arrived or is counted as lost.
    fn until_empty(&self) {
        delivered(&self.gateway, &self.collector, self.recorded.load(Ordering::SeqCst));
    }

    fn report(self, done: String, bound: u64) {
        self.until_empty();
        let sent = self.recorded.load(Ordering::SeqCst);
        let events = Events {
            recorded: sent as u64,
            delivered: self.collector.events().len() as u64,
            dropped: dropped(&self.gateway),
            bound,
        };
        let answers = Answers { sent, right: sent, ..Answers::default() };
        Row::new(PART, done, "").on("moesif").answers(answers).events(events).report();
    }
}

/// One of moesif's metrics.
pub fn metric(gateway: &Proxy, name: &str) -> u64 {
    gateway.stat(&format!("wasmcustom.gatehouse_moesif_{name}"))
}

/// The events that the filter counts as lost.
pub fn dropped(gateway: &Proxy) -> u64 {
    DROPPED.iter().map(|reason| metric(gateway, &format!("dropped_{reason}"))).sum()
}

/// Waits until so many events have arrived or are counted as lost, and returns how many arrived.
fn delivered(gateway: &Proxy, collector: &Collector, recorded: usize) -> u64 {
    eventually("every event", || {
        let delivered = collector.events().len() as u64;
        (delivered + dropped(gateway) >= recorded as u64).then_some(delivered)
    })
}

/// The events of a gateway that loses none.
pub fn events_of(gateway: &Proxy, collector: &Collector, recorded: usize) -> Events {
    let delivered = delivered(gateway, collector, recorded);
    Events { recorded: recorded as u64, delivered, dropped: dropped(gateway), bound: 0 }
}

#[test]
fn a_collector_that_fails_loses_no_event() {
    let reported = Reported::start(json!({}));
    let moods = [
        (Mood::Refuses(500), "retries"),
        (Mood::Refuses(503), "retries"),
        (Mood::Refuses(429), "retries"),
        (Mood::TakesAtMost(3), "splits"),
    ];
    for (mood, met) in moods {
        reported.through(mood, met);
    }
    reported.report("answers 500, 503, 429, and 413 to batches of more than 3".to_owned(), 0);
}

#[test]
fn a_collector_that_is_slow_or_silent_loses_no_event() {
    let reported = Reported::start(json!({}));
    let moods = [
        (Mood::Slow(Duration::from_millis(300)), "sent"),
        (Mood::Slow(Duration::from_millis(1500)), "retries"),
        (Mood::Silent, "retries"),
    ];
    for (mood, met) in moods {
        reported.through(mood, met);
    }
    let done = "answers after 300 ms, after 1500 ms (`send_timeout` is 1000 ms), and not at all";
    reported.report(done.to_owned(), 0);
}

#[test]
fn a_collector_that_is_away_or_breaks_off_loses_no_event() {
    let mut reported = Reported::start(json!({}));
    reported.through(Mood::Closes, "retries");
    reported.through(Mood::TakesAndBreaksOff, "retries");
    let before = reported.metric("retries");
    reported.collector.stop();
    reported.storm(length(80, 800));
    eventually("a collector that is away", || {
        (reported.metric("retries") >= before + 2).then_some(())
    });
    reported.collector.resume();
    let done = "closes connections, takes batches and breaks its answer off, and is away";
    reported.report(done.to_owned(), 0);
}

#[test]
fn a_collector_that_lies_about_its_configuration_loses_no_event() {
    let reported = Reported::start(json!({}));
    let lies = [json!("no object"), json!({"sample_rate": "many"}), json!([[[[]]]])];
    for (number, lie) in lies.iter().enumerate() {
        let asked = ["/v1/config", "/v1/rules"].map(|path| reported.collector.asked(path));
        reported.collector.configures(&format!("c{number}x"), lie.clone());
        reported.collector.rules(&format!("r{number}x"), lie.clone());
        reported.storm(length(40, 400));
        eventually("questions about the new tags", || {
            let now = ["/v1/config", "/v1/rules"].map(|path| reported.collector.asked(path));
            (now[0] > asked[0] && now[1] > asked[1]).then_some(())
        });
        reported.storm(length(40, 400));
    }
    let done = "configuration and rules of other shapes than documented";
    reported.report(done.to_owned(), 0);
}

#[test]
fn a_full_queue_loses_the_oldest_events_and_counts_them() {
    let (queue, requests) = (50, length(400, 4000));
    let reported = Reported::start(json!({"event_queue_size": queue}));
    reported.collector.is(Mood::Closes);
    reported.storm(requests);
    eventually("a full queue", || (reported.metric("dropped_queue_full") > 0).then_some(()));
    reported.collector.is(Mood::Well);
    let bound = (requests - queue) as u64;
    let done = format!("away during {requests} requests, with `event_queue_size: {queue}`");
    reported.report(done, bound);
}
