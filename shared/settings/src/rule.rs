//! Rules for texts. The parser and the schema use one rule.

/// A rule that a text obeys.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The kind of text in the words of a message, such as `a header name`.
    pub what: &'static str,
    /// The rule as a regular expression for the schema.
    pub pattern: Option<&'static str>,
    /// The greatest length in bytes.
    pub max: usize,
    /// Returns `true` for a text that obeys the rule.
    pub check: fn(&str) -> bool,
}

impl Rule {
    /// Any text of at most 4 KiB.
    pub const TEXT: Self = Self { what: "a text", pattern: None, max: 4096, check: |_| true };

    /// Any text of at most 64 KiB, such as a key or a certificate.
    pub const LONG: Self = Self { what: "a text", pattern: None, max: 65_536, check: |_| true };

    /// Kong's `header_name`: ASCII letters, digits, `-` and `_`.
    pub const HEADER_NAME: Self = Self {
        what: "a header name (letters, digits, `-` and `_`)",
        pattern: Some("^[a-zA-Z0-9_-]+$"),
        max: 256,
        check: |text| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        },
    };

    /// Text that may stand in a quoted string of a header: printable ASCII without quotes and
    /// backslashes.
    pub const QUOTABLE: Self = Self {
        what: "printable ASCII without `\"` and `\\`",
        pattern: Some(r#"^[ !#-\[\]-~]+$"#),
        max: 1024,
        check: |text| {
            !text.is_empty()
                && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\')
        },
    };

    /// Printable ASCII without spaces.
    pub const WORD: Self = Self {
        what: "printable ASCII without spaces",
        pattern: Some("^[!-~]+$"),
        max: 1024,
        check: |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()),
    };

    /// The name of an environment variable.
    pub const ENV_NAME: Self = Self {
        what: "the name of an environment variable",
        pattern: Some("^[A-Za-z_][A-Za-z0-9_]*$"),
        max: 256,
        check: |text| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        },
    };

    /// An absolute path, or a prefix of one.
    pub const PATH: Self = Self {
        what: "a path that starts with `/`",
        pattern: Some("^/"),
        max: 4096,
        check: |text| text.starts_with('/'),
    };

    /// An HTTP method, in upper case.
    pub const METHOD: Self = Self {
        what: "an HTTP method in upper case",
        pattern: Some("^[A-Z]+$"),
        max: 32,
        check: |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase()),
    };
}
