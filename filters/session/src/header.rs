//! The header of a session cookie: its first 82 bytes, as in lua-resty-session 4.
//!
//! ```text
//! type 1 | flags 2 | id 32 | created 5 | rolling offset 4 | size 3 | tag 16 | idling offset 3 | MAC 16
//! └────────────── authenticated by the tag ──────────────┘      │                              │
//! └──────────────────────────────── authenticated by the MAC ──────────────────────────────────┘
//! ```
//!
//! Numbers are little-endian. The MAC covers the tag and the idling offset, so a session can be
//! touched without being encrypted again.

use jose::base64url;

/// The random id of a session, which changes with each save.
pub(crate) type Id = [u8; 32];

/// The length of a header in bytes.
pub(crate) const LENGTH: usize = 82;
/// The length of a header in a cookie, in characters.
pub(crate) const ENCODED: usize = 110;
/// The number of bytes of a header that the tag authenticates.
pub(crate) const BEFORE_TAG: usize = 47;
/// The number of bytes of a header that the MAC authenticates.
const BEFORE_MAC: usize = 66;

/// Returns the length in a cookie of contents with `bytes` bytes, in characters.
pub(crate) fn encoded_length(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// The type of this format.
const TYPE: u8 = 1;

/// The greatest creation time, idling offset and size.
const MAX_CREATED: u64 = 0xff_ffff_ffff;
pub(crate) const MAX_IDLING: u64 = 0xff_ffff;
pub(crate) const MAX_SIZE: usize = 0xff_ffff;

/// The contents are in the storage, not in the cookie.
pub(crate) const STORED: u16 = 0x0001;
/// The user does not want to be remembered.
pub(crate) const FORGET: u16 = 0x0002;
/// The contents are deflated.
pub(crate) const DEFLATED: u16 = 0x0010;
/// The session is bound to the address, the scheme or the user agent.
pub(crate) const BOUND_TO_IP: u16 = 0x0100;
pub(crate) const BOUND_TO_SCHEME: u16 = 0x0200;
pub(crate) const BOUND_TO_USER_AGENT: u16 = 0x0400;

/// A header. Its being readable does not show who wrote it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u16,
    pub(crate) id: Id,
    /// The time of the creation, in seconds since 1970.
    pub(crate) created: u64,
    /// The time from the creation to the last save, in seconds.
    pub(crate) rolling: u32,
    /// The length of the encrypted contents in the cookie, in characters.
    pub(crate) size: usize,
    pub(crate) tag: [u8; 16],
    /// The time from the last save to the last touch, in seconds.
    pub(crate) idling: u32,
    pub(crate) mac: [u8; 16],
}

impl Header {
    /// Reads the first 110 characters of a cookie.
    pub(crate) fn read(cookie: &[u8]) -> Option<Self> {
        let bytes = base64url::decode(cookie.get(..ENCODED)?)?;
        let mut rest = bytes.as_slice();
        if take::<1>(&mut rest)? != [TYPE] {
            return None;
        }
        let header = Self {
            flags: u16::from_le_bytes(take(&mut rest)?),
            id: take(&mut rest)?,
            created: number(&take::<5>(&mut rest)?),
            rolling: u32::from_le_bytes(take(&mut rest)?),
            size: usize::try_from(number(&take::<3>(&mut rest)?)).ok()?,
            tag: take(&mut rest)?,
            idling: u32::try_from(number(&take::<3>(&mut rest)?)).ok()?,
            mac: take(&mut rest)?,
        };
        rest.is_empty().then_some(header)
    }

    /// Returns the bytes of the header. Numbers that do not fit are cut; see [`Header::fits`].
    pub(crate) fn bytes(&self) -> [u8; LENGTH] {
        let mut out = [0; LENGTH];
        let mut rest = out.as_mut_slice();
        put(&mut rest, &[TYPE]);
        put(&mut rest, &self.flags.to_le_bytes());
        put(&mut rest, &self.id);
        put(&mut rest, self.created.to_le_bytes().first_chunk::<5>().unwrap_or(&[0; 5]));
        put(&mut rest, &self.rolling.to_le_bytes());
        put(&mut rest, &small(self.size));
        put(&mut rest, &self.tag);
        put(&mut rest, &small(usize::try_from(self.idling).unwrap_or(usize::MAX)));
        put(&mut rest, &self.mac);
        out
    }

    /// Returns `true` if every number fits its place.
    pub(crate) fn fits(&self) -> bool {
        self.created <= MAX_CREATED && u64::from(self.idling) <= MAX_IDLING && self.size <= MAX_SIZE
    }

    /// Returns the bytes that the tag authenticates besides the contents.
    pub(crate) fn associated(&self) -> [u8; BEFORE_TAG] {
        self.bytes().first_chunk().copied().unwrap_or([0; BEFORE_TAG])
    }

    /// Returns the bytes that the MAC authenticates.
    pub(crate) fn authenticated(&self) -> [u8; BEFORE_MAC] {
        self.bytes().first_chunk().copied().unwrap_or([0; BEFORE_MAC])
    }

    /// Returns the header as it stands in a cookie.
    pub(crate) fn text(&self) -> String {
        base64url::encode(self.bytes())
    }

    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Returns the time of the last save, in seconds since 1970.
    pub(crate) fn saved(&self) -> u64 {
        self.created.saturating_add(self.rolling.into())
    }

    /// Returns the time of the last save or touch, in seconds since 1970.
    pub(crate) fn seen(&self) -> u64 {
        self.saved().saturating_add(self.idling.into())
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*chunk)
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let whole = std::mem::take(rest);
    if let Some((place, tail)) = whole.split_at_mut_checked(bytes.len()) {
        place.copy_from_slice(bytes);
        *rest = tail;
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

fn small(number: usize) -> [u8; 3] {
    let bytes = u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes();
    bytes.first_chunk().copied().unwrap_or([0; 3])
}

impl std::fmt::Debug for Header {
    /// Leaves the id out, because it opens the session.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header")
            .field("flags", &self.flags)
            .field("created", &self.created)
            .field("rolling", &self.rolling)
            .field("idling", &self.idling)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_that_is_read_is_written_back_unchanged(bytes in any::<[[u8; 41]; 2]>()) {
            let mut bytes = bytes.concat();
            bytes[0] = TYPE;
            let text = base64url::encode(&bytes);
            let header = Header::read(text.as_bytes()).unwrap();
            prop_assert!(header.fits());
            prop_assert_eq!(header.text(), text);
        }

        #[test]
        fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Header::read(&bytes);
        }
    }

    #[test]
    fn an_encoding_is_as_long_as_is_said() {
        for n in 0..50 {
            assert_eq!(base64url::encode(vec![7; n]).len(), encoded_length(n));
        }
    }

    #[test]
    fn another_type_a_short_text_and_other_characters_are_no_header() {
        let good = Header::read("AQ".repeat(55).as_bytes()).unwrap().text();
        assert!(Header::read(good.get(..109).unwrap().as_bytes()).is_none());
        assert!(Header::read(good.replacen("AQ", "Ag", 1).as_bytes()).is_none());
        assert!(Header::read(good.replacen('A', "+", 1).as_bytes()).is_none());
        assert!(
            Header::read(format!("{good}\u{ff}").as_bytes()).is_some(),
            "the rest is not its own"
        );
    }
}
