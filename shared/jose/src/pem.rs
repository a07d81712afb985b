//! PEM (RFC 7468): blocks between BEGIN and END lines, each with a label.
//!
//! Lines have any length and any white space, because PEM travels through environment variables and
//! YAML. The base64 itself is strict.

use crate::error::BadKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The greatest length of a PEM text in bytes, which is enough for a chain of certificates.
const MAX_PEM: usize = 262_144;

/// One block of a PEM text.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Returns all blocks of `text`, at least one.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block<'_>>, BadKey> {
    if text.len() > MAX_PEM {
        return Err(BadKey::Pem);
    }
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(BadKey::Pem)?;
        let (body, after) = after.split_once("-----END ").ok_or(BadKey::Pem)?;
        let (end, after) = after.split_once("-----").ok_or(BadKey::Pem)?;
        if end != label {
            return Err(BadKey::Pem);
        }
        // Encryption shows in "Proc-Type: 4,ENCRYPTED" of the old format, and in the label of
        // PKCS#8.
        if body.contains("ENCRYPTED") || label.contains("ENCRYPTED") {
            return Err(BadKey::Encrypted);
        }
        let mut packed = Zeroizing::new(Vec::with_capacity(body.len()));
        packed.extend(body.bytes().filter(|b| !b.is_ascii_whitespace()));
        let der = STANDARD.decode(&*packed).map_err(|_| BadKey::Pem)?;
        blocks.push(Block { label, der: Zeroizing::new(der) });
        rest = after;
    }
    if blocks.is_empty() { Err(BadKey::Pem) } else { Ok(blocks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(&str, Vec<u8>)>, BadKey> {
        Ok(blocks(text)?.into_iter().map(|b| (b.label, b.der.to_vec())).collect())
    }

    #[test]
    fn blocks_are_read_whatever_their_lines() {
        let one = "-----BEGIN A B-----\nAQID\n-----END A B-----\n";
        let two = "text\r\n-----BEGIN X-----\r\n AQ\r\n I=\t-----END X----- more";
        assert_eq!(read(one), Ok(vec![("A B", vec![1, 2, 3])]));
        assert_eq!(read(two), Ok(vec![("X", vec![1, 2])]));
        assert_eq!(read(&[one, two].concat()).map(|b| b.len()), Ok(2));
        assert_eq!(read(&one.replace('\n', "")), read(one));
    }

    #[test]
    fn what_is_no_pem_is_refused() {
        for text in [
            "",
            "AQID",
            "-----BEGIN X-----",
            "-----BEGIN X-----\nAQID",
            "-----BEGIN X-----\nAQID\n-----END Y-----",
            "-----BEGIN X-----\nAQ_D\n-----END X-----",
            "-----BEGIN X-----\nAQI\n-----END X-----",
            "-----BEGIN X-----\nkey: value\n\nAQID\n-----END X-----",
            &"-----BEGIN ".repeat(100_000),
        ] {
            assert_eq!(read(text), Err(BadKey::Pem), "{text:.60}");
        }
        for text in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----",
        ] {
            assert_eq!(read(text), Err(BadKey::Encrypted));
        }
    }
}
