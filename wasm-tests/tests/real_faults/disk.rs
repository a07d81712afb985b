//! The disk of the database is full.
//!
//! The service gets a small file system in memory, in a mount namespace of its own, which only root
//! (or a user who may make namespaces) can do. Where that is not allowed, its files may not grow
//! beyond a limit (`RLIMIT_FSIZE`), for which the system gives another error.

use crate::bed::{Bed, Writers, cases, on, remembering, request};
use crate::load::under_load;
use crate::table::{Row, length};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use wasm_tests::real::{Admin, RawRequest, Scratch, eventually};

const PART: &str = "Disk";
/// The size of the service's disk in kilobytes: more than all writes of a row, and the log of
/// SQLite, which grows to some megabytes before it is emptied.
const SIZE: u32 = 64_000;
/// The size of the disk that an import fills, in kilobytes.
const SMALL: u32 = 3000;

/// A disk that can be filled.
struct Disk {
    directory: PathBuf,
    launcher: Vec<String>,
}

impl Disk {
    /// Makes a disk whose files only the service sees. Returns `None` where that is not allowed.
    fn of(size: u32, scratch: &Scratch) -> Option<Self> {
        let directory = scratch.path().join("disk");
        std::fs::create_dir(&directory).expect("a directory");
        let mount =
            format!("mount -t tmpfs -o size={size}k tmpfs {} && exec \"$@\"", directory.display());
        let unshare = ["/usr/bin/unshare", "/bin/unshare"].into_iter();
        let unshare = unshare.map(PathBuf::from).find(|path| path.exists())?;
        let unshare = unshare.display().to_string();
        [vec!["-m"], vec!["-r", "-m"]].into_iter().find_map(|flags| {
            let words = [unshare.as_str()].into_iter().chain(flags);
            let words = words.chain(["/bin/sh", "-c", &mount, "disk"]);
            let launcher: Vec<String> = words.map(str::to_owned).collect();
            let tried = Command::new(&launcher[0]).args(&launcher[1..]).arg("true").output();
            tried
                .is_ok_and(|tried| tried.status.success())
                .then(|| Self { directory: directory.clone(), launcher })
        })
    }

    /// The directory as the process of this id sees it.
    fn seen_by(&self, process: u32) -> PathBuf {
        let inside = self.directory.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{process}/root")).join(inside)
    }

    /// Fills the disk to the last byte.
    fn fill(&self, process: u32) {
        use std::io::Write as _;
        let path = self.seen_by(process).join("filler");
        let mut file = std::fs::File::create(path).expect("a file on the disk");
        let full = (0..=SIZE).find_map(|_| file.write_all(&[b'f'; 1024]).err());
        assert_eq!(full.expect("an end of the disk").kind(), std::io::ErrorKind::StorageFull);
        while file.write_all(b"f").is_ok() {}
    }

    fn free(&self, process: u32) {
        std::fs::remove_file(self.seen_by(process).join("filler")).expect("the file");
    }
}

/// Prints why the rows are missing. The table has none of them then.
fn left_out() {
    println!("left out: this user may not mount a file system in a namespace of its own");
}

