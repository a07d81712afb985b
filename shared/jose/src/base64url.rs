//! Base64url as RFC 7515 section 2 wants it: no padding, nothing but the alphabet, and one encoding only
//! for each sequence of bytes.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const STRICT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Encodes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STRICT.encode(bytes)
}

/// Appends the encoding of `bytes` to `text`.
pub fn encode_onto(bytes: impl AsRef<[u8]>, text: &mut String) {
    STRICT.encode_string(bytes, text);
}

/// Decodes. None for padding, other characters, impossible lengths and bits that should be zero.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(decode("AQID"), Some(vec![1, 2, 3]));
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        assert_eq!(decode(""), Some(vec![]));
        for bad in
            ["AQI=", "AQ==", "AR", "AQJ", "A", "AQIDB", "+/8", "AQ ID", "AQID\n", "\u{e4}", "AQ\0D"]
        {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }
}
