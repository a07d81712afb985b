//! The wire form of a header block: the number of pairs, all lengths, then all bytes.

use crate::headers::Headers;

pub(crate) fn encode(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = (headers.len() as u32).to_le_bytes().to_vec();
    for (name, value) in headers {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in headers {
        out.extend(name.as_bytes());
        out.push(0);
        out.extend(value);
        out.push(0);
    }
    out
}

/// Reads a header block. Returns `None` if `bytes` is not well-formed.
pub(crate) fn decode(bytes: &[u8]) -> Option<Headers> {
    let number = |at: usize| {
        let word = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(word.try_into().ok()?) as usize)
    };
    let count = if bytes.is_empty() { 0 } else { number(0)? };
    let mut at = 4 + count.checked_mul(8)?;
    let mut take = |len: usize| {
        let piece = bytes.get(at..at.checked_add(len)?)?.to_vec();
        at += len + 1;
        Some(piece)
    };
    (0..count)
        .map(|n| {
            let name = String::from_utf8_lossy(&take(number(4 + n * 8)?)?).into_owned();
            Some((name, take(number(8 + n * 8)?)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_survives_the_trip() {
        let block = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), vec![0xff, 0])];
        assert_eq!(decode(&encode(&block)), Some(block));
    }

    #[test]
    fn a_cut_block_is_refused() {
        let bytes = encode(&[("name".to_owned(), b"value".to_vec())]);
        assert_eq!(decode(&bytes[..bytes.len() - 4]), None);
    }
}
