//! Tells Moesif's collector about every request, and does what its governance rules say.
//!
//! | module                | contents                                                       |
//! |-----------------------|----------------------------------------------------------------|
//! | `config.rs`           | the settings                                                   |
//! | `shared.rs`           | the settings, and the state that requests and the worker share |
//! | `flow.rs`             | one request, from its headers to its event                     |
//! | `flow/notes.rs`       | the notes of one request, from which its event is made         |
//! | `sender.rs`           | the worker: batches, and calls to the collector                |
//! | `event.rs`            | an event as JSON                                               |
//! | `identify.rs`         | user, company and session                                      |
//! | `token.rs`            | the caller's name in a credential                              |
//! | `client_ip.rs`        | the client's address                                           |
//! | `uri.rs`              | the URI of a request                                           |
//! | `capture.rs`          | bodies captured up to a limit                                  |
//! | `body.rs`             | a body in an event                                             |
//! | `mask.rs`             | removal of confidential members                                |
//! | `json.rs`             | a scanner for JSON text                                        |
//! | `json/scalars.rs`     | the scalars of a JSON text by their paths                      |
//! | `writer.rs`           | a writer for JSON objects                                      |
//! | `gzip.rs`             | gzip and deflate, bounded                                      |
//! | `time.rs`             | times in the collector's format                                |
//! | `queue.rs`            | the queue of events                                            |
//! | `breaker.rs`          | the circuit breaker for the collector                          |
//! | `watch.rs`            | the times at which documents are fetched again                 |
//! | `collector.rs`        | the address of the collector, and its calls                    |
//! | `sampling.rs`         | sampling rates and cohorts (`/v1/config`)                      |
//! | `rules.rs`            | governance rules (`/v1/rules`)                                 |
//! | `condition.rs`        | conditions of rules and cohorts                                |
//! | `allowance.rs`        | the bounds of a document of the collector                      |
//! | `content.rs`          | the fields of a body that conditions examine                   |
//! | `content/declared.rs` | the forms of a body that its headers declare                   |
//! | `template.rs`         | texts with placeholders                                        |
//! | `tallies.rs`          | counts for the metrics                                         |
//! | `filter.rs`           | the description of the filter for the runtime                  |

#![warn(missing_docs)]

mod allowance;
mod body;
mod breaker;
mod capture;
mod client_ip;
mod collector;
mod condition;
mod config;
mod content;
mod event;
mod filter;
mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gzip;
mod identify;
mod json;
mod mask;
mod queue;
mod rules;
mod sampling;
mod sender;
mod shared;
mod tallies;
mod template;
mod time;
mod token;
mod uri;
mod watch;
mod writer;

pub use filter::Moesif;

proxy_wasm::filter!(filter::Moesif);
