//! Settings of every filter, in every form in which a gateway hands them over.

use crate::gateway::{ENVOY, KONG};
use all_filters::FILTERS;
use runtime::Capabilities;
use serde_json::{Map, Value};
use settings::{Facts, metadata, shown};

/// The first byte chooses a filter, and the rest is its document of settings.
pub fn filters(data: &[u8]) {
    let Some((chosen, document)) = crate::input::choice(data, FILTERS.len()) else { return };
    let filter = &FILTERS[chosen];
    let env = |name: &str| (name.len() < 4).then(|| "0123456789abcdef0123456789abcdef".to_owned());
    let verdict = (filter.check)(document, &env);
    if let Err(invalid) = &verdict {
        assert!(!invalid.problems().is_empty(), "a refusal has a reason");
        let message = invalid.to_string();
        // A message for a log has one line and tells no secret.
        assert!(!message.bytes().any(|byte| byte.is_ascii_control()), "{message:?}");
        assert!(!message.contains("0123456789abcdef"), "{message:?}");
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
