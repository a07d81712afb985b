//! Helpers of several tests: vectors, randomness, and OpenSSL.

#![allow(dead_code, reason = "not every test uses everything")]

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::{Map, Value};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The signed examples of the RFCs, each with its key.
pub fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../rfc_vectors.json")).unwrap()
}

/// The JWK of the example called `name`.
pub fn vector(name: &str) -> Value {
    vectors().into_iter().find(|v| v["name"] == name).unwrap()["jwk"].clone()
}

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Returns a generator that gives the same bytes in each run.
pub fn random() -> impl FnMut(&mut [u8]) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    move |out: &mut [u8]| rng.fill_bytes(out)
}

/// A directory that is removed at the end of the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jose-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `openssl`, which `make setup` installs. Returns its output, or `None` if it fails.
pub fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test needs the program `openssl`: run `make setup`");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then_some(output.stdout)
}

pub fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.expect("openssl refused")).unwrap()
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
