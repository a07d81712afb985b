//! Local replies in Kong's forms, and in gRPC's for clients that speak it.

use crate::grpc;
use crate::local_reply::{Header, LocalReply};
use exchange::{Body, Head, Reply, is_one_line};
use std::borrow::Cow;

/// The form of `reply`, which `filter` makes, for the client of a request with this head.
/// `request_id` is called only where the form names the request.
pub(crate) fn local<'a>(
    filter: &str,
    reply: &'a Reply,
    head: &Head,
    request_id: impl FnOnce() -> String,
) -> LocalReply<'a> {
    let details = format!("gatehouse.{filter}.{}", reply.cause);
    if grpc::is_spoken(head) {
        let (status, headers) = grpc::answer(reply);
        return LocalReply {
            status: 200,
            headers,
            body: Cow::default(),
            details,
            grpc_status: Some(status),
        };
    }
    let (content_type, body): (Option<&str>, Cow<'a, [u8]>) = match &reply.body {
        Body::Error(message) => {
            let form = Form::preferred(head.values("accept"));
            let document = form.document(message, &request_id()).into_bytes();
            (Some(form.content_type()), document.into())
        }
        Body::Message(message) => {
            (Some(Form::Json.content_type()), message_document(message).into())
        }
        Body::Raw(content_type, body) => (content_type.as_deref(), body.into()),
        Body::Empty => (None, Cow::default()),
    };
    let mut headers: Vec<Header<'a>> = Vec::new();
    if let Some(content_type) = content_type {
        headers.push(("content-type".into(), Cow::Borrowed(content_type.as_bytes())));
    }
    let more = reply.headers.iter();
    headers.extend(more.map(|(name, value)| (Cow::Borrowed(name.as_ref()), value.into())));
    // No header of a reply adds a line to it.
    headers.retain(|(_, value)| is_one_line(value));
    LocalReply { status: reply.status, headers, body, details, grpc_status: None }
}

/// The reply to a request that no filter configuration knows: the carrier has lost its state.
#[must_use]
pub fn unexpected() -> LocalReply<'static> {
    let document = Form::Json.document("An unexpected error occurred", "unknown").into_bytes();
    let content_type = Form::Json.content_type().as_bytes();
    let headers = vec![("content-type".into(), Cow::Borrowed(content_type))];
    let details = "gatehouse.unexpected".to_owned();
    LocalReply { status: 500, headers, body: document.into(), details, grpc_status: None }
}

fn message_document(message: &str) -> Vec<u8> {
    format!("{{\"message\":{}}}", quoted(message)).into_bytes()
}

/// The forms of Kong's error document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Html,
    Plain,
    Xml,
}

impl Form {
    /// The form that an `Accept` header prefers, as Kong chooses: the highest quality, the first
    /// among equals, and JSON where none is known.
    fn preferred<'a>(accept: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut best = (0, Self::Json);
        for value in accept.filter_map(|value| std::str::from_utf8(value).ok()) {
            for range in value.split(',').take(64) {
                let mut parts = range.split(';').map(str::trim);
                let media = parts.next().unwrap_or_default().to_ascii_lowercase();
                let quality = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .map_or(1000, |q| thousandths(q.trim()));
                if quality > best.0 && quality <= 1000 {
                    best = (quality, Self::of(&media).unwrap_or(best.1));
                }
            }
        }
        best.1
    }

    fn of(media: &str) -> Option<Self> {
        match media {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "text/html" => Some(Self::Html),
            "text/plain" | "text/*" => Some(Self::Plain),
            "application/xml" => Some(Self::Xml),
            // Kong sends JSON for a type that it does not know.
            _ => Some(Self::Json).filter(|_| media.contains('/')),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }

    fn document(self, message: &str, id: &str) -> String {
        match self {
            Self::Json => {
                let message = quoted(message);
                format!("{{\n  \"message\":{message},\n  \"request_id\":\"{id}\"\n}}")
            }
            Self::Html => format!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  \
                 </head>\n  <body>\n    <h1>Error</h1>\n    <p>{}.</p>\n    <p>request_id: {id}</p>\n  \
                 </body>\n</html>\n",
                escaped(message)
            ),
            Self::Plain => format!("{message}\nrequest_id: {id}\n"),
            Self::Xml => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{}</message>\n  \
                 <requestid>{id}</requestid>\n</error>\n",
                escaped(message)
            ),
        }
    }
}

