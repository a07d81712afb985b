//! Configuration files of gateways: what the filters would say of them, and how a file for Kong's
//! own plugins becomes one for the filters. No gateway is started.
//!
//! | module         | contents                                                         |
//! |----------------|------------------------------------------------------------------|
//! | `documents.rs` | reading YAML and JSON; places in a document                      |
//! | `check/`       | the settings of every filter in a file, judged by the filters    |
//! | `convert/`     | a file for Kong's own plugins becomes one for the filters        |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod check;
pub mod convert;
pub mod documents;
