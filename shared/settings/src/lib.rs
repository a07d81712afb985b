//! JSON in; checked settings, or every problem with its path, out.
//!
//! A filter describes its settings once, as a function over [`Fields`]. Run over a document it reads and
//! checks it ([`read`]); run over nothing it gives the JSON Schema that Kong checks first ([`schema`]). The
//! two therefore cannot disagree on a name, a type or a range.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod common;
mod fields;
mod matching;
mod problem;
mod rule;
mod target;
mod wire;

pub use common::{Cache, Common, Mode};
pub use fields::{Env, Fields, read, schema, text_of};
pub use matching::{Facts, Match, Unmatched, normalise};
pub use problem::{Invalid, Problem};
pub use rule::Rule;
pub use target::{Admin, admin, target};
pub use wire::metadata;
