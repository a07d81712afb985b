//! Independent implementations of tokens and cookies, written in Python.

use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Runs a script of `wasm-tests/tests` with a JSON document as its input, and returns the JSON
/// document that it prints. The script may use PyJWT and `cryptography`.
#[track_caller]
pub fn python(script: &str, question: &Value) -> Value {
    static PYTHON: OnceLock<String> = OnceLock::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let program = PYTHON.get_or_init(|| {
        let output = Command::new(format!("{root}/scripts/pyjwt")).output().expect("scripts/pyjwt");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    });
    let mut child = Command::new(program)
        .arg(format!("{root}/wasm-tests/tests/{script}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(question.to_string().as_bytes())
        .expect("a question");
    let output = child.wait_with_output().expect("an answer");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
