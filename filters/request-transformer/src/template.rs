//! Templates: values with placeholders `$(...)`, in this grammar:
//!
//! ```text
//! template   = *( text / "$(" expression ")" )
//! expression = operand *( "or" operand )
//! operand    = literal / source ( "." word / "[" ( literal / number ) "]" )
//! source     = "headers" / "query_params" / "uri_captures" / "consumer" / "credential" / "claims"
//! literal    = "'" text "'" / DQUOTE text DQUOTE
//! ```
//!
//! An expression has the value of its first operand that has one, and is empty if none has. This is
//! the part of Kong's templates that needs no Lua.

use crate::operand::{Capture, ConsumerField, Operand};
use crate::values::Values;

/// A value with placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Expression(Vec<Operand>),
}

/// A piece of a rendered template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rendered<'a> {
    /// The operator's text.
    Own(&'a str),
    /// A value from the request. The flag is `true` if the whole value comes from its path.
    Found(Vec<u8>, bool),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// The mistake. The text itself is not quoted, because it may be a credential.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("$(") {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (expression, after) = expression(after)?;
            pieces.push(Piece::Expression(expression));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// Returns all operands, which tell what must be known of a request.
    pub(crate) fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.0.iter().flat_map(|piece| match piece {
            Piece::Text(_) => &[],
            Piece::Expression(operands) => operands.as_slice(),
        })
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Expression(_) => None,
        })
    }

    pub(crate) fn rendered<'a>(&'a self, values: &Values<'_>) -> Vec<Rendered<'a>> {
        self.0.iter().map(|piece| rendered(piece, values)).collect()
    }

    /// Renders the template as one value.
    pub(crate) fn text(&self, values: &Values<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &self.0 {
            match rendered(piece, values) {
                Rendered::Own(text) => out.extend_from_slice(text.as_bytes()),
                Rendered::Found(bytes, _) => out.extend_from_slice(&bytes),
            }
        }
        out
    }
}

fn rendered<'a>(piece: &'a Piece, values: &Values<'_>) -> Rendered<'a> {
    match piece {
        Piece::Text(text) => Rendered::Own(text),
        Piece::Expression(operands) => found(operands, values),
    }
}

/// Returns the first operand that has a value.
fn found<'a>(operands: &'a [Operand], values: &Values<'_>) -> Rendered<'a> {
    for operand in operands {
        match operand {
            Operand::Literal(text) => return Rendered::Own(text),
            other => {
                if let Some(bytes) = values.of(other) {
                    return Rendered::Found(bytes, matches!(other, Operand::Capture(_)));
                }
            }
        }
    }
    Rendered::Own("")
}

/// Parses an expression up to its `)`. Returns the operands and the rest of the text.
fn expression(text: &str) -> Result<(Vec<Operand>, &str), String> {
    let (mut operands, mut rest) = (Vec::new(), text);
    loop {
        let (operand, after) = operand(rest.trim_start())?;
        operands.push(operand);
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((operands, after));
        }
        rest = match rest.strip_prefix("or") {
            Some(after) if !after.starts_with(is_word) => after,
            _ => return Err("after an operand only `or` and `)` may come".to_owned()),
        };
    }
}

fn operand(text: &str) -> Result<(Operand, &str), String> {
    if text.starts_with(['\'', '"']) {
        let (literal, rest) = literal(text)?;
        return Ok((Operand::Literal(literal.to_owned()), rest));
    }
    let (source, rest) = word(text).ok_or("an operand is missing")?;
    let (member, rest) = member(rest, source)?;
    Ok((named(source, member)?, rest))
}

enum Member<'a> {
    Name(&'a str),
    Number(usize),
}

fn member<'a>(text: &'a str, source: &str) -> Result<(Member<'a>, &'a str), String> {
    if let Some(rest) = text.strip_prefix('.') {
        let (name, rest) = word(rest).ok_or(format!("a name after `{source}.` is missing"))?;
        return Ok((Member::Name(name), rest));
    }
    let Some(rest) = text.strip_prefix('[') else {
        return Err(format!("`{source}` is not followed by `.name` or `[\"name\"]`"));
    };
    let (member, rest) = if rest.starts_with(['\'', '"']) {
        let (name, rest) = literal(rest)?;
        (Member::Name(name), rest)
    } else {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(end).unwrap_or_default();
        let number = digits.parse().map_err(|_| format!("a name in `{source}[...]` is missing"))?;
        (Member::Number(number), rest)
    };
    let rest = rest.strip_prefix(']').ok_or(format!("`{source}[` is not closed"))?;
    Ok((member, rest))
}

