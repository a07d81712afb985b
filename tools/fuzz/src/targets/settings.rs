//! Settings of every filter, in every form in which a gateway hands them over.

use crate::gateway::{ENVOY, KONG};
use all_filters::FILTERS;
use runtime::Capabilities;
use serde_json::{Map, Value};
use settings::{Facts, metadata, shown};

/// What each variable of the environment holds.
const SECRET: &str = "5ec0de5ec0de5ec0de5ec0de5ec0de00";

/// Returns how often the document holds `text` as it is.
fn times(document: &[u8], text: &str) -> usize {
    document.windows(text.len()).filter(|part| *part == text.as_bytes()).count()
}

/// Returns the service's token, if it stands in the document at its place alone: elsewhere it is no
/// secret, and a message may show what was found.
fn inline(document: &[u8]) -> Option<String> {
    let read: Value = serde_json::from_slice(document).ok()?;
    let token = read.pointer("/admin/token")?.as_str()?;
    let secret = token.len() >= 24 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    (secret && times(document, token) == 1).then(|| token.to_owned())
}

/// The first byte chooses a filter, and the rest is its document of settings.
pub fn filters(data: &[u8]) {
    let Some((chosen, document)) = crate::input::choice(data, FILTERS.len()) else { return };
    let filter = &FILTERS[chosen];
    let env = |name: &str| (name.len() < 4).then(|| SECRET.to_owned());
    let verdict = (filter.check)(document, &env);
    if let Err(invalid) = &verdict {
        assert!(!invalid.problems().is_empty(), "a refusal has a reason");
        let message = invalid.to_string();
        // A message for a log has one line and tells no secret.
        assert!(!message.bytes().any(|byte| byte.is_ascii_control()), "{message:?}");
        assert!(times(document, SECRET) > 0 || !message.contains(SECRET), "{message:?}");
        assert!(!inline(document).is_some_and(|token| message.contains(&token)), "{message:?}");
    }
    for able in [ENVOY, KONG, Capabilities::default()] {
        let on = (filter.check_on)(document, &env, able);
        assert!(verdict.is_ok() || on.is_err(), "no gateway takes what is wrong");
    }
    // An unknown setting is never overlooked: it would be a misspelt one.
    if verdict.is_ok()
        && let Ok(Value::Object(mut map)) = serde_json::from_slice::<Value>(document)
    {
        map.insert("not_a_setting".to_owned(), Value::Null);
        let text = Value::Object(map).to_string();
        assert!((filter.check)(text.as_bytes(), &env).is_err());
    }
}

/// A document in all forms, `match`, and Envoy's metadata. The first byte is the length of the part
/// that is asked about.
pub fn forms(data: &[u8]) {
    let Some((length, rest)) = crate::input::choice(data, 256) else { return };
    let (question, document) = rest.split_at(length.min(rest.len()));
    let read = settings::read(document, &|_| None, |fields| {
        settings::Common::identified(fields).with_lookups(fields).matching
    });
    let text = String::from_utf8_lossy(question);
    if let Ok((matching, _)) = read.map(|matching| (matching, ())) {
        let facts = Facts {
            host: question,
            method: question,
            target: question,
            route: Default::default(),
            service: Default::default(),
            consumer: None,
        };
        let covers = matching.covers(&facts);
        assert!(!matching.is_everything() || covers == Ok(true));
    }
    if let Some(map) = metadata(document, &text) {
        let written = serde_json::to_string(&map).expect("a map can be written");
        let again: Map<String, Value> = serde_json::from_str(&written).expect("it is JSON");
        assert_eq!(again.len(), map.len());
    }
    let shown = shown(&text);
    assert!(!shown.bytes().any(|byte| byte.is_ascii_control()), "{shown:?}");
    let _ = settings::text_of(document, &text);
}
