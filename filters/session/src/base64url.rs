//! Base64url without padding, and one encoding only for each sequence of octets.

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

pub(crate) fn encode(octets: &[u8]) -> String {
    STRICT.encode(octets)
}

/// `None` for padding, other characters, impossible lengths and bits that should be zero.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

/// How long the encoding of so many octets is.
pub(crate) fn length(octets: usize) -> usize {
    octets.saturating_mul(4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(decode(b"_-8"), Some(vec![0xff, 0xef]));
        for bad in [&b"AQI="[..], b"AR", b"A", b"+/8", b"AQ ID", b"AQ\0D", b"\xff\xff"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        for n in 0..50 {
            assert_eq!(encode(&vec![7; n]).len(), length(n));
        }
    }
}
