//! A Redis server for the tests, in a temporary directory.
//!
//! The server listens only on a socket in that directory, so it needs no port and no other program
//! can reach it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::keeper::Keeper;

pub(crate) struct Redis {
    directory: PathBuf,
    keeper: Keeper,
    databases: AtomicU32,
}

/// The script for [`Keeper`]. Its argument is the directory of the server.
const SCRIPT: &str = r#"
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
    /// Returns the server that all tests use which do not stop it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap().keep();
        std::os::unix::fs::symlink(program(), directory.join("redis-server")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "keeper"]).arg(&directory);
        let keeper = Keeper::start("Redis", command);
        let server = Self { directory, keeper, databases: AtomicU32::new(0) };
        server.wait_until_ready();
        server
    }

    /// Returns the URL of an empty database.
    pub(crate) fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        format!("redis+unix://{}?db={number}", self.socket().display())
    }

    /// Kills the server until [`Redis::come_back`]. It forgets everything.
    pub(crate) fn go_away(&mut self) {
        self.keeper.pause();
        self.keeper.wait_while(|| self.is_ready());
    }

    pub(crate) fn come_back(&mut self) {
        self.keeper.resume();
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        self.keeper.wait_until(|| self.is_ready(), &self.directory.join("log"));
    }

    fn is_ready(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }
}

/// Returns the path of the server. Debian's tools for Redis are links to the server, which acts by
/// the name of the link.
fn program() -> &'static Path {
    ["/usr/bin/redis-server", "/usr/local/bin/redis-server", "/usr/bin/redis-check-rdb"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
        .expect("a Redis server is needed for these tests: `make setup` installs it")
}
