//! A distributed cache of answers.
//!
//! A filter asks a service (the admin service or an identity provider) about a key, and keeps the
//! answer for the requests of all workers of a node. This crate decides who asks, how long an
//! answer serves, and which answers a change drops. It knows neither a gateway nor a clock: times,
//! shared data and the results of calls are arguments, and the calls to be made are values.
//!
//! ```text
//!            fresh ─────────────────────────────▶ hit
//! entry ──┬─ past ttl, within stale_ttl ────────▶ stale: hit, and fetched again on the tick
//!         └─ older, or perhaps outdated, or none ▶ miss: fetched ──answer──▶ stored, hit
//!                                                     └──failure──▶ hit if within stale_ttl,
//!                                                                   else unavailable
//! ```
//!
//! ```
//! # use cache::{Cache, Conditions, LocalData, Lookup, Purpose, Rooms, Setup, Source};
//! # use exchange::{Answer, Call, Finding, Key};
//! # use std::rc::Rc;
//! struct Consumers;
//!
//! impl Source for Consumers {
//!     fn call(&self, key: &Key) -> Call {
//!         Call::get(["consumers".as_bytes(), &key.name])
//!     }
//!
//!     fn read(&self, _: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
//!         (answer.status == 200).then(|| (Finding::Value(answer.body.clone()), None))
//!     }
//! }
//!
//! let mut cache = Cache::new(
//!     Setup {
//!         filter: ("example", 1),
//!         common: &Default::default(),
//!         depends: b"",
//!         data: Rc::new(LocalData::default()),
//!         rooms: Rooms::default(),
//!         random: || 7,
//!         started: 0,
//!     },
//!     Box::new(Consumers),
//!     0,
//! );
//! let (key, request) = (Key::new(1, "ana"), 10);
//! let at = |now| Conditions { now, not_before: 0, can_park: true, can_wake: true, bytes: 0 };
//! // The first request misses, and its caller makes the call.
//! let Lookup::Fetch(outgoing, _seat) = cache.find(&key, request, at(0)) else { panic!() };
//! assert_eq!(outgoing.purpose, Purpose::Key(key.clone()));
//! // The answer wakes the request, and serves the next one.
//! let effects = cache.answered(&outgoing.purpose, &Ok(Answer::new(200, "Ana")), true, 20);
//! assert_eq!(effects.woken, [(request, Ok(Finding::Value(b"Ana".to_vec())))]);
//! assert_eq!(cache.find(&key, 11, at(30)), Lookup::Hit(Finding::Value(b"Ana".to_vec())));
//! ```
//!
//! Each module uses those below it only:
//!
//! | module           | contents                                                             |
//! |------------------|----------------------------------------------------------------------|
//! | `cache.rs`       | [`Cache`]: lookups, the tick, answers                                |
//! | `cache/`         | changes at the admin service, and the answers that they outdate      |
//! | `answers.rs`     | [`Answers`]: the cache, as who does not name its type sees it        |
//! | `setup.rs`       | the parts that a cache is made of                                    |
//! | `effects.rs`     | results of lookups, calls to make, requests to wake                  |
//! | `entries.rs`     | answers in slots, their generation, and the encryption of secrets    |
//! | `fetches.rs`     | fetches under way, waiting requests, budgets                         |
//! | `snapshot.rs`    | all entities at once, read page by page                              |
//! | `feed.rs`        | the list of changes: one VM of a node asks for it, all VMs read it   |
//! | `report.rs`      | counts of the gateway, which the service is told                     |
//! | `counters.rs`    | slots for a filter's own counts                                      |
//! | `slots.rs`       | a bounded table of sealed entries                                    |
//! | `shared_data.rs` | numbered slots with compare-and-swap, and those in one VM's memory   |
//! | `freshness.rs`   | how long an answer serves                                            |
//! | `seal.rs`        | protects entries in shared data from other readers and writers       |
//! | `waiting.rs`     | seats: how many requests may wait, and the bytes that they keep      |
//! | `source.rs`      | the traits by which a filter says where its entities come from       |
//! | `time.rs`        | times in milliseconds                                                |

#![warn(missing_docs)]

mod answers;
mod cache;
mod counters;
mod effects;
mod entries;
mod feed;
mod fetches;
mod freshness;
mod recent;
mod report;
mod seal;
mod setup;
mod shared_data;
mod slots;
mod snapshot;
mod source;
mod time;
mod waiting;

pub use answers::Answers;
pub use cache::Cache;
pub use counters::Counters;
pub use effects::{Conditions, Effects, Lookup, Outgoing, Purpose};
pub use setup::{Setup, tick_period};
pub use shared_data::{LocalData, Put, Replace, SharedData};
pub use source::{Snapshot, Source};
pub use waiting::{Room, Rooms, Seat};
