//! Files for `import`, and what `export` writes.

use std::path::Path;

use serde_json::Value;
use tokio::sync::mpsc::{Sender, channel};

use super::kong_admin::Source;
use super::{Read, csv, export, sections};
use crate::api::{Item, Outcome, import};
use crate::fuzzing::Bed;

/// The items that a reader has sent, each in words, or as the fact that it was refused.
type Items = Vec<Result<String, ()>>;

/// A declarative file: the reader that goes item by item agrees with the one that takes the whole,
/// if the file is in the style that Kong and decK write; what was imported is exported, and an
/// import of that changes nothing.
pub(crate) fn files(data: &[u8]) {
    let bed = Bed::empty();
    let path = bed.file("kong.yml", data);
    let (read, all) = gathered(sections::read, &path);
    if read.is_ok() && data.iter().all(|byte| is_of_plain_style(*byte)) {
        let (whole, expected) = gathered(sections::whole, &path);
        // A name that is no text makes one reader refuse what the other takes for an empty name, and
        // one that is a number (`-0`) is written in two ways. No field has such a name.
        let has_names = |read: &Read| {
            read.item.as_ref().is_ok_and(|item| !item.body.iter().any(is_named_by_a_number))
        };
        if whole.is_ok() && expected.iter().all(has_names) {
            assert_eq!(in_words(&all), in_words(&expected), "both readers find the same");
        }
    }
    stored(bed, all);
    let first = exported(bed);
    let copy = bed.file("export.yml", &first);
    let (read, all) = gathered(sections::read, &copy);
    assert_eq!(read, Ok(()), "what was exported can be read");
    for (place, outcome) in stored(bed, all) {
        assert_eq!(outcome, Ok(Outcome::Unchanged), "{place} of what was exported");
    }
    assert!(first == exported(bed), "the export is the same as before");
}

/// Returns `true` for a member whose name, or that of one inside of it, is a number.
fn is_named_by_a_number((name, value): (&String, &Value)) -> bool {
    name.parse::<f64>().is_ok() || holds_a_number_for_a_name(value)
}

fn holds_a_number_for_a_name(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(is_named_by_a_number),
        Value::Array(items) => items.iter().any(holds_a_number_for_a_name),
        _ => false,
    }
}

/// Returns `true` for a byte of YAML in block style: no flow, anchor, tag or block of text.
fn is_of_plain_style(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" \n:-_.,/+=#\"'".contains(&byte)
}

/// A CSV file: it is read, and stored twice; and fields that were written are read alike.
pub(crate) fn csv_files(data: &[u8]) {
    let bed = Bed::empty();
    let (_, all) = gathered(csv::read, &bed.file("ids.csv", data));
    stored(bed, all);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let fields: Vec<&str> = text.lines().next().unwrap_or_default().split('\t').collect();
    let written: Vec<String> =
        fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
    let expected: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
    assert_eq!(csv::fields(&written.join(",")), Some(expected), "{written:?}");
}

/// The address of an Admin API, and a header for it: a host is all that `http://` needs, and no
/// refusal shows what may be a password.
pub(crate) fn address(line: &str) {
    // The system's certificates are read for each, which is slow.
    if line.starts_with("https://") {
        return;
    }
    let headers = [line.to_owned()];
    if let Err(why) = Source::of("http://localhost", &headers, None) {
        assert!(!line.contains(':') && !why.contains('\n'));
    }
    if let Err(why) = Source::of(line, &[], None) {
        let names_a_host = line
            .strip_prefix("http://")
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with([':', '/']));
        assert!(line.contains('@') || !names_a_host, "{why}");
        assert!(!line.contains('@') || !why.contains(line), "{why}");
    }
}

fn gathered(
    read: fn(&Path, &Sender<Read>) -> Result<(), String>,
    path: &Path,
) -> (Result<(), String>, Vec<Read>) {
    // An input has fewer items than bytes.
    let (send, mut receive) = channel(1 << 20);
    let outcome = read(path, &send);
    let mut all = Vec::new();
    while let Ok(one) = receive.try_recv() {
        all.push(one);
    }
    (outcome, all)
}

fn in_words(all: &[Read]) -> Items {
    let words = |item: &Item| format!("{item:?}");
    let mut items: Items =
        all.iter().map(|read| read.item.as_ref().map(words).map_err(drop)).collect();
    items.sort();
    items
}

/// Stores the items, and returns what has become of each that could be read.
fn stored(bed: &Bed, all: Vec<Read>) -> Vec<(String, Result<Outcome, String>)> {
    let storing = bed.app.store.write::<_, sqlx::Error>(async |tx| {
        let mut outcomes = Vec::new();
        for Read { place, item, .. } in all {
            let Ok(item) = item else {
                outcomes.push((place, Err("it cannot be read".to_owned())));
                continue;
            };
            let outcome = import(&bed.app, tx, item).await.map_err(|refusal| {
                let words = refusal.in_words();
                assert!(!refusal.ends_an_import(), "{place}: {refusal:?}");
                assert!(!words.is_empty(), "a refusal says why");
                words
            });
            outcomes.push((place, outcome));
        }
        Ok(outcomes)
    });
    bed.runtime.block_on(storing).expect("a commit")
}

fn exported(bed: &Bed) -> Vec<u8> {
    let mut out = Vec::new();
    let written = bed.runtime.block_on(export::write(&bed.app, &mut out));
    assert!(written.is_ok(), "{}", written.err().map(|why| why.to_string()).unwrap_or_default());
    out
}
