//! The filters of all routes, each once: an Envoy has one chain for all routes of a listener.

use super::plugins::Filter;

/// A filter with its settings, and the routes that have it.
pub(super) struct Distinct {
    /// `gatehouse_<filter>`, with a number if the filter comes with other settings, too.
    pub(super) name: String,
    pub(super) filter: Filter,
    /// The numbers of its routes.
    pub(super) routes: Vec<usize>,
}

/// Returns each filter once, in the order in which they run. Two routes share a filter if all of
/// its settings are equal.
pub(super) fn distinct(chains: &[Vec<Filter>]) -> Vec<Distinct> {
    let mut all: Vec<Distinct> = Vec::new();
    for (route, chain) in chains.iter().enumerate() {
        for filter in chain {
            match all.iter_mut().find(|known| known.filter == *filter) {
                Some(known) => known.routes.push(route),
                None => {
                    let number =
                        all.iter().filter(|known| known.filter.name == filter.name).count() + 1;
                    let name = match number {
                        1 => format!("gatehouse_{}", filter.name),
                        _ => format!("gatehouse_{}_{number}", filter.name),
                    };
                    all.push(Distinct { name, filter: filter.clone(), routes: vec![route] });
                }
            }
        }
    }
    all.sort_by_key(|filter| std::cmp::Reverse(filter.filter.priority));
    all
}
