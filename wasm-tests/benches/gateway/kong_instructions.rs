//! Instructions that a request adds to a Kong, counted by callgrind.
//!
//! The cases are those of `kong.rs`, all in one Kong. It has neither a master nor a second worker
//! (`nginx_main_master_process = off`), so that one process serves and is counted. Kong finds its
//! `nginx` in a directory of this module, where a script runs it under valgrind.

use crate::case::Case;
use crate::fixture::Fixture;
use crate::instructions::{self, Counter};
use crate::kong;
use crate::run::connections;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use wasm_tests::real::{Connection, Kong};

/// Returns the cases and, for each, the instructions that one request adds, once for each round.
/// The least is the figure.
pub(crate) fn measure(
    fixture: &Fixture,
    rounds: usize,
    wanted: impl Fn(&Case) -> bool,
) -> (Vec<Case>, Vec<Vec<f64>>) {
    let dumps = instructions::dumps();
    let (mut cases, nginx) = kong::wanted_cases(fixture, wanted);
    let mut files = kong::files(fixture, &cases);
    files.set("nginx_main_master_process", "off");
    let counted = counted(&nginx, &dumps);
    files.environment.push(("KONG_OPENRESTY_PATH".to_owned(), counted));
    let kong = Kong::run(&files);
    let counter = Counter { pid: kong.id(), dumps: &dumps };
    let mut figures = vec![Vec::new(); cases.len()];
    let mut all: Vec<_> = cases.iter_mut().zip(&mut figures).collect();
    let mut with = connections(all.len(), |name| kong.address(name));
    let mut without = Connection::open(kong.address("main")).expect("a connection");
    instructions::in_turn(&counter, &mut all, &mut with, &mut without, rounds);
    (cases, figures)
}

/// Makes a directory in which Kong finds an `nginx` that `scripts/bench` counts, and returns its
/// path.
fn counted(nginx: &Path, dumps: &Path) -> String {
    let counted = std::env::var("GATEHOUSE_BENCH_COUNTED");
    let counted = counted.expect("a program that runs others under callgrind: use scripts/bench");
    let openresty = dumps.with_file_name("openresty");
    let folder = openresty.join("nginx/sbin");
    std::fs::create_dir_all(&folder).expect("a directory for nginx");
    let nginx = nginx.display();
    // Kong also asks nginx for its version (`-v`), and tells a running one to end (`-s`).
    let script = format!(
        "#!/bin/sh\n\
         case \" $* \" in *\" -v \"* | *\" -V \"* | *\" -t \"* | *\" -s \"*) exec '{nginx}' \"$@\" ;; esac\n\
         exec '{counted}' '{nginx}' \"$@\"\n"
    );
    let file = folder.join("nginx");
    std::fs::write(&file, script).expect("a script");
    std::fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("a program");
    openresty.display().to_string()
}
