//! The rows of the table: what was done, what clients got, what was lost.

use serde_json::{Value, json};
use std::io::Write as _;

/// Returns `short`, or `long` where the whole table is made (`make faults`).
pub fn length<T>(short: T, long: T) -> T {
    if std::env::var("GATEHOUSE_FAULTS").is_ok_and(|form| form == "long") { long } else { short }
}

/// A row of the table. [`Row::report`] is its verdict.
#[derive(Debug)]
pub struct Row {
    part: &'static str,
    done: String,
    on: String,
    answers: Option<Answers>,
    writes: Option<(usize, usize)>,
    events: Option<Events>,
    late: Option<Late>,
}

/// What the clients of a row got.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The requests that were sent.
    pub sent: usize,
    /// The requests that were answered as if nothing had happened.
    pub right: usize,
    /// The requests that were refused in the documented way, as long as nothing could be asked.
    pub refused: usize,
    /// All other answers, in words.
    pub wrong: Vec<String>,
    /// These requests, and those by which the test found out that every client is served.
    pub asked: usize,
}

/// The events of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    /// The requests that were to be recorded.
    pub recorded: u64,
    /// The different events that the collector has.
    pub delivered: u64,
    /// The events that the filter counts as dropped.
    pub dropped: u64,
    /// The events that may be dropped by the documented bound.
    pub bound: u64,
}

/// How late a revoked credential was refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Late {
    /// The documented bound, in seconds.
    pub promised: f64,
    /// The time from the acknowledged write to the start of the last request that passed.
    pub measured: f64,
    /// The bound of the verdict, in words.
    pub judged: &'static str,
}

impl Row {
    /// Begins a row. `part` is the heading that it stands under, `on` the gateway and the database.
    pub fn new(part: &'static str, done: impl Into<String>, on: impl Into<String>) -> Self {
        let (done, on) = (done.into(), on.into());
        Self { part, done, on, answers: None, writes: None, events: None, late: None }
    }

    /// Names the gateway, the database, and the setting that the row is about.
    pub fn on(mut self, setting: &str) -> Self {
        self.on = crate::bed::on(setting);
        self
    }

    /// Adds the answers that clients got.
    pub fn answers(mut self, answers: Answers) -> Self {
        self.answers = Some(answers);
        self
    }

    /// Adds the number of acknowledged writes, and of those that were not found afterwards.
    pub fn writes(mut self, acknowledged: usize, lost: usize) -> Self {
        self.writes = Some((acknowledged, lost));
        self
    }

    /// Adds the events.
    pub fn events(mut self, events: Events) -> Self {
        self.events = Some(events);
        self
    }

    /// Adds how late a revocation was.
    pub fn late(mut self, late: Late) -> Self {
        self.late = Some(late);
        self
    }

    /// Prints the row, appends it to the file `GATEHOUSE_FAULTS_OUT` if that is set, and panics if
    /// it shows a wrong answer, a lost write, or an event that is missing without being counted.
    #[track_caller]
    pub fn report(self) {
        let json = self.json();
        println!("{json}");
        if let Some(path) = std::env::var_os("GATEHOUSE_FAULTS_OUT") {
            let mut file = std::fs::File::options();
            let mut file = file.create(true).append(true).open(path).expect("the file of rows");
            // One call, so that rows of several threads do not mix.
            file.write_all(format!("{json}\n").as_bytes()).expect("a row in the file");
        }
        let row = format!("{} ({})", self.done, self.on);
        if let Some(answers) = &self.answers {
            assert!(answers.wrong.is_empty(), "{row}: wrong answers: {:#?}", answers.wrong);
            assert!(answers.sent > 0, "{row}: nobody asked");
            assert_eq!(answers.sent, answers.right + answers.refused, "{row}: every answer counts");
        }
        if let Some((acknowledged, lost)) = self.writes {
            assert!(acknowledged > 0, "{row}: nothing was written");
            assert_eq!(lost, 0, "{row}: {lost} of {acknowledged} acknowledged writes are lost");
        }
        if let Some(events) = self.events {
            let Events { recorded, delivered, dropped, bound } = events;
            assert_eq!(recorded, delivered + dropped, "{row}: each event arrives or is counted");
            assert!(dropped <= bound, "{row}: {dropped} events are lost, {bound} may be");
        }
    }

    fn json(&self) -> Value {
        let answers = self.answers.as_ref().map(|answers| {
            json!({"sent": answers.sent, "right": answers.right, "refused": answers.refused,
                "wrong": answers.wrong.len()})
        });
        let writes = self.writes.map(|(all, lost)| json!({"acknowledged": all, "lost": lost}));
        let events = self.events.map(|events| {
            json!({"recorded": events.recorded, "delivered": events.delivered,
                "dropped": events.dropped})
        });
        let late = self.late.map(|late| {
            json!({"promised": late.promised, "measured": (late.measured * 100.0).round() / 100.0,
                "judged": late.judged})
        });
        json!({"part": self.part, "done": self.done, "on": self.on, "answers": answers,
            "writes": writes, "events": events, "late": late})
    }
}
