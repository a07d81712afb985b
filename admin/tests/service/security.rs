//! Tokens, hosts, origins and TLS, and secrets that must never be shown.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::client::{Answer, exchange, request};
use crate::program::{Program, command, digest};

const ADMIN: &str = "admin-token-of-thirty-two-letters-or-more";
const GATEWAY: &str = "gateway-token-of-thirty-two-letters-or-more";

fn file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn with_tokens(directory: &TempDir) -> Program {
    let admin = file(directory, "admin", &format!("{ADMIN}\n"));
    let gateway = file(directory, "gateway", &format!("  {GATEWAY}\r\n"));
    let flags = ["--admin-token-file", &admin, "--gateway-token-file", &gateway];
    Program::on_sqlite_with(&[&flags[..], &["--log-level", "debug"]].concat())
}

/// Returns the error of a program that does not start with these flags.
fn refused(flags: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("gatehouse.db").display());
    match Program::try_start(&url, flags) {
        Ok(_) => panic!("it starts with {flags:?}"),
        Err(error) => error,
    }
}

#[test]
fn with_tokens_a_request_without_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let program = with_tokens(&directory);
    for target in ["/", "/consumers", "/changes", "/status", "/metrics", "/nix", "/consumers/%ff"] {
        for token in
            ["", "Bearer", "Bearer x", &format!("Basic {ADMIN}"), &format!("Bearer {ADMIN}x")]
        {
            let answer = program.send("GET", target, &[("authorization", token)], b"");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert_eq!(
                answer.expect(401),
                json!({ "message": "Unauthorized" }),
                "{target} {token}"
            );
        }
        program.get(target).expect(401);
    }
    program.form("POST", "/consumers", "username=x").expect(401);
}

#[test]
fn the_gateways_token_reads_what_a_gateway_needs_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let program = with_tokens(&directory).with_token(ADMIN);
    program.consumer("fiona");
    program.app_id("fiona", "Portal");
    program.key("fiona", "open_sesame");
    let session = format!("/sessions/{}", digest("session"));
    let revocation = format!("/revocations/{}", digest("session"));
    let lasting = json!({ "ttl": 60 });
    let program = program.with_token(GATEWAY);
    program.json("PUT", &session, &json!({ "data": "AA==", "ttl": 60 })).expect(200);
    program.json("PATCH", &session, &json!({ "ttl": 50 })).expect(200);
    program.json("PUT", &revocation, &lasting).expect(200);
    for target in [&session, &revocation] {
        assert_eq!(program.get(target).status, 200, "{target}");
    }
    program.delete(&session).expect(204);
    let hour = json!({ "key": "k", "window_start": 0, "window": 3600, "by": 1 });
    program.json("POST", "/counters", &json!({ "increments": [hour] })).expect(200);
    let key = format!("/identities/key-auth/{}", digest("open_sesame"));
    let reads = [
        "/changes",
        "/changes/",
        "/gateways",
        &key,
        "/identities/key-auth",
        "/identities/consumers/fiona",
        "/consumers/fiona/appids",
        "/appids",
        "/status",
        "/metrics",
    ];
    for target in reads {
        assert_eq!(program.get(target).status, 200, "{target}");
        assert_eq!(program.send("HEAD", target, &[], b"").status, 200, "{target}");
    }
    for target in [
        "/consumers",
        "/consumers/fiona",
        "/consumers/fiona/key-auth",
        "/consumers/fiona/key-auth/open_sesame",
        "/consumers/fiona/acls",
        "/consumers/fiona/appids/Portal",
        "/key-auths",
        "/key-auths/open_sesame",
        "/acls",
        "/sessions?subject=fiona",
        "/counters?namespace=orders&consumer=fiona",
        "/appids/1b8e6843-7ecd-4b52-8349-a8159f22f8eb/consumer",
    ] {
        program.get(target).expect(403);
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        for target in
            reads.iter().chain(&["/consumers", "/consumers/fiona", "/key-auths/open_sesame"])
        {
            let status = program.send(method, target, &[], b"").status;
            assert!([403, 405].contains(&status), "{method} {target}: {status}");
        }
    }
    program.delete("/sessions?subject=fiona").expect(403);
    let program = program.with_token(ADMIN);
    assert_eq!(program.get("/key-auths").expect(200)["data"].as_array().unwrap().len(), 1);
}

#[test]
fn nothing_secret_is_logged_at_any_level() {
    let directory = tempfile::tempdir().unwrap();
    let program = with_tokens(&directory).with_token(ADMIN);
    program.consumer("fiona_by_name");
    program.key("fiona_by_name", "open_sesame");
    program.app_id("fiona_by_name", "an_app_id");
    program.get("/consumers/fiona_by_name/key-auth/open_sesame").expect(200);
    program.delete("/key-auths/open_sesame").expect(204);
    program.json("POST", "/consumers", &json!({ "username": "in_the_body" })).expect(201);
    program.terminate();
    assert!(program.wait().success());
    let log = program.log();
    assert!(log.contains("/consumers/{consumer}/key-auth"), "{log}");
    let key = digest("open_sesame");
    for secret in [ADMIN, GATEWAY, "open_sesame", &key, "fiona_by_name", "an_app_id", "in_the_body"]
    {
        assert!(!log.contains(secret), "{secret} is logged: {log}");
    }
}

