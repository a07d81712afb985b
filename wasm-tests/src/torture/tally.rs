//! The verdict on each answer, and the table of all answers.

use super::drive::Protocol;
use super::shape::{Case, Shape, Want};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// The upstream answered.
    Passed,
    /// The answer came through the chain of filters, with this status; of gRPC, the status that it
    /// stands for.
    Ours(u16),
    /// The gateway answered before or without the chain.
    Gateway(u16),
    /// The gateway closed the connection, or reset the stream.
    Closed,
    /// The client left.
    Left,
    /// No answer came.
    Hung,
    /// The answer breaks this rule.
    Broken(&'static str),
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The family.
    pub family: &'static str,
    /// The protocol.
    pub protocol: Protocol,
}

/// The numbers of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of requests.
    pub requests: u64,
    /// The number of answers of the upstream, and of the filters with a status below 400.
    pub answered_2xx: u64,
    /// The number of refusals of the filters.
    pub answered_4xx: u64,
    /// The number of requests that the gateway refused by itself.
    pub refused_by_gateway: u64,
    /// The number of 5xx of the filters that the documents name.
    pub documented_5xx: u64,
    /// The number of clients that left.
    pub left: u64,
    /// The number of findings.
    pub findings: u64,
}

/// What all requests have led to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The table.
    pub lines: BTreeMap<Key, Counts>,
    /// The number of each way in which a request ended, by family.
    pub seen: BTreeMap<(&'static str, Seen), u64>,
    /// The first findings, as texts.
    pub findings: Vec<String>,
    /// The statuses from 500 on that the gateway itself may answer with.
    pub own_5xx: &'static [u16],
}

impl Tally {
    /// Counts the answers to one case.
    pub fn count(&mut self, case: &Case, protocol: Protocol, answers: &[Seen]) {
        let line = self.lines.entry(Key { family: case.family(), protocol }).or_default();
        line.requests += 1;
        for seen in answers {
            *self.seen.entry((case.family(), *seen)).or_default() += 1;
            let cell = match seen {
                Seen::Passed | Seen::Ours(..400) => &mut line.answered_2xx,
                Seen::Ours(400..500) => &mut line.answered_4xx,
                Seen::Ours(_) => &mut line.documented_5xx,
                Seen::Gateway(_) | Seen::Closed => &mut line.refused_by_gateway,
                Seen::Left => &mut line.left,
                Seen::Hung | Seen::Broken(_) => continue,
            };
            *cell += 1;
        }
        if let Some(finding) = self.finding(case, answers) {
            self.lines.entry(Key { family: case.family(), protocol }).or_default().findings += 1;
            if self.findings.len() < 60 {
                self.findings.push(format!("{protocol:?}: {finding}"));
            }
        }
    }

    fn finding(&self, case: &Case, answers: &[Seen]) -> Option<String> {
        let text = || text(case);
        let unknown = matches!(case, Case::Shape(Shape { unknown: true, .. }));
        for seen in answers {
            let broken = match seen {
                Seen::Ours(503) if unknown => false,
                Seen::Ours(500..) | Seen::Hung | Seen::Broken(_) => true,
                Seen::Gateway(status @ 500..) => !self.own_5xx.contains(status),
                _ => false,
            };
            if broken {
                return Some(format!("{seen:?} for {}", text()));
            }
        }
        let Case::Shape(shape) = case else { return None };
        let first = answers.first().copied();
        let broken = match (shape.want, first) {
            (_, Some(Seen::Passed)) if !shape.may_pass => true,
            (Want::Passes, Some(Seen::Passed)) | (Want::Any, _) => false,
            (Want::Status(wanted), Some(Seen::Ours(status))) => wanted != status,
            _ => !(shape.unknown && first == Some(Seen::Ours(503))),
        };
        broken.then(|| format!("{first:?} instead of {:?} for {}", shape.want, text()))
    }

    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        for (key, counts) in other.lines {
            let line = self.lines.entry(key).or_default();
            line.requests += counts.requests;
            line.answered_2xx += counts.answered_2xx;
            line.answered_4xx += counts.answered_4xx;
            line.refused_by_gateway += counts.refused_by_gateway;
            line.documented_5xx += counts.documented_5xx;
            line.left += counts.left;
            line.findings += counts.findings;
        }
        for (key, number) in other.seen {
            *self.seen.entry(key).or_default() += number;
        }
        self.findings.extend(other.findings);
    }

    /// The number of requests.
    pub fn requests(&self) -> u64 {
        self.lines.values().map(|line| line.requests).sum()
    }

    /// The table as text, for a gateway of this name.
    pub fn table(&self, gateway: &str) -> String {
        let mut text = format!(
            "{:22} {:8} {:8} {:>9} {:>9} {:>9} {:>9} {:>6} {:>7} {:>8}\n",
            "family",
            "protocol",
            "gateway",
            "requests",
            "2xx",
            "4xx",
            "gateway's",
            "5xx",
            "left",
            "findings"
        );
        for (key, line) in &self.lines {
            text.push_str(&format!(
                "{:22} {:8} {:8} {:>9} {:>9} {:>9} {:>9} {:>6} {:>7} {:>8}\n",
                key.family,
                key.protocol.name(),
                gateway,
                line.requests,
                line.answered_2xx,
                line.answered_4xx,
                line.refused_by_gateway,
                line.documented_5xx,
                line.left,
                line.findings
            ));
        }
        text
    }

    /// The table as JSON, for a gateway of this name.
    pub fn json(&self, gateway: &str) -> Value {
        let line = |(key, line): (&Key, &Counts)| {
            json!({
                "family": key.family, "protocol": key.protocol.name(), "gateway": gateway,
                "requests": line.requests, "answered_2xx": line.answered_2xx,
                "answered_4xx": line.answered_4xx, "refused_by_gateway": line.refused_by_gateway,
                "documented_5xx": line.documented_5xx, "left": line.left, "findings": line.findings,
            })
        };
        self.lines.iter().map(line).collect()
    }
}

/// A text that names a case in a finding.
pub fn text(case: &Case) -> String {
    let start = |bytes: &[u8]| bytes[..bytes.len().min(600)].escape_ascii().to_string();
    match case {
        Case::Shape(shape) => shape.text(),
        Case::Http1 { family, pieces, .. } => format!("{family}: {}", start(&pieces.concat())),
        Case::Http2 { family, frames, .. } => format!("{family}: {}", start(frames)),
    }
}
