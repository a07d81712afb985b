//! The fuzz targets of Gatehouse: `scripts/fuzz` builds this program and runs each of them.
//!
//! The environment variable `FUZZ_TARGET` names the target, and the arguments are libFuzzer's. The
//! argument `--list` alone prints the names of all targets.

#![no_main]

mod gateway;
mod input;
mod targets;

use std::sync::OnceLock;
use targets::{TARGETS, Target};

libfuzzer_sys::fuzz_target!(|data: &[u8]| (chosen().run)(data));

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        if std::env::args().any(|argument| argument == "--list") {
            TARGETS.iter().for_each(|target| println!("{}", target.name));
            std::process::exit(0);
        }
        let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
        // The checks take most of the time, and two targets are for them.
        if !["rsa_exact", "rsa_signatures"].contains(&wanted.as_str()) {
            fastrsa::leave_checks_out();
        }
        TARGETS
            .iter()
            .find(|target| target.name == wanted)
            .unwrap_or_else(|| panic!("FUZZ_TARGET={wanted} names no target"))
    })
}
