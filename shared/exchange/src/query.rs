//! Query strings: they are read without a change, and cut without a change of order.

use crate::split_target;

/// The parameters of a raw query or form (`application/x-www-form-urlencoded`), in order.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a>(&'a [u8]);

impl<'a> Query<'a> {
    /// Takes the query of a raw request target: the bytes that follow the first `?`. It is empty if
    /// there are none.
    #[must_use]
    pub fn of_target(target: &'a [u8]) -> Self {
        Self(split_target(target).1.unwrap_or_default())
    }

    /// Takes a form body, or a query without its `?`.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// Returns each parameter as its decoded name and value. The value is `None` if the parameter
    /// has no `=`.
    pub fn pairs(self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + 'a {
        pieces(self.0).map(|piece| {
            let mut parts = piece.splitn(2, |byte| *byte == b'=');
            let name = form_decode(parts.next().unwrap_or_default());
            (name, parts.next().map(form_decode))
        })
    }

    /// Returns the decoded names that only some servers find in the query. Such a name follows a
    /// `;`, which ends a parameter for some servers; or it is the rest of a name without leading
    /// white space; or it is the part of a name before a NUL.
    pub fn disputed(self) -> impl Iterator<Item = Vec<u8>> + 'a {
        let loose = |part: &[u8]| {
            let name = form_decode(part.split(|byte| *byte == b'=').next().unwrap_or_default());
            let short = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let short = short.trim_ascii_start().to_vec();
            (short != name, short)
        };
        pieces(self.0).flat_map(move |piece| {
            let parts = piece.split(|byte| *byte == b';').enumerate();
            parts.filter_map(move |(n, part)| {
                let (differs, name) = loose(part);
                (n > 0 || differs || part.len() < piece.len()).then_some(name)
            })
        })
    }

    /// Returns the query without the parameters whose decoded names are `unwanted`. All others keep
    /// their order and their spelling.
    pub fn without(self, unwanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let name = |piece: &&[u8]| {
            form_decode(piece.split(|byte| *byte == b'=').next().unwrap_or_default())
        };
        let kept: Vec<&[u8]> = pieces(self.0).filter(|piece| !unwanted(&name(piece))).collect();
        kept.join(&b'&')
    }
}

fn pieces(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty())
}

fn form_decode(raw: &[u8]) -> Vec<u8> {
    decode(raw, true)
}

/// Decodes the percent escapes of `raw` once. An invalid escape stays as it is.
#[must_use]
pub fn percent_decode(raw: &[u8]) -> Vec<u8> {
    decode(raw, false)
}

fn decode(raw: &[u8], plus_is_space: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let byte = match (*first, tail) {
            (b'+', _) if plus_is_space => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (byte, _) => byte,
        };
        out.push(byte);
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Escapes `raw` for use as a path segment or query value. Only `[A-Za-z0-9_-]` stay as they are.
/// Even `.` is escaped, so that no segment can be `.` or `..`.
#[must_use]
pub fn percent_encode(raw: &[u8]) -> String {
    let mut out = String::with_capacity(raw.len());
    for byte in raw {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(*byte)),
            _ => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(
                        char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase(),
                    );
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(raw: &str) -> Vec<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Query::new(raw.as_bytes()).pairs().map(|(n, v)| (text(n), v.map(text))).collect()
    }

    #[test]
    fn names_and_values_are_decoded_once() {
        assert_eq!(pairs("a=1&%61=%2561+x&b&&c=")[0], ("a".into(), Some("1".into())));
        assert_eq!(pairs("a=1&%61=%2561+x&b&&c=")[1], ("a".into(), Some("%61 x".into())));
        assert_eq!(pairs("b&&c=")[0], ("b".into(), None));
        assert_eq!(pairs("b&&c=")[1], ("c".into(), Some(String::new())));
        assert_eq!(pairs("x=%zz%4")[0].1.as_deref(), Some("%zz%4"));
    }

    #[test]
    fn a_name_that_only_some_servers_find_is_disputed() {
        let names = |raw: &'static str| -> Vec<String> {
            let all = Query::new(raw.as_bytes()).disputed();
            all.map(|name| String::from_utf8(name).unwrap()).collect()
        };
        assert_eq!(names("a=1&b=%3brole=2&c+d=1"), [""; 0]);
        assert_eq!(names("a=1;role=admin&b"), ["a", "role"]);
        assert_eq!(names("+role=1&%20role=1&ro%6ce%00x=1"), ["role", "role", "role"]);
    }

    #[test]
    fn removed_parameters_leave_the_others_unchanged() {
        let query = Query::of_target(b"/p?b=%20&apikey=1&A+c=2&api%6bey&&d");
        assert_eq!(query.without(|name| name == b"apikey"), b"b=%20&A+c=2&d");
        assert_eq!(Query::of_target(b"/p").without(|_| false), b"");
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(
            percent_encode(b"../x?y#z HTTP/1.1\r\n\0"),
            "%2E%2E%2Fx%3Fy%23z%20HTTP%2F1%2E1%0D%0A%00"
        );
        assert_eq!(percent_encode("é_-9".as_bytes()), "%C3%A9_-9");
    }
}
