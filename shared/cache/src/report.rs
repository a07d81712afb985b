//! The counts of a gateway. Its VMs add them up in the store, and the one that asks for changes
//! tells the service.

use crate::seal::{Seal, TAG};
use crate::shared_data::SharedData;
use crate::slots::Region;
use admin_api::{FilterCounts, NODE_HEADER, NodeCounts, NodeReport};
use exchange::{Call, CallResult};

/// The size of the slot in bytes: that of the longest report, and a tag.
const SLOT: usize = admin_api::NODE_HEADER_MAX + TAG;

/// One VM's view of the counts of its gateway for one admin target.
#[derive(Debug)]
pub(crate) struct Report {
    seal: Seal,
    slot: u32,
    /// The name of this VM's filter.
    filter: String,
    random: fn() -> u64,
    /// The counts of this VM that are not in the store yet.
    own: NodeCounts,
    /// The counts that are on their way to the service.
    sent: Vec<FilterCounts>,
}

impl Report {
    /// Makes the view of one VM. `fingerprint` tells admin targets (with their tokens) apart, and
    /// `random` returns a random number.
    pub(crate) fn new(fingerprint: &[u8; 16], filter: &str, random: fn() -> u64) -> Self {
        let seal = Seal::new(fingerprint);
        // The feed of the target has the two slots before this one.
        let slot = Region::Control.slot(seal.number().wrapping_add(2));
        Self {
            seal,
            slot,
            filter: filter.to_owned(),
            random,
            own: NodeCounts::default(),
            sent: Vec::new(),
        }
    }

    /// Adds to the counts of this VM.
    pub(crate) fn count(&mut self, counts: NodeCounts) {
        self.own.add(counts);
    }

    /// Moves the counts of this VM to those of the gateway. They stay where the store cannot be
    /// written.
    pub(crate) fn collect(&mut self, store: &dyn SharedData) {
        let counts = self.own;
        let name = self.filter.clone();
        if counts != NodeCounts::default() && self.add(store, &[FilterCounts { name, counts }]) {
            self.own = NodeCounts::default();
        }
    }

    /// Returns the call that asks for changes with what the gateway has to tell.
    pub(crate) fn onto(&mut self, store: &dyn SharedData, mut call: Call) -> Call {
        let mut taken = None;
        let written = store.update(self.slot, &mut |seen| {
            let report = self.report(seen);
            let rest = self.sealed(&NodeReport { filters: Vec::new(), ..report.clone() });
            taken = Some(report);
            rest
        });
        if let Some(report) = taken.filter(|_| written) {
            call.headers.push((NODE_HEADER.into(), report.to_string().into_bytes()));
            self.sent = report.filters;
        }
        call
    }

    /// Takes the result of the call: what the service was not told is told the next time.
    pub(crate) fn told(&mut self, store: &dyn SharedData, result: &CallResult) {
        let sent = std::mem::take(&mut self.sent);
        if !result.as_ref().is_ok_and(|answer| answer.status == 200) {
            self.own.add(NodeCounts { failures: 1, ..NodeCounts::default() });
            self.add(store, &sent);
        }
    }

    // === Inside ===

    fn add(&self, store: &dyn SharedData, more: &[FilterCounts]) -> bool {
        let mut fits = true;
        let written = store.update(self.slot, &mut |seen| {
            let mut report = self.report(seen);
            for FilterCounts { name, counts } in more {
                match report.filters.iter_mut().find(|filter| filter.name == *name) {
                    Some(filter) => filter.counts.add(*counts),
                    None => {
                        report.filters.push(FilterCounts { name: name.clone(), counts: *counts });
                    }
                }
            }
            let sealed = self.sealed(&report);
            fits = sealed.is_some();
            sealed
        });
        written && fits
    }

    /// Reads the slot. A slot that is empty, torn or another's reads as a gateway that begins.
    fn report(&self, seen: Option<&[u8]>) -> NodeReport {
        let text = seen.and_then(|bytes| self.seal.verified(bytes, SLOT));
        text.and_then(|text| NodeReport::parse(text.trim_ascii_end())).unwrap_or_else(|| {
            let version = env!("CARGO_PKG_VERSION").to_owned();
            NodeReport { id: (self.random)(), version, filters: Vec::new() }
        })
    }

