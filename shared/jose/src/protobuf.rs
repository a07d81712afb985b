//! The part of protobuf that the host's functions for signatures use.

/// A message with length-delimited fields.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) zeroize::Zeroizing<Vec<u8>>);

impl Writer {
    /// Appends a field of type string or bytes, whose number is below 16.
    #[must_use]
    pub(crate) fn bytes(mut self, field: u8, value: &[u8]) -> Self {
        self.0.reserve(value.len().saturating_add(8));
        self.0.push(field << 3 | 2);
        let mut rest = value.len();
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self.0.extend_from_slice(value);
        self
    }
}

/// A field with its number and its value.
#[derive(Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64, u64),
    Bytes(u64, &'a [u8]),
}

/// Returns the fields of a message. Returns `None` if it is malformed, or has a field that is
/// neither a varint nor length-delimited.
pub(crate) fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut out = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => out.push(Field::Varint(key >> 3, varint(&mut message)?)),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (value, rest) = message.split_at_checked(length)?;
                out.push(Field::Bytes(key >> 3, value));
                message = rest;
            }
            _ => return None,
        }
    }
    Some(out)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_as_protoc_writes_them() {
        let long = [7; 300];
        let message = Writer::default().bytes(1, b"sha256").bytes(4, &long).0;
        assert_eq!(message[..11], *b"\x0a\x06sha256\x22\xac\x02");
        assert_eq!(
            fields(&message),
            Some(vec![Field::Bytes(1, b"sha256"), Field::Bytes(4, &long)])
        );
    }

    #[test]
    fn broken_messages_are_refused() {
        assert_eq!(fields(b""), Some(vec![]));
        assert_eq!(fields(b"\x08\x01"), Some(vec![Field::Varint(1, 1)]));
        for bad in [
            &b"\x08"[..],
            b"\x12\x05abc",
            b"\x0d\0\0\0\0",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        ] {
            assert_eq!(fields(bad), None, "{bad:?}");
        }
    }
}
