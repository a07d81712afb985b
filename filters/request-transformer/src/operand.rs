//! The operands of a template: literals, and names for values of a request.

/// An operand of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    /// The text itself.
    Literal(String),
    /// A header, by its name in lower case.
    Header(String),
    /// A parameter of the query.
    Query(String),
    Capture(Capture),
    Consumer(ConsumerField),
    /// A claim of the caller's token.
    Claim(String),
}

/// A group of `uri_pattern`, which stands for a part of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Capture {
    Number(usize),
    Name(String),
}

/// A property of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsumerField {
    Id,
    Username,
    CustomId,
    Groups,
    CredentialId,
    CredentialIdentifier,
}
