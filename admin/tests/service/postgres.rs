//! A PostgreSQL server of our own, in a temporary directory.
//!
//! It listens on a socket in that directory only, so it needs no port and nobody else reaches it.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use patience::{Patience, eventually};

pub(crate) struct Postgres {
    programs: PathBuf,
    directory: PathBuf,
    keeper: Child,
    /// The keeper stops the server and clears up when this closes, however the tests end.
    life: Option<ChildStdin>,
    databases: AtomicU32,
}

/// PostgreSQL refuses to run as root.
const KEEPER: &str = r#"
    "$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --no-sync >"$2/log" 2>&1 || exit 1
    while :; do
        "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off \
            -c max_connections=400 -c shared_buffers=32MB >>"$2/log" 2>&1 &
        server=$!
        read -r order || order=stop
        kill -QUIT $server
        wait $server
        if [ "$order" != restart ]; then break; fi
        read -r order
    done
    rm -rf "$2"
"#;

impl Postgres {
    /// One server for all tests that do not stop it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let programs = programs();
        let directory = tempfile::tempdir().unwrap().keep();
        let mut keeper = match owner() {
            None => Command::new("sh"),
            Some((user, group)) => {
                std::os::unix::fs::chown(&directory, Some(user), Some(group)).unwrap();
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                command.args(["--clear-groups", "sh"]);
                command
            }
        };
        let mut keeper = keeper
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &directory])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` and, for root, `setpriv` exist");
        let life = keeper.stdin.take();
        let server = Self { programs, directory, keeper, life, databases: AtomicU32::new(0) };
        server.wait_until_ready();
        server
    }

    /// The URL of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("psql", &["-d", "postgres", "-c", &format!("CREATE DATABASE {name}")]);
        format!("postgres://postgres@localhost/{name}?host={}", self.directory.display())
    }

    /// Runs one of PostgreSQL's own programs against the server.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.client(program).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stops the server; it stays away until [`Postgres::come_back`].
    pub(crate) fn go_away(&mut self) {
        self.order("restart");
        eventually("PostgreSQL that has stopped", || (!self.is_ready()).then_some(()));
    }

    pub(crate) fn come_back(&mut self) {
        self.order("go");
        self.wait_until_ready();
    }

    fn order(&mut self, order: &str) {
        use std::io::Write as _;
        writeln!(self.life.as_mut().unwrap(), "{order}").unwrap();
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env_clear().arg("-h").arg(&self.directory).args(["-U", "postgres"]);
        command
    }

    fn is_ready(&self) -> bool {
        let ready = self.client("pg_isready").arg("-q").status().unwrap();
        ready.success()
    }

    fn wait_until_ready(&self) {
        let mut patience = Patience::new();
        while !self.is_ready() {
            if patience.is_over() {
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("PostgreSQL does not start: {log}");
            }
            patience.pause();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.life.take());
        let _ = self.keeper.wait();
    }
}

/// Where the newest installed server's programs are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(|path| version(path))
        .map(|path| path.join("bin"))
        .expect("PostgreSQL's server is needed for these tests: `make setup` installs it")
}

/// Who shall run the server, if we are root.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find(|user| id(&["-u", user]).is_some())?;
    Some((id(&["-u", user])?, id(&["-g", user])?))
}
