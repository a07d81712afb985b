//! Decides if a request asks for the end of its session.

use crate::config::Logout;
use exchange::json::without_mark;
use exchange::multipart::parts;
use exchange::{Media, Query, Request};
use serde_json::Value;

impl Logout {
    /// Returns `true` if the method is one that may end a session.
    pub(crate) fn covers(&self, request: &Request) -> bool {
        self.methods.iter().any(|method| method.as_bytes() == request.method)
    }

    /// Returns `true` if the query asks for it, with any value or without one.
    pub(crate) fn in_query(&self, request: &Request) -> bool {
        let mut pairs = Query::of_target(&request.target).pairs();
        self.covers(request) && pairs.any(|(name, _)| name == self.query_arg.as_bytes())
    }

    /// Returns `true` if the body could ask for it, judging by the rest of the request.
    pub(crate) fn may_be_in_body(&self, request: &Request) -> bool {
        let may = self.reads_body && self.covers(request) && request.method != b"GET";
        may && request.head.text("content-type").is_some()
    }

    /// Returns `true` if the body asks for it.
    pub(crate) fn in_body(&self, request: &Request, body: &[u8]) -> bool {
        let argument = self.post_arg.as_bytes();
        match Media::of_head(&request.head) {
            Ok(Media::Form) => Query::new(body).pairs().any(|(name, _)| name == argument),
            // The rule comes from Lua, in which JSON's null counts as true and only false as false.
            Ok(Media::Json) => match serde_json::from_slice(without_mark(body)) {
                Ok(Value::Object(map)) => map
                    .get(self.post_arg.as_str())
                    .is_some_and(|value| *value != Value::Bool(false)),
                _ => false,
            },
            Ok(Media::Multipart(boundary)) => {
                let parts = parts(body, &boundary).unwrap_or_default();
                parts.iter().any(|part| part.name.as_deref() == Some(argument))
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Head;
    use proptest::prelude::*;

    fn logout(methods: &[&'static str]) -> Logout {
        Logout {
            methods: methods.to_vec(),
            query_arg: "session_logout".into(),
            post_arg: "session_logout".into(),
            reads_body: true,
            redirect_uri: None,
            revokes: false,
        }
    }

    fn request(method: &str, target: &str, content_type: &str) -> Request {
        let head: Head = [("content-type", content_type)].into_iter().collect();
        Request { head, method: method.into(), target: target.into(), ..Request::default() }
    }

    #[test]
    fn a_query_asks_with_any_value() {
        let logout = logout(&["GET", "DELETE"]);
        for (method, target, asks) in [
            ("GET", "/?session_logout", true),
            ("GET", "/?a=b&session_logout=", true),
            ("DELETE", "/x?session_logout=false", true),
            ("GET", "/?session%5flogout=1", true),
            ("GET", "/?session_logouts", false),
            ("GET", "/session_logout", false),
            ("POST", "/?session_logout", false),
            ("get", "/?session_logout", false),
        ] {
            assert_eq!(logout.in_query(&request(method, target, "")), asks, "{method} {target}");
        }
    }

    #[test]
    fn a_body_asks_in_every_form_that_kong_reads() {
        let logout = logout(&["POST"]);
        let multipart = "multipart/form-data; boundary=\"x\"";
        for (content_type, body, asks) in [
            ("application/x-www-form-urlencoded", "a=1&session_logout", true),
            ("application/x-www-form-urlencoded; charset=utf-8", "session_logout=true", true),
            ("application/x-www-form-urlencoded", "session_login=1", false),
            ("application/json", r#"{"session_logout":true}"#, true),
            ("application/json", r#"{"session_logout":null}"#, true),
            ("application/json", r#"{"session_logout":false}"#, false),
            ("application/json", r#"["session_logout"]"#, false),
            ("application/json", "{", false),
            (
                multipart,
                "--x\r\nContent-Disposition: form-data; name=\"session_logout\"\r\n\r\n1\r\n--x--\r\n",
                true,
            ),
            (
                multipart,
                "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nsession_logout\r\n--x--\r\n",
                false,
            ),
            ("multipart/form-data", "--x\r\n", false),
            ("text/plain", "session_logout=true", false),
        ] {
            let request = request("POST", "/", content_type);
            assert!(logout.may_be_in_body(&request));
            assert_eq!(logout.in_body(&request, body.as_bytes()), asks, "{content_type} {body}");
        }
    }

    #[test]
    fn a_body_is_waited_for_only_where_it_can_count() {
        let all = logout(&["GET", "POST", "DELETE"]);
        let form = "application/x-www-form-urlencoded";
        assert!(!all.may_be_in_body(&request("GET", "/", form)));
        assert!(all.may_be_in_body(&request("DELETE", "/", form)));
        assert!(!logout(&["DELETE"]).may_be_in_body(&request("POST", "/", form)));
        let blind = Logout { reads_body: false, ..all };
        assert!(!blind.may_be_in_body(&request("POST", "/", form)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(body in proptest::collection::vec(any::<u8>(), 0..200), n in 0_usize..3) {
            let content_type = ["application/json", "multipart/form-data; boundary=-", "application/x-www-form-urlencoded"][n];
            let _ = logout(&["POST"]).in_body(&request("POST", "/", content_type), &body);
        }
    }
}
