//! JSON in; checked settings, or every problem with its path, out.
