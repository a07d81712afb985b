//! The values of a request that templates can use.

use crate::operand::{Capture, ConsumerField, Operand};
use consumer::Identity;
use exchange::{Query, Request, same_name, split_target};
use regex::bytes::{Captures, Regex};
use serde_json::{Map, Value};
use settings::normalise;
use std::cell::OnceCell;

/// A request as it came to this filter. Templates do not see the filter's own changes. Query and
/// claims are read when the first template asks for them.
pub(crate) struct Values<'a> {
    request: &'a Request,
    raw_query: &'a [u8],
    query: OnceCell<Vec<Parameter>>,
    captures: Vec<(Option<String>, Option<Vec<u8>>)>,
    identity: Option<&'a Identity>,
    claims: OnceCell<Map<String, Value>>,
}

/// The decoded name and value of a parameter of the query.
type Parameter = (Vec<u8>, Option<Vec<u8>>);

/// The greatest length of a path in bytes. The time of a pattern grows with the length, and Kong's
/// nginx accepts no longer paths.
const LONGEST: usize = 8192;

/// The error of a path that is too long, or that servers read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl<'a> Values<'a> {
    /// Takes the values of a request.
    ///
    /// # Errors
    /// [`Ambiguous`], if there is a pattern and it cannot be applied to the path.
    pub(crate) fn new(
        request: &'a Request,
        raw_query: &'a [u8],
        pattern: Option<&Regex>,
        identity: Option<&'a Identity>,
    ) -> Result<Self, Ambiguous> {
        let captures = match pattern {
            Some(pattern) => {
                let (raw, _) = split_target(&request.target);
                let path = normalise(raw).filter(|path| path.len() <= LONGEST);
                captures(pattern, &path.ok_or(Ambiguous)?)
            }
            None => Vec::new(),
        };
        Ok(Self {
            request,
            raw_query,
            query: OnceCell::new(),
            captures,
            identity,
            claims: OnceCell::new(),
        })
    }

    fn query(&self) -> &[Parameter] {
        self.query.get_or_init(|| Query::new(self.raw_query).pairs().collect())
    }

    fn claims(&self) -> &Map<String, Value> {
        let json = self.request.claims.as_deref();
        let read = || json.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
        self.claims.get_or_init(read)
    }

    /// Returns the value of an operand, if it has one.
    pub(crate) fn of(&self, operand: &Operand) -> Option<Vec<u8>> {
        match operand {
            Operand::Literal(text) => Some(text.clone().into_bytes()),
            Operand::Header(name) => self.header(name),
            Operand::Query(name) => {
                let mut pairs = self.query().iter();
                let (_, value) = pairs.find(|(found, _)| found == name.as_bytes())?;
                // This is Kong's value for a parameter without `=`.
                Some(value.clone().unwrap_or_else(|| b"true".to_vec()))
            }
            Operand::Capture(Capture::Number(number)) => self.captures.get(*number)?.1.clone(),
            Operand::Capture(Capture::Name(name)) => {
                let mut all = self.captures.iter();
                all.find(|(found, _)| found.as_ref() == Some(name))?.1.clone()
            }
            Operand::Consumer(field) => self.consumer(*field).map(String::into_bytes),
            Operand::Claim(name) => match self.claims().get(name)? {
                Value::String(text) => Some(text.clone().into_bytes()),
                other @ (Value::Bool(_) | Value::Number(_)) => Some(other.to_string().into_bytes()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            },
        }
    }

    /// Returns the first value that is not empty. On Kong a header that a filter has removed is
    /// still there, empty.
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        if name == "host" {
            return Some(self.request.head.host().to_vec()).filter(|host| !host.is_empty());
        }
        let there = |value: &&[u8]| !value.is_empty();
        let exact = self.request.head.values(name).find(there);
        // `headers.x_foo` names `X-Foo` too, as in Lua, where names cannot contain a dash.
        let folded = || {
            let mut fields = self.request.head.fields();
            let same = |field: &[u8]| same_name(field, name.as_bytes());
            fields.find(|(field, value)| same(field) && !value.is_empty()).map(|(_, value)| value)
        };
        exact.or_else(folded).map(<[u8]>::to_vec)
    }

    fn consumer(&self, field: ConsumerField) -> Option<String> {
        let identity = self.identity?;
        let credential = identity.credential.as_ref();
        match field {
            ConsumerField::Id => Some(identity.id.clone()),
            ConsumerField::Username => identity.username.clone(),
            ConsumerField::CustomId => identity.custom_id.clone(),
            ConsumerField::Groups => {
                Some(identity.groups.join(",")).filter(|groups| !groups.is_empty())
            }
            ConsumerField::CredentialId => credential.map(|credential| credential.id.clone()),
            ConsumerField::CredentialIdentifier => credential?.identifier.clone(),
        }
    }
}

