//! PostgreSQL and Redis that ask for passwords, and a service that knows them.

use crate::installation::{KNOWN_TO_THE_SERVICE, OF_THE_SERVICE, fill, span_recorder};
use crate::places::Places;
use crate::planted::Planted;
use crate::postgres::Postgres;
use crate::process::file;
use crate::redis::Redis;
use crate::service::{asked, remembered};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use wasm_tests::real::{Admin, DATABASE, RawRequest, Scratch, eventually, service};

const ROLE: &str = "gatehouse";
pub const PASSWORDS: [&str; 2] = ["password of the database", "password of Redis"];

/// A PostgreSQL whose role of the service has a password (SCRAM), and which logs each statement with
/// its parameters.
struct Database {
    server: Postgres,
    directory: PathBuf,
    name: String,
}

impl Database {
    fn start(password: &str) -> Self {
        let mut server = Postgres::start();
        let url = server.database();
        let (address, directory) = url.split_once("?host=").expect("a directory");
        let (_, name) = address.rsplit_once('/').expect("a name");
        let (name, directory) = (name.to_owned(), PathBuf::from(directory));
        for statement in [
            &format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'"),
            &format!("ALTER DATABASE {name} OWNER TO {ROLE}"),
            "ALTER SYSTEM SET log_statement = 'all'",
        ] {
            server.run("psql", &["-d", "postgres", "-c", statement]);
        }
        let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
        std::fs::write(directory.join("data/pg_hba.conf"), rules).expect("the rules of access");
        server.go_away();
        server.come_back();
        Self { server, directory, name }
    }

    /// Returns the address of the database for somebody with this password.
    fn url(&self, password: &str) -> String {
        let (name, directory) = (&self.name, self.directory.display());
        format!("postgres://{ROLE}:{password}@localhost/{name}?host={directory}")
    }

    /// Gives the role another password, and ends its connections.
    fn change_password(&self, password: &str) {
        // What an administrator types here is in PostgreSQL's log otherwise.
        let quiet = "SET log_statement = 'none'";
        let change = format!("ALTER ROLE {ROLE} PASSWORD '{password}'");
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"
        );
        let commands = ["-d", "postgres", "-c", quiet, "-c", &change, "-c", &end];
        self.server.run("psql", &commands);
    }
}

/// Sends commands to Redis and returns all that it answers.
fn ask_redis(socket: &str, commands: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("Redis");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    stream.write_all(format!("{commands}QUIT\r\n").as_bytes()).expect("a command");
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("an answer");
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns all that is in the files below `folder`.
fn contents(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all.extend(contents(&entry.path())),
            Ok(kind) if kind.is_file() => {
                all.extend(std::fs::read(entry.path()).unwrap_or_default());
            }
            _ => {}
        }
    }
    all
}

/// Returns what a service says that ends at once, because this address of the database is wrong.
fn refused(database: &str) -> Vec<u8> {
    let mut command = Command::new("timeout");
    command.arg("60").arg(service());
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "debug"]);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("GATEHOUSE_") {
            command.env_remove(variable);
        }
    }
    let output = command.env(DATABASE, database).output().expect("gatehouse-admin");
    assert!(!output.status.success(), "it serves with a wrong password: {output:?}");
    [output.stdout, output.stderr].concat()
}

/// Adds to a counter, which is in Redis, and returns the status.
fn count(admin: &Admin) -> u16 {
    let start =
        3600 * (std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_secs() / 3600);
    let increment = json!({"key": "fiona", "window_start": start, "window": 3600, "by": 1});
    let body = json!({"increments": [increment]}).to_string();
    admin
        .send(RawRequest::post("/counters", body).header("content-type", "application/json"))
        .status()
}

/// Waits until the database and Redis serve the service, or fail it, as said.
fn until(what: &str, admin: &Admin, database: bool, redis: bool) {
    eventually(what, || {
        let serves = admin.send(RawRequest::get("/consumers")).status() == 200;
        let counts = count(admin) == 200;
        (serves == database && counts == redis).then_some(())
    });
}

