//! What a message says that its body is.

use crate::{Head, Parameterised};

/// A kind of body that has fields in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// A JSON text: `application/json`, `text/json`, and every type that ends with `+json`.
    Json,
    /// An URL-encoded form.
    Form,
    /// A multipart form with this boundary.
    Multipart(Vec<u8>),
}

/// Why the fields of a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opaque {
    /// It has no type, or one without fields.
    OtherType,
    /// Its type or its boundary is malformed, or there are two.
    Malformed,
    /// Its characters are not those of ASCII, so that its fields look like something else.
    OtherCharacters,
    /// It is compressed.
    Encoded,
}

impl Media {
    /// What a `content-type` says.
    ///
    /// # Errors
    /// With the reason why fields cannot be read.
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

    /// What the head says of its body.
    ///
    /// # Errors
    /// With the reason why fields cannot be read.
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

/// Whether the body is compressed or encoded otherwise.
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
