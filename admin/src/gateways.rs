//! The gateways that ask this process for changes, as far as they tell about themselves.
//!
//! All of it is in memory: a gateway asks again within seconds after a restart of the service.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use admin_api::{NodeCounts, NodeReport};

/// The maximum number of gateways that are remembered. With more of them, the one that was unseen
/// for the longest time is forgotten.
const GATEWAYS_MAX: usize = 1000;
/// The time after which a gateway that does not ask any more is forgotten, in milliseconds.
const FORGOTTEN: i64 = 24 * 60 * MINUTE;
/// The number of minutes for which counts are kept.
const MINUTES: usize = 60;
const MINUTE: i64 = 60_000;

/// The gateways that have asked for changes.
#[derive(Default)]
pub(crate) struct Gateways(Mutex<BTreeMap<Who, Gateway>>);

/// The identity of a gateway: its address, and the number that it has chosen. Older filters tell no
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) peer: IpAddr,
    pub(crate) id: Option<u64>,
}

/// A gateway, as it was when it asked last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gateway {
    /// The version of its filters.
    pub(crate) version: Option<String>,
    /// The names of the filters that it has told of.
    pub(crate) filters: Vec<String>,
    /// The number of the change up to which it knows them all; `None` if it knew none.
    pub(crate) since: Option<i64>,
    /// The time when it asked last, in milliseconds since 1970.
    pub(crate) seen_at: i64,
    /// The counts of each minute of the last hour in which it reported some, oldest first. A minute
    /// is named by its beginning, in milliseconds since 1970.
    pub(crate) minutes: VecDeque<(i64, NodeCounts)>,
}

impl Gateways {
    /// Notes that a gateway asks for the changes after `since`, at `now` (milliseconds since 1970).
    pub(crate) fn seen(
        &self,
        peer: IpAddr,
        report: Option<NodeReport>,
        since: Option<i64>,
        now: i64,
    ) {
        let who = Who { peer: peer.to_canonical(), id: report.as_ref().map(|report| report.id) };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(&who) {
            all.retain(|_, gateway| now.saturating_sub(gateway.seen_at) < FORGOTTEN);
            let oldest = all.iter().min_by_key(|(_, gateway)| gateway.seen_at).map(|(who, _)| *who);
            if let Some(oldest) = oldest.filter(|_| all.len() >= GATEWAYS_MAX) {
                all.remove(&oldest);
            }
        }
        let gateway = all.entry(who).or_default();
        gateway.since = since;
        gateway.seen_at = now;
        if let Some(report) = report {
            gateway.take(report, now);
        }
    }

    /// Returns the gateways that have asked within a day, in the order of their addresses.
    pub(crate) fn list(&self, now: i64) -> Vec<(Who, Gateway)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = |gateway: &Gateway| now.saturating_sub(gateway.seen_at) < FORGOTTEN;
        all.iter()
            .filter(|(_, gateway)| lately(gateway))
            .map(|(who, gateway)| {
                let mut gateway = gateway.clone();
                gateway.forget_before(now);
                (*who, gateway)
            })
            .collect()
    }
}

impl Gateway {
    fn take(&mut self, report: NodeReport, now: i64) {
        self.version = Some(report.version);
        let minute = now.saturating_sub(now.rem_euclid(MINUTE));
        let mut counts = NodeCounts::default();
        for filter in report.filters {
            counts.add(filter.counts);
            // A report names only the filters that had something to do.
            if self.filters.len() < FILTERS_MAX && !self.filters.contains(&filter.name) {
                self.filters.push(filter.name);
                self.filters.sort_unstable();
            }
        }
        match self.minutes.back_mut() {
            // A clock that was set back must not add minutes out of order.
            Some((last, sum)) if *last >= minute => sum.add(counts),
            _ => self.minutes.push_back((minute, counts)),
        }
        self.forget_before(now);
    }

    fn forget_before(&mut self, now: i64) {
        let hour = i64::try_from(MINUTES).unwrap_or(i64::MAX).saturating_mul(MINUTE);
        while self.minutes.front().is_some_and(|(minute, _)| now.saturating_sub(*minute) >= hour)
            || self.minutes.len() > MINUTES
        {
            self.minutes.pop_front();
        }
    }
}

/// The maximum number of filters that are remembered of a gateway.
const FILTERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn report(text: &str) -> Option<NodeReport> {
        Some(NodeReport::parse(format!("00000000000000ab 1.0 {text}").as_bytes()).unwrap())
    }

    #[test]
    fn counts_are_added_up_by_minute_and_kept_for_an_hour() {
        let gateways = Gateways::default();
        let begin = 600 * MINUTE;
        gateways.seen(HERE, report("key_auth=1/2/3/4"), Some(7), begin);
        gateways.seen(HERE, report("key_auth=1/0/0/0 app_id=5/0/0/1"), Some(8), begin + MINUTE - 1);
        gateways.seen(HERE, report("cors=0/0/1/0"), Some(9), begin + MINUTE);
        let [(_, gateway)] = &gateways.list(begin + MINUTE)[..] else { panic!("one gateway") };
        let first = NodeCounts { hits: 7, stale: 2, misses: 3, failures: 5 };
        let second = NodeCounts { misses: 1, ..NodeCounts::default() };
        assert_eq!(gateway.minutes, [(begin, first), (begin + MINUTE, second)]);
        assert_eq!(gateway.filters, ["app_id", "cors", "key_auth"]);
        assert_eq!((gateway.since, gateway.seen_at), (Some(9), begin + MINUTE));
        assert_eq!(gateways.list(begin + 60 * MINUTE)[0].1.minutes, [(begin + MINUTE, second)]);
        // A clock that is set back adds to the newest minute.
        gateways.seen(HERE, report("cors=0/0/1/0"), None, begin);
        assert_eq!(gateways.list(begin + MINUTE)[0].1.minutes[1].1.misses, 2);
    }

    #[test]
    fn many_gateways_push_out_the_one_that_was_unseen_longest() {
        let gateways = Gateways::default();
        for number in 0..2000 {
            let text = format!("{number:016x} 1.0");
            gateways.seen(HERE, NodeReport::parse(text.as_bytes()), None, number);
        }
        let ids: Vec<_> = gateways.list(2000).iter().map(|(who, _)| who.id).collect();
        assert_eq!((ids.len(), ids[0]), (GATEWAYS_MAX, Some(1000)));
        assert_eq!(gateways.list(FORGOTTEN + 1999), []);
        gateways.seen(HERE, None, None, FORGOTTEN + 5000);
        assert_eq!(gateways.0.lock().unwrap().len(), 1, "who does not come back is forgotten");
    }
}
