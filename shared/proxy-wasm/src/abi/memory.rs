//! Memory that guest and host share.

use super::Status;
use std::alloc::Layout;

/// Gives memory for the host to write into; null when there is none left.
///
/// A size of 0 gives a pointer that is not null, as in the SDK: Kong asks for 0 bytes where a value
/// is empty, and takes null for a failure (measured with an empty nginx variable on 3.9.3).
pub(crate) fn allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        Ok(_) if size == 0 => std::ptr::NonNull::dangling().as_ptr(),
        // SAFETY: the layout is not empty.
        Ok(layout) => unsafe { std::alloc::alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// Takes over a byte string that the host wrote into memory from [`allocate`].
pub(super) fn receive(
    call: impl FnOnce(*mut *mut u8, *mut usize) -> i32,
) -> Result<Vec<u8>, Status> {
    let (mut at, mut len) = (std::ptr::null_mut::<u8>(), 0_usize);
    Status::check(call(&mut at, &mut len))?;
    if at.is_null() || len == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host got `at` from `allocate(len)`, wrote `len` bytes, and has let go of it.
    Ok(unsafe { Vec::from_raw_parts(at, len, len) })
}

/// Writes a header map in wire form: a count, all lengths, then all bytes with a NUL after each.
pub(super) fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    // A length beyond 32 bits does not exist in a 32-bit memory.
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    out.extend(word(fields.len()));
    for (name, value) in fields {
        out.extend(word(name.len()));
        out.extend(word(value.len()));
    }
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}
