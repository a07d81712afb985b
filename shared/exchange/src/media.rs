//! The kind of a body, as its headers declare it.

use crate::{Head, Parameterised};

/// A kind of body that has named fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// JSON: `application/json`, `text/json`, and every type that ends with `+json`.
    Json,
    /// A URL-encoded form (`application/x-www-form-urlencoded`).
    Form,
    /// A multipart form (RFC 7578) with this boundary.
    Multipart(Vec<u8>),
}

/// The reason why the fields of a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opaque {
    /// The body has no content type, or one without fields.
    OtherType,
    /// The content type or its boundary is malformed, or there are two different content types.
    Malformed,
    /// The character set does not extend ASCII, so the fields would look different.
    OtherCharacters,
    /// The body is compressed.
    Encoded,
}

impl Media {
    /// Reads a `content-type`.
    ///
    /// # Errors
    /// [`Opaque`], if the fields of such a body cannot be read.
    pub fn of(content_type: &[u8]) -> Result<Self, Opaque> {
        let read = Parameterised::read(content_type).ok_or(match content_type.trim_ascii() {
            b"" => Opaque::OtherType,
            _ => Opaque::Malformed,
        })?;
        let media = match read.value.as_str() {
            "application/json" | "text/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => {
                let boundary = read.get("boundary").ok().flatten().ok_or(Opaque::Malformed)?;
                let fits = (1..=70).contains(&boundary.len()) && !boundary.ends_with(b" ");
                Self::Multipart(fits.then(|| boundary.to_vec()).ok_or(Opaque::Malformed)?)
            }
            other if other.contains('/') && other.ends_with("+json") => Self::Json,
            _ => return Err(Opaque::OtherType),
        };
        let charset = read.get("charset").map_err(|_| Opaque::Malformed)?;
        let charset = charset.map(<[u8]>::to_ascii_lowercase);
        match charset.as_deref() {
            None | Some(b"utf-8" | b"utf8" | b"us-ascii" | b"iso-8859-1" | b"windows-1252") => {
                Ok(media)
            }
            Some(_) => Err(Opaque::OtherCharacters),
        }
    }

    /// Reads the `content-type` and `content-encoding` of a message.
    ///
    /// # Errors
    /// [`Opaque`], if the fields of the body cannot be read.
    pub fn of_head(head: &Head) -> Result<Self, Opaque> {
        if is_encoded(head) {
            return Err(Opaque::Encoded);
        }
        let mut types = head.values("content-type");
        let first = types.next().ok_or(Opaque::OtherType)?;
        if types.any(|other| other != first) {
            return Err(Opaque::Malformed);
        }
        Self::of(first)
    }
}

/// Returns `true` if the body is compressed, or encoded in another way than `identity`.
#[must_use]
pub fn is_encoded(head: &Head) -> bool {
    let codings = head.values("content-encoding").flat_map(|value| value.split(|b| *b == b','));
    codings
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_says_what_a_body_is() {
        for (content_type, media) in [
            ("application/json", Ok(Media::Json)),
            ("Application/JSON; charset=UTF-8", Ok(Media::Json)),
            ("application/vnd.api+json", Ok(Media::Json)),
            ("application/problem+json; charset=\"utf-8\"", Ok(Media::Json)),
            ("application/x-www-form-urlencoded", Ok(Media::Form)),
            ("multipart/form-data; boundary=XX", Ok(Media::Multipart(b"XX".to_vec()))),
            (
                "multipart/form-data; a=\"; boundary=Y\"; Boundary=\"X;X\"",
                Ok(Media::Multipart(b"X;X".to_vec())),
            ),
            ("multipart/form-data", Err(Opaque::Malformed)),
            ("multipart/form-data; boundary=\"\"", Err(Opaque::Malformed)),
            ("multipart/form-data; boundary=a; boundary=b", Err(Opaque::Malformed)),
            ("application/json,text/plain", Err(Opaque::Malformed)),
            ("application/json; charset=utf-16", Err(Opaque::OtherCharacters)),
            ("application/x-www-form-urlencoded; charset=ibm037", Err(Opaque::OtherCharacters)),
            ("text/plain", Err(Opaque::OtherType)),
            ("application/jsonp", Err(Opaque::OtherType)),
            ("", Err(Opaque::OtherType)),
        ] {
            assert_eq!(Media::of(content_type.as_bytes()), media, "{content_type}");
        }
        for (len, fits) in [(70, true), (71, false)] {
            let said = format!("multipart/form-data; boundary={}", "x".repeat(len));
            assert_eq!(Media::of(said.as_bytes()).is_ok(), fits, "{len}");
        }
        assert_eq!(Media::of(b"application/json\xff"), Err(Opaque::Malformed));
    }

    #[test]
    fn two_types_or_an_encoding_hide_the_fields() {
        let of = |fields: &[(&str, &str)]| Media::of_head(&fields.iter().copied().collect());
        let json = ("content-type", "application/json");
        assert_eq!(of(&[json, ("content-encoding", "identity")]), Ok(Media::Json));
        assert_eq!(of(&[json, json]), Ok(Media::Json));
        assert_eq!(of(&[json, ("Content-Type", "text/plain")]), Err(Opaque::Malformed));
        assert_eq!(of(&[json, ("Content-Encoding", "identity, gzip")]), Err(Opaque::Encoded));
        assert_eq!(of(&[]), Err(Opaque::OtherType));
    }
}
