//! Converted files on a real Envoy: each is accepted, and the documents' `curl` lines have the
//! documents' answers.
//!
//! The tests need `GATEHOUSE_ENVOY`, the path of an Envoy, and `dist/gatehouse.wasm`. Without the
//! former they do nothing.

use base64::Engine as _;
use gateway_files::convert::{Options, Source, Target, convert};
use patience::eventually;
use serde_json::Value as Json;
use serde_norway::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn envoy() -> Option<PathBuf> {
    std::env::var_os("GATEHOUSE_ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A file below `tests/kong`, with every service at `upstream`.
fn kong(name: &str, upstream: SocketAddr) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kong").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let mut text = text.replace("port: 8002", &format!("port: {}", upstream.port()));
    for port in ["3000", "8002", "8003", "8004", "9000"] {
        text = text.replace(&format!("127.0.0.1:{port}"), &upstream.to_string());
    }
    text
}

/// A command that runs Envoy with the converted file.
struct Prepared {
    command: Command,
    directory: tempfile::TempDir,
}

fn prepared(envoy: &Path, text: &str) -> Prepared {
    let options = Options { to: Target::Envoy, inline_secrets: false, admin: None };
    let converted = convert(text, &options).unwrap();
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
    command.arg("--config-path").arg(&path).args(["--disable-hot-restart", "--concurrency", "1"]);
    let keys = root().join("filters/upstream-jwt/test-keys");
    for (name, source) in converted.variables {
        let value = match source {
            Source::Value(value) => value,
            Source::File(_) | Source::Operator(_) if name.contains("UPSTREAM_KEY") => {
                std::fs::read_to_string(keys.join("rsa.pem")).unwrap()
            }
            Source::File(_) | Source::Operator(_) if name.contains("CERTIFICATE") => {
                std::fs::read_to_string(keys.join("rsa.crt")).unwrap()
            }
            Source::File(_) | Source::Operator(_) => "a-value-for-this-test".to_owned(),
        };
        command.env(name, value);
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
        if filter["name"].as_str().unwrap().starts_with("gatehouse_") {
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
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kong");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Prepared { mut command, directory } = prepared(&envoy, &kong(&name, nowhere));
        let path = directory.path().join("envoy.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, without_modules(&text)).unwrap();
        let done = command.args(["--mode", "validate"]).output().unwrap();
        let log = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{name}: {log}");
        assert!(!log.to_ascii_lowercase().contains("deprecated"), "{name}: {log}");
        count += 1;
    }
    assert!(count >= 15);
}

/// A running Envoy, and the upstream that answers what it was asked.
struct Gateway {
    envoy: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
    }
}

/// An answer: its status, its header as text in lower case, and its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn ask(address: SocketAddr, path: &str, headers: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let host =
        if headers.to_ascii_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
    write!(stream, "GET {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// Answers every request with its own head.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if reader.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let mut stream = &stream;
                    let length = head.len();
                    if write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{head}")
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn start(envoy: &Path, name: &str) -> Gateway {
    let Prepared { mut command, directory } = prepared(envoy, &kong(name, echo()));
    let admin = directory.path().join("admin");
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let child = command
        .arg("--admin-address-path")
        .arg(&admin)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut gateway =
        Gateway { envoy: child, address: "127.0.0.1:9".parse().unwrap(), _directory: directory };
    gateway.address = eventually("Envoy listens", || {
        if let Ok(Some(_)) = gateway.envoy.try_wait() {
            panic!("{}", std::fs::read_to_string(gateway._directory.path().join("log")).unwrap());
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

impl Gateway {
    fn ask(&self, path: &str, headers: &str) -> Answer {
        eventually("an answer", || ask(self.address, path, headers))
    }
}

#[test]
fn the_session_documents_lines_have_the_documents_answers() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "session-document.yml");
    let stranger = gateway.ask("/sessions-test", "");
    assert_eq!(stranger.status, 403);
    assert_eq!(stranger.body, r#"{"message":"So long and thanks for all the fish!"}"#);
    let login = gateway.ask("/sessions-test?apikey=open_sesame", "");
    assert_eq!(login.status, 200, "{}", login.body);
    // The route's path is stripped, and the service's comes first.
    assert!(login.body.starts_with("GET /request?apikey=open_sesame HTTP/1.1"), "{}", login.body);
    let cookie =
        login.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).map(str::len);
    assert!(cookie.is_some(), "{}", login.head);
    assert_eq!(gateway.ask("/nowhere", "").status, 404);
}

#[test]
fn the_auth0_articles_token_passes_and_bots_and_strangers_do_not() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "auth0-blog.yml");
    assert_eq!(gateway.ask("/", "").status, 401);
    assert_eq!(gateway.ask("/", "User-Agent: Googlebot/2.1\r\n").status, 403);
    // {"iss":"adokey","name":"ado"}, signed with `supersecret`.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.\
                 lEzPj2hbGAeHXCCB7rnS-LKgCZZBp2ykEIOkNtczFcU";
    let path = format!("/api/leads?jwt={token}");
    let statuses: Vec<u16> = (0..6).map(|_| gateway.ask(&path, "").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429], "five requests in an hour");
}

#[test]
fn the_app_id_documents_answers_are_given() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "app-id-document.yml");
    // {"iss":"foo","exp":4102444800}, signed with the secret of `foo`.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJmb28iLCJleHAiOjQxMDI0NDQ4MDB9.\
                 cXoj-XF5HgYwpYuyNFkCjKdJ1c9DyxtDAJpy4qfoNzM";
    let ask = |app_id: &str| {
        gateway.ask("/content/x", &format!("Authorization: Bearer {token}\r\n{app_id}"))
    };
    assert_eq!(gateway.ask("/content", "X-APP-ID: Portal\r\n").status, 401);
    for (app_id, status, message) in [
        ("", 403, "X-APP-ID can't be blank"),
        ("X-APP-ID: NTP\r\n", 403, "Invalid X-APP-ID"),
        ("X-APP-ID: Portal\r\n", 200, "GET /content/x HTTP/1.1"),
    ] {
        let answer = ask(app_id);
        assert!(
            answer.status == status && answer.body.contains(message),
            "{app_id}: {}",
            answer.body
        );
    }
}

