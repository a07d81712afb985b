//! A reply of the filter itself, as the gateway sends it.

use std::borrow::Cow;

/// A local reply as the gateway sends it.
#[derive(Debug)]
pub struct LocalReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers besides those that the gateway adds itself.
    pub headers: Vec<Header<'a>>,
    /// The body; empty for none.
    pub body: Cow<'a, [u8]>,
    /// The refusing filter and its cause, as an access log shows them:
    /// `gatehouse.key_auth.unknown_key`.
    pub details: String,
    /// The gRPC status, for a client that speaks gRPC.
    pub grpc_status: Option<u8>,
}

/// The name and the value of a header.
pub type Header<'a> = (Cow<'a, str>, Cow<'a, [u8]>);
