//! gatehouse-admin on SQLite: started, stopped, killed, and with an older database put back.

use super::client::RawRequest;
use super::process::Process;
use super::scratch::Scratch;
use super::wire::Message;
use super::{dist, eventually, free_address};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The variable that names the database of the service.
pub const DATABASE: &str = "GATEHOUSE_DATABASE_URL";

/// Returns the path of the program.
pub fn service() -> PathBuf {
    dist().join("gatehouse-admin")
}

/// Returns the words of a launcher, and the path of the program that follows it.
fn command(launcher: &[&str], program: &Path) -> Vec<String> {
    let words = launcher.iter().map(|word| (*word).to_owned());
    words.chain([program.display().to_string()]).collect()
}

/// A gatehouse-admin. Its address stays the same over a restart.
pub struct Admin {
    process: Option<Process>,
    address: SocketAddr,
    /// The command line, of which the first word is the path of a program.
    command: Vec<String>,
    environment: Vec<(String, String)>,
    token: Option<String>,
    scratch: Scratch,
}

impl Admin {
    /// Starts the service without tokens, as on a developer's machine.
    pub fn start() -> Self {
        Self::launched(&[], None, &[])
    }

    /// Starts the service without tokens and with these further flags. `launcher` is a command
    /// that becomes the program which follows it, such as `env`; it may be empty. `database` stands
    /// in for the SQLite file of a test, if it is not `None`.
    pub fn launched(launcher: &[&str], database: Option<&str>, flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let command = command(launcher, &service());
        Self::run(Scratch::new("admin"), None, command, database, flags, Vec::new())
    }

    /// Starts the service with a token for people and one for gateways.
    pub fn with_tokens(admin: &str, gateway: &str) -> Self {
        Self::with_flags(admin, gateway, &[])
    }

    /// Starts the service with tokens and more flags.
    pub fn with_flags(admin: &str, gateway: &str, flags: &[&str]) -> Self {
        Self::with_environment(admin, gateway, flags, &[])
    }

    /// Starts the service with tokens, more flags, and these variables in its environment. One of
    /// them may name the database ([`DATABASE`]), which then is in no flag.
    pub fn with_environment(
        admin: &str,
        gateway: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let scratch = Scratch::new("admin");
        let file = |name, token| scratch.file(name, token).display().to_string();
        let mut tokens = vec![
            "--admin-token-file".to_owned(),
            file("admin-token", admin),
            "--gateway-token-file".to_owned(),
            file("gateway-token", gateway),
        ];
        tokens.extend(flags.iter().map(|&flag| flag.to_owned()));
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(own).collect();
        let token = Some(admin.to_owned());
        Self::run(scratch, token, command(&[], &service()), None, tokens, environment)
    }

    /// Starts another program in the service's place, by a command as in [`Admin::launched`].
    pub fn launched_as(launcher: &[&str], program: &Path) -> Self {
        let command = command(launcher, program);
        Self::run(Scratch::new("admin"), None, command, None, Vec::new(), Vec::new())
    }

    fn run(
        scratch: Scratch,
        token: Option<String>,
        mut command: Vec<String>,
        database: Option<&str>,
        more: Vec<String>,
        environment: Vec<(String, String)>,
    ) -> Self {
        // The port is free again when the service binds it; the system does not reuse it so soon.
        let address = free_address();
        let file = || format!("sqlite:{}", scratch.path().join("gatehouse.db").display());
        let database = database.map_or_else(file, str::to_owned);
        command.push("serve".to_owned());
        command.extend(["--listen".to_owned(), address.to_string()]);
        if !environment.iter().any(|(name, _)| name == DATABASE) {
            command.extend(["--database-url".to_owned(), database]);
        }
        command.extend(more);
        let mut admin = Self { process: None, address, command, environment, token, scratch };
        admin.resume();
        admin
    }

    /// The address that the service listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of the database, which may be written to while the service is stopped.
    pub fn database(&self) -> PathBuf {
        self.scratch.path().join("gatehouse.db")
    }

