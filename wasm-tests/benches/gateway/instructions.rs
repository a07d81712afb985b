//! Instructions that a request adds to a gateway's worker, counted by callgrind.
//!
//! `scripts/bench` starts Envoy under `valgrind --tool=callgrind`. A dump of the counters gives the
//! instructions of each thread since the last dump. The worker is the thread with the most; the
//! main thread and V8's threads are left out. Each request is also sent to a listener without
//! filters, so that a difference is that of one and the same request.
//!
//! What a worker does by the clock, such as the ticks of filters, falls into some counts and only
//! ever adds. So the counts are many and short, and the least of them is the figure. Other programs
//! on the machine do not change it. `kong_instructions.rs` counts those of a Kong in the same way.

use crate::case::{Case, Kind, plain};
use crate::fixture::Fixture;
use crate::run::{connections, listeners};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_tests::real::{Connection, Envoy, Setup};

/// The number of counts' requests before the first count. Caches are filled by then.
const WARM_UP: usize = 6;
/// The number of counts of each case, unless `GATEHOUSE_BENCH_ROUNDS` sets another one.
pub(crate) const ROUNDS: usize = 12;
/// The most counts of one of the costliest cases, which are many.
const WORST_ROUNDS: usize = 5;

/// The most VMs of one Envoy. An Envoy with one worker has up to three copies of each, and for
/// each V8 reserves 8 GB of addresses, of which valgrind has 128.
const VMS: usize = 4;

/// Returns, for each case, the instructions that one request adds, once for each round. The least
/// is the figure. A chain with more than [`VMS`] VMs is not measured.
pub(crate) fn measure(fixture: &Fixture, cases: &mut [Case], rounds: usize) -> Vec<Vec<f64>> {
    let dumps = dumps();
    let mut figures = vec![Vec::new(); cases.len()];
    let mut left: Vec<(&mut Case, &mut Vec<f64>)> =
        cases.iter_mut().zip(&mut figures).filter(|(case, _)| files(case).len() <= VMS).collect();
    while !left.is_empty() {
        let mut group = Vec::new();
        let mut loaded = BTreeSet::new();
        let mut later = Vec::new();
        for (case, figures) in left {
            let with: BTreeSet<PathBuf> = loaded.union(&files(case)).cloned().collect();
            if with.len() <= VMS {
                loaded = with;
                group.push((case, figures));
            } else {
                later.push((case, figures));
            }
        }
        one_envoy(fixture, &dumps, group, rounds);
        left = later;
    }
    figures
}

/// The directory of callgrind's dumps.
pub(crate) fn dumps() -> PathBuf {
    let dumps = std::env::var_os("GATEHOUSE_BENCH_DUMPS").map(PathBuf::from);
    dumps.expect("the directory of callgrind's dumps: use scripts/bench")
}

/// The modules of a case. Filters from one file share a VM.
fn files(case: &Case) -> BTreeSet<PathBuf> {
    case.links.iter().filter_map(|link| link.file()).collect()
}

/// Measures these cases in one Envoy.
fn one_envoy(
    fixture: &Fixture,
    dumps: &Path,
    mut cases: Vec<(&mut Case, &mut Vec<f64>)>,
    rounds: usize,
) {
    let setup = Setup::new(fixture.upstream(), Vec::new());
    let setup = listeners(setup, fixture, cases.iter().map(|(case, _)| &**case));
    let envoy = Envoy::start(&setup);
    let counter = Counter { pid: envoy.id(), dumps };
    let mut connections = connections(cases.len(), |name| envoy.address(name));
    let mut without = Connection::open(envoy.address("main")).expect("a connection");
    in_turn(&counter, &mut cases, &mut connections, &mut without, rounds);
}

/// Counts these cases of one gateway in turn, each on its connection, and the same requests on the
/// connection `without`, to the listener without filters.
pub(crate) fn in_turn(
    counter: &Counter,
    cases: &mut [(&mut Case, &mut Vec<f64>)],
    connections: &mut [Connection],
    without: &mut Connection,
    rounds: usize,
) {
    for ((case, _), connection) in cases.iter_mut().zip(&mut *connections) {
        send(case, connection, case.before.max(WARM_UP * case.counted), false);
    }
    counter.vgdb(&["instrumentation", "on"]);
    let mut bare = vec![f64::INFINITY; cases.len()];
    // The first round translates the gateway's code for valgrind and does not count.
    for round in 0..=rounds {
        for (((case, figures), connection), bare) in
            cases.iter_mut().zip(&mut *connections).zip(&mut bare)
        {
            if case.kind == Kind::Worst && round > WORST_ROUNDS {
                continue;
            }
            let requests = case.counted;
            counter.take();
            send(case, connection, requests, false);
            let filtered = counter.take() as f64 / requests as f64;
            send(case, without, requests, true);
            let plain = counter.take() as f64 / requests as f64;
            if round > 0 {
                figures.push(filtered);
                *bare = bare.min(plain);
            }
        }
    }
    for ((_, figures), bare) in cases.iter_mut().zip(bare) {
        figures.iter_mut().for_each(|figure| *figure -= bare);
    }
}

/// Sends requests. `bare` stands for the listener without filters, which answers 200 to them all. A
/// case without filters has a route of its own, and is compared with a plain request.
fn send(case: &mut Case, connection: &mut Connection, requests: usize, bare: bool) {
    for _ in 0..requests {
        let request = if bare && case.links.is_empty() { plain() } else { case.request() };
        let answer = connection.exchange(&request).expect("an answer");
        let expected = if bare { 200 } else { case.status };
        assert_eq!(answer.status(), expected, "{}: {}", case.name, answer.text());
    }
}

/// The counters of a gateway under callgrind.
pub(crate) struct Counter<'a> {
    /// The process id of the gateway.
    pub(crate) pid: u32,
    /// The directory of callgrind's dumps.
    pub(crate) dumps: &'a Path,
}

impl Counter<'_> {
    /// Returns the instructions of the busiest thread since the last call.
    fn take(&self) -> u64 {
        self.vgdb(&["dump"]);
        let files = std::fs::read_dir(self.dumps).expect("the dumps").flatten();
        let counts = files.map(|file| {
            let total = total(&file.path());
            std::fs::remove_file(file.path()).expect("a dump");
            total
        });
        counts.max().expect("a dump")
    }

    fn vgdb(&self, command: &[&str]) {
        let pid = format!("--pid={}", self.pid);
        let output = Command::new("vgdb").arg(pid).args(command).output().expect("vgdb");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The number in the line `summary:` or `totals:` of a dump.
fn total(file: &Path) -> u64 {
    let dump = String::from_utf8_lossy(&std::fs::read(file).expect("a dump")).into_owned();
    let mut lines = dump.lines();
    let number = lines.find_map(|l| l.strip_prefix("summary: ").or(l.strip_prefix("totals: ")));
    number.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}
