//! The ways in which servers read names and paths. What a filter lets through under any of them
//! must be what it has judged.

/// Returns a name as CGI, WSGI and their like read it: without case, with `_` as `-`.
pub fn name(name: &[u8]) -> Vec<u8> {
    name.iter().map(|b| if *b == b'_' { b'-' } else { b.to_ascii_lowercase() }).collect()
}

/// Returns `true` if some server reads this target as a path at or below `wanted`.
pub fn can_lead_to(target: &[u8], wanted: &[u8]) -> bool {
    let path = target.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    let once = decoded(path);
    let twice = decoded(&once);
    [path.to_vec(), once, twice].iter().any(|path| {
        [path.clone(), with_slashes(path)].iter().any(|path| {
            let segments = segments(path);
            [segments.clone(), resolved(&segments)].iter().any(|s| is_below(s, wanted))
        })
    })
}

/// Decodes every escape. A broken escape stays as it is.
pub fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(0));
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// Takes backslashes and overlong forms of a slash and a dot for these, and ends at a NUL.
fn with_slashes(path: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(path.len()), 0);
    while let Some(byte) = path.get(at) {
        match (byte, path.get(at + 1)) {
            (0, _) => break,
            (0xc0, Some(0xaf)) => (out.push(b'/'), at += 1).1,
            (0xc0, Some(0xae)) => (out.push(b'.'), at += 1).1,
            (b'\\', _) => out.push(b'/'),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

/// The segments without empty ones, and without path parameters.
fn segments(path: &[u8]) -> Vec<Vec<u8>> {
    let all = path.split(|b| *b == b'/');
    let plain = all.map(|segment| segment.split(|b| *b == b';').next().unwrap_or_default());
    plain.filter(|segment| !segment.is_empty()).map(<[u8]>::to_vec).collect()
}

fn resolved(segments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    for segment in segments {
        match segment.as_slice() {
            b"." => {}
            b".." => drop(out.pop()),
            other => out.push(other.to_vec()),
        }
    }
    out
}

fn is_below(segments: &[Vec<u8>], wanted: &[u8]) -> bool {
    segments.first().is_some_and(|first| first == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_some_server_reads_as_the_wanted_one_is_found() {
        for path in [
            "/retired",
            "//retired/1?x",
            "/%72etired",
            "/%2572etired",
            "/x/../retired",
            "/x/..;/retired",
            "/retired;v=1",
            "/.\\retired",
            "/x%2f..%2fretired",
            "/x/..%c0%afretired",
            "/retired%00.html",
            "/%2e/retired",
        ] {
            assert!(can_lead_to(path.as_bytes(), b"retired"), "{path}");
        }
        for path in
            ["/", "/orders?/retired", "/Retired", "/retire", "/orders/retired", "/x#/retired"]
        {
            assert!(!can_lead_to(path.as_bytes(), b"retired"), "{path}");
        }
    }
}
