//! The values that go into the cache with a lookup, and those that come out of it.

use crate::waiting::Seat;
use admin_api::NodeCounts;
use exchange::{Answer, Call, CallResult, Finding, Key, Target, Unavailable};
use std::rc::Rc;

/// The result of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The finding is cached.
    Hit(Finding),
    /// The finding is cached, and serves because nothing newer has been fetched: it is past its
    /// `ttl`, or a fetch is not possible.
    Stale(Finding),
    /// The finding is not cached, and cannot be fetched.
    Unavailable,
    /// The finding is not cached. It is fetched later, because this gateway lets no request wait.
    Queued,
    /// The caller makes this call, and waits for its answer in this seat.
    Fetch(Outgoing, Seat),
    /// The call is under way. The request waits in this seat until it is woken.
    Join(Seat),
}

impl Lookup {
    /// Returns the counts of one lookup with this result.
    pub(crate) fn counts(&self) -> NodeCounts {
        let none = NodeCounts::default();
        match self {
            Self::Hit(_) => NodeCounts { hits: 1, ..none },
            Self::Stale(_) => NodeCounts { stale: 1, ..none },
            Self::Unavailable | Self::Queued | Self::Fetch(..) | Self::Join(_) => {
                NodeCounts { misses: 1, ..none }
            }
        }
    }

    /// Returns the name of the metric that counts lookups with this result.
    #[must_use]
    pub fn metric(&self) -> &'static str {
        match self {
            Self::Hit(_) => "cache_hits",
            Self::Stale(_) => "cache_stale_hits",
            Self::Unavailable | Self::Queued => "lookups_refused",
            Self::Fetch(..) => "lookups",
            Self::Join(_) => "lookups_joined",
        }
    }
}

/// The conditions of a lookup: the time, and what the gateway allows.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Milliseconds since 1970.
    pub now: u64,
    /// The oldest usable answer, in milliseconds since 1970: one that was stored before is fetched
    /// again. 0 takes any.
    pub not_before: u64,
    /// The request may wait.
    pub can_park: bool,
    /// The answer to one call can wake several waiting requests.
    pub can_wake: bool,
    /// The bytes that the request keeps in memory while it waits.
    pub bytes: usize,
}

/// The purpose of a call of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// It asks for the list of changes.
    Changes,
    /// It asks for a page of the snapshot.
    Snapshot,
    /// It fetches this key.
    Key(Key),
}

/// A call that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The purpose of the call. Its result is given to [`Cache::answered`](crate::Cache::answered)
    /// with this purpose.
    pub purpose: Purpose,
    /// The call.
    pub call: Call,
    /// The service that is asked. Without one, the call has failed: [`CallError::NotSent`].
    pub target: Option<Rc<Target>>,
}

/// The effects that the caller carries out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Calls to be made.
    pub calls: Vec<Outgoing>,
    /// Requests to wake, each with the result that it waited for.
    pub woken: Vec<(u32, Result<Finding, Unavailable>)>,
    /// Metrics to be increased by one.
    pub counts: Vec<&'static str>,
    /// Messages to be logged as warnings.
    pub warnings: Vec<String>,
}

impl Effects {
    /// Counts and reports a fetch that failed. `understood` is `true` if its answer could be read.
    /// Returns the counts of it.
    pub(crate) fn note_fetch(&mut self, result: &CallResult, understood: bool) -> NodeCounts {
        let warning = match result {
            Ok(_) if understood => return NodeCounts::default(),
            Ok(answer) => answered(answer),
            Err(error) => format!("the admin service cannot be asked: {error}"),
        };
        self.counts.push("lookup_failures");
        self.warnings.push(warning);
        NodeCounts { failures: 1, ..NodeCounts::default() }
    }

    pub(crate) fn warn(&mut self, warning: &str) {
        self.warnings.push(warning.to_owned());
    }

    /// Counts and reports a call for changes that failed. `understood` is `true` if its answer
    /// could be read.
    pub(crate) fn note_poll(&mut self, result: &CallResult, understood: bool) {
        let reason = match result {
            Ok(_) if understood => return,
            Ok(answer) => answered(answer),
            Err(error) => error.to_string(),
        };
        self.counts.push("poll_failures");
        self.warnings.push(format!("the list of changes cannot be asked for: {reason}"));
    }
}

/// Describes an answer that could not be read.
fn answered(answer: &Answer) -> String {
    let form = match answer.status {
        200 | 404 => ", but not in the form that is expected of it",
        _ => "",
    };
    format!("the admin service answered {}{form}", answer.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::CallError;

    #[test]
    fn an_answer_that_cannot_be_read_is_a_failure_that_is_counted_and_said() {
        for (result, understood, failed, said) in [
            (Ok(Answer::new(200, "{}")), true, false, ""),
            (Ok(Answer::new(404, "{}")), true, false, ""),
            (Ok(Answer::new(404, "<html>")), false, true, "404, but not in the form"),
            (Ok(Answer::new(401, "{}")), false, true, "answered 401"),
            (Ok(Answer::new(503, "no healthy upstream")), false, true, "answered 503"),
            (Err(CallError::NoAnswer), false, true, "no answer"),
        ] {
            let (mut fetch, mut poll) = (Effects::default(), Effects::default());
            assert_eq!(fetch.note_fetch(&result, understood).failures, u32::from(failed));
            poll.note_poll(&result, understood);
            for (effects, count) in [(fetch, "lookup_failures"), (poll, "poll_failures")] {
                assert_eq!(effects.counts, if failed { vec![count] } else { vec![] }, "{result:?}");
                assert!(effects.warnings.concat().contains(said), "{:?}", effects.warnings);
            }
        }
    }
}
