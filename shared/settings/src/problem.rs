//! Problems of a document, each with its path.

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of the setting, such as `consumers[1].username`. It is empty for the document
    /// itself.
    pub path: String,
    /// A message that says what was found (never for a secret) and what is expected.
    pub message: String,
}

/// The error of a document that cannot be used, with all of its problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub(crate) Vec<Problem>);

impl Invalid {
    /// Makes an error with a single problem.
    #[must_use]
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Problem { path: path.into(), message: message.into() }])
    }

    /// Returns all problems, in the order of the settings.
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
