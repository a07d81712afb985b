//! The queue of events for the collector. It is ordered and bounded in number and bytes. If it is
//! full, the oldest event is dropped.

use std::collections::VecDeque;

/// The greatest size of a batch in bytes. A single event may exceed it.
const MAX_BATCH: usize = 1 << 20;

/// Events that are sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The position of the first event in the queue.
    first: u64,
    events: VecDeque<Vec<u8>>,
}

/// An event that is not in a batch yet.
#[derive(Debug)]
struct Waiting {
    place: u64,
    since: u64,
    event: Vec<u8>,
}

/// The events of a VM that wait or are under way.
#[derive(Debug)]
pub(crate) struct Queue {
    max_count: usize,
    max_bytes: usize,
    batch_size: usize,
    /// Batches to be sent again, before anything else.
    again: VecDeque<Batch>,
    fresh: VecDeque<Waiting>,
    next: u64,
    /// The number of all events, those under way included.
    count: usize,
    bytes: usize,
    fresh_bytes: usize,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    fn bytes(&self) -> usize {
        self.events.iter().map(Vec::len).fold(0, usize::saturating_add)
    }

    /// Returns the JSON array of all events.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes().saturating_add(self.len()).saturating_add(1));
        out.push(b'[');
        for (n, event) in self.events.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            out.extend_from_slice(event);
        }
        out.push(b']');
        out
    }
}

