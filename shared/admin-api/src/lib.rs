//! The types of the admin HTTP API, used by the filters and by the service.
//!
//! | room          | what is in it                                              |
//! |---------------|------------------------------------------------------------|
//! | `identity.rs` | who a credential or a name belongs to                      |
//! | `app_id.rs`   | App IDs and their pages                                    |
//! | `session.rs`  | sessions, and revocations                                  |
//! | `counter.rs`  | counting on several nodes                                  |
//! | `changes.rs`  | what changed since a reader last looked                    |
//! | `path.rs`     | the paths that a gateway asks for, as unencoded segments   |
//! | `limits.rs`   | how long things may be, and what they may consist of       |
//!
//! Answers may gain members at any time, so nothing here refuses an unknown one; what a server
//! other than ours leaves out (a Kong Admin API has no sequence numbers) is an `Option`.

#![warn(missing_docs)]

mod app_id;
mod changes;
mod counter;
mod identity;
mod limits;
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
pub use path::{
    app_ids, changes, consumer_app_ids, consumer_identity, counters, key_identities, key_identity,
    revocation, session,
};
pub use session::{Metadata, NewSession, Revocation, Session, Stale, Ttl};

use serde::{Deserialize, Serialize};

/// The service's own 404; a 404 without `seq` came from somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotFound {
    /// For people.
    pub message: String,
    /// The newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}