#[test]
fn no_password_of_a_database_appears_in_what_a_service_writes() {
    let mut planted = Planted::default();
    let known = OF_THE_SERVICE.into_iter().chain(KNOWN_TO_THE_SERVICE).chain(PASSWORDS);
    for name in known.chain(["password that is wrong"]).filter(|name| *name != "encryption key") {
        planted.plant(name);
    }
    planted.known("encryption key", &jose::hash::sha256_hex(b"the encryption key"));
    let [of_postgres, of_redis] = PASSWORDS.map(|name| planted.secret(name).to_owned());
    let wrong = planted.secret("password that is wrong").to_owned();
    let mut database = Database::start(&of_postgres);
    let redis = Redis::start();
    let socket = redis.database();
    let socket = socket.trim_start_matches("redis+unix://").split('?').next().expect("a path");
    let set = |password: &str| format!("CONFIG SET requirepass {password}\r\n");
    assert!(ask_redis(socket, &set(&of_redis)).starts_with("+OK"));
    let redis_url = |password: &str| format!("redis+unix://{socket}?db=0&pass={password}");

    let mut places = Places::default();
    let said = refused(&database.url(&wrong));
    let told = String::from_utf8_lossy(&said);
    assert!(told.contains("password authentication failed"), "{told}");
    places.add("gatehouse-admin: what it says with a wrong password for PostgreSQL", said);

    let scratch = Scratch::new("secrets");
    let key_file = scratch.file("encryption-key", planted.secret("encryption key"));
    let key_file = key_file.display().to_string();
    let (traces, spans) = span_recorder();
    let traces_url = format!("http://{}", traces.address());
    let flags = [
        "--log-level",
        "debug",
        "--encryption-key-file",
        &key_file,
        "--otlp-endpoint",
        &traces_url,
    ];
    let (admin_token, gateway_token) =
        (planted.secret("admin token"), planted.secret("gateway token"));
    let right =
        [(DATABASE, database.url(&of_postgres)), ("GATEHOUSE_REDIS_URL", redis_url(&of_redis))];
    let right = right.each_ref().map(|(name, value)| (*name, value.as_str()));
    let admin = Admin::with_environment(admin_token, gateway_token, &flags, &right);
    fill(&admin, &planted);
    until("a service with both", &admin, true, true);
    // The passwords are changed under the service, and changed back; then PostgreSQL is away.
    database.change_password(&wrong);
    let end = "CLIENT KILL TYPE normal SKIPME yes\r\n";
    ask_redis(socket, &format!("AUTH {of_redis}\r\n{}{end}", set(&wrong)));
    until("a service whose passwords are wrong", &admin, false, false);
    database.change_password(&of_postgres);
    ask_redis(socket, &format!("AUTH {wrong}\r\n{}{end}", set(&of_redis)));
    until("a service whose passwords are right again", &admin, true, true);
    database.server.go_away();
    until("a service without a database", &admin, false, true);
    database.server.come_back();
    until("a service with a database", &admin, true, true);
    eventually("spans", || (spans.lock().expect("a lock").len() > 1000).then_some(()));

    // Then, the service is asked for a consumer of a secret's name.
    let log = std::fs::read(database.directory.join("log")).expect("PostgreSQL's log");
    asked(&admin, &mut places, admin_token);
    places.add("gatehouse-admin: traces (OTLP)", spans.lock().expect("a lock").clone());
    let command_line = file(admin.id(), "cmdline").expect("a command line");
    places.add("gatehouse-admin: /proc/PID/cmdline, passwords in the environment", command_line);
    let environment = file(admin.id(), "environ").expect("an environment");
    places.add_but(
        "gatehouse-admin: /proc/PID/environ",
        environment,
        &PASSWORDS,
        "for its own user and root; PGPASSFILE avoids PostgreSQL's",
    );
    remembered(&admin, &mut places, &planted);
    let told = String::from_utf8_lossy(&log);
    let parameters = told.to_lowercase().contains("detail:  parameters: ");
    assert!(parameters, "PostgreSQL logs no parameters: {told}");
    places.add("PostgreSQL: log, with all statements and parameters", log);
    places.add(
        "PostgreSQL: its files, with an encryption key",
        contents(&database.directory.join("data")),
    );
    let names = ask_redis(socket, &format!("AUTH {of_redis}\r\nKEYS *\r\n"));
    assert!(names.contains("gatehouse:counter:"), "{names}");
    places.add("Redis: names of its keys", names);
    drop(admin);

    // Flags are on the command line, which every user of the machine can read.
    let (by_flag, redis_flag) = (database.url(&of_postgres), redis_url(&of_redis));
    let both = ["--encryption-key-file", &key_file, "--redis-url", &redis_flag];
    let admin = Admin::launched(&[], Some(&by_flag), &both);
    let command_line = file(admin.id(), "cmdline").expect("a command line");
    places.add_but(
        "gatehouse-admin: /proc/PID/cmdline, passwords in flags",
        command_line,
        &PASSWORDS,
        "for everybody on the machine: use the environment",
    );
    drop(admin);
    // libpq's file of passwords, which only its owner may read.
    let passwords = scratch.file("pgpass", &format!("*:*:*:{ROLE}:{of_postgres}\n"));
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&passwords, private).expect("rights");
    let passwords = passwords.display().to_string();
    let nameless = database.url("").replace(":@", "@");
    let variables = [(DATABASE, nameless.as_str()), ("PGPASSFILE", &passwords)];
    let admin = Admin::with_environment(admin_token, gateway_token, &flags[..4], &variables);
    let facts = ["cmdline", "environ"].map(|name| file(admin.id(), name).expect("a file of /proc"));
    places.add("gatehouse-admin: /proc/PID/cmdline and environ, with PGPASSFILE", facts.concat());
    places.add("gatehouse-admin: log, with PGPASSFILE", admin.log());

    let sizes = places.sizes();
    assert!(sizes.values().all(|&size| size > 0), "a place is empty: {sizes:?}");
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
