//! A PostgreSQL server for the tests, in a temporary directory.
//!
//! The server listens only on a socket in that directory, so it needs no port and no other program
//! can reach it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::keeper::Keeper;

pub(crate) struct Postgres {
    programs: PathBuf,
    directory: PathBuf,
    keeper: Keeper,
    databases: AtomicU32,
}

/// The script for [`Keeper`]. Its arguments are the directories of the programs and of the server.
const SCRIPT: &str = r#"
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
    /// Returns the server that all tests use which do not stop it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let programs = programs();
        let directory = tempfile::tempdir().unwrap().keep();
        // PostgreSQL refuses to run as root.
        let mut command = match owner() {
            None => Command::new("sh"),
            Some((user, group)) => {
                std::os::unix::fs::chown(&directory, Some(user), Some(group)).unwrap();
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                command.args(["--clear-groups", "sh"]);
                command
            }
        };
        command.args(["-c", SCRIPT, "keeper"]).args([&programs, &directory]);
        command.current_dir(&directory);
        let keeper = Keeper::start("PostgreSQL", command);
        let server = Self { programs, directory, keeper, databases: AtomicU32::new(0) };
        server.wait_until_ready();
        server
    }

    /// Creates an empty database, and returns its URL.
    pub(crate) fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("psql", &["-d", "postgres", "-c", &format!("CREATE DATABASE {name}")]);
        format!("postgres://postgres@localhost/{name}?host={}", self.directory.display())
    }

    /// Runs a client program of PostgreSQL, and returns its output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.client(program).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stops the server until [`Postgres::come_back`].
    pub(crate) fn go_away(&mut self) {
        self.keeper.pause();
        self.keeper.wait_while(|| self.is_ready());
    }

    pub(crate) fn come_back(&mut self) {
        self.keeper.resume();
        self.wait_until_ready();
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
        self.keeper.wait_until(|| self.is_ready(), &self.directory.join("log"));
    }
}

/// Returns the directory with the programs of the newest installed server.
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

/// Returns the ids of the user and the group that run the server, if the tests run as root.
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