fn named(source: &str, member: Member<'_>) -> Result<Operand, String> {
    let unknown = |name: &str| Err(format!("`{source}` has no `{name}`"));
    match (source, member) {
        ("headers", Member::Name(name)) => Ok(Operand::Header(name.to_ascii_lowercase())),
        ("query_params", Member::Name(name)) => Ok(Operand::Query(name.to_owned())),
        ("uri_captures", Member::Name(name)) => {
            Ok(Operand::Capture(Capture::Name(name.to_owned())))
        }
        ("uri_captures", Member::Number(number)) => Ok(Operand::Capture(Capture::Number(number))),
        ("claims", Member::Name(name)) => Ok(Operand::Claim(name.to_owned())),
        ("consumer", Member::Name(name)) => Ok(Operand::Consumer(match name {
            "id" => ConsumerField::Id,
            "username" => ConsumerField::Username,
            "custom_id" => ConsumerField::CustomId,
            "groups" => ConsumerField::Groups,
            other => return unknown(other),
        })),
        ("credential", Member::Name(name)) => Ok(Operand::Consumer(match name {
            "id" => ConsumerField::CredentialId,
            "identifier" => ConsumerField::CredentialIdentifier,
            other => return unknown(other),
        })),
        (
            "headers" | "query_params" | "claims" | "consumer" | "credential",
            Member::Number(_),
        ) => Err(format!("`{source}` has names, not numbers")),
        _ => Err("unknown source; there are `headers`, `query_params`, `uri_captures`, `consumer`, `credential` and `claims`".to_owned()),
    }
}

/// Parses a text in quotes. Returns the text and what follows it.
fn literal(text: &str) -> Result<(&str, &str), String> {
    let mut letters = text.chars();
    let quote = letters.next().unwrap_or('\'');
    letters.as_str().split_once(quote).ok_or_else(|| "a quote is not closed".to_owned())
}

/// Parses a word by the rules for names in Lua: it has no dash, and does not begin with a digit.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    (!word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit())).then_some((word, rest))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operands(text: &str) -> Vec<Operand> {
        Template::parse(text).unwrap().operands().cloned().collect()
    }

    fn literal(text: &str) -> Operand {
        Operand::Literal(text.into())
    }

    #[test]
    fn each_source_has_its_way_to_name_a_member() {
        let capture = |name: &str| Operand::Capture(Capture::Name(name.into()));
        for (text, expected) in [
            ("plain $ text ( )", vec![]),
            ("$(headers.host)", vec![Operand::Header("host".into())]),
            ("$(headers['X-Foo'])", vec![Operand::Header("x-foo".into())]),
            ("a$( query_params[\"q 1)\"] )b", vec![Operand::Query("q 1)".into())]),
            ("$(uri_captures.user1 or 'none')", vec![capture("user1"), literal("none")]),
            ("$(uri_captures[0])", vec![Operand::Capture(Capture::Number(0))]),
            (
                "$(consumer.username or consumer.id or \"\")",
                vec![
                    Operand::Consumer(ConsumerField::Username),
                    Operand::Consumer(ConsumerField::Id),
                    literal(""),
                ],
            ),
            (
                "$(credential.identifier)$(claims.sub)",
                vec![
                    Operand::Consumer(ConsumerField::CredentialIdentifier),
                    Operand::Claim("sub".into()),
                ],
            ),
            ("$('$(uri_captures.user1)')", vec![literal("$(uri_captures.user1)")]),
        ] {
            assert_eq!(operands(text), expected, "{text}");
        }
    }

    #[test]
    fn whatever_else_lua_would_do_is_refused() {
        for (text, says) in [
            ("$(ERROR())", "not followed by"),
            ("$(10 * uri_captures.user1)", "an operand is missing"),
            ("$(shared.my_version)", "unknown source"),
            ("$(shared.written = true)", "unknown source"),
            ("$(headers.a .. headers.b)", "after an operand"),
            ("$(headers.a and headers.b)", "after an operand"),
            ("$(headers.x-y)", "after an operand"),
            ("$(headers)", "not followed by"),
            ("$(headers[1])", "names, not numbers"),
            ("$(headers['a']", "after an operand"),
            ("$(headers['a)", "a quote is not closed"),
            ("$(headers[a])", "a name in"),
            ("$(uri_captures[0)", "is not closed"),
            ("$(uri_captures[99999999999999999999999])", "a name in"),
            ("$(consumer.key)", "`consumer` has no `key`"),
            ("$(credential.key)", "`credential` has no `key`"),
            ("$(type(headers[\"X\"]) == \"table\")", "not followed by"),
            ("$(headers.a or)", "an operand is missing"),
            ("$(headers.a orheaders.b)", "after an operand"),
            ("$()", "an operand is missing"),
            ("$(", "an operand is missing"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_surprise(text in "[$()'\"a-c.\\[\\]0-9 ]{0,30}|.{0,30}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn a_text_without_gaps_is_itself(text in "[^$]{0,40}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(template.texts().collect::<String>(), text);
        }
    }
}
