//! Items from a declarative file, without holding all of it: a YAML file is read section by
//! section, and item by item.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde_json::{Map, Value};
use tokio::sync::mpsc::Sender;

use super::Read;
use super::items::{LISTS, items};
use crate::api::What;

/// The size up to which a file is read as a whole, in bytes: JSON, and YAML with anchors or with
/// lists on one line.
const WHOLE_MAX: u64 = 64 << 20;
/// The greatest size of one item, in bytes.
const ITEM_MAX: usize = 8 << 20;

/// Reads the file, and sends consumers first and then what refers to them.
pub(super) fn read(path: &Path, send: &Sender<Read>) -> Result<(), String> {
    let told = |error: String| format!("{}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(|error| told(error.to_string()))?.len();
    if is_plain(path).map_err(told)? {
        for consumers in [true, false] {
            by_sections(path, size, consumers, send).map_err(told)?;
        }
        return Ok(());
    }
    if size > WHOLE_MAX {
        return Err(told(format!(
            "is JSON, or YAML with anchors or lists on one line, and larger than {} MiB: write it as plain YAML \
             (`deck gateway dump` does)",
            WHOLE_MAX >> 20
        )));
    }
    whole(path, send).map_err(told)
}

/// Reads a file as a whole.
pub(super) fn whole(path: &Path, send: &Sender<Read>) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let documents = gateway_files::documents::read(text.trim_start_matches('\u{feff}'))?;
    let [root] = &documents[..] else { return Err("expected one document".to_owned()) };
    for (list, what) in LISTS {
        let all = root.get(list).and_then(|list| list.as_sequence()).into_iter().flatten();
        for (number, item) in all.enumerate() {
            let object = serde_json::to_value(item).ok().and_then(object);
            if !give(what, object, format!("{list}[{number}]"), None, send) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// Sends the items of one object. Returns `false` if nobody wants more.
fn give(
    what: What,
    object: Option<Map<String, Value>>,
    place: String,
    percent: Option<u8>,
    send: &Sender<Read>,
) -> bool {
    let all = match object {
        Some(object) => items(what, object, &place),
        None => vec![(place, Err("expected an object".to_owned()))],
    };
    all.into_iter().all(|(place, item)| send.blocking_send(Read { place, item, percent }).is_ok())
}

/// Returns `true` if the document is one mapping in block style that begins in the first column,
/// every list of interest is in block style too, and nothing refers to another place. Any other
/// form is read as a whole, so that no item is overlooked.
fn is_plain(path: &Path) -> Result<bool, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // No section has begun; or one of interest has, and its list has not.
    let (mut first, mut list_expected) = (true, false);
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| error.to_string())?;
        // YAML has more line breaks than a reader of lines.
        if line.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']) || line.contains("<<:") {
            return Ok(false);
        }
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') || first && line.trim_end() == "---" {
            continue;
        }
        if is_item(bare) || line.starts_with(' ') {
            if first || list_expected && !is_item(bare) {
                return Ok(false);
            }
            list_expected = false;
        } else {
            let known = section(&line).filter(|(name, _)| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            });
            let Some((name, rest)) = known else { return Ok(false) };
            list_expected = LISTS.iter().any(|(list, _)| *list == name);
            if list_expected && !rest.is_empty() {
                return Ok(false);
            }
            first = false;
        }
        let refers = |part: &str| {
            part.trim_start()
                .trim_start_matches("- ")
                .trim_start()
                .starts_with(['&', '*', '!', '?'])
        };
        if refers(&line) || line.split_once(": ").is_some_and(|(_, value)| refers(value)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns `true` if this line, without its indentation, begins an item of a list.
fn is_item(bare: &str) -> bool {
    bare == "-" || bare.starts_with("- ")
}

/// Returns the name of a section that begins with this line, and what follows on the line.
fn section(line: &str) -> Option<(&str, &str)> {
    if line.starts_with([' ', '-', '#', '.']) {
        return None;
    }
    let (name, rest) = line.split_once(':')?;
    // A colon inside a word ends no name.
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim();
    Some((unquoted(name.trim_end()), if rest.starts_with('#') { "" } else { rest }))
}

/// Removes a pair of quotes around a name. A quote on one side alone is a part of the
/// name, as in YAML.
fn unquoted(name: &str) -> &str {
    let inner = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(name)
}

/// Reads the consumers, or all other items.
fn by_sections(path: &Path, size: u64, consumers: bool, send: &Sender<Read>) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut current: Option<(&str, What)> = None;
    let mut number = 0;
    let mut indent = None;
    let mut text = String::new();
    let mut done = 0_u64;
    let flush = |text: &mut String, list: Option<(&str, What)>, number: &mut usize, done: u64| {
        let (Some((list, what)), false) = (list, text.trim().is_empty()) else {
            text.clear();
            return Ok(true);
        };
        let place = format!("{list}[{number}]");
        let value: Value =
            serde_norway::from_str(text).map_err(|error| format!("{place}: {error}"))?;
        let item = match value {
            // Comments alone are no item.
            Value::Null => {
                text.clear();
                return Ok(true);
            }
            Value::Array(mut items) if items.len() == 1 => items.pop().and_then(object),
            _ => None,
        };
        text.clear();
        *number += 1;
        let half = u64::from(!consumers) * 50;
        let percent = u8::try_from(half + done * 50 / size.max(1)).ok();
        Ok::<bool, String>(give(what, item, place, percent, send))
    };
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| error.to_string())?;
        done += line.len() as u64 + 1;
        if let Some((name, _)) = section(&line) {
            if !flush(&mut text, current, &mut number, done)? {
                return Ok(());
            }
            let wanted = |(_, what): &&(&'static str, What)| (*what == What::Consumer) == consumers;
            current = LISTS.iter().filter(wanted).find(|(list, _)| *list == name).copied();
            (number, indent) = (0, None);
            continue;
        }
        if current.is_none() {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        let begins = is_item(line.trim_start()) && *indent.get_or_insert(depth) == depth;
        if begins && !flush(&mut text, current, &mut number, done)? {
            return Ok(());
        }
        if text.len() + line.len() > ITEM_MAX {
            return Err(format!("an item is larger than {} MiB", ITEM_MAX >> 20));
        }
        text.push_str(&line);
        text.push('\n');
    }
    flush(&mut text, current, &mut number, done)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_on_one_side_is_a_part_of_the_name() {
        for (line, name) in [
            ("consumers:", "consumers"),
            ("\"consumers\" :", "consumers"),
            ("'consumers': # all", "consumers"),
            ("consumers\":", "consumers\""),
            ("'consumers\":", "'consumers\""),
            ("\":", "\""),
        ] {
            assert_eq!(section(line), Some((name, "")), "{line}");
        }
    }

    #[test]
    fn a_colon_inside_a_word_begins_no_section() {
        for line in ["consumers:# all", "consumers:- username: ada", "\"consumers\":[]"] {
            assert_eq!(section(line), None, "{line}");
        }
        assert_eq!(section("consumers:\t# all"), Some(("consumers", "")));
    }
}
