//! Starting and stopping the program.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use patience::eventually;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Answer, exchange, request};
use crate::postgres::Postgres;

/// A running gatehouse-admin. Dropping it kills the process.
pub(crate) struct Program {
    child: Mutex<Child>,
    pub(crate) address: SocketAddr,
    url: String,
    flags: Vec<String>,
    log: Arc<Mutex<String>>,
    /// The token that requests carry, if they carry one.
    token: Option<String>,
    _directory: Option<TempDir>,
}

impl Program {
    pub(crate) fn on_sqlite() -> Self {
        Self::on_sqlite_with(&[])
    }

    pub(crate) fn on_sqlite_with(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("gatehouse.db").display());
        let mut program = Self::start(&url, flags);
        program._directory = Some(directory);
        program
    }

    pub(crate) fn on_postgres() -> Self {
        Self::start(&Postgres::shared().database(), &[])
    }

    /// Starts the program and waits until it logs the address that it listens on.
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        Self::try_start(url, flags).unwrap_or_else(|error| panic!("not started: {error}"))
    }

    /// Like [`Program::start`], but returns what a program that does not start prints as the error.
    pub(crate) fn try_start(url: &str, flags: &[&str]) -> Result<Self, String> {
        let flags = [&["--database-url", url], flags].concat();
        Self::run(command(&flags), url, flags.get(2..).unwrap_or_default())
    }

    /// Starts the program so that a write beyond `RLIMIT_FSIZE`, which a test sets, fails and does
    /// not end it.
    pub(crate) fn start_with_a_disk_to_fill(url: &str) -> Self {
        let plain = command(&["--database-url", url]);
        let mut command = Command::new("env");
        command.args(["-i", "--ignore-signal=XFSZ"]).arg(plain.get_program());
        command.args(plain.get_args()).stdin(Stdio::null());
        Self::run(command, url, &[]).unwrap_or_else(|error| panic!("not started: {error}"))
    }

    fn run(mut command: Command, url: &str, flags: &[&str]) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                let mut error = String::new();
                child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
                child.wait().unwrap();
                return Err(error);
            };
            let line: Value = serde_json::from_str(&line).expect("logs are JSON");
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().parse().unwrap();
            }
        };
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let child = Mutex::new(child);
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Ok(Self { child, address, url: url.into(), flags, log, token: None, _directory: None })
    }

    /// Starts a second program on the database of this one.
    pub(crate) fn beside(&self, flags: &[&str]) -> Self {
        Self::start(&self.url, flags)
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Ends the program and returns all bytes that its SQLite database left on the disk.
    pub(crate) fn end_and_read_files(&self) -> Vec<u8> {
        self.terminate();
        self.wait();
        let database = Path::new(self.url.strip_prefix("sqlite:").unwrap());
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(database.parent().unwrap()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        bytes
    }

    /// Returns the flags that the program was started with.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Ends the program with SIGKILL.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends SIGTERM to the program.
    pub(crate) fn terminate(&self) {
        let process = self.process().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    }

    /// Waits for the end of the program.
    pub(crate) fn wait(&self) -> ExitStatus {
        eventually("end of the program", || self.child.lock().unwrap().try_wait().unwrap())
    }

    // === Requests ===

    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = headers.to_vec();
        if let Some(token) = &token {
            headers.push(("authorization", token));
        }
        exchange(self.address, &request(method, target, &headers, body)).expect("an answer")
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], b"")
    }

    pub(crate) fn form(&self, method: &str, target: &str, body: &str) -> Answer {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send(method, target, &kind, body.as_bytes())
    }

    pub(crate) fn json(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.send(
            method,
            target,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    }

    // === Fixtures of most rules ===

    /// Creates a consumer, and returns its id.
    pub(crate) fn consumer(&self, username: &str) -> String {
        let made = self.json("POST", "/consumers", &serde_json::json!({ "username": username }));
        text(&made.expect(201)["id"])
    }

    /// Creates an App ID, and returns its JSON.
    pub(crate) fn app_id(&self, consumer: &str, app_id: &str) -> Value {
        self.form("POST", &format!("/consumers/{consumer}/appids"), &format!("appid={app_id}"))
            .expect(201)
    }

    /// Creates an API key, and returns its JSON.
    pub(crate) fn key(&self, consumer: &str, key: &str) -> Value {
        self.form("POST", &format!("/consumers/{consumer}/key-auth"), &format!("key={key}"))
            .expect(201)
    }

    /// Adds a consumer to a group, and returns the JSON of the membership.
    pub(crate) fn group(&self, consumer: &str, group: &str) -> Value {
        self.form("POST", &format!("/consumers/{consumer}/acls"), &format!("group={group}"))
            .expect(201)
    }

    /// Returns the number of the newest change.
    pub(crate) fn seq(&self) -> u64 {
        self.get("/changes").expect(200)["next"].as_u64().unwrap()
    }

    pub(crate) fn epoch(&self) -> String {
        text(&self.get("/changes").expect(200)["epoch"])
    }

    /// Returns the changes after `since`, each as `entity operation key`.
    pub(crate) fn changes(&self, since: u64) -> Vec<String> {
        let page = self.get(&format!("/changes?since={since}&limit=10000")).expect(200);
        assert_eq!(page["reset"], false);
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| {
            format!("{} {} {}", text(&row["entity"]), text(&row["operation"]), text(&row["key"]))
        })
        .collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The command `serve` on a port that the system chooses, with an empty environment.
pub(crate) fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-admin"));
    command.env_clear().arg("serve");
    if !flags.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(flags).stdin(Stdio::null());
    command
}

/// Returns the text of a JSON string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Returns SHA-256 in lower-case hex.
pub(crate) fn digest(key: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
