//! Arbitrary octets as cookies, rows, contents and bodies: nothing panics, and only what was sealed opens.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatehouse_session::fuzzing::everything(data));