#[test]
fn without_tokens_a_foreign_host_or_origin_is_refused() {
    let program = Program::on_sqlite();
    let host = format!("127.0.0.1:{}", program.address.port());
    let ours = format!("http://{host}");
    for (headers, status) in [
        (vec![("host", host.as_str())], 200),
        (vec![("host", "localhost")], 200),
        (vec![("host", "[::1]:8001")], 200),
        (vec![("host", &host), ("origin", &ours)], 200),
        (vec![("host", "gatehouse.example")], 403),
        (vec![("host", "127.0.0.1.example")], 403),
        (vec![("host", "192.168.0.1:8001")], 403),
        (vec![("host", &host), ("origin", "http://evil.example")], 403),
        (vec![("host", &host), ("origin", "null")], 403),
        (vec![("host", &host), ("sec-fetch-site", "same-origin")], 200),
        (vec![("host", &host), ("sec-fetch-site", "cross-site")], 403),
        (vec![("host", &host), ("sec-fetch-site", "same-site")], 403),
        (vec![("host", &host), ("origin", &ours), ("origin", "http://evil.example")], 403),
    ] {
        assert_eq!(program.send("GET", "/status", &headers, b"").status, status, "{headers:?}");
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [&headers[..], &[kind]].concat();
        let written = program.send("PUT", "/consumers/x", &headers, b"custom_id=y").status;
        assert_eq!(written == 403, status == 403, "{headers:?}");
    }
    let bare = b"GET /status HTTP/1.0\r\n\r\n";
    exchange(program.address, bare).unwrap().expect(403);
    let absolute =
        b"GET http://evil.example/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    exchange(program.address, absolute).unwrap().expect(403);
}

#[test]
fn with_tokens_any_host_will_do() {
    let directory = tempfile::tempdir().unwrap();
    let program = with_tokens(&directory).with_token(GATEWAY);
    program.send("GET", "/status", &[("host", "admin.example")], b"").expect(200);
}

#[test]
fn unsafe_flags_do_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let admin = file(&directory, "admin", ADMIN);
    let gateway = file(&directory, "gateway", GATEWAY);
    let short = file(&directory, "short", "too-short");
    let two = file(&directory, "two", &format!("{ADMIN} {ADMIN}"));
    let binary = directory.path().join("binary");
    std::fs::write(&binary, [0xff; 64]).unwrap();
    let (binary, missing) = (binary.to_str().unwrap(), directory.path().join("missing"));
    let missing = missing.to_str().unwrap();
    let open = ["--listen", "0.0.0.0:0"];
    for (flags, problem) in [
        (&["--admin-token-file", &short][..], "at least 32"),
        (&["--admin-token-file", &two], "printable ASCII"),
        (&["--admin-token-file", binary], "--admin-token-file"),
        (&["--admin-token-file", missing], "--admin-token-file"),
        (&["--gateway-token-file", &gateway], "needs --admin-token-file"),
        (&["--admin-token-file", &admin, "--gateway-token-file", &admin], "the same token"),
        (&open, "needs --admin-token-file"),
        (&[&open[..], &["--insecure"]].concat(), "needs --admin-token-file"),
        (&[&open[..], &["--admin-token-file", &admin]].concat(), "needs --tls-cert"),
        (&["--listen", "[::]:0", "--admin-token-file", &admin], "needs --tls-cert"),
        (&["--tls-cert", &admin], "need each other"),
        (&["--tls-cert", &admin, "--tls-key", &admin], "--tls-cert"),
    ] {
        let error = refused(flags);
        assert!(error.contains(problem), "{flags:?}: {error}");
        assert!(!error.contains(ADMIN) && !error.contains("too-short"), "{error}");
    }
    let flags = [&open[..], &["--admin-token-file", &admin, "--insecure"]].concat();
    let program = Program::on_sqlite_with(&flags);
    assert!(program.address.ip().is_unspecified());
}

#[test]
fn flags_can_be_set_in_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let short = file(&directory, "short", "too-short");
    let output = command(&[])
        .env("GATEHOUSE_DATABASE_URL", "mysql://user:password@host/db")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("must start with `sqlite:`") && !error.contains("password"), "{error}");
    let output = command(&[]).env("GATEHOUSE_ADMIN_TOKEN_FILE", short).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("at least 32"));
}

#[test]
fn tls_is_served_and_plain_http_is_not_answered() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = file(&directory, "cert", &made.cert.pem());
    let key = file(&directory, "key", &made.signing_key.serialize_pem());
    let admin = file(&directory, "admin", ADMIN);
    // Beyond loopback, the program starts with TLS and without --insecure.
    let flags = ["--tls-cert", &cert, "--tls-key", &key, "--admin-token-file", &admin];
    let program = Program::on_sqlite_with(&[&flags[..], &["--listen", "0.0.0.0:0"]].concat());

    let token = format!("Bearer {ADMIN}");
    let sent = request("GET", "/status", &[("authorization", &token)], b"");
    let mut tls = tls_client(program.address.port(), Path::new(&cert));
    tls.write_all(&sent).unwrap();
    let mut bytes = vec![];
    // The connection may end without a TLS alert.
    let _ = tls.read_to_end(&mut bytes);
    Answer::parse(&bytes, false).unwrap().expect(200);

    let mut plain = TcpStream::connect(("127.0.0.1", program.address.port())).unwrap();
    plain.write_all(&sent).unwrap();
    let mut bytes = vec![];
    let _ = plain.read_to_end(&mut bytes);
    assert!(!bytes.starts_with(b"HTTP/"), "{}", bytes.escape_ascii());
}

pub(crate) fn tls_client(
    port: u16,
    cert: &Path,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap())
}

#[cfg(unix)]
#[test]
fn the_database_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::on_sqlite();
    program.consumer("fiona");
    let file = Path::new(program.url().strip_prefix("sqlite:").unwrap());
    // The three files that SQLite keeps while the database is open.
    for ending in ["", "-wal", "-shm"] {
        let file = format!("{}{ending}", file.display());
        let mode = std::fs::metadata(&file).expect(&file).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}
