//! A Redis server of our own, in a temporary directory.
//!
//! It listens on a socket in that directory only, so it needs no port and nobody else reaches it.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use patience::{Patience, eventually};

pub(crate) struct Redis {
    directory: PathBuf,
    keeper: Child,
    /// The keeper stops the server and clears up when this closes, however the tests end.
    life: Option<ChildStdin>,
    databases: AtomicU32,
}

const KEEPER: &str = r#"
    while :; do
        "$1/redis-server" --port 0 --unixsocket "$1/socket" --dir "$1" --save "" --appendonly no \
            --databases 1000 --loglevel warning >>"$1/log" 2>&1 &
        server=$!
        read -r order || order=stop
        kill -KILL $server
        wait $server
        rm -f "$1/socket"
        if [ "$order" != restart ]; then break; fi
        read -r order
    done
    rm -rf "$1"
"#;

impl Redis {
    /// One server for all tests that do not stop it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap().keep();
        std::os::unix::fs::symlink(program(), directory.join("redis-server")).unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&directory)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` exists");
        let life = keeper.stdin.take();
        let server = Self { directory, keeper, life, databases: AtomicU32::new(0) };
        server.wait_until_ready();
        server
    }

    /// The URL of an empty database.
    pub(crate) fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        format!("redis+unix://{}?db={number}", self.directory.join("socket").display())
    }

    /// Kills the server; it stays away until [`Redis::come_back`], and has forgotten everything then.
    pub(crate) fn go_away(&mut self) {
        self.order("restart");
        eventually("Redis that has stopped", || (!self.is_ready()).then_some(()));
    }

    pub(crate) fn come_back(&mut self) {
        self.order("go");
        self.wait_until_ready();
    }

    fn order(&mut self, order: &str) {
        writeln!(self.life.as_mut().unwrap(), "{order}").unwrap();
    }

    fn is_ready(&self) -> bool {
        UnixStream::connect(self.directory.join("socket")).is_ok()
    }

    fn wait_until_ready(&self) {
        let mut patience = Patience::new();
        while !self.is_ready() {
            if patience.is_over() {
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("Redis does not start: {log}");
            }
            patience.pause();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.life.take());
        let _ = self.keeper.wait();
    }
}

/// The server. Debian's tools for it are the same program, which goes by the name that it is called by.
fn program() -> &'static Path {
    ["/usr/bin/redis-server", "/usr/local/bin/redis-server", "/usr/bin/redis-check-rdb"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
        .expect("a Redis server is needed for these tests: `make setup` installs it")
}
