//! JSON Web Tokens (RFC 7519).

use crate::algorithm::Algorithm;
use crate::error::Malformed;
use crate::jws::Jws;
use crate::{base64url, json};
use core::fmt;
use core::ops::Deref;
use serde_json::{Map, Value};

/// A JWT whose signature is not verified yet: a [`Jws`] with claims.
#[derive(Clone, PartialEq)]
pub struct Token {
    jws: Jws,
    claims: Map<String, Value>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.jws.algorithm())
    }
}

impl Deref for Token {
    type Target = Jws;
    fn deref(&self) -> &Jws {
        &self.jws
    }
}

impl Token {
    /// Parses a JWT. It has exactly three segments of strict base64url, a supported algorithm and
    /// no `crit`; header and claims are JSON objects without duplicate members.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first reason in its order.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        Self::parse_with(text, |text| base64url::decode(text))
    }

    /// Parses a JWT whose segments may have their padding (`=`), contrary to RFC 7515 section 2.
    /// The signed text includes the padding.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first reason in its order.
    pub fn parse_padded(text: &[u8]) -> Result<Self, Malformed> {
        Self::parse_with(text, |text| base64url::decode_padded(text))
    }

    fn parse_with(text: &[u8], decode: fn(&[u8]) -> Option<Vec<u8>>) -> Result<Self, Malformed> {
        let read = |payload: &[u8]| json::parse(payload).ok_or(Malformed::Payload);
        Jws::parse_with(text, decode, read).map(|(jws, claims)| Token { jws, claims })
    }

    /// Returns the claims. They are untrusted until the signature is verified.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Returns the claims as the JSON text that was signed.
    pub fn claims_json(&self) -> &str {
        // The payload was parsed as JSON, so it is UTF-8.
        core::str::from_utf8(self.jws.payload()).unwrap_or_default()
    }

    /// Returns the algorithm that the header names.
    pub fn algorithm(&self) -> Algorithm {
        self.jws.algorithm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url::encode;
    use crate::jws::MAX_TOKEN;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.AAAA", encode(header), encode(claims))
    }

    fn parse(text: &str) -> Result<Token, Malformed> {
        Token::parse(text.as_bytes())
    }

    #[test]
    fn a_token_is_header_claims_and_signature() {
        let t = parse(&token(r#"{"alg":"ES256","kid":"k"}"#, r#" {"iss":"a"} "#)).unwrap();
        assert_eq!((t.algorithm(), t.key_id()), (Algorithm::Es256, Some("k")));
        assert_eq!(t.claims().get("iss"), Some(&Value::from("a")));
        assert_eq!((t.claims_json(), t.signature()), (r#" {"iss":"a"} "#, &[0, 0, 0][..]));
        assert_eq!(format!("{t:?} {:?}", *t), "Token(ES256) Jws(ES256)");
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_named() {
        let good = r#"{"alg":"HS256"}"#;
        let cases = [
            (String::new(), Malformed::Segments),
            ("a.b".into(), Malformed::Segments),
            (format!("{}.{}", encode(good), encode("{}")), Malformed::Segments),
            ("..".into(), Malformed::Header),
            (format!("{}..", encode(good)), Malformed::Payload),
            (token("[]", "{}"), Malformed::Header),
            (token(r#"{"alg":"HS256","alg":"HS256"}"#, "{}"), Malformed::Header),
            (token(r#"{"alg":"HS256","x":{"y":1,"y":2}}"#, "{}"), Malformed::Header),
            (token(good, "{"), Malformed::Payload),
            (token(good, r#"{"a":1,"a":1}"#), Malformed::Payload),
            (token("{}", "{}"), Malformed::Algorithm),
            (token(r#"{"alg":"none"}"#, "{}"), Malformed::Algorithm),
            (token(r#"{"alg":"nOnE"}"#, "{}"), Malformed::Algorithm),
            (token(r#"{"alg":"hs256"}"#, "{}"), Malformed::Algorithm),
            (token(r#"{"alg":["HS256"]}"#, "{}"), Malformed::Algorithm),
            (token(r#"{"alg":null}"#, "{}"), Malformed::Algorithm),
            (token(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, "{}"), Malformed::Critical),
            (token(r#"{"alg":"HS256","crit":[]}"#, "{}"), Malformed::Critical),
            (token(r#"{"alg":"HS256","b64":false}"#, "{}"), Malformed::Critical),
            (token(r#"{"alg":"HS256","kid":1}"#, "{}"), Malformed::KeyId),
            (token(good, "null"), Malformed::Claims),
            (token(good, "false"), Malformed::Claims),
            (token(good, "1"), Malformed::Claims),
            (token(good, r#""text""#), Malformed::Claims),
            (format!("{}.x", token(good, "{}")), Malformed::Signature),
            (format!("{}.", token(good, "{}")), Malformed::Signature),
            (format!("{}=", token(good, "{}")), Malformed::Signature),
            (format!("{}B", token(good, "{}")), Malformed::Signature),
            (format!("{} ", token(good, "{}")), Malformed::Signature),
            (format!(" {}", token(good, "{}")), Malformed::Header),
            (format!("{}.{}.a+/a", encode(good), encode("{}")), Malformed::Signature),
            ("a".repeat(MAX_TOKEN + 1), Malformed::TooLong),
            (token(good, &"[".repeat(10_000)), Malformed::Payload),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&text), Err(expected), "{text:.80}");
        }
        assert_eq!(Token::parse(b"\xff\xfe.\0.\x80"), Err(Malformed::Header));
    }

    #[test]
    fn padding_is_part_of_what_was_signed() {
        let (header, claims) = (encode(r#"{"alg":"HS256"}"#), encode(r#"{"a":1}"#));
        let padded = format!("{header}.{claims}==.AQ==");
        assert_eq!(header.len() % 4, 0);
        assert_eq!(parse(&padded), Err(Malformed::Payload));
        let token = Token::parse_padded(padded.as_bytes()).unwrap();
        assert_eq!(token.signing_input(), format!("{header}.{claims}==").as_bytes());
        assert_eq!((token.claims_json(), token.signature()), (r#"{"a":1}"#, &[1][..]));
        for bad in ["=", "===", "=="].map(|end| format!("{header}{end}.{claims}.AQ")) {
            assert_eq!(Token::parse_padded(bad.as_bytes()), Err(Malformed::Header), "{bad}");
        }
    }

    #[test]
    fn only_the_canonical_base64url_is_one_token() {
        let good = token(r#"{"alg":"HS256"}"#, r#"{"a":1}"#);
        // `{"a":1}` has 7 bytes, so four bits of the last character must be zero.
        let loose = good.replace("fQ.AAAA", "fR.AAAA");
        assert!(loose != good && parse(&good).is_ok());
        assert_eq!(parse(&loose), Err(Malformed::Payload));
    }
}
