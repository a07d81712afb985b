//! The values that a filter's core exchanges with the runtime: requests, events, steps, edits,
//! calls and replies.
//!
//! A core takes such values and returns such values. It never sees the proxy, so its tests need no
//! mocks. For each admitted request the core returns a [`Step`]:
//!
//! ```
//! use exchange::{Edit, Head, Reply, Request, Step, Then};
//!
//! /// Admits requests with a tenant, and tells the upstream which one it is.
//! fn decide(request: &Request) -> Step {
//!     match request.head.text("x-tenant") {
//!         Some(tenant) => Step::forward(vec![Edit::set("x-tenant-id", tenant)]),
//!         None => Step::reply(Reply::message(403, "no_tenant", "No tenant")),
//!     }
//! }
//!
//! let head = Head::from_iter([("x-tenant", "acme")]);
//! let step = decide(&Request { head, ..Request::default() });
//! assert_eq!(step.edits, [Edit::set("x-tenant-id", "acme")]);
//! assert_eq!(decide(&Request::default()).then, Then::Reply(Reply::message(403, "no_tenant", "No tenant")));
//! ```
//!
//! A flow that has to wait, for a lookup, a call or the body, implements [`Flow`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bounded;
mod calendar;
mod call;
mod edit;
mod finding;
mod flow;
mod head;
pub mod json;
mod media;
pub mod multipart;
mod parameters;
mod path;
mod pause;
mod property;
mod query;
mod reply;
mod request;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

pub use bounded::Bounded;
pub use calendar::Date;
pub use call::{Answer, Call, CallError, CallResult, Target, longest_wait};
pub use edit::{Edit, is_one_line};
pub use finding::{Finding, Key, Unasked, Unavailable};
pub use flow::{
    Done, Event, Flow, Piece, Response, ResponseEvent, ResponseStep, Started, Step, Tally, Then,
    Watch,
};
pub use head::{Head, Occurrence, folded_name, same_name};
pub use media::{Media, Opaque, is_encoded};
pub use parameters::{Disputed, Parameterised};
pub use path::{Path, normalise, path_of, split_target};
pub use pause::Pause;
pub use property::Property;
pub use query::{Query, percent_decode, percent_encode};
pub use reply::{Body, Reply};
pub use request::{BodyAhead, Entities, Entity, Named, Origin, Request};
pub use worker::{BackgroundCall, Worker};
