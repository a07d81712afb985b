//! The compact serialisation of a JWS (RFC 7515 section 7.1).

use crate::algorithm::Algorithm;
use crate::error::Malformed;
use crate::{base64url, json};
use core::fmt;
use serde_json::{Map, Value};

/// The greatest length of a token in bytes. Proxies accept less in a header: Kong 32 KiB, Envoy 60
/// KiB by default.
pub const MAX_TOKEN: usize = 65_536;

/// A JWS whose signature is not verified yet.
#[derive(Clone, PartialEq)]
pub struct Jws {
    header: Map<String, Value>,
    algorithm: Algorithm,
    /// The text `header.payload` as it arrived.
    signing_input: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Shows the algorithm only, because payload and signature would make a token.
impl fmt::Debug for Jws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jws({})", self.algorithm)
    }
}

impl Jws {
    /// Parses a compact JWS.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first reason in its order.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let any = |_: &[u8]| Ok(Value::Object(Map::new()));
        Self::parse_with(text, |text| base64url::decode(text), any).map(|(jws, _)| jws)
    }

    /// Parses a compact JWS whose segments `decode` decodes, and whose payload `read` turns into an
    /// object.
    pub(crate) fn parse_with(
        text: &[u8],
        decode: impl Fn(&[u8]) -> Option<Vec<u8>>,
        read: impl FnOnce(&[u8]) -> Result<Value, Malformed>,
    ) -> Result<(Self, Map<String, Value>), Malformed> {
        if text.len() > MAX_TOKEN {
            return Err(Malformed::TooLong);
        }
        let dots: Vec<usize> =
            text.iter().enumerate().filter(|(_, b)| **b == b'.').map(|(i, _)| i).take(2).collect();
        let [first, second] = dots.as_slice() else { return Err(Malformed::Segments) };
        let (signing_input, signature) =
            text.split_at_checked(*second).ok_or(Malformed::Segments)?;
        let (header, payload) =
            signing_input.split_at_checked(*first).ok_or(Malformed::Segments)?;
        let (payload, signature) = match (payload, signature) {
            ([b'.', payload @ ..], [b'.', signature @ ..]) => (payload, signature),
            _ => return Err(Malformed::Segments),
        };

        let header = decode(header).ok_or(Malformed::Header)?;
        let header = json::parse_object(&header).ok_or(Malformed::Header)?;
        let payload = decode(payload).ok_or(Malformed::Payload)?;
        let claims = read(&payload)?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::parse)
            .ok_or(Malformed::Algorithm)?;
        // No extension is supported, so `crit` is always refused (RFC 7515 section 4.1.11). A `b64`
        // without `crit` would change what was signed (RFC 7797).
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Malformed::Critical);
        }
        if header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err(Malformed::KeyId);
        }
        let Value::Object(claims) = claims else { return Err(Malformed::Claims) };
        let signature = decode(signature).ok_or(Malformed::Signature)?;
        let signing_input = signing_input.to_vec();
        Ok((Jws { header, algorithm, signing_input, payload, signature }, claims))
    }

    /// Returns the members of the header. They are untrusted until the signature is verified.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// Returns the algorithm that the header names.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key id that the header names.
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Returns the decoded payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the bytes that were signed: `header.payload`.
    pub fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    /// Returns the decoded signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}
