//! What filters leave for one another, and for their own later callbacks: properties of the request.
//!
//! On Envoy such a property has one segment, and every VM reads it. On Kong it is a variable of nginx of that
//! name, which the operator declares in kong.conf: unlike Kong's own properties (`kong.*`), which Lua answers,
//! it can be read and set in every callback, and no client can write it.

use crate::abi::{self, Status};
use crate::profile::Host;
use consumer::CLAIMS;

/// The property `name`, as an earlier filter or callback left it. An empty one says nothing: so is a variable of
/// nginx that is declared and has not been set.
pub(super) fn property(host: Host, name: &str) -> Option<Vec<u8>> {
    abi::property(segments(host, &["ngx", name])).ok().filter(|value| !value.is_empty())
}

/// The verified claims of a token. Whoever replaces the identity that they belong to leaves an empty text.
pub(super) fn claims(host: Host) -> Option<Vec<u8>> {
    property(host, CLAIMS)
}

pub(super) fn publish(host: Host, name: &str, value: &[u8]) -> Result<(), Status> {
    abi::set_property(segments(host, &["ngx", name]), value)
}

/// Whether nginx lacks the variable `name`. A declared one is there from the beginning, if only empty.
pub(crate) fn is_undeclared(host: Host, name: &str) -> bool {
    abi::property(segments(host, &["ngx", name])).is_err()
}

fn segments<'a>(host: Host, variable: &'a [&'a str; 2]) -> &'a [&'a str] {
    let [_, name] = variable;
    match host {
        Host::Envoy => std::slice::from_ref(name),
        Host::Kong(_) | Host::Unknown => variable,
    }
}
