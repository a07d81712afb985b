//! The properties of a client that a session can be bound to. A bound session does not open for
//! another client.

use crate::header::{BOUND_TO_IP, BOUND_TO_SCHEME, BOUND_TO_USER_AGENT, Header};
use exchange::Request;
use sha2::{Digest as _, Sha256};

/// The sender of a request, as far as a session can be bound to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) ip: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) user_agent: Option<Vec<u8>>,
}

impl Client {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            ip: request.peer.clone(),
            scheme: request.origin.scheme.clone(),
            user_agent: request.head.first("user-agent").map(<[u8]>::to_vec),
        }
    }

    /// Returns the bytes that the MAC of a header covers: the header, and the properties that its
    /// flags bind it to.
    pub(crate) fn message(&self, header: &Header) -> Vec<u8> {
        let mut message = header.authenticated().to_vec();
        let parts: Vec<&[u8]> = [
            (BOUND_TO_IP, self.ip.as_deref().map(str::as_bytes)),
            (BOUND_TO_SCHEME, self.scheme.as_deref().map(str::as_bytes)),
            (BOUND_TO_USER_AGENT, self.user_agent.as_deref()),
        ]
        .into_iter()
        .filter(|(flag, _)| header.has(*flag))
        .filter_map(|(_, value)| value.filter(|value| !value.is_empty()))
        .collect();
        if !parts.is_empty() {
            message.push(b'#');
            message.extend(Sha256::digest(parts.join(&b'|')));
        }
        message
    }
}
