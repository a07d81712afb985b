//! Header values with parameters, such as those of `Content-Type` and `Content-Disposition`.

/// A value and its parameters (RFC 9110, section 5.6.6), such as `form-data; name="a;b"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameterised {
    /// The text before the first `;`, in lower case.
    pub value: String,
    /// Names in lower case; values without their quotes and escapes.
    parameters: Vec<(String, Vec<u8>)>,
}

impl Parameterised {
    /// Reads the value of a header. In a folded line, spaces take the place of the fold. Returns
    /// `None` if the value is malformed, because servers would guess its meaning differently.
    #[must_use]
    pub fn read(raw: &[u8]) -> Option<Self> {
        let (value, mut rest) = split(raw, b';');
        let value = text(value)?;
        let mut parameters = Vec::new();
        while let Some(after) = rest {
            let after = after.trim_ascii_start();
            // Two semicolons in sequence have nothing between them, and that is allowed.
            if after.is_empty() || after.starts_with(b";") {
                rest = split(after, b';').1;
                continue;
            }
            let (name, Some(written)) = split(after, b'=') else { return None };
            let (value, next) = one(written.trim_ascii_start())?;
            parameters.push((text(name)?, value));
            rest = next;
        }
        Some(Self { value, parameters })
    }

    /// Returns the value of a parameter, or `None` if there is no such parameter.
    ///
    /// # Errors
    /// [`Disputed`], if the parameter occurs twice, or in the form with a character set (`name*`,
    /// RFC 8187). Servers differ in which one they use.
    pub fn get(&self, name: &str) -> Result<Option<&[u8]>, Disputed> {
        let starred = |found: &str| found.strip_suffix('*') == Some(name);
        let mut all = self.parameters.iter().filter(|(found, _)| found == name || starred(found));
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some((found, value)), None) if found == name => Ok(Some(value)),
            _ => Err(Disputed),
        }
    }
}

/// The error of a parameter that servers read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disputed;

/// Returns the bytes before the first `at`, and those after it if there is one.
fn split(raw: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match raw.iter().position(|byte| *byte == at) {
        Some(place) => {
            let (before, after) = raw.split_at(place);
            (before, after.get(1..))
        }
        None => (raw, None),
    }
}

/// Reads a name, or a value without quotes, in lower case.
fn text(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?.trim_ascii().to_ascii_lowercase();
    let odd = |byte: u8| byte.is_ascii_control() || b"\"\\, ".contains(&byte);
    (!text.is_empty() && !text.bytes().any(odd)).then_some(text)
}

/// Reads the parameter's value at the beginning of `raw`. Returns the value, and the bytes after
/// the semicolon that follows it.
fn one(raw: &[u8]) -> Option<(Vec<u8>, Option<&[u8]>)> {
    let Some(mut inside) = raw.strip_prefix(b"\"") else {
        let (value, rest) = split(raw, b';');
        let value = value.trim_ascii();
        let odd = |byte: &u8| byte.is_ascii_control() || b"\"\\, ".contains(byte);
        return (!value.iter().any(odd)).then(|| (value.to_vec(), rest));
    };
    let mut value = Vec::new();
    loop {
        inside = match inside {
            [b'"', after @ ..] => {
                // Only the next parameter may follow the closing quote.
                let (nothing, rest) = split(after, b';');
                return nothing.trim_ascii().is_empty().then_some((value, rest));
            }
            [b'\\', escaped, after @ ..] => {
                value.push(*escaped);
                after
            }
            [b'\\'] | [] => return None,
            [byte, after @ ..] => {
                if byte.is_ascii_control() && *byte != b'\t' {
                    return None;
                }
                value.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(raw: &str, name: &str) -> Result<Option<String>, Disputed> {
        let read = Parameterised::read(raw.as_bytes()).unwrap();
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        read.get(name).map(|value| value.map(text))
    }

    #[test]
    fn a_semicolon_in_quotes_ends_nothing_and_a_backslash_takes_its_meaning_from_a_quote() {
        for raw in [
            r#"form-data; filename="a; name=role"; name="user""#,
            r#"form-data; filename="a\"; name=role; \\"; NAME = user"#,
            "Form-Data;name=\"us\\er\";;",
            "form-data ;\t name=user ; filename*=utf-8''x",
        ] {
            assert_eq!(get(raw, "name"), Ok(Some("user".into())), "{raw}");
            assert_eq!(Parameterised::read(raw.as_bytes()).unwrap().value, "form-data");
        }
        assert_eq!(get("form-data", "name"), Ok(None));
        assert_eq!(get("a/b; x=\"\"", "x"), Ok(Some(String::new())));
    }

    #[test]
    fn names_that_occur_twice_are_disputed() {
        for raw in
            ["a; name=x; name=y", "a; name=x; Name=x", "a; name=x; name*=utf-8''y", "a; name*=x"]
        {
            assert_eq!(get(raw, "name"), Err(Disputed), "{raw}");
        }
    }

    #[test]
    fn malformed_values_are_rejected() {
        for raw in [
            "",
            ";",
            "a; name",
            "a; name=\"x",
            "a; name=\"x\\",
            "a; name=\"x\" y",
            "a; name=x y",
            "a; =x",
            "a; name=x\"y\"",
            "a; name=\"x\n\"",
            "a,b",
            "a b; c=d",
            "a; name=x,y",
            "\"a\"; b=c",
        ] {
            assert_eq!(Parameterised::read(raw.as_bytes()), None, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_value_in_quotes_is_read_back(value in "[ -~]{0,30}", other in "[ -~]{0,30}") {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let raw = format!("form-data; filename=\"{}\"; name=\"{}\"", quoted(&other), quoted(&value));
            prop_assert_eq!(get(&raw, "name"), Ok(Some(value)));
        }

        #[test]
        fn no_bytes_make_it_stumble(raw in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Parameterised::read(&raw);
        }
    }
}
