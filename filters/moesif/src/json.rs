//! JSON text, read token by token without building anything: in one pass, to a bounded depth, and strictly.
//!
//! What this accepts every collector accepts: RFC 8259, in addition no half of a surrogate pair, no number
//! beyond a double, no deep nesting. An event with anything else in it would spoil the batch that it is in.

use std::borrow::Cow;
use std::ops::Range;

/// Containers nest no deeper than this. An event adds a few levels of its own, and common parsers stop at 128.
const MAX_DEPTH: usize = 100;

/// It is not JSON, or none that is sure to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// A member's name, quotes included.
    Name,
    /// A text, quotes included.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) token: Token,
    pub(crate) place: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    List,
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

/// Goes through a text.
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    nest: Vec<Level>,
    expected: Expected,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, nest: Vec::new(), expected: Expected::Value }
    }

    /// How many containers are open.
    pub(crate) fn depth(&self) -> usize {
        self.nest.len()
    }

    /// The next token; `None` at the end of the text.
    ///
    /// # Errors
    /// Where the text is no JSON.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, NotJson> {
        loop {
            self.skip_space();
            let start = self.at;
            let Some(byte) = self.peek() else {
                return if self.expected == Expected::Nothing { Ok(None) } else { Err(NotJson) };
            };
            let token = match (self.expected, byte, self.nest.last()) {
                (Expected::More, b',', Some(level)) => {
                    self.expected = match level {
                        Level::Object => Expected::Name,
                        Level::List => Expected::Value,
                    };
                    self.step();
                    continue;
                }
                (Expected::More | Expected::FirstName, b'}', Some(Level::Object))
                | (Expected::More | Expected::FirstItem, b']', Some(Level::List)) => {
                    self.step();
                    self.nest.pop();
                    self.after_value();
                    Token::Close
                }
                (Expected::Name | Expected::FirstName, b'"', _) => {
                    self.string()?;
                    let end = self.at;
                    self.skip_space();
                    if self.peek() != Some(b':') {
                        return Err(NotJson);
                    }
                    self.step();
                    self.expected = Expected::Value;
                    return Ok(Some(Piece { token: Token::Name, place: start..end }));
                }
                (Expected::Value | Expected::FirstItem, _, _) => self.value(byte)?,
                _ => return Err(NotJson),
            };
            return Ok(Some(Piece { token, place: start..self.at }));
        }
    }

    /// Goes past the value that comes next, and says where it stands.
    ///
    /// # Errors
    /// Where the text is no JSON.
    pub(crate) fn skip_value(&mut self) -> Result<Range<usize>, NotJson> {
        let depth = self.depth();
        let first = self.next()?.ok_or(NotJson)?.place;
        let mut end = first.end;
        while self.depth() > depth {
            end = self.next()?.ok_or(NotJson)?.place.end;
        }
        Ok(first.start..end)
    }

    fn value(&mut self, byte: u8) -> Result<Token, NotJson> {
        match byte {
            b'{' => self.open(Level::Object, Expected::FirstName),
            b'[' => self.open(Level::List, Expected::FirstItem),
            b'"' => {
                self.string()?;
                self.after_value();
                Ok(Token::Text)
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                self.after_value();
                Ok(Token::Number)
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let mut words = [&b"true"[..], b"false", b"null"].into_iter();
                let word = words.find(|word| rest.starts_with(word)).ok_or(NotJson)?;
                self.at = self.at.saturating_add(word.len());
                self.after_value();
                Ok(Token::Word)
            }
        }
    }

    fn open(&mut self, level: Level, expected: Expected) -> Result<Token, NotJson> {
        if self.nest.len() >= MAX_DEPTH {
            return Err(NotJson);
        }
        self.step();
        self.nest.push(level);
        self.expected = expected;
        Ok(Token::Open)
    }

    fn after_value(&mut self) {
        self.expected = if self.nest.is_empty() { Expected::Nothing } else { Expected::More };
    }

    /// A text, from its opening quote to behind its closing one.
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
        // Only a number like this can be larger than a double.
        if scaled || text.len() > 300 {
            let text = std::str::from_utf8(text).map_err(|_| NotJson)?;
            let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
            return if finite { Ok(()) } else { Err(NotJson) };
        }
        Ok(())
    }

    /// One digit at least.
    fn digits(&mut self) -> Result<(), NotJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at = self.at.saturating_add(count);
        if count == 0 { Err(NotJson) } else { Ok(()) }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }
}

/// Checks the whole of `text`.
///
/// # Errors
/// Where it is no JSON.
pub(crate) fn check(text: &str) -> Result<(), NotJson> {
    let mut scanner = Scanner::new(text);
    while scanner.next()?.is_some() {}
    Ok(())
}

/// The text between the quotes of `quoted`, which the scanner has found to be right.
pub(crate) fn unescaped(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        _ => Cow::Owned(serde_json::from_str(quoted).unwrap_or_default()),
    }
}

/// A value that is no container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text(String),
    /// As it is written: its digits stay.
    Number(String),
    /// `true`, `false` or `null`.
    Word(&'static str),
}

/// The scalar at `path`: each name leads one object deeper. Where a member is there twice the first counts.
/// What follows it is not looked at.
pub(crate) fn scalar_at(text: &str, path: &[&str], same: fn(&str, &str) -> bool) -> Option<Scalar> {
    let mut scanner = Scanner::new(text);
    for name in path {
        scanner.next().ok()?.filter(|piece| text.get(piece.place.clone()) == Some("{"))?;
        loop {
            let piece = scanner.next().ok()?.filter(|piece| piece.token == Token::Name)?;
            if same(&unescaped(text.get(piece.place)?), name) {
                break;
            }
            scanner.skip_value().ok()?;
        }
    }
    let piece = scanner.next().ok()??;
    let found = text.get(piece.place)?;
    match piece.token {
        Token::Text => Some(Scalar::Text(unescaped(found).into_owned())),
        Token::Number => Some(Scalar::Number(found.to_owned())),
        Token::Word => {
            ["true", "false", "null"].into_iter().find(|word| *word == found).map(Scalar::Word)
        }
        Token::Open | Token::Close | Token::Name => None,
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
