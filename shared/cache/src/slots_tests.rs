use super::*;
use crate::shared_data::LocalData;

const GENERATION: u64 = 7;

fn slots() -> Slots {
    Slots::new(1, b"0123456789abcdef", 64)
}

fn key(n: u32) -> Key {
    Key::new(1, format!("consumer-{n}"))
}

fn value(text: &str, stored_at: u64) -> Entry {
    Entry { stored_at, seq: Some(5), content: Content::Found(Finding::Value(text.into())) }
}

fn nothing(stored_at: u64) -> Entry {
    Entry { stored_at, seq: Some(5), content: Content::Found(Finding::Nothing) }
}

#[test]
fn what_was_put_is_there() {
    let (slots, store) = (slots(), LocalData::default());
    slots.put(&store, GENERATION, &key(1), &value("a", 10));
    assert_eq!(slots.get(&store, GENERATION, &key(1)), Some(value("a", 10)));
    assert_eq!(slots.get(&store, GENERATION, &Key { table: 2, ..key(1) }), None);
}

#[test]
fn the_last_answer_counts_whichever_it_is() {
    let (slots, store) = (slots(), LocalData::default());
    for (entry, at) in [(nothing(1), 1), (value("a", 2), 2), (nothing(3), 3), (value("b", 4), 4)] {
        slots.put(&store, GENERATION, &key(1), &entry);
        assert_eq!(slots.get(&store, GENERATION, &key(1)).unwrap().stored_at, at);
    }
}

#[test]
fn another_fingerprint_feature_or_generation_sees_nothing() {
    let store = LocalData::default();
    slots().put(&store, GENERATION, &key(1), &value("a", 10));
    for (other, generation) in [
        (Slots::new(1, b"another settings", 64), GENERATION),
        (Slots::new(2, b"0123456789abcdef", 64), GENERATION),
        (slots(), GENERATION + 1),
    ] {
        assert_eq!(other.get(&store, generation, &key(1)), None);
    }
}

#[test]
fn a_slot_that_somebody_else_wrote_is_not_there() {
    let (slots, store) = (slots(), LocalData::default());
    slots.put(&store, GENERATION, &key(1), &value("a", 10));
    let all = &store.0;
    let places: Vec<u32> = all.borrow().keys().copied().collect();
    for at in [0, 2, 30, SLOT - 1] {
        for slot in &places {
            all.borrow_mut().get_mut(slot).unwrap().0[at] ^= 1;
        }
        assert_eq!(slots.get(&store, GENERATION, &key(1)), None, "byte {at}");
        for slot in &places {
            all.borrow_mut().get_mut(slot).unwrap().0[at] ^= 1;
        }
    }
    for slot in &places {
        all.borrow_mut().get_mut(slot).unwrap().0.truncate(SLOT / 2);
    }
    assert_eq!(slots.get(&store, GENERATION, &key(1)), None, "torn");
}

#[test]
fn a_slot_copied_under_another_key_is_not_there() {
    let (slots, store) = (slots(), LocalData::default());
    slots.put(&store, GENERATION, &key(1), &value("a", 10));
    let (bytes, _) =
        slots.places(Region::Values, &key(1)).find_map(|slot| store.get(slot)).unwrap();
    for slot in slots.places(Region::Values, &key(2)) {
        store.update(slot, &mut |_| Some(bytes.clone()));
    }
    assert_eq!(slots.get(&store, GENERATION, &key(2)), None);
}

#[test]
fn a_change_removes_what_was_read_before_it_and_nothing_else() {
    let (slots, store) = (slots(), LocalData::default());
    for entry in [value("a", 10), nothing(10)] {
        slots.put(&store, GENERATION, &key(1), &entry);
        slots.remove(&store, GENERATION, &key(1), 5);
        assert!(slots.get(&store, GENERATION, &key(1)).is_some(), "read at 5, changed at 5");
        slots.remove(&store, GENERATION, &key(1), 6);
        assert_eq!(slots.get(&store, GENERATION, &key(1)), None);
    }
    slots.put(&store, GENERATION, &key(1), &Entry { seq: None, ..value("a", 10) });
    slots.remove(&store, GENERATION, &key(1), 0);
    assert_eq!(slots.get(&store, GENERATION, &key(1)), None, "a server without numbers");
}

