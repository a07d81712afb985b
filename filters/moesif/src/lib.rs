//! Tells Moesif's collector about every request, and does what its governance rules say.
//!
//! | room            | what is in it                                                       | proxy? |
//! |-----------------|---------------------------------------------------------------------|--------|
//! | `config.rs`     | the settings, read once and checked                                 | no     |
//! | `shared.rs`     | the settings, and the state that requests and the worker share      | no     |
//! | `flow.rs`       | one request, from its headers to its event                          | no     |
//! | `sender.rs`     | the background: batches, and questions to the collector             | no     |
//! | `event.rs`      | an event as JSON                                                    | no     |
//! | `identify.rs`   | user, company, session                                              | no     |
//! | `token.rs`      | what a credential says of its bearer                                | no     |
//! | `client_ip.rs`  | the client's address                                                | no     |
//! | `uri.rs`        | the URI that the client asked for                                   | no     |
//! | `capture.rs`    | a body that passes by, kept up to a limit                           | no     |
//! | `body.rs`       | a body as it goes into an event                                     | no     |
//! | `mask.rs`       | what must not leave the gateway                                     | no     |
//! | `json.rs`       | JSON text, token by token                                           | no     |
//! | `writer.rs`     | JSON in the making                                                  | no     |
//! | `gzip.rs`       | gzip and deflate, bounded                                           | no     |
//! | `time.rs`       | times in RFC 3339                                                   | no     |
//! | `queue.rs`      | events that wait, and batches of them                               | no     |
//! | `breaker.rs`    | whether the collector is to be bothered                             | no     |
//! | `watch.rs`      | when to ask for a document again                                    | no     |
//! | `collector.rs`  | where the collector is, and the calls that it understands           | no     |
//! | `sampling.rs`   | `/v1/config`: sampling, cohorts                                     | no     |
//! | `rules.rs`      | `/v1/rules`: governance                                             | no     |
//! | `condition.rs`  | conditions of both over a request                                   | no     |
//! | `template.rs`   | texts with places to fill in                                        | no     |
//! | `tallies.rs`    | what there is to count                                              | no     |
//! | `filter.rs`     | what the host has to know of this filter                            | yes    |

#![warn(missing_docs)]

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
