//! App IDs from a CSV file (RFC 4180) with the columns `consumer` and `appid`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde_json::{Map, Value};
use tokio::sync::mpsc::Sender;

use super::Read;
use crate::api::{Item, What};

/// Reads the file, and sends each App ID.
pub(super) fn read(path: &Path, send: &Sender<Read>) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(told)?;
    let size = file.metadata().map_err(told)?.len().max(1);
    let mut done = 0_u64;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(told)?;
        done += line.len() as u64 + 1;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || number == 0 && line.eq_ignore_ascii_case("consumer,appid") {
            continue;
        }
        let item = match fields(line).as_deref() {
            Some([consumer, app_id]) => {
                let body = Map::from_iter([("appid".to_owned(), Value::from(app_id.as_str()))]);
                Ok(Item { what: What::AppId, owner: Some(consumer.clone()), body })
            }
            _ => Err("expected two fields: consumer,appid".to_owned()),
        };
        let percent = u8::try_from(done * 100 / size).ok();
        let read = Read { place: format!("line {}", number + 1), item, percent };
        if send.blocking_send(read).is_err() {
            break;
        }
    }
    Ok(())
}

/// Splits a line into its fields. A field may be in quotes, in which `""` is a quote.
pub(super) fn fields(line: &str) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    let mut letters = line.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        let field = all.last_mut()?;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => all.push(String::new()),
            letter => field.push(letter),
        }
    }
    (!quoted).then(|| all.iter().map(|field| field.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_hold_commas_and_quotes_if_it_is_quoted() {
        let text = |line| fields(line).map(|all| all.join("|"));
        assert_eq!(text("ana,Portal").as_deref(), Some("ana|Portal"));
        assert_eq!(text(r#""Company ""A"", Inc." , b"#).as_deref(), Some(r#"Company "A", Inc.|b"#));
        assert_eq!(text(r#""open"#), None);
    }
}
