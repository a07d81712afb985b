//! What a test can see of a request.

use crate::abi::Callback;
use crate::message::{Forwarded, Response};
use crate::node::Fault;
use std::collections::BTreeMap;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The client has not sent everything, and the filters wait for it.
    Reading,
    /// A filter waits for callouts that this request made.
    Waiting,
    /// Envoy: a filter holds it, and waits for something else, such as another request's callout.
    Held,
    /// Kong: paused without a callout. It would hang for ever.
    Hung,
    /// On its way to the upstream, headers at least.
    Forwarded,
    /// The client has its answer.
    Answered,
    /// The connection was closed without an answer.
    Closed,
}

/// Everything that a request has come to so far.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Where it stands.
    pub standing: Standing,
    /// What the upstream has received.
    pub forwarded: Option<Forwarded>,
    /// What the client has received.
    pub reply: Option<Response>,
    /// The reply was made in the gateway, by a filter or by the gateway itself.
    pub local: bool,
    /// What a filter gave as the details of its reply.
    pub details: String,
    /// Traps of filters while they served it.
    pub traps: Vec<Fault>,
    /// Things the filters did for it that the real gateway answers with worse than a status.
    pub violations: Vec<Fault>,
    /// Host calls that its filters made.
    pub host_calls: HostCalls,
    /// Callouts that its filters made.
    pub callouts: usize,
    /// The callbacks that ran, with their filters, in order.
    pub callbacks: Vec<(String, Callback)>,
}

impl Outcome {
    /// The callbacks that ran in the filter called `filter`.
    pub fn callbacks_of(&self, filter: &str) -> Vec<Callback> {
        let mine = self.callbacks.iter().filter(|(name, _)| name == filter);
        mine.map(|(_, callback)| *callback).collect()
    }

    /// How often `callback` ran.
    pub fn times(&self, callback: Callback) -> usize {
        self.callbacks.iter().filter(|(_, c)| *c == callback).count()
    }
}

/// Host calls, counted by callback and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCalls(pub(crate) BTreeMap<(Callback, &'static str), u32>);

impl HostCalls {
    /// All of them.
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }

    /// Those of host function `name`, for example `proxy_get_property`.
    pub fn named(&self, name: &str) -> u32 {
        self.0.iter().filter(|((_, n), _)| *n == name).map(|(_, count)| count).sum()
    }

    /// Those made in `callback`.
    pub fn during(&self, callback: Callback) -> u32 {
        self.0.iter().filter(|((c, _), _)| *c == callback).map(|(_, count)| count).sum()
    }
}