impl Queue {
    pub(crate) fn new(max_count: usize, max_bytes: usize, batch_size: usize) -> Self {
        Self {
            max_count,
            max_bytes,
            batch_size,
            again: VecDeque::new(),
            fresh: VecDeque::new(),
            next: 0,
            count: 0,
            bytes: 0,
            fresh_bytes: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an event. Returns the number of events that were dropped for it.
    pub(crate) fn push(&mut self, event: Vec<u8>, now: u64) -> u64 {
        let mut given_up = 0_u64;
        while self.count >= self.max_count
            || self.bytes.saturating_add(event.len()) > self.max_bytes
        {
            given_up = given_up.saturating_add(1);
            // Events under way may have arrived, so dropping them does not help.
            if !self.give_up_oldest() {
                return given_up;
            }
        }
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(event.len());
        self.fresh_bytes = self.fresh_bytes.saturating_add(event.len());
        self.fresh.push_back(Waiting { place: self.next, since: now, event });
        self.next = self.next.saturating_add(1);
        given_up
    }

    fn give_up_oldest(&mut self) -> bool {
        if let Some(batch) = self.again.front_mut()
            && let Some(event) = batch.events.pop_front()
        {
            batch.first = batch.first.saturating_add(1);
            if batch.events.is_empty() {
                self.again.pop_front();
            }
            self.forget(event.len());
            return true;
        }
        let Some(waiting) = self.fresh.pop_front() else { return false };
        self.fresh_bytes = self.fresh_bytes.saturating_sub(waiting.event.len());
        self.forget(waiting.event.len());
        true
    }

    fn forget(&mut self, bytes: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Returns `true` if enough events wait for a full batch.
    pub(crate) fn is_full_batch(&self) -> bool {
        self.fresh.len() >= self.batch_size || self.fresh_bytes >= MAX_BATCH
    }

    /// Takes the next batch: one to be sent again, a full one, or events that have waited since
    /// `since` or longer. An event of after `now` was recorded before the clock was set back.
    pub(crate) fn next(&mut self, since: u64, now: u64) -> Option<Batch> {
        if let Some(batch) = self.again.pop_front() {
            return Some(batch);
        }
        let oldest = self.fresh.front()?;
        if !self.is_full_batch() && oldest.since > since && oldest.since <= now {
            return None;
        }
        let mut batch = Batch { first: oldest.place, events: VecDeque::new() };
        let mut bytes = 0_usize;
        while let Some(waiting) = self.fresh.front() {
            bytes = bytes.saturating_add(waiting.event.len());
            let full = batch.len() >= self.batch_size || bytes > MAX_BATCH;
            if full && !batch.events.is_empty() {
                break;
            }
            if let Some(Waiting { event, .. }) = self.fresh.pop_front() {
                self.fresh_bytes = self.fresh_bytes.saturating_sub(event.len());
                batch.events.push_back(event);
            }
        }
        Some(batch)
    }

    /// Removes a batch that has arrived or is given up.
    pub(crate) fn done(&mut self, batch: &Batch) {
        for event in &batch.events {
            self.forget(event.len());
        }
    }

    /// Puts back a batch to be sent again, in its place.
    pub(crate) fn again(&mut self, batch: Batch) {
        let place = self.again.iter().position(|other| other.first > batch.first);
        self.again.insert(place.unwrap_or(self.again.len()), batch);
    }

    /// Splits a batch that the collector refuses, and sends the halves again. Drops the event if
    /// the batch has only one, and returns `false`.
    pub(crate) fn split(&mut self, mut batch: Batch) -> bool {
        if batch.len() < 2 {
            self.done(&batch);
            return false;
        }
        let half = batch.len() / 2;
        let tail = batch.events.split_off(half);
        let first = batch.first.saturating_add(u64::try_from(half).unwrap_or(u64::MAX));
        self.again(batch);
        self.again(Batch { first, events: tail });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(max_count: usize, max_bytes: usize, batch_size: usize, events: &[&str]) -> Queue {
        let mut queue = Queue::new(max_count, max_bytes, batch_size);
        for (n, event) in events.iter().enumerate() {
            queue.push(event.as_bytes().to_vec(), n as u64);
        }
        queue
    }

    fn json(batch: Option<Batch>) -> String {
        batch.map_or_else(String::new, |batch| String::from_utf8(batch.json()).unwrap())
    }

    /// Takes everything that waits, batch by batch.
    fn rest(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.next(u64::MAX, u64::MAX))
            .map(|batch| json(Some(batch)))
            .collect()
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_old_enough() {
        let mut queue = queue(100, 100, 2, &["1", "2", "3"]);
        assert!(queue.is_full_batch());
        assert_eq!(json(queue.next(0, 9)), "[1,2]");
        assert!(!queue.is_full_batch());
        assert_eq!(queue.next(1, 9), None);
        assert_eq!(json(queue.next(2, 9)), "[3]");
        assert_eq!(queue.next(9, 9), None);
        assert_eq!((queue.count(), queue.bytes()), (3, 3), "they are on their way");
    }

    #[test]
    fn an_event_of_before_the_clock_was_set_back_waits_no_longer() {
        let mut queue = queue(100, 100, 2, &[]);
        queue.push(b"1".to_vec(), 7_200_000);
        assert_eq!(queue.next(7_199_000, 7_200_500), None);
        assert_eq!(json(queue.next(3_599_000, 3_600_000)), "[1]");
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_a_large_event_goes_alone() {
        let large = "x".repeat(MAX_BATCH / 2);
        let larger = "y".repeat(MAX_BATCH + 1);
        let mut queue = queue(100, usize::MAX, 50, &[&large, &large, &large, &larger, "z"]);
        let lengths: Vec<usize> = std::iter::from_fn(|| queue.next(u64::MAX, u64::MAX))
            .map(|batch| batch.len())
            .collect();
        assert_eq!(lengths, [2, 1, 1, 1]);
    }

    #[test]
    fn the_oldest_is_given_up_when_there_is_no_room() {
        let mut by_count = queue(2, 100, 10, &["1", "2", "3"]);
        assert_eq!(rest(&mut by_count), ["[2,3]"]);
        let mut by_bytes = queue(10, 5, 10, &["11", "22"]);
        assert_eq!(by_bytes.push(b"333".to_vec(), 0), 1);
        assert_eq!(by_bytes.bytes(), 5);
        assert_eq!(by_bytes.push(b"4".to_vec(), 0), 1);
        assert_eq!(by_bytes.push(b"666666".to_vec(), 0), 3, "all others and itself");
        assert_eq!((by_bytes.count(), by_bytes.bytes()), (0, 0));
    }

    #[test]
    fn events_under_way_count_and_are_not_dropped() {
        let mut queue = queue(3, 100, 2, &["1", "2", "3"]);
        let out = queue.next(0, 9).unwrap();
        assert_eq!(queue.push(b"4".to_vec(), 0), 1, "3 went");
        assert_eq!(queue.push(b"5".to_vec(), 0), 1, "4 went");
        queue.again(out);
        assert_eq!(queue.push(b"6".to_vec(), 0), 1, "1 went");
        assert_eq!(rest(&mut queue), ["[2]", "[5,6]"]);
    }

    #[test]
    fn batches_that_go_again_keep_their_order_and_come_first() {
        let mut queue = queue(100, 100, 2, &["1", "2", "3", "4", "5", "6", "7"]);
        let [one, two, three] = [0; 3].map(|_| queue.next(0, 9).unwrap());
        queue.again(two);
        queue.done(&three);
        queue.again(one);
        assert_eq!(queue.count(), 5);
        assert_eq!(rest(&mut queue), ["[1,2]", "[3,4]", "[7]"]);
    }

    #[test]
    fn a_culprit_is_found_by_halves_and_the_others_arrive() {
        let mut queue = queue(100, 100, 5, &["1", "2", "X", "4", "5"]);
        let (mut sent, mut dropped, mut posts) = (Vec::new(), 0, 0);
        while let Some(batch) = queue.next(u64::MAX, u64::MAX) {
            posts += 1;
            if batch.json().contains(&b'X') {
                dropped += usize::from(!queue.split(batch));
            } else {
                sent.push(json(Some(batch.clone())));
                queue.done(&batch);
            }
        }
        assert_eq!(sent.concat(), "[1,2][4,5]");
        assert_eq!((dropped, queue.count(), queue.bytes()), (1, 0, 0));
        assert!(posts <= 7, "{posts}");
    }
}
