use super::*;
use crate::shared_data::LocalData;
use admin_api::{Entity, Operation};

const INTERVAL: u64 = 5000;

fn feed(me: u64) -> Feed {
    Feed::new(b"0123456789abcdef", me, INTERVAL, 1000)
}

fn change(seq: u64) -> Change {
    Change {
        seq,
        entity: Entity::Appids,
        operation: Operation::Create,
        consumer_id: "c".into(),
        key: "a".into(),
    }
}

fn page(epoch: &str, changes: Vec<Change>, next: u64) -> Answer {
    let page = ChangesPage { data: changes, next, epoch: epoch.into(), reset: false, seq: None };
    Answer::new(200, serde_json::to_vec(&page).unwrap())
}

/// A feed that has had its first answer.
fn started(store: &LocalData, now: u64) -> Feed {
    let mut feed = feed(1);
    assert!(feed.tick(store, now, false).poll.is_some());
    let news = feed.answered(store, Some(&page("e", vec![], 10)), now);
    assert!(news.dropped, "what was known before the first answer may be outdated");
    feed
}

fn query(call: &Call) -> String {
    call.query
        .iter()
        .map(|(n, v)| format!("{n}={}", String::from_utf8_lossy(v)))
        .collect::<Vec<_>>()
        .join("&")
}

#[test]
fn changes_arrive_once_and_in_order() {
    let store = LocalData::default();
    let mut feed = started(&store, 0);
    assert_eq!(feed.tick(&store, 100, false), News::default());
    let poll = feed.tick(&store, INTERVAL / 2, false).poll.unwrap();
    assert_eq!(query(&poll), "since=10&epoch=e&limit=256");
    let news = feed.answered(&store, Some(&page("e", vec![change(11), change(12)], 12)), 2600);
    assert_eq!(news, News { changes: vec![change(11), change(12)], ..News::default() });
    assert_eq!(feed.tick(&store, 2700, false), News::default());
    let poll = feed.tick(&store, 9000, false).poll.unwrap();
    assert_eq!(query(&poll), "since=12&epoch=e&limit=256");
}

#[test]
fn every_vm_reads_what_one_has_found() {
    let store = LocalData::default();
    let mut one = started(&store, 0);
    let mut two = feed(2);
    two.tick(&store, 1, true);
    one.tick(&store, 3000, false);
    one.answered(&store, Some(&page("e", vec![change(11)], 11)), 3000);
    assert_eq!(two.tick(&store, 3001, false).changes, [change(11)]);
}

#[test]
fn a_reader_that_fell_behind_the_ring_drops_everything() {
    let store = LocalData::default();
    let mut one = started(&store, 0);
    let mut two = feed(2);
    two.tick(&store, 1, true);
    let mut now = 0;
    for round in 0..3 {
        now += INTERVAL;
        one.tick(&store, now, false);
        let first = 11 + round * 100;
        let changes: Vec<Change> = (first..first + 100).map(change).collect();
        assert_eq!(
            one.answered(&store, Some(&page("e", changes, first + 99)), now).changes.len(),
            100
        );
    }
    assert!(two.tick(&store, now, true).dropped, "300 changes in a ring of 256");
    assert_eq!(two.tick(&store, now, true), News::default());
}

