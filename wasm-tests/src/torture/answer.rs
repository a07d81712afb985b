//! The reading of an answer finds out who has given it, and whether it breaks a rule.

use super::shape::Pair;
use super::tally::Seen;

/// The header by which the first filter of the chain marks every response that it sees.
const CHAINED: &str = "x-moesif-transaction-id";

/// The statuses with which a gateway answers by itself, also in front of one filter.
const GATEWAYS: [u16; 2] = [501, 505];

/// Returns what is wrong with the headers of an answer, given the values under a name in lower
/// case.
pub type AnswerRule = fn(&dyn Fn(&str) -> Vec<String>) -> Option<&'static str>;

/// The rules by which the answers of a gateway are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// `true` if the chain marks its answers. Otherwise every answer that is not the upstream's
    /// counts as one of the filter.
    pub marked: bool,
    /// The rule for the headers of every answer.
    pub rule: AnswerRule,
}

impl Reading {
    /// The answers of the chain of all filters.
    pub const CHAIN: Self = Self { marked: true, rule: |_| None };

    /// Says how a request ended, by the status and the headers of its answer.
    pub fn seen(&self, status: u16, headers: &[Pair]) -> Seen {
        let values = |wanted: &str| -> Vec<String> {
            let same = |(name, _): &&Pair| name.eq_ignore_ascii_case(wanted.as_bytes());
            let text = |(_, value): &Pair| String::from_utf8_lossy(value).into_owned();
            headers.iter().filter(same).map(text).collect()
        };
        if status == 0 {
            return Seen::Closed;
        }
        if let Some(broken) = (self.rule)(&values) {
            return Seen::Broken(broken);
        }
        let has = |name: &str| !values(name).is_empty();
        let ours = if self.marked { has(CHAINED) } else { !GATEWAYS.contains(&status) };
        match (has("x-upstream"), ours) {
            (true, _) => Seen::Passed,
            (_, true) => Seen::Ours(told(status, values("grpc-status").first())),
            _ => Seen::Gateway(told(status, values("grpc-status").first())),
        }
    }
}

/// The status of HTTP that an answer stands for. docs/hosts.md has the table of gRPC's statuses.
fn told(status: u16, grpc: Option<&String>) -> u16 {
    match grpc.map(String::as_str) {
        None | Some("0") => status,
        Some("16") => 401,
        Some("7") => 403,
        Some("5") => 404,
        Some("8") => 429,
        Some("3" | "6") => 400,
        Some("14") => 503,
        Some(_) => 500,
    }
}
