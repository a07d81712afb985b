//! HPACK (RFC 7541): header blocks of literals, written with any bytes, and blocks of a gateway,
//! read without a dynamic table.

use std::sync::OnceLock;

/// Appends a header as a literal without indexing, with a new name and without Huffman coding.
pub(super) fn write(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    for text in [name, value] {
        write_integer(block, text.len());
        block.extend_from_slice(text);
    }
}

/// Appends a length with a prefix of seven bits.
fn write_integer(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        block.push(u8::try_from(length).unwrap_or(0));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(0x80 | u8::try_from(rest % 128).unwrap_or(0));
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap_or(0));
}

type Header = (Vec<u8>, Vec<u8>);

/// Reads a block of a peer that was told to have no dynamic table. Returns `None` for a malformed
/// block. A name of the static table that no test asks for is empty.
pub(super) fn read(mut block: &[u8]) -> Option<Vec<Header>> {
    let mut headers = Vec::new();
    while let Some(first) = block.first() {
        let (bits, literal) = match first {
            0x80.. => (7, false),
            0x40..0x80 => (6, true),
            0x20..0x40 => (5, false),
            _ => (4, true),
        };
        let index = read_integer(&mut block, bits)?;
        match (bits, literal) {
            (7, _) => headers.push(fixed(index)),
            // The size of the dynamic table.
            (5, _) => {}
            _ => {
                let name = if index == 0 { read_text(&mut block)? } else { fixed(index).0 };
                headers.push((name, read_text(&mut block)?));
            }
        }
    }
    Some(headers)
}

/// Returns the entries of the static table (appendix A) that tests ask for.
fn fixed(index: usize) -> Header {
    let (name, value) = match index {
        8 => (":status", "200"),
        9 => (":status", "204"),
        10 => (":status", "206"),
        11 => (":status", "304"),
        12 => (":status", "400"),
        13 => (":status", "404"),
        14 => (":status", "500"),
        31 => ("content-type", ""),
        _ => ("", ""),
    };
    (name.into(), value.into())
}

fn read_integer(block: &mut &[u8], bits: u32) -> Option<usize> {
    let (first, rest) = block.split_first()?;
    *block = rest;
    let most = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & most;
    if number < most {
        return Some(number);
    }
    for shift in [0, 7, 14, 21] {
        let (next, rest) = block.split_first()?;
        *block = rest;
        number += usize::from(*next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn read_text(block: &mut &[u8]) -> Option<Vec<u8>> {
    let coded = block.first()? & 0x80 != 0;
    let length = read_integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    if coded { decode(text) } else { Some(text.to_vec()) }
}

/// The lengths in bits of the codes of all bytes, and of the end (appendix B). The code is
/// canonical: codes of one length follow each other in the order of their bytes.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// Returns, for each length, the first code and the bytes that have codes of that length.
fn codes() -> &'static [(u32, Vec<u8>); 31] {
    static CODES: OnceLock<[(u32, Vec<u8>); 31]> = OnceLock::new();
    CODES.get_or_init(|| {
        let mut codes: [(u32, Vec<u8>); 31] = std::array::from_fn(|_| (0, Vec::new()));
        let mut next = 0_u32;
        for (length, (first, bytes)) in codes.iter_mut().enumerate() {
            next <<= 1;
            *first = next;
            *bytes =
                (0..=255).filter(|b| usize::from(LENGTHS[usize::from(*b)]) == length).collect();
            next += u32::try_from(bytes.len()).unwrap_or(0);
        }
        codes
    })
}

fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let (mut text, mut code, mut length) = (Vec::new(), 0_u32, 0);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        (code, length) = (code << 1 | u32::from(bit), length + 1);
        let (first, bytes) = codes().get(length)?;
        let place = code.checked_sub(*first).and_then(|n| usize::try_from(n).ok());
        if let Some(byte) = place.and_then(|place| bytes.get(place)) {
            text.push(*byte);
            (code, length) = (0, 0);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7541_are_read() {
        // C.6.1, whose first header has the name and the value coded.
        let block = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b";
        let headers = read(block).expect("a block");
        assert_eq!(headers[0], (b":status".to_vec(), b"302".to_vec()));
        assert_eq!(headers[1].1, b"private");
        assert_eq!(read(b"\x88").expect("a block"), [(b":status".to_vec(), b"200".to_vec())]);
        assert_eq!(read(b"\x48\x82\x64"), None, "a text that is cut off");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 126, 127, 128, 254, 255, 300, 70_000] {
            let (name, value) = (vec![b'n'; length], vec![0xff; length]);
            let mut block = Vec::new();
            write(&mut block, &name, &value);
            assert_eq!(read(&block).expect("a block"), [(name, value)], "{length}");
        }
    }
}