#[test]
fn a_full_disk_refuses_writes_and_serves_gateways() {
    let scratch = Scratch::new("disk");
    let Some(disk) = Disk::of(SIZE, &scratch) else { return left_out() };
    let database = format!("sqlite:{}", disk.directory.join("gatehouse.db").display());
    let launcher: Vec<&str> = disk.launcher.iter().map(String::as_str).collect();
    let bed = Bed::start(Admin::launched(&launcher, Some(&database), &[]), remembering);
    let (to, at) = (bed.address(), bed.admin.address());
    let mut writers = None;
    let cases = cases().into_iter().map(|case| case.or_else(&[])).collect();
    let answers = under_load(to, cases, |load| {
        writers = Some(Writers::run(at, 2, |writers| {
            for round in 0..length(2, 10) {
                writers.more(50);
                disk.fill(bed.admin.id());
                // SQLite's log has space of its own, which is used up first.
                let mut names = (0..).map(|n| format!("more.{round}.{n}"));
                eventually("a write that is refused", || {
                    let answer = bed.admin.send(write(&names.next()?));
                    let message = answer.json()["message"].clone();
                    let refused = answer.status() == 503;
                    refused.then(|| assert_eq!(message, "the database cannot be written"))
                });
                load.more(100);
                // Gateways are served by the full disk: these lookups and polls only read.
                assert_eq!(
                    bed.admin.send(RawRequest::get("/changes?since=0&limit=1")).status(),
                    200
                );
                disk.free(bed.admin.id());
                writers.more(20);
            }
        }));
    });
    let late = bed.revoke("/consumers/cara", &request("key-of-cara", "portal"), 401);
    let (acknowledged, lost) = writers.expect("writers").lost(&bed.admin);
    let done = "the disk is full (ENOSPC): writes get 503, gateways are served, and when there is \
                space again, writes succeed without a restart";
    let row = Row::new(PART, done, on("SQLite")).answers(answers).writes(acknowledged, lost);
    row.late(late).report();
}

fn write(name: &str) -> RawRequest {
    RawRequest::post("/consumers/writer/appids", json!({"appid": name}).to_string())
        .header("content-type", "application/json")
}

#[test]
fn an_import_on_a_full_disk_says_so_and_is_run_again() {
    let scratch = Scratch::new("disk");
    let Some(disk) = Disk::of(SMALL, &scratch) else { return left_out() };
    let consumers = 40_000;
    let mut file = String::from("_format_version: \"3.0\"\nconsumers:\n");
    for number in 0..consumers {
        file.push_str(&format!("- username: consumer-{number}\n"));
    }
    let file = scratch.file("kong.yml", &file);
    let kept = scratch.path().join("kept");
    let program = wasm_tests::real::service();
    let database = disk.directory.join("gatehouse.db");
    // The import runs until the disk is full, then the database moves to a larger disk.
    let script = format!(
        "{program} import {file} --database-url sqlite:{database}; echo \"code $?\"; \
         cp -r {disk} {kept}",
        program = program.display(),
        file = file.display(),
        database = database.display(),
        disk = disk.directory.display(),
        kept = kept.display(),
    );
    let mut command = Command::new(&disk.launcher[0]);
    let first = command.args(&disk.launcher[1..]).args(["sh", "-c", &script]).output();
    let first = first.expect("an import");
    let said = String::from_utf8_lossy(&[first.stdout, first.stderr].concat()).into_owned();
    assert!(said.contains("code 2"), "{said}");
    let url = format!("sqlite:{}", kept.join("gatehouse.db").display());
    let stored = exported(&program, &url);
    let told = created(&said);
    assert!(stored >= told && stored < consumers, "told {told}, stored {stored}: {said}");
    let second = Command::new(&program)
        .arg("import")
        .arg(&file)
        .args(["--database-url", &url])
        .output()
        .expect("an import");
    let again = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(second.status.success(), "{again}{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(exported(&program, &url), consumers, "{again}");
    let done = format!(
        "an import of {consumers} consumers fills the disk after {stored}: exit code 2, and the same \
         import on a larger disk stores the rest"
    );
    Row::new(PART, done, "SQLite").writes(stored, 0).report();
}

/// The number of consumers that an import says it created.
fn created(said: &str) -> usize {
    let line = said.lines().find(|line| line.contains(" created"));
    let number = line.and_then(|line| line.split(' ').next()?.parse().ok());
    number.unwrap_or(0)
}

/// The number of consumers in a database.
fn exported(program: &std::path::Path, url: &str) -> usize {
    let output = Command::new(program).args(["export", "--database-url", url]).output();
    let output = output.expect("an export");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).matches("username:").count()
}
