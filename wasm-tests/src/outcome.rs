//! The observable state and result of a request.

use crate::abi::Callback;
use crate::message::{Forwarded, Response};
use crate::node::Fault;
use std::collections::BTreeMap;

/// The state of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The client has not sent everything, and the filters wait for it.
    Reading,
    /// A filter waits for callouts that this request made.
    Waiting,
    /// Envoy: a filter holds the request for something else, such as another request's callout.
    Held,
    /// Kong: the request was paused without a callout and would hang for ever.
    Hung,
    /// The upstream has received at least the headers.
    Forwarded,
    /// The client has received the response.
    Answered,
    /// The connection was closed without a response.
    Closed,
}

/// Everything that has happened to a request so far.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The state of the request.
    pub standing: Standing,
    /// The request as the upstream has received it.
    pub forwarded: Option<Forwarded>,
    /// The response as the client has received it.
    pub reply: Option<Response>,
    /// `true` if a filter or the gateway itself made the reply.
    pub local: bool,
    /// The details that a filter gave with its reply.
    pub details: String,
    /// The traps of filters during this request.
    pub traps: Vec<Fault>,
    /// Acts of filters during this request that crash or corrupt the real gateway.
    pub violations: Vec<Fault>,
    /// The host calls that filters made for this request.
    pub host_calls: HostCalls,
    /// The number of callouts that filters made for this request.
    pub callouts: usize,
    /// The callbacks that ran, with the names of their filters, in order.
    pub callbacks: Vec<(String, Callback)>,
}

impl Outcome {
    /// The callbacks that ran in the filter called `filter`, in order.
    pub fn callbacks_of(&self, filter: &str) -> Vec<Callback> {
        let mine = self.callbacks.iter().filter(|(name, _)| name == filter);
        mine.map(|(_, callback)| *callback).collect()
    }

    /// The number of times that `callback` ran.
    pub fn times(&self, callback: Callback) -> usize {
        self.callbacks.iter().filter(|(_, c)| *c == callback).count()
    }
}

/// Numbers of host calls, by callback and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCalls(pub(crate) BTreeMap<(Callback, &'static str), u32>);

impl HostCalls {
    /// The number of all host calls.
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }

    /// The number of calls of the host function `name`, for example `proxy_get_property`.
    pub fn named(&self, name: &str) -> u32 {
        self.0.iter().filter(|((_, n), _)| *n == name).map(|(_, count)| count).sum()
    }

    /// The number of calls of each host function that was called, by name.
    pub fn by_name(&self) -> BTreeMap<&'static str, u32> {
        let mut names = BTreeMap::new();
        for ((_, name), count) in &self.0 {
            *names.entry(*name).or_default() += count;
        }
        names
    }

    /// The number of host calls made in `callback`.
    pub fn during(&self, callback: Callback) -> u32 {
        self.0.iter().filter(|((c, _), _)| *c == callback).map(|(_, count)| count).sum()
    }
}
