//! The cache's entry for an API key: its name, and the value that says who owns the key.

use consumer::Identity;
use exchange::Key;

/// The table of owners of API keys. The name of an entry is the SHA-256 digest of the API key.
pub(crate) const BY_KEY: u8 = 1;

/// Returns the key of the entry for the API key with this digest.
pub(crate) fn by_key(digest: &[u8; 32]) -> Key {
    Key::new(BY_KEY, *digest)
}

/// The end of an identity that has none.
const NEVER: u64 = u64::MAX;

/// Encodes an identity and the time at which it ends, in milliseconds since 1970.
pub(crate) fn encode(identity: &Identity, expires_at: Option<u64>) -> Vec<u8> {
    let mut out = expires_at.unwrap_or(NEVER).to_le_bytes().to_vec();
    out.extend(identity.to_json());
    out
}

/// Returns the identity in a value that [`encode`] made. Returns `None` if there is none, or if it
/// has ended at `now` (in milliseconds since 1970). The clock is read for an identity with an end
/// only.
pub(crate) fn decode(value: &[u8], now: impl FnOnce() -> u64) -> Option<Identity> {
    let (expires_at, json) = value.split_first_chunk::<8>()?;
    let end = u64::from_le_bytes(*expires_at);
    (end == NEVER || now() < end).then(|| Identity::from_json(json))?
}
