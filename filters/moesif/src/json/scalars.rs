//! The scalars of a JSON text, found by their paths.

use super::{NotJson, Scanner, Token, unescaped};
use std::collections::{HashMap, HashSet};

/// A value that is not a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text(String),
    /// The number in its original spelling, with all of its digits.
    Number(String),
    /// `true`, `false` or `null`.
    Word(&'static str),
}

/// Returns all scalars at the `wanted` paths, duplicates included. A path joins the names of
/// members with dots. Items of a list have the path of the list.
///
/// # Errors
/// [`NotJson`], if the text is not JSON.
pub(crate) fn scalars_at(
    text: &str,
    wanted: &HashSet<&str>,
) -> Result<HashMap<String, Vec<String>>, NotJson> {
    let longest = wanted.iter().map(|path| path.len()).max().unwrap_or(0);
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    let mut scanner = Scanner::new(text);
    // `path` is that of the next value. `open` has the length of the path of each open container.
    let mut path = String::new();
    let mut open: Vec<usize> = Vec::new();
    while let Some(piece) = scanner.next()? {
        let written = text.get(piece.place).unwrap_or_default();
        match piece.token {
            Token::Open => open.push(path.len()),
            Token::Close => {
                open.pop();
                path.truncate(open.last().copied().unwrap_or(0));
            }
            Token::Name => {
                path.truncate(open.last().copied().unwrap_or(0));
                // A path that is too long already leads nowhere.
                if path.len() <= longest {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&unescaped(written));
                }
            }
            Token::Text | Token::Number | Token::Word => {
                if path.len() <= longest && wanted.contains(path.as_str()) {
                    let value = match piece.token {
                        Token::Text => unescaped(written).into_owned(),
                        _ => written.to_owned(),
                    };
                    found.entry(path.clone()).or_default().push(value);
                }
            }
        }
    }
    Ok(found)
}

/// Returns the scalar at `path`, in which each name leads one object deeper. The first of duplicate
/// members counts. The text after the scalar is not checked.
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
