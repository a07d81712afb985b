//! What is wrong with a document, and where.

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `consumers[1].username`; empty for the document itself.
    pub path: String,
    /// What was found (never of a secret) and what is expected.
    pub message: String,
}

/// A document that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub(crate) Vec<Problem>);

impl Invalid {
    /// A single problem.
    #[must_use]
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Problem { path: path.into(), message: message.into() }])
    }

    /// All problems, in the order of the settings.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("invalid configuration: ")?;
        for (n, Problem { path, message }) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            match path.as_str() {
                "" => write!(f, "{separator}{message}")?,
                path => write!(f, "{separator}{path}: {message}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
