//! Writes a JSON object whose members keep the order in which they are added.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Members(String);

impl Members {
    pub(crate) fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a member.
    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        // A value that cannot be written would leave broken JSON, which no key signs.
        self.put_json(name, &serde_json::to_string(value).unwrap_or_default());
    }

    /// Adds a member whose value is JSON already.
    pub(crate) fn put_json(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&serde_json::to_string(name).unwrap_or_default());
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Returns the object.
    pub(crate) fn json(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_are_escaped() {
        let mut object = Members::new();
        object.put("z\"", "/\n");
        object.put("a", &1);
        object.put_json("b", "{}");
        assert_eq!(object.json(), r#"{"z\"":"/\n","a":1,"b":{}}"#);
        assert_eq!(Members::new().json(), "{}");
    }
}
