//! A real Kong: started and reloaded by its own command line, watched, and stopped by its pid.

use super::client::RawRequest;
use super::kong_files::KongFiles;
use super::scratch::Scratch;
use super::setup::Setup;
use super::wire::Message;
use super::{eventually, root};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Texts that a sound log never holds: a dead worker, a trap, a configuration that nginx refused.
const FATAL: [&str; 7] = [
    "exited on signal",
    "exited with fatal code",
    "[alert]",
    "[emerg]",
    "[crit]",
    "wasm trap",
    "panicked at",
];

/// A running Kong. It ends when this value is dropped; a worker that died fails the test.
pub struct Kong {
    ports: BTreeMap<String, u16>,
    /// `kong start`, which stays in the foreground, so that all of nginx descends from the test.
    start: Child,
    /// The process id of nginx's master.
    master: u32,
    /// A process that ends nginx if the test run is killed.
    guard: Child,
    /// Texts of log lines that a test expects and that would otherwise fail it.
    forgiven: Vec<&'static str>,
    // Declared last, so that its files are removed last.
    scratch: Scratch,
}

impl Kong {
    /// Starts Kong and waits until it serves.
    #[track_caller]
    pub fn start(setup: &Setup) -> Self {
        Self::run(&KongFiles::of(setup))
    }

    /// Starts Kong from these files and waits until it serves.
    #[track_caller]
    pub fn run(files: &KongFiles) -> Self {
        Self::try_run(files).unwrap_or_else(|log| panic!("Kong refused:\n{log}"))
    }

    /// Starts Kong. The error is the output and log of a Kong that refused its configuration.
    pub fn try_run(files: &KongFiles) -> Result<Self, String> {
        loop {
            match Self::attempt(files) {
                // Another program was given the port meanwhile.
                Err(said) if said.contains("Address already in use") => {}
                done => return done,
            }
        }
    }

    fn attempt(files: &KongFiles) -> Result<Self, String> {
        let (scratch, ports) = (Scratch::new("kong"), choose_ports(files));
        write(files, &scratch, &ports);
        let mut start = command(files, &scratch, &["start"]).spawn().expect("kong start");
        let pid = scratch.path().join("prefix/pids/nginx.pid");
        let status = SocketAddr::from(([127, 0, 0, 1], ports["status"]));
        // Nobody answers while Kong compiles modules, and clients wait.
        let master = eventually("a Kong that serves", || {
            if let Ok(Some(code)) = start.try_wait() {
                return Some(Err(format!("kong start: {code}\n{}", said(&scratch))));
            }
            let master = fs::read_to_string(&pid).ok()?.trim().parse().ok()?;
            let ready = RawRequest::get("/status/ready").try_send(status).ok()?;
            (ready.status() == 200).then_some(Ok(master))
        });
        let master: u32 = master?;
        let (guard, forgiven) = (guard(master), Vec::new());
        let kong = Self { ports, start, master, guard, forgiven, scratch };
        // The first worker may serve before the others have begun.
        let workers =
            files.conf.get("nginx_worker_processes").and_then(|said| said.parse::<usize>().ok());
        let has_workers =
            files.conf.get("nginx_main_master_process").is_none_or(|said| said != "off");
        if let Some(workers) = workers.filter(|_| has_workers) {
            eventually("all workers", || (kong.workers().len() == workers).then_some(()));
        }
        Ok(kong)
    }

    /// Returns an error with Kong's output if Kong does not accept these files.
    pub fn accepts(files: &KongFiles) -> Result<(), String> {
        Self::try_run(files).map(drop)
    }

    /// Gives Kong other files, which keep its ports, and waits until new workers serve.
    #[track_caller]
    pub fn reload(&self, files: &KongFiles) {
        let old = self.workers();
        write(files, &self.scratch, &self.ports);
        let code = command(files, &self.scratch, &["reload"]).status().expect("kong reload");
        assert!(code.success(), "kong reload: {code}\n{}", said(&self.scratch));
        eventually("a worker of the new configuration", || {
            self.workers().iter().any(|pid| !old.contains(pid)).then_some(())
        });
    }

