//! Tokens, keys and the certificate are replaced under load, and nobody is refused.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use patience::eventually;
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::program::Program;
use crate::security::tls_client;

const OLD: &str = "the-old-token-of-thirty-two-letters-or-more";
const NEW: &str = "the-new-token-of-thirty-two-letters-or-more";
const ADMIN: &str = "admin-token-of-thirty-two-letters-or-more";
const AGAIN: &str = "were read again";
const SEALED: &str = "secrets sealed with the first one";
const KEPT: &str = "what was read before stays in force";

/// A file with secrets.
struct File {
    path: PathBuf,
    _directory: TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = Self { path: directory.path().join("file"), _directory: directory };
        file.put(text);
        file
    }

    /// Puts a new content in place as documented: written beside it, and renamed.
    fn put(&self, text: &str) {
        let new = self.path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.path).unwrap();
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// Lets the program look at its files, and waits until it has logged `line` another time.
fn reload(program: &Program, line: &str) {
    let before = program.log().matches(line).count();
    let process = program.process().to_string();
    assert!(Command::new("kill").args(["-HUP", &process]).status().unwrap().success());
    eventually(line, || (program.log().matches(line).count() > before).then_some(()));
}

/// Calls `one` in four threads while `work` runs, and fails unless each call returned 200, of which
/// there were some. `one` is called at least once after the beginning of each step of `work`.
fn under_load(one: impl Fn() -> u16 + Sync, work: impl FnOnce(&dyn Fn())) {
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut refused = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        let status = one();
                        answered.fetch_add(1, Ordering::Relaxed);
                        if status != 200 {
                            refused.push(status);
                        }
                    }
                    refused
                })
            })
            .collect();
        let some = || {
            let before = answered.load(Ordering::Relaxed);
            let more = || (answered.load(Ordering::Relaxed) > before + 20).then_some(());
            eventually("requests", more);
        };
        some();
        // Ends the load even if a step fails.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&some)));
        over.store(true, Ordering::Relaxed);
        let refused: Vec<u16> = load.into_iter().flat_map(|load| load.join().unwrap()).collect();
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
        assert!(refused.is_empty(), "refused: {refused:?}");
    });
}

fn status(program: &Program, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    program.send("GET", "/changes?since=0", &[("authorization", &bearer)], b"").status
}

#[test]
fn a_token_is_replaced_while_gateways_use_it() {
    let (admin, gateway) = (File::new(ADMIN), File::new(OLD));
    let flags = ["--admin-token-file", admin.path(), "--gateway-token-file", gateway.path()];
    let program = Program::on_sqlite_with(&flags);
    let gateways_have_the_new_one = AtomicBool::new(false);
    let one = || {
        let new = gateways_have_the_new_one.load(Ordering::Relaxed);
        status(&program, if new { NEW } else { OLD })
    };
    under_load(one, |some| {
        assert_eq!(status(&program, NEW), 401);
        gateway.put(&format!("{NEW}\n{OLD}\n"));
        reload(&program, AGAIN);
        assert_eq!((status(&program, NEW), status(&program, ADMIN)), (200, 200));
        some();
        gateways_have_the_new_one.store(true, Ordering::Relaxed);
        some();
        gateway.put(NEW);
        reload(&program, AGAIN);
        assert_eq!(status(&program, OLD), 401);
        some();
    });
    // A file that cannot be used changes nothing, and the log does not show its content.
    for wrong in ["too-short", "", ADMIN, &format!("{NEW}\nwith a space in it, but long enough")] {
        gateway.put(wrong);
        reload(&program, KEPT);
        assert_eq!((status(&program, NEW), status(&program, ADMIN)), (200, 200));
    }
    for secret in [OLD, NEW, ADMIN, "too-short", "with a space"] {
        assert!(!program.log().contains(secret), "{secret}");
    }
}

#[test]
fn an_encryption_key_is_replaced_on_both_databases() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}", directory.path().join("gatehouse.db").display());
    for url in [sqlite, Postgres::shared().database()] {
        let (old, new) = ("01".repeat(32), "02".repeat(32));
        let keys = File::new(&old);
        let flags = ["--encryption-key-file", keys.path()];
        let program = Program::start(&url, &flags);
        program.consumer("fiona");
        // More than one transaction of them.
        for number in 0..510 {
            program.form("POST", "/consumers/fiona/jwt", &format!("key=k{number}")).expect(201);
        }
        let one = || program.get("/identities/jwt/k7").status;
        under_load(one, |some| {
            // Without the old key, none of the secrets would open.
            keys.put(&new);
            reload(&program, KEPT);
            some();
            keys.put(&format!("{new}\n{old}"));
            reload(&program, SEALED);
            program.form("POST", "/consumers/fiona/jwt", "key=later").expect(201);
            some();
            keys.put(&new);
            reload(&program, AGAIN);
            some();
        });
        program.terminate();
        program.wait();
        let program = Program::start(&url, &flags);
        for key in ["k0", "k509", "later"] {
            program.get(&format!("/identities/jwt/{key}")).expect(200);
        }
    }
}

#[test]
fn a_certificate_is_replaced_while_connections_are_made() {
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (first, second) = (made(), made());
    let cert = File::new(&first.cert.pem());
    let key = File::new(&first.signing_key.serialize_pem());
    let flags = ["--tls-cert", cert.path(), "--tls-key", key.path()];
    let program = Program::on_sqlite_with(&flags);
    let asks = |trusted: &File| {
        use std::io::{Read as _, Write as _};
        let mut tls = tls_client(program.address.port(), &trusted.path);
        let request = "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let mut answer = Vec::new();
        let sent = tls.write_all(request.as_bytes());
        let _ = tls.read_to_end(&mut answer);
        sent.is_ok() && answer.starts_with(b"HTTP/1.1 200 ")
    };
    let (old, new) = (File::new(&first.cert.pem()), File::new(&second.cert.pem()));
    assert!(asks(&old) && !asks(&new));
    // A key that does not fit its certificate changes nothing.
    key.put(&second.signing_key.serialize_pem());
    reload(&program, KEPT);
    assert!(asks(&old) && !asks(&new));
    cert.put(&second.cert.pem());
    reload(&program, AGAIN);
    assert!(!asks(&old) && asks(&new));
}
