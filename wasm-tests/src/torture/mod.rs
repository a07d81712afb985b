//! Requests that a careful client never sends, for pretend and real gateways alike, and the rules
//! by which every answer is judged.
//!
//! | module        | contents                                                              |
//! |---------------|-----------------------------------------------------------------------|
//! | `shape.rs`    | a request, described once for every protocol and gateway              |
//! | `read.rs`     | all that a filter reads of a request                                  |
//! | `families.rs` | the families of shapes: bytes, counts, sizes, duplicates and others   |
//! | `targets.rs`  | the families about methods and targets                                |
//! | `alone.rs`    | each filter by itself, with `alone_shapes.rs` and `alone_rules.rs`    |
//! | `bed.rs`      | each filter by itself on a real gateway                               |
//! | `handed.rs`   | what a gateway's parser hands to its filters                          |
//! | `pretend.rs`  | cases on a pretend gateway                                            |
//! | `admin.rs`    | the services around a pretend gateway                                 |
//! | `compare.rs`  | a comparison of pretend gateways with real ones                       |
//! | `answer.rs`   | how an answer is read                                                 |
//! | `literals.rs` | the names in the code of the filters                                  |
//! | `framing.rs`  | the families that exist in one protocol only                          |
//! | `mixed.rs`    | any number of random shapes from a seed                               |
//! | `plan.rs`     | the order in which cases are sent                                     |
//! | `reading.rs`  | the ways in which servers read names and paths                        |
//! | `upstream.rs` | an upstream that judges what reaches it                               |
//! | `drive.rs`    | sends a case over HTTP/1.1 or HTTP/2                                  |
//! | `tally.rs`    | the verdict on each answer, and the table                             |
//! | `services.rs` | the services around a gateway, and a trial of it                      |
//! | `chain.rs`    | all twelve filters in one chain                                       |

mod admin;
mod alone;
mod alone_rules;
mod alone_shapes;
mod answer;
mod bed;
mod chain;
mod compare;
mod drive;
mod families;
mod framing;
mod handed;
mod literals;
mod mixed;
mod plan;
mod pretend;
mod read;
mod reading;
mod services;
mod shape;
mod tally;
mod targets;
mod upstream;

pub use alone::{Alone, alone};
pub use answer::{AnswerRule, Reading};
pub use bed::Bed;
pub use chain::all_filters;
pub use compare::compare;
pub use drive::{Client, Protocol, Run, Target};
pub use families::{normal, shapes};
pub use framing::{http1_cases, http2_cases};
pub use handed::handed;
pub use literals::{Literal, literals};
pub use mixed::mixed;
pub use plan::Plan;
pub use pretend::Pretend;
pub use read::{COOKIES, FRAMING, HEADERS, IDENTITY, OWNED, PARAMETERS};
pub use services::{Memory, Services, Trial, requests};
pub use shape::{Body, Case, Credentials, End, Shape, Want};
pub use tally::{Counts, Key, Seen, Tally};
pub use upstream::{Rule, Upstream};