    /// Waits until these workers, from before a reload, have ended.
    pub fn until_ended(&self, workers: &[u32]) {
        eventually("the end of the old workers", || {
            workers.iter().all(|pid| !self.workers().contains(pid)).then_some(())
        });
    }

    /// The address of a listener.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let port = self.ports.get(listener);
        let port = *port.unwrap_or_else(|| panic!("no listener {listener}"));
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Sends a request to the listener `main`.
    #[track_caller]
    pub fn send(&self, request: &RawRequest) -> Message {
        request.send(self.address("main"))
    }

    /// The log so far.
    pub fn log(&self) -> String {
        log(&self.scratch)
    }

    /// Kong's prefix: the directory with the files that it writes and its logs.
    pub fn prefix(&self) -> PathBuf {
        self.scratch.path().join("prefix")
    }

    /// The output of `kong start` so far.
    pub fn output(&self) -> Vec<u8> {
        fs::read(self.scratch.path().join("kong.out")).unwrap_or_default()
    }

    /// The access log so far, where `proxy_access_log` is `logs/access.log`.
    pub fn access_log(&self) -> String {
        read(&self.scratch, "access.log")
    }

    /// The process id of nginx's master. Without a master (`nginx_main_master_process = off`), it is
    /// that of the one process, which serves.
    pub fn id(&self) -> u32 {
        self.master
    }

    /// The path of the program `nginx` that runs.
    pub fn nginx(&self) -> PathBuf {
        fs::read_link(format!("/proc/{}/exe", self.master)).expect("the path of nginx")
    }

    /// The process ids of the workers.
    pub fn workers(&self) -> Vec<u32> {
        children(self.master).into_iter().filter(|pid| is_worker(*pid)).collect()
    }

    /// The processor time that the workers have used so far, in microseconds.
    pub fn processor_time(&self) -> f64 {
        let times = self.workers().into_iter().map(patience::processor_time);
        times.map(|time| time.as_secs_f64() * 1e6).sum()
    }

    /// Accepts log lines that contain `part`.
    pub fn forgive(&mut self, part: &'static str) {
        self.forgiven.push(part);
    }

    /// Panics if a worker has died, or if the log holds another line that it never should.
    #[track_caller]
    pub fn assert_sound(&self) {
        let bad = self.unsound();
        assert!(bad.is_empty(), "in Kong's log:\n{}", bad.join("\n"));
    }

    fn unsound(&self) -> Vec<String> {
        let bad = |line: &&str| {
            FATAL.iter().any(|part| line.contains(part))
                && !self.forgiven.iter().any(|part| line.contains(part))
        };
        self.log().lines().filter(bad).map(str::to_owned).collect()
    }
}

impl Drop for Kong {
    fn drop(&mut self) {
        let bad = self.unsound();
        let _ = Command::new("kill").args(["-TERM", &self.master.to_string()]).status();
        // `kong start` ends with its last child.
        let _ = self.start.wait();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
            eprintln!("--- the last of Kong's log ---\n{}\n---", tail.join("\n"));
        } else {
            assert!(bad.is_empty(), "in Kong's log:\n{}", bad.join("\n"));
        }
    }
}

fn program() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let output = Command::new(root().join("scripts/kong")).output().expect("scripts/kong");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
    .clone()
}

/// Chooses free ports below the range that the system gives to outgoing connections.
fn choose_ports(files: &KongFiles) -> BTreeMap<String, u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let names = files.listeners.iter().map(String::as_str).chain(["status"]);
    let free = |_: &str| {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7);
            let start = u16::try_from(std::process::id() % 12_000).unwrap_or(0);
            let port = 20_000 + start.wrapping_add(number) % 12_000;
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(_) => return port,
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
            }
        }
    };
    names.map(|name| (name.to_owned(), free(name))).collect()
}