#[test]
fn the_upstream_gets_the_token_of_the_extended_forks_document() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "upstream-jwt-document.yml");
    assert_eq!(gateway.ask("/one", "").status, 401);
    let answer = gateway
        .ask("/one?msg=hello%20world&bla=&bar", "apikey: q2QiVe24S6ABaO2L9dEA9y1epX25B9gr\r\n");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token =
        answer.body.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
    let parts: Vec<Json> = token
        .split('.')
        .take(2)
        .map(|part| {
            let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        })
        .collect();
    assert_eq!((&parts[0]["alg"], &parts[0]["kid"]), (&"RS256".into(), &"keyId".into()));
    let kong = &parts[1]["kong"];
    assert_eq!(kong["consumer"]["id"], "e96dcb71-4322-490d-b6c6-b9ba1a24b6e3");
    assert_eq!(kong["credentials"]["key"], "q2QiVe24S6ABaO2L9dEA9y1epX25B9gr");
    let hash = "e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04";
    assert_eq!(kong["request"]["queryhash"], hash);
    assert_eq!(kong["request"]["bodyhash"], "");
}

#[test]
fn each_consumer_has_the_limits_of_the_most_specific_instance() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "scopes.yml");
    for (path, key, limit) in [
        ("/orders", "gold-key", "1000"),
        ("/orders", "silver-key", "20"),
        ("/exports", "gold-key", "50"),
        ("/exports", "silver-key", "2"),
        ("/catalogue", "gold-key", "1000"),
        ("/catalogue", "silver-key", "10"),
    ] {
        let answer = gateway.ask(path, &format!("apikey: {key}\r\n"));
        assert_eq!(answer.status, 200, "{path} {key}");
        let told = format!("x-ratelimit-limit-minute: {limit}\r\n");
        assert!(answer.head.contains(&told), "{path} {key}: {}", answer.head);
    }
    assert_eq!(gateway.ask("/orders", "").status, 401);
}

#[test]
fn groups_decide_who_may_pass() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "groups.yml");
    for (path, key, status) in [
        ("/reports", "anas-key", 200),
        ("/reports", "bobs-key", 200),
        ("/reports", "eves-key", 403),
        ("/forum", "anas-key", 200),
        ("/forum", "bobs-key", 403),
        ("/empty", "anas-key", 403),
        ("/empty", "no-key", 401),
    ] {
        let answer = gateway.ask(path, &format!("apikey: {key}\r\n"));
        assert_eq!(answer.status, status, "{path} {key}: {}", answer.body);
    }
}

#[test]
fn routes_and_rewriting_are_kongs() {
    let Some(envoy) = envoy() else { return };
    let gateway = start(&envoy, "upstreams.yml");
    let first_line = |path: &str, headers: &str| {
        let answer = gateway.ask(path, headers);
        format!("{} {}", answer.status, answer.body.lines().next().unwrap_or_default())
    };
    let versioned = "Host: api.example.com\r\nX-Version: 2\r\n";
    assert_eq!(first_line("/v1/a?b", versioned), "200 GET /a?b HTTP/1.1");
    assert_eq!(first_line("/v1", versioned), "200 GET / HTTP/1.1");
    // Without the header, the route for the whole host serves, and strips nothing.
    assert_eq!(first_line("/v1/a", "Host: api.example.com:8000\r\n"), "200 GET /v1/a HTTP/1.1");
    assert!(first_line("/write", "").starts_with("404 "));
    let web_shop = start(&envoy, "web-shop.yml");
    assert_eq!(web_shop.ask("/images/x", "").status, 410);
    assert_eq!(web_shop.ask("/users/x", "").status, 404);
}