#[test]
fn another_epoch_or_a_reset_drops_everything() {
    for answer in [
        page("other", vec![], 3),
        Answer::new(200, br#"{"data":[],"next":3,"epoch":"e","reset":true}"#.to_vec()),
        page("e", (11..400).map(change).collect(), 399),
    ] {
        let store = LocalData::default();
        let mut feed = started(&store, 0);
        feed.tick(&store, INTERVAL, false);
        let news = feed.answered(&store, Some(&answer), INTERVAL);
        assert!(news.dropped && news.changes.is_empty());
        assert_eq!(feed.tick(&store, INTERVAL + 1, false), News::default());
    }
}

#[test]
fn after_too_many_changes_everything_is_dropped_once() {
    let store = LocalData::default();
    let mut feed = started(&store, 0);
    feed.tick(&store, INTERVAL, false);
    let changes = (11..267).map(change).collect();
    let page = ChangesPage {
        data: changes,
        next: 266,
        epoch: "e".into(),
        reset: false,
        // The service has thousands more.
        seq: Some(70_000),
    };
    let answer = Answer::new(200, serde_json::to_vec(&page).unwrap());
    assert!(feed.answered(&store, Some(&answer), INTERVAL).dropped);
    let poll = feed.tick(&store, 2 * INTERVAL, false).poll.unwrap();
    assert_eq!(query(&poll), "since=70000&epoch=e&limit=256");
}

#[test]
fn an_overwritten_ring_drops_everything() {
    let store = LocalData::default();
    let mut one = started(&store, 0);
    let mut two = feed(2);
    two.tick(&store, 1, true);
    one.tick(&store, INTERVAL, false);
    one.answered(&store, Some(&page("e", vec![change(11)], 11)), INTERVAL);
    let slots = &store.0;
    for (slot, (value, _)) in slots.borrow_mut().iter_mut() {
        if slot >> 28 == 1 {
            value[3] ^= 1;
        }
    }
    assert!(two.tick(&store, INTERVAL, true).dropped);
}

#[test]
fn nobody_asks_while_idle_or_while_an_answer_is_due() {
    let store = LocalData::default();
    let mut feed = feed(1);
    assert_eq!(feed.tick(&store, 0, true).poll, None);
    assert!(feed.tick(&store, 0, false).poll.is_some());
    assert_eq!(feed.tick(&store, 4000, false).poll, None);
    assert!(feed.tick(&store, 6000, false).poll.is_some(), "the host has forgotten the call");
}

#[test]
fn failures_are_asked_again_ever_more_slowly_but_at_least_once_a_minute() {
    let store = LocalData::default();
    let mut feed = started(&store, 0);
    let mut now = 0;
    for _ in 0..10 {
        now += 60_000;
        assert!(feed.tick(&store, now, false).poll.is_some());
        let failed = News { failed: true, ..News::default() };
        assert_eq!(feed.answered(&store, None, now), failed);
        assert_eq!(feed.tick(&store, now + INTERVAL, false).poll, None);
    }
    assert!(feed.tick(&store, now + 60_000, false).poll.is_some());
    assert!(!feed.is_current(&store, now));
}

#[test]
fn a_kong_admin_api_has_no_list_of_changes() {
    let store = LocalData::default();
    let mut feed = feed(1);
    assert_eq!(feed.supported(&store), None);
    feed.tick(&store, 0, false);
    let kong = Answer::new(404, br#"{"message":"Not found"}"#.to_vec());
    assert!(!feed.answered(&store, Some(&kong), 0).dropped);
    assert_eq!(feed.supported(&store), Some(false));
    assert!(feed.is_current(&store, 1_000_000), "nothing can be missed where nothing is told");
    assert_eq!(feed.tick(&store, INTERVAL, false).poll, None);
}

#[test]
fn an_answer_that_is_none_changes_nothing() {
    let store = LocalData::default();
    let mut feed = started(&store, 0);
    for (status, body) in
        [(404, "<html>"), (200, "{"), (200, "{}"), (500, r#"{"message":"Not found"}"#), (401, "{}")]
    {
        feed.pause = Pause::default();
        feed.tick(&store, INTERVAL, false);
        let answer = Answer::new(status, body);
        assert_eq!(
            feed.answered(&store, Some(&answer), INTERVAL),
            News { failed: true, ..News::default() },
            "{status} {body}"
        );
        assert_eq!(feed.supported(&store), Some(true));
    }
}

#[test]
fn another_target_or_token_reads_nothing_of_it() {
    let store = LocalData::default();
    started(&store, 0);
    let other = Feed::new(b"0123456789abcdeX", 1, INTERVAL, 1000);
    assert_eq!(other.supported(&store), None);
}

#[test]
fn a_vm_that_began_before_there_was_a_list_drops_what_it_learnt_meanwhile() {
    let store = LocalData::default();
    let mut two = feed(2);
    two.begin(&store);
    assert_eq!(two.tick(&store, 0, true), News::default());
    let mut one = started(&store, 0);
    one.tick(&store, INTERVAL, false);
    one.answered(&store, Some(&page("e", vec![change(11)], 11)), INTERVAL);
    assert!(two.tick(&store, INTERVAL, true).dropped);
}

#[test]
fn a_vm_that_begins_with_a_list_reads_on_from_there() {
    let store = LocalData::default();
    let mut one = started(&store, 0);
    let mut two = feed(2);
    two.begin(&store);
    one.tick(&store, INTERVAL, false);
    one.answered(&store, Some(&page("e", vec![change(11)], 11)), INTERVAL);
    assert_eq!(
        two.tick(&store, INTERVAL, true),
        News { changes: vec![change(11)], ..News::default() }
    );
}

const HOUR: u64 = 3_600_000;

/// Slots that other workers read and write, too.
#[derive(Default)]
struct OfAll(LocalData);

impl SharedData for OfAll {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.0.get(slot)
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> crate::shared_data::Put {
        self.0.put(slot, value, seen)
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_polling() {
    let store = LocalData::default();
    let mut feed = started(&store, 2 * HOUR);
    let poll = feed.tick(&store, HOUR, false).poll.expect("a poll at once");
    assert_eq!(query(&poll), "since=10&epoch=e&limit=256");
    // The answer to this one never comes.
    assert_eq!(feed.tick(&store, HOUR + 4000, false).poll, None);
    assert!(feed.tick(&store, HOUR / 2, false).poll.is_none());
    assert!(feed.tick(&store, HOUR / 2 + INTERVAL + 1001, false).poll.is_some());
    // After a failure the pause is as long as it would have been.
    feed.answered(&store, None, 2 * HOUR);
    assert_eq!(feed.tick(&store, HOUR, false).poll, None);
    assert!(feed.tick(&store, HOUR + 2 * INTERVAL, false).poll.is_some());
}

#[test]
fn a_list_that_was_read_before_the_clock_was_set_back_is_not_current() {
    let store = LocalData::default();
    let feed = started(&store, 2 * HOUR);
    assert!(feed.is_current(&store, 2 * HOUR));
    assert!(feed.is_current(&store, 2 * HOUR - 5), "clocks of workers differ a little");
    assert!(!feed.is_current(&store, HOUR));
}

#[test]
fn the_lease_of_a_vm_that_is_gone_ends_where_the_clock_was_set_back() {
    let store = OfAll::default();
    let mut gone = feed(1);
    assert!(gone.tick(&store, 2 * HOUR, false).poll.is_some());
    let mut other = feed(2);
    assert_eq!(other.tick(&store, 2 * HOUR + 1, false).poll, None, "the other one asks");
    assert!(other.tick(&store, 2 * HOUR - 300_000, false).poll.is_some());
}

#[test]
fn a_new_vm_does_not_wait_for_the_lease_of_one_that_may_be_gone() {
    let store = OfAll::default();
    let mut gone = feed(1);
    assert!(gone.tick(&store, 0, false).poll.is_some());
    gone.answered(&store, Some(&page("e", vec![], 10)), 0);
    // A configuration is replaced: new VMs begin while the lease of the old one is still good.
    let (mut one, mut two) = (feed(2), feed(3));
    one.begin(&store);
    two.begin(&store);
    assert!(one.tick(&store, INTERVAL / 2, false).poll.is_some());
    assert_eq!(two.tick(&store, INTERVAL / 2, false).poll, None, "one of them is enough");
    one.answered(&store, Some(&page("e", vec![], 10)), INTERVAL / 2);
    assert_eq!(two.tick(&store, INTERVAL, false).poll, None, "and it keeps the lease");
    assert!(one.tick(&store, INTERVAL, false).poll.is_some());
}

#[test]
fn a_place_that_the_service_does_not_know_is_given_up() {
    let store = LocalData::default();
    let mut feed = started(&store, 0);
    // Something else answers in the service's place.
    feed.tick(&store, INTERVAL, false);
    feed.answered(&store, Some(&page("e", vec![], u64::MAX)), INTERVAL);
    let poll = feed.tick(&store, 2 * INTERVAL, false).poll.unwrap();
    assert_eq!(query(&poll), format!("since={}&epoch=e&limit=256", u64::MAX));
    let refused = Answer::new(400, br#"{"message":"schema violation"}"#.to_vec());
    assert!(feed.answered(&store, Some(&refused), 2 * INTERVAL).failed);
    let poll = feed.tick(&store, 9 * INTERVAL, false).poll.unwrap();
    assert_eq!(query(&poll), "", "it begins anew");
    let news = feed.answered(&store, Some(&page("e", vec![], 12)), 9 * INTERVAL);
    assert!(news.dropped, "what happened meanwhile is not known");
}