    fn sealed(&self, report: &NodeReport) -> Option<Vec<u8>> {
        let mut out = report.to_string().into_bytes();
        // A report that the service could not read, such as one with a wrong name, is not written.
        NodeReport::parse(&out)?;
        out.resize(SLOT.saturating_sub(TAG), b' ');
        out.extend(self.seal.tag(&out));
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_data::LocalData;
    use exchange::{Answer, CallError};

    fn vm(filter: &str) -> Report {
        Report::new(&[1; 16], filter, || 0xab)
    }

    /// Returns what a VM tells, without the id and the version.
    fn told(vm: &mut Report, store: &LocalData) -> String {
        let call = vm.onto(store, Call::get(["changes"]));
        let [(name, value)] = &call.headers[..] else { panic!("one header: {call:?}") };
        let text = String::from_utf8(value.clone()).unwrap();
        let begin = format!("00000000000000ab {}", env!("CARGO_PKG_VERSION"));
        assert!(name == NODE_HEADER && NodeReport::parse(value).is_some(), "{text}");
        text.strip_prefix(&begin).unwrap().trim_start().to_owned()
    }

    /// Counts once and collects.
    fn add(vm: &mut Report, store: &LocalData, [hits, stale, misses, failures]: [u32; 4]) {
        vm.count(NodeCounts { hits, stale, misses, failures });
        vm.collect(store);
    }

    fn answer(status: u16) -> CallResult {
        Ok(Answer::new(status, ""))
    }

    #[test]
    fn one_vm_tells_what_all_have_counted_once() {
        let store = LocalData::default();
        let (mut one, mut other) = (vm("key_auth"), vm("app_id"));
        add(&mut one, &store, [1, 2, 3, 4]);
        add(&mut one, &store, [10, 0, 0, 0]);
        add(&mut other, &store, [0, 0, 1, 0]);
        add(&mut other, &store, [0; 4]);
        assert_eq!(told(&mut one, &store), "key_auth=11/2/3/4 app_id=0/0/1/0");
        one.told(&store, &answer(200));
        assert_eq!(told(&mut one, &store), "");
    }

    #[test]
    fn what_the_service_was_not_told_is_told_later() {
        let store = LocalData::default();
        let mut one = vm("key_auth");
        add(&mut one, &store, [1, 0, 0, 0]);
        assert_eq!(told(&mut one, &store), "key_auth=1/0/0/0");
        one.told(&store, &answer(503));
        // The call that failed counts too.
        add(&mut one, &store, [5, 0, 0, 0]);
        assert_eq!(told(&mut one, &store), "key_auth=6/0/0/1");
        one.told(&store, &Err(CallError::NoAnswer));
        one.collect(&store);
        assert_eq!(told(&mut one, &store), "key_auth=6/0/0/2");
    }

    #[test]
    fn a_slot_that_is_not_ours_is_replaced() {
        let store = LocalData::default();
        let mut one = vm("key_auth");
        for garbage in [&b""[..], &[b' '; SLOT], b"00000000000000ff 1 key_auth=9/9/9/9"] {
            store.update(one.slot, &mut |_| Some(garbage.to_vec()));
            assert_eq!(told(&mut one, &store), "");
        }
        // Another target, or another token, counts in a slot of its own.
        add(&mut one, &store, [1, 0, 0, 0]);
        assert_eq!(told(&mut Report::new(&[2; 16], "key_auth", || 0xab), &store), "");
    }

    #[test]
    fn counts_that_cannot_be_stored_stay() {
        let store = LocalData::default();
        let mut one = vm("a name");
        add(&mut one, &store, [1, 0, 0, 0]);
        assert_eq!(one.own.hits, 1);
        assert_eq!(told(&mut vm("key_auth"), &store), "");
    }
}
