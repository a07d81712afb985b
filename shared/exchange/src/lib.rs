//! The vocabulary between a filter's core and its host: heads, edits, calls, replies.
//!
//! A core takes these values and gives these values. It never sees the proxy, so there is nothing to
//! mock in its tests.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bounded;
mod call;
mod edit;
mod flow;
mod head;
pub mod json;
mod media;
pub mod multipart;
mod parameters;
mod path;
mod query;
mod reply;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

pub use bounded::Bounded;
pub use call::{Answer, Call, CallError, CallResult, Target, longest_wait};
pub use edit::Edit;
pub use flow::{
    BodyAhead, Done, Entities, Entity, Event, Finding, Flow, Key, Named, Origin, Piece, Request,
    Response, ResponseEvent, ResponseStep, Started, Step, Tally, Then, Unavailable, Watch,
};
pub use head::{Head, Occurrence, same_name};
pub use media::{Media, Opaque, is_encoded};
pub use parameters::{Disputed, Parameterised};
pub use path::{Path, normalise, path_of, split_target};
pub use query::{Query, percent_decode, percent_encode};
pub use reply::{Body, Reply};
pub use worker::{BackgroundCall, Worker};
