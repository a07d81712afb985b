//! The fuzz targets of gatehouse-admin: `scripts/fuzz` builds this program and runs each of them.
//!
//! The environment variable `FUZZ_TARGET` names the target, and the arguments are libFuzzer's. The
//! argument `--list` alone prints the names of all targets.

#![no_main]

use std::sync::OnceLock;

use gatehouse_admin::fuzzing::{TARGETS, Target};

libfuzzer_sys::fuzz_target!(|data: &[u8]| (chosen().run)(data));

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        if std::env::args().any(|argument| argument == "--list") {
            TARGETS.iter().for_each(|target| println!("{}", target.name));
            std::process::exit(0);
        }
        let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
        TARGETS
            .iter()
            .find(|target| target.name == wanted)
            .unwrap_or_else(|| panic!("FUZZ_TARGET={wanted} names no target"))
    })
}
