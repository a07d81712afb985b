use super::*;

/// Two pages, each with one key, of a server without single keys if `alone`.
struct Pages {
    alone: bool,
}

struct Reader(Vec<Key>);

impl Source for Pages {
    fn call(&self, _: &Key) -> Call {
        Call::default()
    }

    fn read(&self, _: &Key, _: &Answer) -> Option<(Finding, Option<u64>)> {
        None
    }

    fn snapshot(&self, _: bool) -> Option<Box<dyn Snapshot>> {
        Some(Box::new(Reader(Vec::new())))
    }

    fn asks_any_server(&self) -> bool {
        !self.alone
    }
}

impl Snapshot for Reader {
    fn next(&mut self) -> Option<Call> {
        (self.0.len() < 2).then(|| Call::get([format!("page-{}", self.0.len())]))
    }

    fn absorb(&mut self, answer: &Answer, most: usize) -> bool {
        assert_eq!(most, full().max_entries);
        self.0.push(Key::new(1, answer.body.clone()));
        answer.status == 200
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        (self.0.into_iter().map(|key| (key, Finding::Value(b"x".to_vec()))).collect(), None)
    }
}

const LIMIT: u64 = 5000;

fn full() -> settings::Cache {
    settings::Cache { mode: Mode::Full, ..settings::Cache::default() }
}

fn tick(state: &mut SnapshotState, source: &Pages, now: u64) -> NextPage {
    state.tick(source, &full(), Some(!source.alone), now, LIMIT)
}

fn page(name: &str) -> Answer {
    Answer::new(200, name.as_bytes())
}

fn key(name: &str) -> Key {
    Key::new(1, name)
}

/// Reads both pages at the time `now`; `meanwhile` happens between them.
fn walk(
    state: &mut SnapshotState,
    source: &Pages,
    now: u64,
    meanwhile: impl FnOnce(&mut SnapshotState),
) -> NextPage {
    assert_eq!(tick(state, source, now), NextPage::Ask(Call::get(["page-0"])));
    assert_eq!(tick(state, source, now), NextPage::None, "the page is awaited");
    assert!(state.absorb(Some(&page("a")), full().max_entries));
    meanwhile(state);
    assert_eq!(state.next_page(source, &full(), now), NextPage::Ask(Call::get(["page-1"])));
    assert!(state.absorb(Some(&page("b")), full().max_entries));
    state.next_page(source, &full(), now)
}

#[test]
fn the_pages_are_read_one_after_another_and_again_before_they_are_outdated() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
    assert_eq!(walk(&mut state, &source, 1000, |_| ()), NextPage::Complete { fits: true });
    assert_eq!(state.get(&key("a")), Some((Finding::Value(b"x".to_vec()), 1000)));
    assert!(!state.is_all(), "single keys can be asked for");
    assert_eq!(tick(&mut state, &source, 45_999), NextPage::None);
    assert!(matches!(tick(&mut state, &source, 46_000), NextPage::Ask(_)));
}

#[test]
fn a_key_that_changes_during_a_walk_is_not_taken_from_its_pages() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
    walk(&mut state, &source, 0, |state| state.touch(key("a")));
    assert_eq!(state.get(&key("a")), None);
    assert!(state.get(&key("b")).is_some());
    state.touch(key("b"));
    assert!(state.get(&key("b")).is_none() && state.knows(&key("b")) && !state.knows(&key("a")));
}

#[test]
fn nothing_is_taken_from_a_walk_during_which_everything_was_dropped() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
    let end = walk(&mut state, &source, 0, SnapshotState::drop_all);
    assert_eq!(end, NextPage::Complete { fits: true });
    assert_eq!(state.read_at(), None);
    walk(&mut state, &source, 1, |_| ());
    assert_eq!(state.read_at(), Some(1));
}

#[test]
fn a_key_outside_of_the_only_source_does_not_exist_until_something_changes() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: true });
    walk(&mut state, &source, 0, |_| ());
    assert!(state.is_all());
    state.touch(key("c"));
    assert!(!state.is_all());
}

#[test]
fn a_walk_ends_with_an_answer_that_is_no_page_and_begins_again_later() {
    for answer in [None, Some(Answer::new(500, ""))] {
        let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
        assert!(matches!(tick(&mut state, &source, 0), NextPage::Ask(_)));
        assert!(!state.absorb(answer.as_ref(), full().max_entries));
        assert_eq!(tick(&mut state, &source, RETRY - 1), NextPage::None);
        assert!(matches!(tick(&mut state, &source, RETRY), NextPage::Ask(_)));
    }
}

#[test]
fn a_page_that_never_comes_ends_the_walk() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
    assert!(matches!(tick(&mut state, &source, 0), NextPage::Ask(_)));
    assert_eq!(tick(&mut state, &source, LIMIT), NextPage::None);
    assert!(matches!(tick(&mut state, &source, LIMIT + 1), NextPage::Ask(_)));
}

#[test]
fn nothing_is_read_before_the_kind_of_the_server_is_known_or_in_lazy_mode() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
    assert_eq!(state.tick(&source, &full(), None, 0, LIMIT), NextPage::None);
    let lazy = settings::Cache::default();
    assert_eq!(state.tick(&source, &lazy, Some(true), 0, LIMIT), NextPage::None);
    let alone = Pages { alone: true };
    assert!(matches!(state.tick(&alone, &lazy, Some(false), 0, LIMIT), NextPage::Ask(_)));
}

#[test]
fn a_clock_that_is_set_back_brings_the_next_snapshot_at_once() {
    let (mut state, source) = (SnapshotState::default(), Pages { alone: false });
    let (hour, mut now) = (3_600_000, 7_200_000);
    let walk = |state: &mut SnapshotState, now: u64| {
        assert_eq!(tick(state, &source, now), NextPage::Ask(Call::get(["page-0"])));
        assert!(state.absorb(Some(&page("a")), full().max_entries));
        assert!(matches!(state.next_page(&source, &full(), now), NextPage::Ask(_)));
        assert!(state.absorb(Some(&page("b")), full().max_entries));
        assert_eq!(state.next_page(&source, &full(), now), NextPage::Complete { fits: true });
    };
    walk(&mut state, now);
    now -= hour;
    walk(&mut state, now);
    assert_eq!(tick(&mut state, &source, now + 1), NextPage::None);
}
