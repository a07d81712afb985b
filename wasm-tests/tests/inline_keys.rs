//! The filters accept the configurations that `scripts/inline-keys` writes.

use serde_json::{Value, json};
use std::process::{Command, Output};
use wasm_tests::real::Scratch;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../filters/upstream-jwt/test-keys");

fn run(config: &str) -> (Scratch, Output) {
    let scratch = Scratch::new("inline-keys");
    for name in ["rsa.pem", "rsa.crt"] {
        let text = std::fs::read_to_string(format!("{KEYS}/{name}")).expect("a test key");
        scratch.file(name, &text);
    }
    let config = scratch.file("config", config);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/inline-keys");
    let output = Command::new("python3").arg(script).arg(config).output().expect("Python");
    (scratch, output)
}

fn inlined(config: &str) -> Value {
    let (_scratch, output) = run(config);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_norway::from_slice(&output.stdout).expect("YAML")
}

#[track_caller]
fn accepted(settings: &Value) {
    let filter = all_filters::named("upstream_jwt").expect("the filter");
    let read = (filter.check)(settings.to_string().as_bytes(), &|_| None);
    assert!(read.is_ok(), "{:?}", read.err());
}

#[test]
fn keys_in_files_become_keys_in_the_configuration_in_every_form() {
    let absolute = format!("{KEYS}/rsa.pem");
    for config in [
        "private_key_location: rsa.pem\npublic_key_location: \"rsa.crt\"  # ours\nx5c: true\n"
            .to_owned(),
        format!("private_key_location: '{absolute}'\n"),
        r#"{"private_key_location": "rsa.pem", "public_key_location":"rsa.crt"}"#.to_owned(),
        "{ private_key_location: rsa.pem, x5c: false }".to_owned(),
    ] {
        let settings = inlined(&config);
        assert_eq!(settings.get("private_key_location"), None);
        accepted(&settings);
    }
    // On Kong 3.4 the settings are JSON in a text.
    let kong = inlined(r#"config: '{"private_key_location":"rsa.pem"}'"#);
    accepted(&serde_json::from_str(kong["config"].as_str().expect("a text")).expect("JSON"));
}

#[test]
fn variables_stay_and_a_file_that_is_no_key_is_named() {
    assert_eq!(
        inlined("private_key_location: env://KEY\nissuer: i\n"),
        json!({"private_key_location": "env://KEY", "issuer": "i"})
    );
    for config in ["private_key_location: missing.pem", "private_key_location: config"] {
        let (_scratch, output) = run(config);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
        assert!(said.contains("private_key_location"), "{said}");
    }
}
