//! A distributed cache of answers: who is asked, how long an answer serves, and how a change drops it.
//!
//! | module       | contents                                                      |
//! |--------------|---------------------------------------------------------------|
//! | `lookup.rs`  | fetches, hits, stale answers                                  |
//! | `feed.rs`    | the list of changes: one VM of a node asks, all read          |
//! | `slots.rs`   | a bounded table of sealed entries in shared data              |
//! | `seal.rs`    | protects entries in shared data from other readers and writers |
//! | `waiting.rs` | seats: how many requests may wait, and how many bytes they keep |
//! | `shared_data.rs` | numbered slots, and an implementation in memory            |

#![warn(missing_docs)]

mod feed;
mod lookup;
mod seal;
mod shared_data;
mod slots;
mod waiting;

pub use feed::{Feed, News};
pub use lookup::{Lookup, Lookups, Moment, Secrecy, Snapshot, Source};
pub use shared_data::{LocalData, Put, Replace, SharedData};
pub use slots::Region;
pub use waiting::{Room, Rooms, Seat};
