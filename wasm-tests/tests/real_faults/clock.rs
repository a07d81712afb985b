//! The wall clock of the gateway and that of the service jump.
//!
//! A small library (`clock.c`) stands before the system's clock. Envoy and the service that `cargo`
//! compiles for its own tests are linked dynamically, so that this works; the service of `dist` is
//! not. The monotonic clock goes on as before, as it does when an operator or NTP sets a clock.

use crate::bed::{Bed, Writers, cases, chain, on, remembering, request};
use crate::load::{Load, under_load};
use crate::table::{Row, length};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use wasm_tests::real::{Admin, RawRequest, Scratch, Setup, eventually, on_kong};

const PART: &str = "Clocks";
/// The seconds of a day.
const DAY: i64 = 86_400;

/// A clock that a test sets.
struct Clock {
    file: std::fs::File,
    launcher: Vec<String>,
    _scratch: Scratch,
}

impl Clock {
    fn new() -> Self {
        let scratch = Scratch::new("clock");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_faults/clock.c");
        let (library, path) = (scratch.path().join("clock.so"), scratch.path().join("seconds"));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source);
        let compiled = cc.status().expect("cc, with which Rust links, too");
        assert!(compiled.success(), "clock.c: {compiled}");
        let options = std::fs::File::options().create_new(true).write(true).open(&path);
        let file = options.expect("a file with the seconds");
        let launcher = [
            "/usr/bin/env".to_owned(),
            format!("LD_PRELOAD={}", library.display()),
            format!("GATEHOUSE_TEST_CLOCK={}", path.display()),
        ];
        let clock = Self { file, launcher: launcher.to_vec(), _scratch: scratch };
        clock.set(0);
        clock
    }

    fn launcher(&self) -> Vec<&str> {
        self.launcher.iter().map(String::as_str).collect()
    }

    /// Sets the clock so many seconds before or behind the true time.
    fn set(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).expect("the seconds");
    }
}

/// Returns the seconds by which `time`, such as `19:05:02`, is ahead of the true time, within half a
/// day.
fn ahead(time: &str) -> Option<i64> {
    let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
    let mut next = || parts.next().flatten();
    let seconds = next()? * 3600 + next()? * 60 + next()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() as i64 % DAY;
    Some((seconds - now + DAY + DAY / 2) % DAY - DAY / 2)
}

/// Waits until a program tells a time that is so many seconds ahead.
fn until_ahead(seconds: i64, time: impl Fn() -> Option<String>) {
    eventually("a clock that has jumped", || {
        let ahead = ahead(&time()?)?;
        ((ahead - seconds).abs() < 120).then_some(())
    });
}

/// The places to which the clock jumps, in seconds: forward, back, further back than where it was
/// when everything was started, and to the true time again.
const JUMPS: [i64; 5] = [3600, 0, -3600, -7200, 0];

#[test]
fn a_gateway_whose_clock_jumps_refuses_what_is_revoked_in_time() {
    if on_kong() {
        return println!("left out: this row is about Envoy");
    }
    let clock = Clock::new();
    let launcher = clock.launcher();
    let with = |setup: Setup| setup.launched_by(&launcher);
    let bed = Bed::with(Admin::start(), with, |target| chain(&remembering(target)));
    bed.settle();
    let mut worst: Option<crate::table::Late> = None;
    let answers = under_load(bed.address(), cases(), |load| {
        for (number, jump) in JUMPS.into_iter().enumerate() {
            clock.set(jump);
            until_ahead(jump, || {
                let date = RawRequest::get("/").send(bed.address()).header("date")?;
                date.split(' ').nth(4).map(str::to_owned)
            });
            let late = revoked_after_jump(&bed, load, number);
            worst = Some(worst.filter(|worst| worst.measured > late.measured).unwrap_or(late));
        }
    });
    let done = "the clock of the gateway jumps by an hour forward and back, to two hours before its \
                start, and to the true time; after each jump a key is deleted";
    let row = Row::new(PART, done, on("SQLite")).answers(answers);
    row.late(worst.expect("a measurement")).report();
}

/// Deletes a key that the gateway knows, and waits for its end.
fn revoked_after_jump(bed: &Bed, load: &Load, number: usize) -> crate::table::Late {
    let (name, key) = (format!("jumper-{number}"), format!("key-of-jumper-{number}"));
    bed.admin.consumer(&name, &key, &["portal"]);
    let jumper = request(&key, "portal");
    eventually("a key in the cache", || {
        (0..16).all(|_| jumper.send(bed.address()).status() == 200).then_some(())
    });
    load.more(length(50, 1000));
    bed.revoke(&format!("/consumers/{name}"), &jumper, 401)
}

/// The service that `cargo` has compiled for its own tests, if it is linked dynamically.
fn dynamic_service() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let service = test.parent()?.parent()?.join("gatehouse-admin");
    let bytes = std::fs::read(&service).ok()?;
    let interpreter = b"/ld-linux";
    bytes.windows(interpreter.len()).any(|window| window == interpreter).then_some(service)
}

#[test]
fn a_service_whose_clock_jumps_loses_no_write_and_misleads_no_gateway() {
    let clock = Clock::new();
    let Some(service) = dynamic_service() else {
        // `make test` and `make faults` make it before this suite.
        return println!("left out: `cargo build --profile tool -p gatehouse-admin` has made none");
    };
    let bed = Bed::start(Admin::launched_as(&clock.launcher(), &service), remembering);
    let (to, at) = (bed.address(), bed.admin.address());
    let mut writers = None;
    let mut worst: Option<crate::table::Late> = None;
    let answers = under_load(to, cases(), |load| {
        writers = Some(Writers::run(at, 1, |writers| {
            for (number, jump) in JUMPS.into_iter().enumerate() {
                clock.set(jump);
                writers.more(20);
                // The header `Date` is renewed when a second has passed, so it does not go back.
                until_ahead(jump, || {
                    let log = bed.admin.log();
                    let (_, last) = log.rsplit_once("\"timestamp\":\"")?;
                    last.get(11..19).map(str::to_owned)
                });
                let late = revoked_after_jump(&bed, load, number);
                worst = Some(worst.filter(|worst| worst.measured > late.measured).unwrap_or(late));
            }
        }));
    });
    let (acknowledged, lost) = writers.expect("writers").lost(&bed.admin);
    let done = "the clock of the service makes the same jumps under requests and writes";
    let row = Row::new(PART, done, on("SQLite")).answers(answers).writes(acknowledged, lost);
    row.late(worst.expect("a measurement")).report();
}
