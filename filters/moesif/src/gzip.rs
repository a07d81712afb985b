//! gzip and deflate: bounded decompression of bodies, and compression of batches.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The fastest level that finds repetitions, of which events have many.
const LEVEL: u8 = 1;

/// Decompresses gzip (RFC 1952, one member). Returns `None` if it is malformed or the result is
/// longer than `limit` bytes.
pub(crate) fn gunzip(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let packed = after_header(bytes)?;
    let (packed, trailer) = packed.split_last_chunk::<8>()?;
    let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
    let said = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    // A bomb that declares its size costs nothing.
    if said > limit {
        return None;
    }
    let out = unpacked(packed, limit, 0)?;
    let whole = out.len() == said && crc32(&out) == u32::from_le_bytes([c0, c1, c2, c3]);
    whole.then_some(out)
}

/// Returns the bytes after the header of a member.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = bytes.split_first_chunk::<10>()?;
    let [0x1f, 0x8b, 8, flags, ..] = *header else { return None };
    if flags & 0b1110_0000 != 0 {
        return None;
    }
    if flags & 4 != 0 {
        let (len, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end..)?.get(1..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

/// Decompresses HTTP's `deflate`: the zlib format (RFC 1950), or deflate (RFC 1951) without it, as
/// some senders do.
pub(crate) fn inflate(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    unpacked(bytes, limit, TINFL_FLAG_PARSE_ZLIB_HEADER).or_else(|| unpacked(bytes, limit, 0))
}

/// Decompresses all of `bytes`. Returns `None` if they are malformed or the result is longer than
/// `limit` bytes.
fn unpacked(bytes: &[u8], limit: usize, flags: u32) -> Option<Vec<u8>> {
    let flags = flags | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::<DecompressorOxide>::default();
    let mut out = vec![0; bytes.len().saturating_mul(4).max(64).min(limit)];
    let (mut read, mut written) = (0_usize, 0_usize);
    loop {
        let rest = bytes.get(read..)?;
        let (status, took, gave) = decompress(&mut state, rest, &mut out, written, flags);
        read = read.saturating_add(took);
        written = written.saturating_add(gave);
        match status {
            TINFLStatus::Done => {
                out.truncate(written);
                return (read == bytes.len()).then_some(out);
            }
            TINFLStatus::HasMoreOutput if out.len() < limit => {
                out.resize(out.len().saturating_mul(2).min(limit), 0);
            }
            _ => return None,
        }
    }
}

/// Compresses `bytes` as gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(compress_to_vec(bytes, LEVEL));
    out.extend_from_slice(&crc32(bytes).to_le_bytes());
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    // Eight bytes are processed together, with one lookup in each table. The lookups do not depend
    // on one another.
    let (blocks, rest) = bytes.as_chunks::<8>();
    let crc = blocks.iter().fold(u32::MAX, |crc, [a, b, c, d, e, f, g, h]| {
        let [c0, c1, c2, c3] = crc.to_le_bytes();
        look(7, a ^ c0)
            ^ look(6, b ^ c1)
            ^ look(5, c ^ c2)
            ^ look(4, d ^ c3)
            ^ look(3, *e)
            ^ look(2, *f)
            ^ look(1, *g)
            ^ look(0, *h)
    });
    !rest.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        look(0, byte ^ low) ^ (crc >> 8)
    })
}

fn look(table: usize, byte: u8) -> u32 {
    let table = TABLES.get(table);
    table.and_then(|table| table.get(usize::from(byte))).copied().unwrap_or_default()
}

/// The remainders of each byte with zero to seven zero bytes after it (polynomial 0x04C11DB7,
/// reflected).
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let mut zeros = 0_u32;
    let mut rest: &mut [[u32; 256]] = &mut tables;
    while let Some((table, others)) = rest.split_first_mut() {
        let mut byte = 0_u32;
        let mut slots: &mut [u32] = table;
        while let Some((slot, more)) = slots.split_first_mut() {
            *slot = remainder(byte, zeros);
            byte = byte.wrapping_add(1);
            slots = more;
        }
        zeros = zeros.wrapping_add(1);
        rest = others;
    }
    tables
}

const fn remainder(byte: u32, zeros: u32) -> u32 {
    let mut crc = byte;
    let mut bits = zeros.wrapping_add(1).wrapping_mul(8);
    while bits > 0 {
        crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        bits = bits.wrapping_sub(1);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The output of `printf hello | gzip -n`, and one with a name in the header.
    const HELLO: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0";
    const NAMED: &[u8] =
        b"\x1f\x8b\x08\x08\0\0\0\0\0\x03hello.txt\0\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0";

    #[test]
    fn what_gzip_wrote_is_read() {
        assert_eq!(gunzip(HELLO, 5).as_deref(), Some(&b"hello"[..]));
        assert_eq!(gunzip(NAMED, 5).as_deref(), Some(&b"hello"[..]));
        let mut extra = HELLO.to_vec();
        extra[3] = 4 | 2;
        extra.splice(10..10, *b"\x02\0ab\xff\xff");
        assert_eq!(gunzip(&extra, 5).as_deref(), Some(&b"hello"[..]));
    }

    #[test]
    fn what_is_longer_than_the_bound_is_not_read() {
        assert_eq!(gunzip(HELLO, 4), None);
        let zeros = vec![0; 10 << 20];
        let mut bomb = gzip(&zeros);
        assert!(bomb.len() < 100_000);
        assert_eq!(gunzip(&bomb, 1_000_000), None);
        // The bomb declares a wrong size.
        let at = bomb.len() - 4;
        bomb[at..].copy_from_slice(&5_u32.to_le_bytes());
        assert_eq!(gunzip(&bomb, 1_000_000), None);
        assert_eq!(inflate(&compress_to_vec(&zeros, 1), 1_000_000), None);
    }

    #[test]
    fn damage_is_noticed() {
        for n in 0..HELLO.len() {
            assert_eq!(gunzip(&HELLO[..n], 100), None, "{n}");
        }
        for n in [0, 1, 2, 3, 10, 16, 17, 20, 21] {
            let mut damaged = HELLO.to_vec();
            damaged[n] ^= 0x21;
            assert_eq!(gunzip(&damaged, 100), None, "{n}");
        }
        assert_eq!(gunzip(&[HELLO, HELLO].concat(), 100), None, "two members");
    }

    #[test]
    fn both_kinds_of_deflate_are_read() {
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(b"hello hello", 6);
        assert_eq!(inflate(&zlib, 11).as_deref(), Some(&b"hello hello"[..]));
        let raw = compress_to_vec(b"hello hello", 6);
        assert_eq!(inflate(&raw, 11).as_deref(), Some(&b"hello hello"[..]));
        assert_eq!(inflate(&zlib, 10), None);
    }

    #[test]
    fn the_check_sum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(bytes in proptest::collection::vec(0_u8..4, 0..2000)) {
            prop_assert_eq!(gunzip(&gzip(&bytes), bytes.len()), Some(bytes));
        }

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = gunzip(&[&HELLO[..10], &bytes].concat(), 1000);
            let _ = inflate(&bytes, 1000);
        }
    }
}
