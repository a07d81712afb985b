//! A child process, ended by its pid, whose log is shown when a test fails.

use super::{Scratch, eventually};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running program.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with these variables in its environment, and with its output in a file in
    /// `scratch`.
    pub(super) fn with_environment<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
        scratch: &Scratch,
    ) -> Self {
        assert!(program.is_file(), "{} is not there: run `make build`", program.display());
        let log = scratch.path().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("a log file");
        // A killed test run must leave no program behind; `setpriv` becomes the program.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments);
        // The service's options have twins in the environment, which are removed so that the test
        // decides.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("GATEHOUSE_") {
                command.env_remove(variable);
            }
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a log file")).stderr(output);
        let child =
            command.spawn().unwrap_or_else(|e| panic!("setpriv {}: {e}", program.display()));
        Self { name, child, log }
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `STOP`, and returns once the system has it.
    pub(super) fn signal(&self, name: &str) {
        let (name, pid) = (format!("-{name}"), self.child.id().to_string());
        let sent = Command::new("kill").args([&name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name} {pid}");
    }

    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Returns `true` if the program has ended by itself.
    pub(super) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks the program to end, and waits until it has.
    pub(super) fn stop(&mut self) {
        self.signal("TERM");
        eventually("end of the process after SIGTERM", || self.ended().then_some(()));
    }

    /// Kills the program, as a power cut would.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
            eprintln!("--- the last of {}'s log ---\n{}\n---", self.name, tail.join("\n"));
        }
    }
}
