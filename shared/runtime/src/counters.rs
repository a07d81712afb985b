//! Slots for the counts of a filter, which all workers of a gateway share.

use crate::filter::Filter;
use crate::platform::shared_data;
use cache::Counters;

/// Slots for the counts of the filter `F`, in the shared data that `zone` names or that the gateway
/// has without a name. `None` before the first request where the gateway is not known earlier.
#[must_use]
pub fn counters<F: Filter>(zone: Option<&str>) -> Option<Counters> {
    shared_data(zone).map(|data| Counters::new(data, F::ID))
}