/// Returns every group of the pattern with its name and value. There are none if the path does not
/// match.
fn captures(pattern: &Regex, path: &[u8]) -> Vec<(Option<String>, Option<Vec<u8>>)> {
    let found: Option<Captures<'_>> = pattern.captures(path);
    let Some(found) = found else { return Vec::new() };
    let groups = pattern.capture_names().zip(found.iter());
    let bytes = |group: Option<regex::bytes::Match<'_>>| Some(group?.as_bytes().to_vec());
    groups.map(|(name, group)| (name.map(str::to_owned), bytes(group))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;
    use consumer::Credential;
    use exchange::Head;

    fn rendered(template: &str, request: &Request, pattern: Option<&str>) -> String {
        let identity = Identity {
            id: "1".into(),
            username: Some("ana".into()),
            groups: vec!["a".into(), "b".into()],
            credential: Some(Credential { id: "c".into(), ..Credential::default() }),
            ..Identity::default()
        };
        let pattern = pattern.map(|pattern| Regex::new(pattern).unwrap());
        let raw = split_target(&request.target).1.unwrap_or_default();
        let values = Values::new(request, raw, pattern.as_ref(), Some(&identity)).unwrap();
        String::from_utf8(Template::parse(template).unwrap().text(&values)).unwrap()
    }

    fn request(target: &str, fields: &[(&str, &str)]) -> Request {
        Request {
            head: fields.iter().copied().collect::<Head>(),
            target: target.as_bytes().to_vec(),
            claims: Some(br#"{"sub":"s","n":5,"yes":true,"list":[1],"no":null}"#.to_vec()),
            ..Request::default()
        }
    }

    #[test]
    fn each_source_gives_what_the_request_has() {
        let plain = request(
            "/a?q1=20&q1=21&flag&e=&sp=a%20b",
            &[
                ("Host", "test15.test"),
                ("X-Foo", ""),
                ("x-foo", "1"),
                ("x-foo", "2"),
                ("Removed", ""),
            ],
        );
        for (template, expected) in [
            ("$(headers.host)", "test15.test"),
            ("$(headers['x-foo'])", "1"),
            ("$(headers.x_foo)", "1"),
            ("$(headers.removed or 'none')", "none"),
            ("$(headers.missing)", ""),
            ("$(query_params.q1)", "20"),
            ("$(query_params.flag)", "true"),
            ("<$(query_params.e or 'x')>", "<>"),
            ("$(query_params.sp)", "a b"),
            ("$(consumer.id)/$(consumer.username)/$(consumer.groups)", "1/ana/a,b"),
            ("$(consumer.custom_id or 'none')", "none"),
            ("$(credential.id)$(credential.identifier)", "c"),
            (
                "$(claims.sub)$(claims.n)$(claims.yes)$(claims.list)$(claims.no)$(claims.x)",
                "s5true",
            ),
            ("$('$(headers.host)')", "$(headers.host)"),
        ] {
            assert_eq!(rendered(template, &plain, None), expected, "{template}");
        }
    }

    #[test]
    fn a_pattern_finds_its_parts_in_the_decoded_path() {
        let pattern = Some(r"\A(?:/user1/(?<user1>\w+)/user2/(?P<user2>\S+))");
        let found = request("/user1/f%6fo//user2/b%20r/x?q", &[]);
        assert_eq!(rendered("$(uri_captures.user1)", &found, pattern), "foo");
        let found = request("/user1/foo/user2/bar", &[]);
        for (template, expected) in [
            ("$(uri_captures.user2)-$(uri_captures['user1'])", "bar-foo"),
            ("$(uri_captures[0])", "/user1/foo/user2/bar"),
            ("$(uri_captures[2])", "bar"),
            ("$(uri_captures[3] or 'none')", "none"),
        ] {
            assert_eq!(rendered(template, &found, pattern), expected, "{template}");
        }
        let other = request("/elsewhere", &[]);
        assert_eq!(rendered("$(uri_captures.user1 or 'default1')", &other, pattern), "default1");
    }

    #[test]
    fn a_path_that_servers_read_differently_has_no_parts() {
        let pattern = Regex::new("/").unwrap();
        let odd = request("/a%2fb", &[]);
        assert_eq!(Values::new(&odd, b"", Some(&pattern), None).err(), Some(Ambiguous));
        assert!(Values::new(&odd, b"", None, None).is_ok(), "nobody asks");
        let long = request(&"/a".repeat(5000), &[]);
        assert_eq!(Values::new(&long, b"", Some(&pattern), None).err(), Some(Ambiguous));
    }
}
