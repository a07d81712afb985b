//! What Kong says of itself and of a request, and what of it is left for later filters.
//!
//! Kong answers its properties (`kong.*`) from Lua, in the request-headers callback alone, and there only as long
//! as no filter of the request has waited for a callout: the callbacks of later filters then run inside of that
//! callout's answer, where the worker dies of it (measured on Kong 3.9.3). So a filter that is about to wait
//! first leaves all that a later one may want to know in the variable [`LEFT`] of nginx.

use crate::abi::{self, RequestHeaders, Status};
use crate::profile::Host;
use std::collections::BTreeMap;

/// The variable of nginx in which a filter that waits leaves what Kong said.
pub(crate) const LEFT: &str = runtime::LEFT_BEFORE_WAITING;

/// Every property below `kong` that a filter reads.
const PROPERTIES: [&str; 10] = [
    "version",
    "route_id",
    "route_name",
    "service_id",
    "service_name",
    "router.route",
    "router.service",
    "request.forwarded_scheme",
    "request.forwarded_host",
    "request.forwarded_port",
];

/// Where a filter learns what Kong says.
pub(crate) enum Kong<'a> {
    /// From Kong: no filter has waited yet.
    Asked(&'a RequestHeaders),
    /// From what an earlier filter left before it waited.
    Left(BTreeMap<String, String>),
}

impl<'a> Kong<'a> {
    /// Decides which it is. What was left and cannot be read says nothing; Kong is not asked then either.
    pub(crate) fn of(phase: &'a RequestHeaders, host: Host) -> Self {
        let left = match host {
            Host::Envoy => None,
            Host::Kong(_) | Host::Unknown => abi::property(&["ngx", LEFT]).ok(),
        };
        match left.filter(|left| !left.is_empty()) {
            Some(left) => Self::Left(serde_json::from_slice(&left).unwrap_or_default()),
            None => Self::Asked(phase),
        }
    }

    /// Says nothing: outside of a request's headers Kong is not asked.
    pub(crate) fn nothing() -> Self {
        Self::Left(BTreeMap::new())
    }

    /// The property `kong.<name>`, as text. `None` where this version has none, and on Envoy.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        let text = match self {
            Self::Asked(phase) => String::from_utf8(abi::kong_property(phase, name).ok()?).ok()?,
            Self::Left(left) => left.get(name)?.clone(),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Leaves all of it for later filters, unless an earlier one has.
    ///
    /// # Errors
    /// When the variable is not declared: this filter must not wait then.
    pub(crate) fn leave(&self) -> Result<(), Status> {
        if matches!(self, Self::Left(_)) {
            return Ok(());
        }
        let all: BTreeMap<&str, String> =
            PROPERTIES.iter().filter_map(|name| Some((*name, self.read(name)?))).collect();
        // Texts under texts: there is nothing in it that JSON cannot hold.
        abi::set_property(&["ngx", LEFT], &serde_json::to_vec(&all).unwrap_or_default())
    }
}
