//! Reads the settings of a filter from JSON. The result is the checked settings, or every problem
//! with its path.
//!
//! A filter describes its settings once, as a function over [`Fields`]. [`read`] runs this function
//! over a document to read and check it. [`schema`] runs it over nothing, and returns the JSON
//! Schema that Kong checks first. Parser and schema therefore agree on every name, type and range.
//!
//! ```
//! use settings::{Fields, Rule, read, schema};
//!
//! struct Config { realm: Option<String>, limit: u64 }
//! let build = |f: &mut Fields<'_>| Config {
//!     realm: f.text("realm", Rule::QUOTABLE),
//!     limit: f.integer("limit", 1..=100, 10),
//! };
//!
//! let config = read(br#"{"realm": "shop"}"#, &|_| None, build).unwrap();
//! assert_eq!((config.realm.as_deref(), config.limit), (Some("shop"), 10));
//!
//! let invalid = read(br#"{"limit": 0}"#, &|_| None, build).map(drop).unwrap_err();
//! assert_eq!(
//!     invalid.to_string(),
//!     "invalid configuration: limit: found 0, expected a whole number from 1 to 100"
//! );
//! assert_eq!(schema(build)["properties"]["limit"]["maximum"], 100);
//! ```

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
pub use fields::{Env, Fields, read, schema, shown, shown_variable, text_of};
pub use matching::{Facts, Match, Unmatched, normalise};
pub use problem::{Invalid, Problem};
pub use rule::Rule;
pub use target::{Admin, admin, target};
pub use wire::metadata;
