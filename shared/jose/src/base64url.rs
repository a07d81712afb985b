//! Base64url in the strict form of RFC 7515 section 2: without padding and without characters
//! outside of the alphabet. Each sequence of bytes has exactly one encoding.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
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

/// Decodes base64url. Returns `None` for padding, other characters, impossible lengths, and bits at
/// the end that are not zero.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

/// Decodes base64url with all of the padding that RFC 4648 requires, or with none. Returns `None`
/// for other texts.
pub fn decode_padded(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let text = text.as_ref();
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding == 0 {
        return decode(text);
    }
    let (plain, _) = text.split_at_checked(text.len().checked_sub(padding)?)?;
    (padding <= 2 && text.len().is_multiple_of(4)).then(|| decode(plain))?
}

/// Decodes base64 or base64url. Padding is optional, and the bits after the last byte have any
/// value, because credentials come in all of these forms. Returns `None` for a text that mixes the
/// two alphabets, and for other characters.
pub fn decode_lenient(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
    const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
    let text = text.as_ref();
    let is_url = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    if is_url { URL.decode(text).ok() } else { PLAIN.decode(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_read_where_it_may_be_and_only_all_of_it() {
        for (text, bytes) in
            [("AQI=", &[1, 2][..]), ("AQ==", &[1]), ("AQID", &[1, 2, 3]), ("AQI", &[1, 2])]
        {
            assert_eq!(decode_padded(text).as_deref(), Some(bytes), "{text}");
        }
        for bad in
            ["AQ=", "AQI==", "AQID=", "AQID====", "=", "==", "====", "A===", "AR==", "AQ=I", "A=Q="]
        {
            assert_eq!(decode_padded(bad), None, "{bad}");
        }
    }

    #[test]
    fn lenient_reading_takes_either_alphabet_any_padding_and_trailing_bits() {
        for text in ["_-8", "/+8", "_-8=", "/+8=", "_-9"] {
            assert_eq!(decode_lenient(text), Some(vec![0xff, 0xef]), "{text}");
        }
        for bad in ["_+8", "A", "AQ ID", "AQID\n", "\u{e4}"] {
            assert_eq!(decode_lenient(bad), None, "{bad:?}");
        }
    }

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
