//! Lengths, ranges and allowed characters.

/// The maximum length of an App ID, in characters.
pub const APP_ID_MAX_CHARS: usize = 100;
/// The maximum length of a username or a custom id, in characters.
pub const NAME_MAX_CHARS: usize = 255;
/// The maximum length of a group's name, in characters.
pub const GROUP_MAX_CHARS: usize = 255;
/// The maximum length of an API key, in characters.
pub const KEY_MAX_CHARS: usize = 512;
/// The length of the digest of an API key, in characters.
pub const DIGEST_CHARS: usize = 64;
/// The default of the maximum size of a session's data, in bytes before base64.
pub const SESSION_DATA_MAX: usize = 65_536;
/// The maximum number of entries in a session's metadata.
pub const METADATA_MAX: usize = 16;
/// The maximum length of a session's subject or audience, in characters: one more than that of a
/// name.
pub const METADATA_MAX_CHARS: usize = 256;
/// The maximum time to live of a session or a revocation, in seconds: ten years.
pub const TTL_MAX: u64 = 315_360_000;
/// The maximum number of increments in a batch.
pub const BATCH_MAX: usize = 1000;
/// The maximum length of a batch's id, in bytes.
pub const BATCH_ID_MAX: usize = 100;
/// The time for which the answer to a batch with an id is remembered, in seconds.
pub const BATCH_MEMORY: u64 = 60;
/// The maximum length of a counter's key, in bytes.
pub const COUNTER_KEY_MAX: usize = 200;
/// The maximum number that one increment adds.
pub const INCREMENT_MAX: u64 = 1_000_000_000;
/// The maximum length of a window, in seconds: a leap year.
pub const WINDOW_MAX: u64 = 31_622_400;
/// The value of [`crate::Previous::share`] for a whole window.
pub const SHARE_WHOLE: u64 = 1_000_000;
/// The number of items on a page, unless the request gives another.
pub const PAGE_DEFAULT: u64 = 100;
/// The maximum number of items on a page.
pub const PAGE_MAX: u64 = 1000;

/// `true` if `text` can be an App ID: 1 to 100 ASCII letters, digits, dots, underscores and dashes.
#[must_use]
pub fn is_app_id(text: &str) -> bool {
    (1..=APP_ID_MAX_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// `true` if `text` is an App ID of the form `<organisation>.<app>`: two or more parts of
/// lower-case ASCII letters, digits and underscores, separated by dots.
#[must_use]
pub fn is_strict_app_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    is_app_id(text)
        && text.contains('.')
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(plain))
}

/// `true` if `text` can be the digest of an API key or the id of a session: SHA-256 in lower-case
/// hex.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == DIGEST_CHARS
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `true` if `text` can be the subject or the audience of a session: 1 to 256 characters, none of
/// them NUL.
#[must_use]
pub fn is_metadata(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= METADATA_MAX_CHARS && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_ids_of_the_requirement_document_are_accepted() {
        for text in ["Portal", "NTP", "ekstep_portal", "arghyam.mobile_app", "dev.sunbird.portal"] {
            assert!(is_app_id(text), "{text}");
        }
        assert!(is_app_id(&"a".repeat(100)));
    }

    #[test]
    fn nothing_else_than_letters_digits_and_three_marks_is_an_app_id() {
        for text in ["", " ", "a b", "a/b", "a\n", "a\0", "ä", "a%2e", &"a".repeat(101)] {
            assert!(!is_app_id(text), "{text:?}");
        }
    }

    #[test]
    fn a_strict_app_id_has_an_organisation_and_an_app_in_lower_case() {
        for text in ["arghyam.mobile_app", "shikshalokam.portal", "dev.sunbird.portal", "a1.b2"] {
            assert!(is_strict_app_id(text), "{text}");
        }
        for text in ["portal", "Sunbird.portal", ".portal", "sunbird.", "a..b", "a-b.c", "."] {
            assert!(!is_strict_app_id(text), "{text}");
        }
    }

    #[test]
    fn a_subject_is_counted_in_characters_and_holds_no_nul() {
        for text in ["ana", " ", "a\nb", &"\u{915}".repeat(256)] {
            assert!(is_metadata(text), "{text:?}");
        }
        for text in ["", "a\0", &"a".repeat(257)] {
            assert!(!is_metadata(text), "{text:?}");
        }
    }

    #[test]
    fn a_digest_is_sixty_four_lower_case_hex_digits() {
        assert!(is_digest(&"0f".repeat(32)));
        assert!(!is_digest(&"0F".repeat(32)));
        assert!(!is_digest(&"0f".repeat(31)));
        assert!(!is_digest(&"0g".repeat(32)));
    }
}
