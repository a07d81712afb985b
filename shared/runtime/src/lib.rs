//! Filters and requests: runs a filter's configuration, its requests and its own work over a
//! gateway that is given as a trait.
//!
//! This crate knows neither Proxy-Wasm nor Kong nor Envoy. A carrier does: it implements
//! [`Platform`] and [`Proxy`], makes an [`Instance`] for each filter configuration and a [`Stream`]
//! for each request, and hands every event of the gateway to them. The crate `proxy-wasm` is the
//! carrier of today; another one can stand beside it without a change to any filter.
//!
//! | module           | contents                                                      |
//! |------------------|---------------------------------------------------------------|
//! | `filter.rs`      | the description that a filter gives of itself                 |
//! | `instance.rs`    | one filter configuration: settings, cache, tick; the gate     |
//! | `stream.rs`      | one request: events in, the flow's steps carried out          |
//! | `background.rs`  | the calls of a filter's own work                              |
//! | `proxy.rs`       | the trait for an event: headers, bodies, properties, callouts |
//! | `platform.rs`    | the trait for the process: clock, log, metrics, shared data   |
//! | `callout.rs`     | the headers and the path of a callout                         |
//! | `trace.rs`       | the trace context of a request, in its callouts               |
//! | `debug.rs`       | what a filter decided, for an operator who asks               |
//! | `local_reply.rs` | a reply of the filter itself, as the gateway sends it         |
//! | `reply.rs`       | local replies in Kong's forms                                 |
//! | `grpc.rs`        | local replies for clients that speak gRPC                     |
//! | `counters.rs`    | slots for a filter's own counts                               |
//! | `entropy.rs`     | randomness that does not depend on the gateway's alone        |
//! | `metrics.rs`     | the metrics of one filter configuration                       |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod background;
mod callout;
mod counters;
mod debug;
mod entropy;
mod filter;
mod grpc;
mod instance;
mod local_reply;
mod metrics;
mod platform;
mod proxy;
mod reply;
mod stream;
mod trace;

pub use cache::{Counters, Put, SharedData, Snapshot, Source};
pub use counters::counters;
pub use entropy::{mix, random};
pub use filter::{Filter, Needs, check, is_address, meta};
pub use instance::{Definition, Instance, LEFT_BEFORE_WAITING, Purpose, Woken};
pub use local_reply::{Header, LocalReply};
pub use platform::{
    Capabilities, Level, MetricKind, Platform, capabilities, foreign, install, note, now, report,
};
pub use proxy::{CallId, CallOwner, Message, NotTaken, Outgoing, Proxy, Unreadable, Wanted};
pub use reply::unexpected;
pub use stream::{Action, Asked, Stream};
