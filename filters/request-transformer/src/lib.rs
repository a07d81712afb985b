//! Changes requests on their way to the upstream, as Kong's request-transformer plugin does.
//!
//! | room            | what is in it                                                  | proxy? |
//! |-----------------|----------------------------------------------------------------|--------|
//! | `config.rs`     | the settings, read once and checked                            | no     |
//! | `flow.rs`       | what to do, from headers and body to edits                     | no     |
//! | `changes.rs`    | the five kinds of change, and their order                      | no     |
//! | `template.rs`   | `$(...)` in a value: grammar and meaning                       | no     |
//! | `values.rs`     | what a template can say of a request                           | no     |
//! | `headers.rs`    | changes to header fields, and the edits that make them         | no     |
//! | `parameters.rs` | changes to a query string or a form                            | no     |
//! | `target.rs`     | the new path                                                   | no     |
//! | `body.rs`       | which bodies can be changed                                    | no     |
//! | `listed.rs`     | what has names, in its order                                   | no     |
//! | `members.rs`    | changes to a JSON object                                       | no     |
//! | `parts.rs`      | changes to a multipart form                                    | no     |
//! | `filter.rs`     | what the host has to know of this filter                       | yes    |

#![warn(missing_docs)]

mod body;
mod changes;
mod config;
mod filter;
mod flow;
mod headers;
mod listed;
mod members;
mod parameters;
mod parts;
mod target;
mod template;
mod values;

pub use filter::RequestTransformer;

proxy_wasm::filter!(filter::RequestTransformer);
