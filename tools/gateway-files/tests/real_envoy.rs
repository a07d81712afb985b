//! Converted files on a real Envoy: each is accepted, and the documents' `curl` lines have the
//! documents' answers.
//!
//! The tests need `GATEHOUSE_ENVOY`, the path of an Envoy, and `dist/gatehouse.wasm`. Without the
//! former they do nothing.

mod answers;
mod istio;

use answers::{
    APP_ID, AUTH0, Case, GROUPS, SCOPES, SESSION, UPSTREAM_JWT, UPSTREAMS, WEB_SHOP, ask, echo,
};
use gateway_files::convert::{Options, Target, convert};
use patience::eventually;
use serde_norway::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn envoy() -> Option<PathBuf> {
    std::env::var_os("GATEHOUSE_ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A command that runs Envoy with the converted file.
struct Prepared {
    command: Command,
    directory: tempfile::TempDir,
}

fn prepared(envoy: &Path, text: &str, to: Target) -> Prepared {
    let options = Options { to, inline_secrets: false, admin: None };
    let mut converted = convert(text, &options).unwrap();
    if to == Target::Istio {
        converted.text = serde_norway::to_string(&istio::rendered(&converted.text)).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    // Ports that are free, and the module wherever it is.
    let module = root().join("dist/gatehouse.wasm");
    let file = converted
        .text
        .replace("port_value: 8000\n", "port_value: 0\n")
        .replace("port_value: 9901\n", "port_value: 0\n")
        .replace("filename: gatehouse.wasm", &format!("filename: {}", module.display()));
    let path = directory.path().join("envoy.yaml");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new(envoy);
    command.arg("--config-path").arg(&path).args([
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "warning",
    ]);
    for (name, source) in &converted.variables {
        command.env(name, answers::variable(name, source));
    }
    Prepared { command, directory }
}

/// Puts Envoy's own filter for buffers in the place of each of ours, which only start slowly: what
/// they say of their settings is checked elsewhere.
fn without_modules(text: &str) -> String {
    let mut file: Value = serde_norway::from_str(text).unwrap();
    let mut chain = &mut file["static_resources"]["listeners"][0]["filter_chains"][0];
    chain = &mut chain["filters"][0]["typed_config"];
    for filter in chain["http_filters"].as_sequence_mut().unwrap() {
        if filter["name"] != "envoy.filters.http.router" {
            let buffer = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer\n\
                          max_request_bytes: 1\n";
            filter["typed_config"] = serde_norway::from_str(buffer).unwrap();
        }
    }
    serde_norway::to_string(&file).unwrap()
}

#[test]
fn envoy_accepts_the_routes_and_clusters_of_every_file() {
    let Some(envoy) = envoy() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kong");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = answers::served_at(&std::fs::read_to_string(&path).unwrap(), answers::nowhere());
        for to in [Target::Envoy, Target::Istio] {
            let Prepared { mut command, directory } = prepared(&envoy, &text, to);
            let written = directory.path().join("envoy.yaml");
            let text = std::fs::read_to_string(&written).unwrap();
            std::fs::write(&written, without_modules(&text)).unwrap();
            let done = command.args(["--mode", "validate"]).output().unwrap();
            let log = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{} {to:?}: {log}", path.display());
            assert!(
                !log.to_ascii_lowercase().contains("deprecated"),
                "{} {to:?}: {log}",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count >= 30);
}

/// A running Envoy.
struct Gateway {
    envoy: Child,
    address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
    }
}

impl Gateway {
    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn start(Prepared { mut command, directory }: Prepared) -> Gateway {
    let admin = directory.path().join("admin");
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let child = command
        .arg("--admin-address-path")
        .arg(&admin)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut gateway = Gateway { envoy: child, address: "127.0.0.1:9".parse().unwrap(), directory };
    gateway.address = eventually("Envoy listens", || {
        if let Ok(Some(_)) = gateway.envoy.try_wait() {
            panic!("{}", gateway.log());
        }
        let admin: SocketAddr = std::fs::read_to_string(&admin).ok()?.trim().parse().ok()?;
        let answer = ask(admin, "/listeners?format=json", "")?;
        let (_, rest) = answer.body.split_once("\"port_value\":")?;
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        (ask(admin, "/ready", "")?.status == 200).then_some(())?;
        format!("127.0.0.1:{digits}").parse().ok()
    });
    gateway
}

/// Starts an Envoy with the converted file, and compares its answers.
fn answers(case: &Case, to: Target) {
    let Some(envoy) = envoy() else { return };
    let gateway = start(prepared(&envoy, &case.file(echo()), to));
    case.send(gateway.address, to != Target::Istio, || gateway.log());
}

#[test]
fn the_session_documents_lines_have_the_documents_answers() {
    answers(&SESSION, Target::Envoy);
}

#[test]
fn the_auth0_articles_token_passes_and_bots_and_strangers_do_not() {
    answers(&AUTH0, Target::Envoy);
}

#[test]
fn the_app_id_documents_answers_are_given() {
    answers(&APP_ID, Target::Envoy);
}

#[test]
fn the_upstream_gets_the_token_of_the_extended_forks_document() {
    answers(&UPSTREAM_JWT, Target::Envoy);
}

#[test]
fn each_consumer_has_the_limits_of_the_most_specific_instance() {
    answers(&SCOPES, Target::Envoy);
}

#[test]
fn groups_decide_who_may_pass() {
    answers(&GROUPS, Target::Envoy);
}

#[test]
fn routes_and_rewriting_are_kongs() {
    answers(&UPSTREAMS, Target::Envoy);
    answers(&WEB_SHOP, Target::Envoy);
}

#[test]
fn what_istio_makes_of_its_resources_gives_the_same_answers() {
    for case in [SESSION, SCOPES, GROUPS, UPSTREAMS] {
        answers(&case, Target::Istio);
    }
}
