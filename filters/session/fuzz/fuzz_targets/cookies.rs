//! Arbitrary bytes as cookies, rows, contents and bodies: nothing panics, and nothing opens that
//! was not sealed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatehouse_session::fuzzing::everything(data));