#[test]
fn the_table_is_bounded_and_guesses_push_out_no_value() {
    let (slots, store) = (slots(), LocalData::default());
    for n in 0..16 {
        slots.put(&store, GENERATION, &key(n), &value("a", 10));
    }
    let kept = |slots: &Slots| {
        (0..16).filter(|n| slots.get(&store, GENERATION, &key(*n)).is_some()).count()
    };
    let before = kept(&slots);
    for n in 1000..6000 {
        slots.put(&store, GENERATION, &key(n), &nothing(20));
    }
    assert_eq!(kept(&slots), before);
    for n in 1000..6000 {
        slots.put(&store, GENERATION, &key(n), &value("b", 20));
    }
    let all = &store.0;
    assert!(all.borrow().len() <= 128, "64 values and 64 absences");
}

#[test]
fn a_long_value_lies_in_pieces_and_is_whole_or_not_there() {
    let (slots, store) = (Slots::new(1, b"0123456789abcdef", 256), LocalData::default());
    let long = "0123456789".repeat(1000);
    slots.put(&store, GENERATION, &key(1), &value(&long, 10));
    assert_eq!(slots.get(&store, GENERATION, &key(1)), Some(value(&long, 10)));
    slots.put(&store, GENERATION, &piece(&key(1), 3), &value("another", 11));
    assert_eq!(slots.get(&store, GENERATION, &key(1)), None);
    slots.put(&store, GENERATION, &key(1), &value("short", 12));
    assert_eq!(slots.get(&store, GENERATION, &key(1)), Some(value("short", 12)));
}

#[test]
fn a_value_beyond_all_bounds_is_not_kept_and_leaves_nothing_old() {
    let (slots, store) = (slots(), LocalData::default());
    slots.put(&store, GENERATION, &key(1), &value("old", 10));
    slots.put(&store, GENERATION, &key(1), &value(&"x".repeat(MAX_VALUE + 1), 10));
    assert_eq!(slots.get(&store, GENERATION, &key(1)), None);
}

#[test]
fn a_name_of_any_length_is_kept_apart_from_others_and_removed() {
    for len in [1, MAX_NAME - 10, MAX_NAME, MAX_NAME + 1, 500, 70_000] {
        for text in ["short".to_owned(), "x".repeat(PIECE), "y".repeat(5000)] {
            let (slots, store) = (Slots::new(1, b"0123456789abcdef", 4096), LocalData::default());
            let (long, other) = (vec![b'k'; len], [vec![b'k'; len - 1], vec![b'l']].concat());
            let (long, other) = (Key::new(1, long), Key::new(1, other));
            slots.put(&store, GENERATION, &long, &value(&text, 10));
            assert_eq!(slots.get(&store, GENERATION, &long), Some(value(&text, 10)), "{len}");
            assert_eq!(slots.get(&store, GENERATION, &other), None, "{len}");
            slots.remove(&store, GENERATION, &long, u64::MAX);
            assert_eq!(slots.get(&store, GENERATION, &long), None, "{len}");
        }
    }
}

#[test]
fn filters_that_share_a_store_do_not_push_out_one_anothers_entries() {
    let (one, two, store) = (slots(), Slots::new(2, b"0123456789abcdef", 64), LocalData::default());
    one.put(&store, GENERATION, &key(1), &value("a", 10));
    for n in 0..1000 {
        two.put(&store, GENERATION, &key(n), &value("b", 20));
    }
    assert_eq!(one.get(&store, GENERATION, &key(1)), Some(value("a", 10)));
}

proptest::proptest! {
    #[test]
    fn no_content_of_a_slot_panics(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..1100),
    ) {
        let (slots, store) = (slots(), LocalData::default());
        for slot in slots.places(Region::Values, &key(1)) {
            store.update(slot, &mut |_| Some(bytes.clone()));
        }
        assert_eq!(slots.get(&store, GENERATION, &key(1)), None);
    }
}
