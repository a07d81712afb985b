//! The types, paths and limits of the admin HTTP API, for the filters and for the service.
//!
//! | module        | contents                                                     |
//! |---------------|--------------------------------------------------------------|
//! | `identity.rs` | the consumers behind credentials and names                   |
//! | `app_id.rs`   | App IDs and their pages                                      |
//! | `session.rs`  | sessions and revocations                                     |
//! | `counter.rs`  | counters that several nodes share                            |
//! | `changes.rs`  | the log of changes                                           |
//! | `node.rs`     | what a gateway tells about itself                            |
//! | `path.rs`     | the paths that a gateway requests, as unencoded segments     |
//! | `limits.rs`   | lengths, ranges and allowed characters                       |
//!
//! Answers may gain members at any time, so no type of an answer refuses an unknown member. A
//! member that another server than gatehouse-admin leaves out is an `Option`: a Kong Admin API, for
//! example, has no sequence numbers.

#![warn(missing_docs)]

mod app_id;
mod changes;
mod counter;
mod identity;
mod limits;
mod node;
mod path;
mod session;

pub use app_id::{AppId, AppIdPage};
pub use changes::{Change, ChangesPage, Entity, Operation};
pub use counter::{Increment, Increments, Previous, Total, Totals};
pub use identity::{
    Consumer, Credential, Holder, HolderPage, Identity, JWT, JwtIdentity, JwtKey, KEY_AUTH,
};
pub use limits::{
    APP_ID_MAX_CHARS, BATCH_ID_MAX, BATCH_MAX, BATCH_MEMORY, COUNTER_KEY_MAX, DIGEST_CHARS,
    GROUP_MAX_CHARS, INCREMENT_MAX, KEY_MAX_CHARS, METADATA_MAX, METADATA_MAX_CHARS,
    NAME_MAX_CHARS, PAGE_DEFAULT, PAGE_MAX, SESSION_DATA_MAX, SHARE_WHOLE, TTL_MAX, WINDOW_MAX,
    is_app_id, is_digest, is_metadata, is_strict_app_id,
};
pub use node::{FilterCounts, NODE_HEADER, NODE_HEADER_MAX, NodeCounts, NodeReport};
pub use path::{
    app_ids, changes, consumer_app_ids, consumer_identity, counters, key_identities, key_identity,
    revocation, session,
};
pub use session::{Metadata, NewSession, Revocation, Session, Stale, Ttl};

use serde::{Deserialize, Serialize};

/// The body of the service's own 404. The body of a 404 from another server has no `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotFound {
    /// The reason, for people.
    pub message: String,
    /// The number of the newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}
