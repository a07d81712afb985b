//! Changes requests on their way to the upstream, as Kong's request-transformer plugin does.
//!
//! | module          | contents                                                |
//! |-----------------|---------------------------------------------------------|
//! | `config.rs`     | the settings                                            |
//! | `flow.rs`       | the decision about a request: edits, from head and body |
//! | `changes.rs`    | the five kinds of change, and their order               |
//! | `operand.rs`    | the operands of a template                              |
//! | `template.rs`   | `$(...)` in a value: grammar and meaning                |
//! | `values.rs`     | the values of a request that templates can use          |
//! | `headers.rs`    | changes to headers, and the edits that make them        |
//! | `parameters.rs` | changes to a query string or a form                     |
//! | `target.rs`     | the new path                                            |
//! | `body.rs`       | the kinds of body that can be changed                   |
//! | `listed.rs`     | an ordered list of names and values                     |
//! | `members.rs`    | changes to a JSON object                                |
//! | `parts.rs`      | changes to a multipart form                             |
//! | `filter.rs`     | the description of the filter for the runtime           |

#![warn(missing_docs)]

mod body;
mod changes;
mod config;
mod filter;
mod flow;
mod headers;
mod listed;
mod members;
mod operand;
mod parameters;
mod parts;
mod target;
mod template;
mod values;

pub use filter::RequestTransformer;

proxy_wasm::filter!(filter::RequestTransformer);
