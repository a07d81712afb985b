//! CRC-32 (IEEE), the checksum by which Kong finds a shared-data key.

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |mut sum, &byte| {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_check_value_comes_out() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_two_keys_that_were_seen_to_alias_on_kong_do() {
        assert_eq!(crc32(b"kv/k65858"), crc32(b"kv/k30600402"));
    }
}
