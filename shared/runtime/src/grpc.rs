//! Local replies to clients that speak gRPC, by one table from HTTP's status to gRPC's.
//!
//! A gRPC client reads `grpc-status` and `grpc-message`, and never a body. Envoy's own table maps
//! 429 to UNAVAILABLE, so that clients try again at once; Kong's module sends no status at all.

use crate::local_reply::Header;
use exchange::{Body, Head, Reply};
use std::borrow::Cow;

/// The most bytes of a message that are sent, because it travels in a header.
const LONGEST: usize = 1024;

/// Returns `true` if the client of this request speaks gRPC. gRPC-Web is another protocol, with
/// bodies.
pub(crate) fn is_spoken(head: &Head) -> bool {
    head.first("content-type").is_some_and(|value| {
        let (kind, rest) = value.split_at_checked(NAME.len()).unwrap_or((value, b""));
        kind.eq_ignore_ascii_case(NAME) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
    })
}

const NAME: &[u8] = b"application/grpc";

/// The gRPC status and all headers of the reply, which has no body.
pub(crate) fn answer(reply: &Reply) -> (u8, Vec<Header<'_>>) {
    let status = status(reply.status);
    let owned = |name: &'static str, value: String| -> Header<'_> {
        (Cow::Borrowed(name), Cow::Owned(value.into_bytes()))
    };
    let mut fields: Vec<Header<'_>> = vec![
        (Cow::Borrowed("content-type"), Cow::Borrowed(NAME)),
        owned("grpc-status", status.to_string()),
    ];
    let message: &[u8] = match &reply.body {
        Body::Error(message) | Body::Message(message) => message.as_bytes(),
        Body::Raw(_, body) => body,
        Body::Empty => b"",
    };
    if !message.is_empty() {
        fields.push(owned("grpc-message", escaped(message)));
    }
    let more = reply.headers.iter();
    fields.extend(more.map(|(name, value)| (Cow::Borrowed(name.as_ref()), value.into())));
    (status, fields)
}

/// The gRPC status of an HTTP status, as Kong 3.9 has it (`kong.response.exit`).
fn status(http: u16) -> u8 {
    match http {
        200..=299 => 0,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        429 => 8,
        499 => 1,
        400..=498 => 3,
        501 => 12,
        503 => 14,
        504 => 4,
        500..=599 => 13,
        _ => 2,
    }
}

/// Encodes a message for the header `grpc-message`: printable ASCII stays, other bytes become
/// `%XX`.
fn escaped(message: &[u8]) -> String {
    let mut out = String::new();
    for byte in message.iter().take(LONGEST) {
        match byte {
            b' '..=b'~' if *byte != b'%' => out.push(char::from(*byte)),
            _ => out.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    out
}

fn digit(number: u8) -> char {
    char::from_digit(number.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(content_type: &str) -> Head {
        [("content-type", content_type)].into_iter().collect()
    }

    #[test]
    fn a_client_speaks_grpc_if_the_content_type_says_so_and_grpc_web_is_something_else() {
        for content_type in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC; a=b",
            "application/grpc ;",
        ] {
            assert!(is_spoken(&head(content_type)), "{content_type}");
        }
        for content_type in [
            "",
            "application/grp",
            "application/grpc-web",
            "application/grpcx",
            "text/application/grpc",
        ] {
            assert!(!is_spoken(&head(content_type)), "{content_type}");
        }
        assert!(!is_spoken(&Head::default()));
    }

    #[test]
    fn each_http_status_has_kongs_grpc_status() {
        for (http, expected) in [
            (200, 0),
            (204, 0),
            (302, 2),
            (400, 3),
            (401, 16),
            (403, 7),
            (404, 5),
            (409, 6),
            (410, 3),
            (418, 3),
            (429, 8),
            (499, 1),
            (500, 13),
            (501, 12),
            (502, 13),
            (503, 14),
            (504, 4),
            (599, 13),
            (100, 2),
        ] {
            assert_eq!(status(http), expected, "{http}");
        }
    }

    #[test]
    fn the_message_is_in_its_field_and_other_fields_stay() {
        let reply = Reply::error(429, "limit_exceeded", "100 % \u{e4}\n").with("retry-after", "7");
        let (status, fields) = answer(&reply);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_ref(), text(value))).collect();
        let expected = [
            ("content-type", "application/grpc"),
            ("grpc-status", "8"),
            ("grpc-message", "100 %25 %C3%A4%0A"),
            ("retry-after", "7"),
        ];
        assert_eq!((status, fields), (8, expected.map(|(n, v)| (n, v.to_owned())).to_vec()));
    }

    #[test]
    fn an_empty_answer_has_no_message_and_a_long_one_is_cut() {
        let of = |body| answer(&Reply::new(503, "unavailable", body)).1.len();
        assert_eq!(of(Body::Empty), 2);
        assert_eq!(escaped(&[b'a'; 5000]).len(), LONGEST);
    }
}