/// Writes the files. Kong finds no other modules than these.
fn write(files: &KongFiles, scratch: &Scratch, ports: &BTreeMap<String, u16>) {
    let with_ports = |text: &str| {
        let replace = |text: String, (name, port): (&String, &u16)| {
            text.replace(&format!("{{port:{name}}}"), &port.to_string())
        };
        ports.iter().fold(text.to_owned(), replace)
    };
    let declarative = scratch.file("declarative.yml", &with_ports(&files.declarative));
    let mut conf = files.clone();
    conf.set("declarative_config", declarative.display().to_string());
    if files.conf.get("wasm").is_some_and(|wasm| wasm == "on") {
        let modules = scratch.path().join("modules");
        let _ = fs::remove_dir_all(&modules);
        fs::create_dir_all(&modules).expect("a directory for the modules");
        for (name, code) in &files.modules {
            for (from, suffix) in
                [(code.clone(), "wasm"), (code.with_extension("meta.json"), "meta.json")]
            {
                if from.exists() {
                    let to = modules.join(format!("{name}.{suffix}"));
                    fs::copy(&from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
                }
            }
        }
        conf.set("wasm_filters_path", modules.display().to_string());
    }
    let lines: Vec<String> =
        conf.conf.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    scratch.file("kong.conf", &with_ports(&lines.concat()));
    share_compiled_modules(scratch);
}

/// Kong compiles a module once and keeps the result below its prefix. Here all Kongs share one
/// directory.
fn share_compiled_modules(scratch: &Scratch) {
    let test = std::env::current_exe().expect("the path of the test");
    let beside = test.parent().and_then(|deps| deps.parent()).expect("a target directory");
    let shared = beside.join("kong-compiled-modules");
    fs::create_dir_all(&shared).unwrap_or_else(|e| panic!("{}: {e}", shared.display()));
    let prefix = scratch.path().join("prefix");
    fs::create_dir_all(&prefix).expect("the prefix");
    let link = prefix.join(".wasmtime_cache");
    if !link.exists() {
        std::os::unix::fs::symlink(&shared, link).expect("a link to the compiled modules");
    }
}

/// `kong ... -c kong.conf -p prefix`, with its output in a file.
fn command(files: &KongFiles, scratch: &Scratch, arguments: &[&str]) -> Command {
    // The program ends with a killed test run; `setpriv` becomes the program.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program()).args(arguments);
    command.arg("-c").arg(scratch.path().join("kong.conf"));
    command.arg("-p").arg(scratch.path().join("prefix"));
    // Every line of kong.conf has a twin in the environment, which is removed so that the test
    // decides.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("KONG_") || name.starts_with("GATEHOUSE_") {
            command.env_remove(&variable);
        }
    }
    command.envs(files.environment.iter().map(|(name, value)| (name, value)));
    let output =
        fs::File::options().create(true).append(true).open(scratch.path().join("kong.out"));
    let output = output.expect("a file for what Kong says");
    command.stdin(Stdio::null()).stdout(output.try_clone().expect("a file")).stderr(output);
    command
}

/// The output and the log of Kong.
fn said(scratch: &Scratch) -> String {
    let said = fs::read_to_string(scratch.path().join("kong.out")).unwrap_or_default();
    format!("{said}\n{}", log(scratch))
}

fn children(of: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = |pid: &u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of a program may hold anything; the parent follows the name and the state.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    pids.filter(|pid| parent(pid) == Some(of)).collect()
}

/// Returns `true` for a worker of nginx. Kong has other processes, too.
fn is_worker(pid: u32) -> bool {
    let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    title.starts_with("nginx: worker process")
}

/// A shell that ends Kong when its own input ends, which also happens when the test run is killed.
fn guard(master: u32) -> Child {
    Command::new("sh")
        .args(["-c", "cat >/dev/null; kill -TERM \"$0\"", &master.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh")
}

fn log(scratch: &Scratch) -> String {
    read(scratch, "error.log")
}

/// Reads one of Kong's logs.
fn read(scratch: &Scratch, name: &str) -> String {
    let file = scratch.path().join("prefix/logs").join(name);
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}
