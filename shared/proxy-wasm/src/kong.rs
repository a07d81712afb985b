//! Kong's own properties (`kong.*`), and the variable that passes them to later filters.
//!
//! Kong answers these properties from Lua. That is safe in the request-headers callback alone, and
//! only until a filter of the request has waited for a callout: the callbacks of later filters then
//! run inside that callout's answer, where the worker dies (measured on Kong 3.9.3). So a filter
//! that is about to wait first leaves every property that a later filter may need in the nginx
//! variable [`LEFT`].

use crate::abi::{self, RequestHeaders, Status};
use crate::host::Host;
use std::collections::BTreeMap;

/// The nginx variable in which a filter that waits leaves Kong's properties.
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

/// The source of Kong's properties.
pub(crate) enum Kong<'a> {
    /// Kong itself: no filter has waited yet.
    Asked(&'a RequestHeaders),
    /// The properties that an earlier filter left before it waited.
    Left(BTreeMap<String, String>),
}

impl<'a> Kong<'a> {
    /// Chooses the source. A variable that cannot be read counts as empty, and Kong is not asked
    /// then.
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

    /// A source that has nothing, for events in which Kong must not be asked.
    pub(crate) fn nothing() -> Self {
        Self::Left(BTreeMap::new())
    }

    /// Reads the property `kong.<name>` as text. `None` where this version has none, and on Envoy.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        let text = match self {
            Self::Asked(phase) => String::from_utf8(abi::kong_property(phase, name).ok()?).ok()?,
            Self::Left(left) => left.get(name)?.clone(),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Leaves the properties for later filters, unless an earlier filter has left them.
    ///
    /// # Errors
    /// The variable is not declared; the filter must not wait then.
    pub(crate) fn leave(&self) -> Result<(), Status> {
        if matches!(self, Self::Left(_)) {
            return Ok(());
        }
        // One after the other: a map that is collected brings a sort of its own into every module.
        let mut all = BTreeMap::new();
        for name in PROPERTIES {
            if let Some(value) = self.read(name) {
                all.insert(name, value);
            }
        }
        // Texts under texts always become JSON.
        abi::set_property(&["ngx", LEFT], &serde_json::to_vec(&all).unwrap_or_default())
    }
}