    /// The files of the database, as they are on the disk.
    pub fn database_files(&self) -> Vec<(String, Vec<u8>)> {
        let read = |name: &str| {
            Some((name.to_owned(), std::fs::read(self.scratch.path().join(name)).ok()?))
        };
        ["gatehouse.db", "gatehouse.db-wal", "gatehouse.db-shm"]
            .into_iter()
            .filter_map(read)
            .collect()
    }

    /// Stops the service in good order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop();
        }
    }

    /// Kills the service, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops the service where it is (SIGSTOP): it keeps its connections and answers nothing.
    pub fn hang(&self) {
        self.process.as_ref().expect("a service that runs").signal("STOP");
    }

    /// Lets a service that hangs go on (SIGCONT).
    pub fn go_on(&self) {
        self.process.as_ref().expect("a service that runs").signal("CONT");
    }

    /// The process id of the service. Panics if it does not run.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("a service that runs").id()
    }

    /// The log so far, or nothing while the service does not run.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Starts the service again, and waits until it answers.
    pub fn resume(&mut self) {
        let (program, arguments) = self.command.split_first().expect("a program");
        let program = Path::new(program);
        let mut process = Process::with_environment(
            "gatehouse-admin",
            program,
            arguments,
            &self.environment,
            &self.scratch,
        );
        eventually("gatehouse-admin that answers", || {
            assert!(!process.ended(), "gatehouse-admin ended:\n{}", process.log());
            let status = self.request(RawRequest::get("/status")).try_send(self.address);
            status.is_ok_and(|answer| answer.status() == 200).then_some(())
        });
        self.process = Some(process);
    }

    /// Stops the service, copies its database for [`Admin::put_back`], and starts it again.
    pub fn backup(&mut self) {
        self.stop();
        self.copy_database("gatehouse.db", "backup.db");
        self.resume();
    }

    /// Replaces the database by the copy, as an operator does who restores a backup.
    pub fn put_back(&mut self) {
        self.stop();
        self.copy_database("backup.db", "gatehouse.db");
        self.resume();
    }

    fn copy_database(&self, from: &str, to: &str) {
        for suffix in ["", "-wal", "-shm"] {
            let path =
                |name: &str| -> PathBuf { self.scratch.path().join(format!("{name}{suffix}")) };
            let _ = std::fs::remove_file(path(to));
            if path(from).exists() {
                std::fs::copy(path(from), path(to)).expect("a copy of the database");
            }
        }
    }

    /// Sends a `POST` of a JSON body that must succeed, and returns the body of the response.
    #[track_caller]
    pub fn create(&self, path: &str, body: &Value) -> Value {
        let request =
            RawRequest::post(path, body.to_string()).header("content-type", "application/json");
        let answer = self.send(request);
        assert_eq!(answer.status(), 201, "POST {path} {body}: {}", answer.text());
        answer.json()
    }

    /// Creates a consumer with an API key and App IDs, and returns its id.
    #[track_caller]
    pub fn consumer(&self, name: &str, key: &str, app_ids: &[&str]) -> String {
        let consumer = self.create("/consumers", &json!({"username": name}));
        self.create(&format!("/consumers/{name}/key-auth"), &json!({"key": key}));
        for app_id in app_ids {
            self.create(&format!("/consumers/{name}/appids"), &json!({"appid": app_id}));
        }
        consumer["id"].as_str().expect("an id").to_owned()
    }

    /// Sends a `DELETE` that must succeed.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        let answer = self.send(RawRequest::new("DELETE", path));
        assert_eq!(answer.status(), 204, "DELETE {path}: {}", answer.text());
    }

    /// Sends a request with the admin token.
    #[track_caller]
    pub fn send(&self, request: RawRequest) -> Message {
        self.request(request).send(self.address)
    }

    fn request(&self, request: RawRequest) -> RawRequest {
        let request = request.header("host", self.address.to_string());
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}
