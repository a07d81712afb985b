//! The service as a process, and what it uses.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running gatehouse-admin. Dropping it kills the process.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The time from the start of the process until it listens.
    pub(crate) started_in: Duration,
}

impl Service {
    /// Starts the service on a port that the system chooses.
    pub(crate) fn start(url: &str, redis: Option<&str>) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-admin"));
        command.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--log-level", "info"]);
        command.args(["--database-url", url]);
        if let Some(redis) = redis {
            command.args(["--redis-url", redis]);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = loop {
            let line = lines.next().expect("the service starts").expect("a line");
            let line: Value = serde_json::from_str(&line).expect("logs are JSON");
            if line["message"] == "listening" {
                break line["address"].as_str().expect("a text").parse().expect("an address");
            }
        };
        let started_in = begun.elapsed();
        // The service would block on its output if nobody read it.
        std::thread::spawn(move || for _ in lines.map_while(Result::ok) {});
        Self { child, address, started_in }
    }

    /// Returns the present and the largest resident memory of the process, in KiB.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a process of Linux");
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).expect("a number of KiB")
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Makes the present memory the largest one, from which [`Service::memory`] goes on.
    pub(crate) fn forget_largest_memory(&self) {
        // Where this is not allowed, the largest memory is that since the start.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// Returns the processor time of the service so far.
    pub(crate) fn processor(&self) -> Duration {
        processor(self.child.id())
    }

    /// Ends the service as an operator does, and waits for its end.
    pub(crate) fn stop(mut self) {
        let process = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &process]).status().expect("kill");
        assert!(told.success() && self.child.wait().expect("an end").success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the processor time of all processes of the PostgreSQL server at `url`, which is zero for
/// SQLite. The server is found by the directory of its socket in the URL, which it has for itself.
pub(crate) fn database_processor(url: &str) -> Duration {
    postgres(url).map_or(Duration::ZERO, |server| {
        children(server).into_iter().chain([server]).map(processor).sum()
    })
}

/// Returns the process of the PostgreSQL server at `url`.
fn postgres(url: &str) -> Option<u32> {
    let (_, directory) = url.split_once("?host=")?;
    let file = std::fs::read_to_string(format!("{directory}/data/postmaster.pid")).ok()?;
    file.lines().next()?.parse().ok()
}

fn children(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let of: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (of == parent).then_some(process)
    })
    .collect()
}

/// Returns the processor time of a process and of its children that have ended.
fn processor(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of a program may hold anything; the numbers come after it.
    let numbers = stat.rsplit_once(") ").map_or("", |(_, numbers)| numbers).split(' ');
    let ticks: u64 = numbers.skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    // Linux tells hundredths of a second, whatever its clock.
    Duration::from_millis(ticks * 10)
}
