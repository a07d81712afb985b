//! A path as nginx sees it: percent-decoded, slashes merged, dot segments resolved.

pub(crate) fn decoded(path: &[u8]) -> Vec<u8> {
    let bytes = percent_decoded(path);
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut directory = false;
    for segment in bytes.split(|b| *b == b'/') {
        directory = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let slash: &[u8] = if directory && !segments.is_empty() { b"/" } else { b"" };
    [b"/", segments.join(&b'/').as_slice(), slash].concat()
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()).filter(|_| byte == b'%') {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn a_path_is_decoded_and_normalised() {
        for (raw, seen) in [
            ("/a/b", "/a/b"),
            ("/a%2fb", "/a/b"),
            ("//a///b/", "/a/b/"),
            ("/a/../b/./c", "/b/c"),
            ("/%61dmin/%2e%2e/x", "/x"),
            ("/", "/"),
            ("/a%zz", "/a%zz"),
        ] {
            assert_eq!(decoded(raw.as_bytes()), seen.as_bytes(), "{raw}");
        }
        assert_eq!(decoded(b"/%ff\xfe"), b"/\xff\xfe", "bytes stay bytes");
    }
}