/// Returns `text` as a string of JSON. (The `Display` of a `Value` would bring the indented form
/// of JSON into every module.)
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Returns the weight of a media range (RFC 9110, section 12.4.2) in thousandths. A text that is no
/// weight weighs nothing. (The parser of `f64` and its tables are 15 KB of a module.)
fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let fraction = fraction.bytes().chain(*b"000").take(3).try_fold(0_u16, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit.into())
    });
    let whole = whole.parse::<u8>().ok().and_then(|whole| u16::from(whole).checked_mul(1000));
    whole.zip(fraction).and_then(|(whole, fraction)| whole.checked_add(fraction)).unwrap_or(0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The gateway's request id as text, if it is plain enough to stand in every form: letters, digits,
/// `-`, `_` and `.`, at most 128.
pub(crate) fn plain_id(id: &[u8]) -> Option<String> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = !id.is_empty() && id.len() <= 128 && id.iter().all(plain);
    fits.then(|| String::from_utf8_lossy(id).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(accept: &str) -> Form {
        Form::preferred([accept.as_bytes()].into_iter())
    }

    #[test]
    fn no_header_adds_a_line_to_a_reply() {
        let reply = Reply::new(302, "test", Body::Empty)
            .with("location", "/a")
            .with("x-name", "a\r\nset-cookie: b=1");
        let local = local("test", &reply, &Head::default(), String::new);
        assert_eq!(local.headers, [("location".into(), Cow::Borrowed(b"/a".as_slice()))]);
    }

    #[test]
    fn the_form_is_what_the_client_prefers() {
        for (accept, form) in [
            ("", Form::Json),
            ("*/*", Form::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Html),
            ("application/json;q=0.5, text/plain", Form::Plain),
            ("application/xml;q=0.9, text/html;q=0.1", Form::Xml),
            ("text/html;q=0.25, text/plain;q=0.3", Form::Plain),
            ("text/html;q=0.999, text/plain; q=1", Form::Plain),
            ("text/html;q=1.001, text/plain;q=0.001", Form::Plain),
            ("text/html;q=66.0, text/plain;q=0.0, application/xml;q=0.1", Form::Xml),
            ("text/html;q=0.9x, text/plain;q=0.8", Form::Plain),
            ("image/png", Form::Json),
            ("text/html;q=x", Form::Json),
            ("\u{ff};q=9e999", Form::Json),
        ] {
            assert_eq!(preferred(accept), form, "{accept}");
        }
    }

    #[test]
    fn the_json_document_is_kongs() {
        assert_eq!(
            Form::Json.document("Unauthorized", "0af1"),
            "{\n  \"message\":\"Unauthorized\",\n  \"request_id\":\"0af1\"\n}"
        );
    }

    #[test]
    fn a_message_cannot_leave_its_document() {
        assert_eq!(
            Form::Json.document("a\"b\n", "1"),
            "{\n  \"message\":\"a\\\"b\\n\",\n  \"request_id\":\"1\"\n}"
        );
        assert!(Form::Html.document("<script>", "1").contains("<p>&lt;script&gt;.</p>"));
    }

    #[test]
    fn a_clients_request_id_is_not_repeated_unless_it_is_plain() {
        assert_eq!(plain_id(b"4f-1_a.B").as_deref(), Some("4f-1_a.B"));
        for odd in [&b""[..], b"<b>", b"a\"b", &[b'a'; 129]] {
            assert_eq!(plain_id(odd), None);
        }
    }
}
