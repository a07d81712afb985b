//! Headers, request targets, queries and bodies.

use exchange::{
    Date, Head, Media, Parameterised, Path, Query, json, multipart, normalise, path_of,
    percent_decode, percent_encode, same_name, split_target,
};

/// A header map in the wire form of Proxy-Wasm, and the searches in it.
pub fn headers(data: &[u8]) {
    if let Some(head) = Head::from_block(data.to_vec()) {
        let fields: Vec<_> = head.fields().collect();
        assert_eq!(fields.len(), head.len());
        // What has been read is a part of the block, and is found again under its own name.
        assert!(fields.iter().map(|(n, v)| n.len() + v.len() + 2).sum::<usize>() <= data.len());
        for (name, value) in &fields {
            let Ok(name) = std::str::from_utf8(name) else { continue };
            assert!(head.values(name).any(|found| found == *value));
            assert!(head.spellings(name).any(|(found, _)| found == name.as_bytes()));
        }
        // A head that is written again reads the same.
        let again = Head::from_block(block(&fields)).expect("what was written is a header map");
        assert!(again.fields().eq(head.fields()));
        let _ = (head.host(), Media::of_head(&head), format!("{head:?}"));
    }
    let (a, b) = data.split_at(data.len() / 2);
    assert_eq!(same_name(a, b), exchange::folded_name(a) == exchange::folded_name(b));
    if let Some(number) = data.first_chunk::<8>() {
        let day = u64::from_le_bytes(*number) % 100_000_000;
        assert_eq!(Date::of_day(day).to_day(), day);
    }
}

/// Writes the wire form of a header map.
fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = word(fields.len()).to_vec();
    for (name, value) in fields {
        out.extend([word(name.len()), word(value.len())].concat());
    }
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(text);
        out.push(0);
    }
    out
}

/// A request target: path, query, and their escapes.
pub fn request_target(data: &[u8]) {
    let (path, query) = split_target(data);
    assert!(data.starts_with(path) && data.len() == path.len() + query.map_or(0, |q| q.len() + 1));
    assert!(path.starts_with(path_of(data)));
    assert_eq!(percent_decode(percent_encode(data).as_bytes()), data);
    assert!(percent_decode(data).len() <= data.len());

    if let Some(read) = Path::read(data) {
        assert_eq!(normalise(data).as_ref(), Some(&read.resolved));
        for form in [&read.resolved, &read.written] {
            assert!(form.starts_with(b"/") && !form.windows(2).any(|two| two == b"//"));
            assert!(!form.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\'));
        }
        let dots = |segment: &[u8]| segment == b"." || segment == b"..";
        assert!(!read.resolved.split(|byte| *byte == b'/').any(dots));
        assert!(read.is_below(b"/") && read.is_below(&read.resolved));
        // A resolved path is its own normal form, whatever has to be escaped in it.
        let escaped = read.resolved.split(|byte| *byte == b'/').map(percent_encode);
        let escaped = escaped.collect::<Vec<_>>().join("/");
        let again = Path::read(escaped.as_bytes());
        // A `;` that an escape hid stands in the normal form, and begins a parameter there.
        assert_eq!(again.map(|path| path.resolved), Some(read.resolved));
    }

    let raw = query.unwrap_or_default();
    let query = Query::of_target(data);
    let pairs: Vec<_> = query.pairs().collect();
    assert!(pairs.len() <= raw.len());
    let _ = query.disputed().count();
    // Without a name the query has no parameter of this name, and all others as they were.
    if let Some((unwanted, _)) = pairs.first() {
        let rest = query.without(|name| name == unwanted);
        let kept: Vec<_> = Query::new(&rest).pairs().collect();
        assert!(kept.iter().eq(pairs.iter().filter(|(name, _)| name != unwanted)));
    }
    assert!(Query::new(&query.without(|_| false)).pairs().eq(pairs));
}

/// Content types, JSON, forms and multipart bodies. The first line is the content type.
pub fn bodies(data: &[u8]) {
    let (kind, body) = crate::input::halves(data, b'\n');
    if let Some(read) = Parameterised::read(kind) {
        let _ = (read.get("name"), read.get("boundary"), read.get("charset"));
    }
    // What serde_json takes for an object is one here, too, and the reverse.
    let value = serde_json::from_slice::<serde_json::Value>(json::without_mark(body));
    let members = json::members(body);
    match (&members, value) {
        (Some(members), Ok(serde_json::Value::Object(map))) => {
            let last = |name: &str| {
                let found = members.iter().rev().find(|(other, _)| other == name);
                found.map(|(_, raw)| serde_json::from_str(raw.get()).expect("a value"))
            };
            assert!(map.iter().all(|(name, value)| last(name).as_ref() == Some(value)));
            let again = json::members(&json::object(members)).expect("an object");
            assert_eq!(again.len(), members.len());
            let same = again.iter().zip(members);
            assert!(same.clone().all(|(a, b)| a.0 == b.0 && a.1.get() == b.1.get()));
        }
        (Some(_), Ok(other)) => panic!("{other} is no object"),
        // A number beyond f64 has a text and no value.
        (Some(_), Err(_)) => {}
        (None, Ok(value)) => assert!(!value.is_object()),
        (None, Err(_)) => {}
    }
    let boundary = match Media::of(kind) {
        Ok(Media::Multipart(boundary)) => boundary,
        Ok(Media::Form) => {
            assert!(Query::new(body).pairs().count() <= body.len());
            return;
        }
        _ => b"b".to_vec(),
    };
    if let Some(parts) = multipart::parts(body, &boundary) {
        // What is written from the parts has the same parts.
        let again = multipart::join(parts.iter().map(|part| part.raw), &boundary);
        assert_eq!(multipart::parts(&again, &boundary).as_ref(), Some(&parts));
    }
}
