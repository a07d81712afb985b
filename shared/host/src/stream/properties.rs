//! What filters tell one another about a request: a property of it.

use crate::abi;
use crate::profile::Host;
use consumer::CLAIMS;

/// The property `name`, as an earlier filter published it.
pub(super) fn property(host: Host, name: &str) -> Option<Vec<u8>> {
    if host.has_properties() { abi::property(&segments(host, name)).ok() } else { None }
}

/// The verified claims of a token. Whoever replaces the identity that they belong to leaves an empty text.
pub(super) fn claims(host: Host) -> Option<Vec<u8>> {
    property(host, CLAIMS).filter(|claims| !claims.is_empty())
}

pub(super) fn publish(host: Host, name: &str, value: &[u8]) -> Result<(), abi::Status> {
    abi::set_property(&segments(host, name), value)
}

fn segments(host: Host, name: &str) -> Vec<&str> {
    match host {
        Host::Envoy => vec![name],
        _ => vec!["kong", "ctx", "shared", name],
    }
}
