//! A strict scanner for JSON text. It reads the text once, token by token, builds nothing, and
//! bounds the depth.
//!
//! It accepts only what every collector accepts: RFC 8259 without unpaired surrogates, numbers
//! beyond a double, and deep nesting. An event with anything else would spoil its batch.

mod scalars;

pub(crate) use scalars::{Scalar, scalar_at, scalars_at};
use std::borrow::Cow;
use std::ops::Range;

/// The greatest depth of containers. An event adds a few levels, and common parsers stop at 128.
const MAX_DEPTH: usize = 100;

/// The error of a text that is not JSON, or not JSON for every parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// The name of a member, with its quotes.
    Name,
    /// A string, with its quotes.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// A token and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) token: Token,
    pub(crate) place: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    /// A value or the end of the list.
    FirstItem,
    Name,
    /// A name or the end of the object.
    FirstName,
    /// A comma or the end of the container.
    More,
    Nothing,
}

/// A scanner with its position in a text.
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// A bit for each open container, which is 1 for an object. The innermost is the lowest bit.
    objects: u128,
    depth: usize,
    expected: Expected,
    /// The beginning and the end of the last token.
    start: usize,
    last: usize,
    /// The end of the last token that was not a name.
    end: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let (text, expected) = (text.as_bytes(), Expected::Value);
        Self { text, at: 0, objects: 0, depth: 0, expected, start: 0, last: 0, end: 0 }
    }

    /// Returns the end of the last token that was not a name, or 0 before any.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// Returns the next token, or `None` at the end of the text.
    ///
    /// # Errors
    /// [`NotJson`], if the text is not JSON.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, NotJson> {
        let token = self.advance()?;
        Ok(self.piece(token))
    }

    /// Returns the next token that is not a scalar, or `None` at the end of the text.
    ///
    /// # Errors
    /// [`NotJson`], if the text is not JSON.
    pub(crate) fn next_mark(&mut self) -> Result<Option<Piece>, NotJson> {
        loop {
            match self.advance()? {
                Some(Token::Text | Token::Number | Token::Word) => {}
                other => return Ok(self.piece(other)),
            }
        }
    }

    fn piece(&self, token: Option<Token>) -> Option<Piece> {
        Some(Piece { token: token?, place: self.start..self.last })
    }

    fn advance(&mut self) -> Result<Option<Token>, NotJson> {
        loop {
            let byte = self.skip_space();
            self.start = self.at;
            let Some(byte) = byte else {
                return if self.expected == Expected::Nothing { Ok(None) } else { Err(NotJson) };
            };
            let in_object = self.objects & 1 == 1;
            let token = match (self.expected, byte) {
                (Expected::More, b',') => {
                    self.expected = if in_object { Expected::Name } else { Expected::Value };
                    self.step();
                    continue;
                }
                (Expected::Value | Expected::FirstItem, b'{') => {
                    self.open(true, Expected::FirstName)?
                }
                (Expected::Value | Expected::FirstItem, b'[') => {
                    self.open(false, Expected::FirstItem)?
                }
                (Expected::Name | Expected::FirstName, b'"') => {
                    self.string()?;
                    self.last = self.at;
                    if self.skip_space() != Some(b':') {
                        return Err(NotJson);
                    }
                    self.step();
                    self.expected = Expected::Value;
                    return Ok(Some(Token::Name));
                }
                (Expected::More | Expected::FirstName, b'}') if in_object => self.close(),
                (Expected::More | Expected::FirstItem, b']') if !in_object => self.close(),
                (Expected::Value | Expected::FirstItem, _) => self.scalar(byte)?,
                _ => return Err(NotJson),
            };
            self.last = self.at;
            self.end = self.at;
            return Ok(Some(token));
        }
    }

    /// Skips the next value, and returns its place.
    ///
    /// # Errors
    /// [`NotJson`], if the text is not JSON.
    pub(crate) fn skip_value(&mut self) -> Result<Range<usize>, NotJson> {
        let depth = self.depth;
        self.advance()?.ok_or(NotJson)?;
        let start = self.start;
        while self.depth > depth {
            self.advance()?.ok_or(NotJson)?;
        }
        Ok(start..self.end)
    }

    fn scalar(&mut self, byte: u8) -> Result<Token, NotJson> {
        let token = match byte {
            b'"' => {
                self.string()?;
                Token::Text
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Token::Number
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let mut words = [&b"true"[..], b"false", b"null"].into_iter();
                let word = words.find(|word| rest.starts_with(word)).ok_or(NotJson)?;
                self.at = self.at.saturating_add(word.len());
                Token::Word
            }
        };
        self.after_value();
        Ok(token)
    }

    fn open(&mut self, object: bool, expected: Expected) -> Result<Token, NotJson> {
        if self.depth >= MAX_DEPTH {
            return Err(NotJson);
        }
        self.step();
        self.depth = self.depth.saturating_add(1);
        self.objects = self.objects << 1 | u128::from(object);
        self.expected = expected;
        Ok(Token::Open)
    }

    fn close(&mut self) -> Token {
        self.step();
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.after_value();
        Token::Close
    }

    fn after_value(&mut self) {
        self.expected = if self.depth == 0 { Expected::Nothing } else { Expected::More };
    }

    /// Skips a string with its quotes.
    fn string(&mut self) -> Result<(), NotJson> {
        self.step();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f));
            self.at = self.at.saturating_add(plain.ok_or(NotJson)?);
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(NotJson),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        self.step();
        let escaped = self.peek().ok_or(NotJson)?;
        self.step();
        match escaped {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.hex()? {
                0xd800..=0xdbff => {
                    if !self.text.get(self.at..).unwrap_or_default().starts_with(b"\\u") {
                        return Err(NotJson);
                    }
                    self.at = self.at.saturating_add(2);
                    if matches!(self.hex()?, 0xdc00..=0xdfff) { Ok(()) } else { Err(NotJson) }
                }
                0xdc00..=0xdfff => Err(NotJson),
                _ => Ok(()),
            },
            _ => Err(NotJson),
        }
    }

    fn hex(&mut self) -> Result<u32, NotJson> {
        let end = self.at.saturating_add(4);
        let digits = self.text.get(self.at..end).ok_or(NotJson)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(NotJson);
        }
        self.at = end;
        let digits = std::str::from_utf8(digits).map_err(|_| NotJson)?;
        u32::from_str_radix(digits, 16).map_err(|_| NotJson)
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        let scaled = matches!(self.peek(), Some(b'e' | b'E'));
        if scaled {
            self.step();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        // Only such a number can exceed a double.
        if scaled || text.len() > 300 {
            let text = std::str::from_utf8(text).map_err(|_| NotJson)?;
            let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
            return if finite { Ok(()) } else { Err(NotJson) };
        }
        Ok(())
    }

    /// Skips digits, of which there must be at least one.
    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.step();
        }
        if self.at == start { Err(NotJson) } else { Ok(()) }
    }

    /// Returns the next byte that is not white space.
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.step(),
                other => return other,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }
}

/// Checks the whole text.
///
/// # Errors
/// [`NotJson`], if the text is not JSON.
pub(crate) fn check(text: &str) -> Result<(), NotJson> {
    let mut scanner = Scanner::new(text);
    while scanner.next_mark()?.is_some() {}
    Ok(())
}

/// Decodes a string in its quotes, which the scanner has accepted.
pub(crate) fn unescaped(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        _ => Cow::Owned(serde_json::from_str(quoted).unwrap_or_default()),
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
