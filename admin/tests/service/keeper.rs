//! A server process that a test can stop and start, and that ends with the tests in any case.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use patience::{Patience, eventually};

/// A shell script that runs a server.
///
/// The script stops its server when a line arrives on standard input. After `restart`, it waits for
/// another line and starts the server again. At the end of standard input, which comes however the
/// tests end, it stops the server and deletes its directory.
pub(crate) struct Keeper {
    name: &'static str,
    child: Child,
    orders: Option<ChildStdin>,
}

impl Keeper {
    /// Runs `command`, which is a shell with the script as its arguments.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Self {
        let mut child = command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` and, for root, `setpriv` exist");
        let orders = child.stdin.take();
        Self { name, child, orders }
    }

    /// Tells the script to stop the server until [`Keeper::resume`].
    pub(crate) fn pause(&mut self) {
        self.order("restart");
    }

    /// Tells the script to start the server again.
    pub(crate) fn resume(&mut self) {
        self.order("go");
    }

    /// Waits until the server has stopped.
    pub(crate) fn wait_while(&self, is_ready: impl Fn() -> bool) {
        eventually(&format!("{} that has stopped", self.name), || (!is_ready()).then_some(()));
    }

    /// Waits until the server is ready. A failure shows the file `log`.
    pub(crate) fn wait_until(&self, is_ready: impl Fn() -> bool, log: &Path) {
        let mut patience = Patience::new();
        while !is_ready() {
            if patience.is_over() {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                panic!("{} does not start: {log}", self.name);
            }
            patience.pause();
        }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
