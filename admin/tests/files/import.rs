//! `gatehouse-admin import` and `export`.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::postgres::Postgres;
use crate::program::{Run, run};

/// A database, and a directory of its own for files.
struct Store {
    directory: TempDir,
    url: String,
}

impl Store {
    fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("x.db").display());
        Self { directory, url }
    }

    fn on_postgres() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), url: Postgres::shared().database() }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn import(&self, source: &str) -> Run {
        run(&["import", source, "--database-url", &self.url], &[], "")
    }

    fn export(&self) -> String {
        let done = run(&["export", "--database-url", &self.url], &[], "");
        assert_eq!(done.code, 0, "{done:?}");
        done.out
    }
}

/// Makes a test of each rule on each database.
macro_rules! on_both_databases {
    ($($rule:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $rule() { super::$rule(super::Store::on_sqlite) })*
        }
        mod postgres {
            $(#[test] fn $rule() { super::$rule(super::Store::on_postgres) })*
        }
    };
}

on_both_databases!(
    everything_in_a_file_is_stored_once_however_often_it_is_imported,
    what_cannot_be_stored_is_told_with_its_place_and_the_rest_is_stored,
    app_ids_come_from_a_csv_file,
    export_gives_it_back_and_import_takes_that,
    a_key_that_has_expired_is_not_in_the_way_of_an_import,
    a_database_with_sealed_secrets_needs_its_key,
    a_running_kong_is_read_page_by_page,
);

/// Everything that an import takes, in the block style of decK.
const FILE: &str = "_format_version: '3.0'
services:
- name: api
  url: http://127.0.0.1:8002
consumers:
- id: 0f4d7a59-1d7a-4a2a-8a4c-1c3f5f6f7a01
  username: fiona
  custom_id: '7'
  tags: [gold]
  keyauth_credentials:
  - key: open_sesame
    tags: [one]
  - key: second
  acls:
  - group: staff
  jwt_secrets:
  - key: fiona-iss
    secret: a-secret-of-fiona
  appids:
  - appid: Portal
- username: bob
acls:
- consumer: bob
  group: staff
keyauth_credentials:
- consumer:
    username: bob
  key: bobs-key
  ttl: 3600
";

fn everything_in_a_file_is_stored_once_however_often_it_is_imported(new: fn() -> Store) {
    let store = new();
    let file = store.file("kong.yml", FILE);
    let first = store.import(&file);
    assert_eq!(first.out, "9 created, 0 changed, 0 unchanged, 0 refused\n", "{first:?}");
    let again = store.import(&file);
    assert_eq!(again.out, "0 created, 0 changed, 9 unchanged, 0 refused\n", "{again:?}");
    let changed =
        store.file("kong.yml", &FILE.replace("a-secret-of-fiona", "another").replace("'7'", "'8'"));
    let third = store.import(&changed);
    assert_eq!(third.out, "0 created, 2 changed, 7 unchanged, 0 refused\n", "{third:?}");
    assert_eq!(third.code, 0);
}

#[test]
fn a_file_in_any_style_gives_the_same() {
    let flow = "{ _format_version: '3.0', consumers: [{ username: ana, keyauth_credentials: [{ key: k }] }] }";
    let anchors = "_format_version: '3.0'\n_ignore:\n- &tags [a]\nconsumers:\n- username: ana\n  tags: *tags\n  \
                   keyauth_credentials:\n  - key: k\n";
    let indented = "_format_version: '3.0'\nconsumers:\n  - username: ana # the first\n    keyauth_credentials:\n      - key: k\n";
    let first_the_keys =
        "keyauth_credentials:\n- consumer: ana\n  key: k\nconsumers:\n- username: ana\n";
    // YAML that a reader of lines has to leave to the reader of whole files, or must not miss.
    let key = "keyauth_credentials:\n  - key: k\n";
    let dash = format!("consumers:\n-\n  username: ana\n  {key}");
    let space = format!("consumers :\n- username: ana\n  {key}");
    let marked = format!("\u{feff}--- \nconsumers:\n- username: ana\n  {key}");
    let deeper =
        "  consumers:\n  - username: ana\n  keyauth_credentials:\n  - consumer: ana\n    key: k\n";
    let next_line =
        "consumers:\n  [{ username: ana }]\nkeyauth_credentials:\n  [{ consumer: ana, key: k }]\n";
    let breaks = "x: y\rconsumers:\r- username: ana\r  keyauth_credentials:\r  - key: k\r";
    let remarks = format!("consumers:\n  # the first\n# of all\n- username: ana\n  {key}");
    let unusual = [&dash, &space, &marked, &remarks, deeper, next_line, breaks];
    for text in [flow, anchors, indented, first_the_keys].into_iter().chain(unusual) {
        let store = Store::on_sqlite();
        let done = store.import(&store.file("kong.yml", text));
        assert_eq!(done.out, "2 created, 0 changed, 0 unchanged, 0 refused\n", "{text}: {done:?}");
    }
}

fn what_cannot_be_stored_is_told_with_its_place_and_the_rest_is_stored(new: fn() -> Store) {
    let store = new();
    let text = "consumers:
- username: ana
  keyauth_credentials:
  - key: k
  - tags: [no, key]
  basicauth_credentials:
  - username: ana
- username: bob
  keyauth_credentials:
  - key: k
acls:
- consumer: nobody
  group: staff
";
    let done = store.import(&store.file("kong.yml", text));
    assert_eq!(
        (done.code, done.out.as_str()),
        (1, "3 created, 0 changed, 0 unchanged, 4 refused\n"),
        "{done:?}"
    );
    for part in [
        "consumers[0].keyauth_credentials[1]: key: required field missing",
        "consumers[0].basicauth_credentials: no filter takes these credentials",
        "consumers[1].keyauth_credentials[0]: key: belongs to another consumer",
        "acls[0]: consumer: does not reference an existing consumer",
    ] {
        assert!(done.err.contains(part), "{part}: {}", done.err);
    }
    for unusable in ["/does/not/exist.yml", "ftp://kong:8444"] {
        assert_eq!(store.import(unusable).code, 2);
    }
}

fn app_ids_come_from_a_csv_file(new: fn() -> Store) {
    let store = new();
    store.import(&store.file("kong.yml", "consumers:\n- username: ana\n- username: 'B, Inc.'\n"));
    let csv =
        store.file("apps.csv", "consumer,appid\nana,Portal\n\"B, Inc.\",acme.web\nana\nnobody,x\n");
    let done = store.import(&csv);
    assert_eq!(done.out, "2 created, 0 changed, 0 unchanged, 2 refused\n", "{done:?}");
    assert!(
        done.err.contains("line 4: expected two fields") && done.err.contains("line 5: consumer: "),
        "{done:?}"
    );
    assert!(store.export().contains("appid: acme.web"));
}

fn export_gives_it_back_and_import_takes_that(new: fn() -> Store) {
    let store = new();
    store.import(&store.file("kong.yml", FILE));
    let exported = store.export();
    assert!(!exported.contains("open_sesame"), "keys are stored as digests");
    for part in [
        "username: fiona",
        "group: staff",
        "key: fiona-iss",
        "secret: a-secret-of-fiona",
        "appid: Portal",
        "key_digest: ",
    ] {
        assert!(exported.contains(part), "{part}: {exported}");
    }
    let copy = new();
    let done = copy.import(&copy.file("export.yml", &exported));
    assert_eq!(done.out, "9 created, 0 changed, 0 unchanged, 0 refused\n", "{done:?}");
    assert_eq!(copy.export(), exported);
    // The key in clear is the key whose digest was stored.
    let again = copy.import(&copy.file("kong.yml", FILE));
    assert_eq!(again.out, "0 created, 0 changed, 9 unchanged, 0 refused\n", "{again:?}");
}

fn a_key_that_has_expired_is_not_in_the_way_of_an_import(new: fn() -> Store) {
    let store = new();
    let digest = "e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f";
    let text = |end: u64| {
        let key = format!("- key_digest: {digest}\n    expires_at: {end}\n");
        format!("consumers:\n- username: ana\n  keyauth_credentials:\n  {key}")
    };
    assert_eq!(store.import(&store.file("kong.yml", &text(1))).code, 0);
    let again = store.import(&store.file("kong.yml", &text(99_999_999_999_999)));
    assert_eq!(again.out, "1 created, 0 changed, 1 unchanged, 0 refused\n", "{again:?}");
    assert!(store.export().contains(digest));
}

fn a_database_with_sealed_secrets_needs_its_key(new: fn() -> Store) {
    let store = new();
    let file = store.file("kong.yml", FILE);
    let key = store.file("key", &"0123456789abcdef".repeat(4));
    let url = &store.url;
    let with_key = ["--database-url", url, "--encryption-key-file", &key];
    let done = run(&[&["import", &file][..], &with_key].concat(), &[], "");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(store.import(&file).code, 2);
    assert_eq!(run(&["export", "--database-url", url], &[], "").code, 2);
    let exported = run(&[&["export"][..], &with_key].concat(), &[], "");
    assert!(exported.out.contains("secret: a-secret-of-fiona"), "{exported:?}");
}

/// Answers one request of an import as Kong's Admin API does. Returns the path.
fn answer(mut connection: impl Read + Write) -> Option<String> {
    let mut lines = BufReader::new(&mut connection).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let head: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let has_token = head.iter().any(|line| line.eq_ignore_ascii_case("kong-admin-token: t"));
    let id = "0f4d7a59-1d7a-4a2a-8a4c-1c3f5f6f7a01";
    let (status, body) = match path.split(['?', '&']).collect::<Vec<_>>()[..] {
        _ if !has_token => ("401 Unauthorized", "{}".to_owned()),
        ["/consumers", _] => (
            "200 OK",
            format!(r#"{{"data":[{{"id":"{id}","username":"ana","type":0}}],"offset":"a b"}}"#),
        ),
        ["/consumers", _, "offset=a%20b"] => {
            ("200 OK", r#"{"data":[{"username":"bob"}],"next":null}"#.to_owned())
        }
        ["/key-auths", _] => (
            "200 OK",
            format!(r#"{{"data":[{{"key":"k","ttl":null,"consumer":{{"id":"{id}"}}}}]}}"#),
        ),
        ["/jwts" | "/acls", _] => ("200 OK", r#"{"data":[]}"#.to_owned()),
        _ => ("404 Not Found", "{}".to_owned()),
    };
    let length = body.len();
    write!(connection, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
    connection.flush().ok()?;
    Some(path)
}

/// Starts a Kong that answers six requests, over TLS if there is a configuration. It returns their
/// paths.
fn kong(tls: Option<ServerConfig>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.map(Arc::new);
    let server = std::thread::spawn(move || {
        let answered = listener.incoming().map(Result::unwrap).filter_map(|stream| match &tls {
            None => answer(stream),
            Some(tls) => {
                answer(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).ok()?, stream))
            }
        });
        answered.take(6).collect()
    });
    (address, server)
}

fn a_running_kong_is_read_page_by_page(new: fn() -> Store) {
    let (address, server) = kong(None);
    let (store, url) = (new(), format!("http://{address}"));
    let flags = ["import", &url, "--header", "Kong-Admin-Token: t", "--database-url", &store.url];
    let done = run(&flags, &[], "");
    assert_eq!(done.out, "3 created, 0 changed, 0 unchanged, 0 refused\n", "{done:?}");
    assert_eq!(server.join().unwrap().len(), 6);
}

#[test]
fn a_kong_with_tls_is_read_if_its_certificate_is_that_of_the_authority() {
    let issued = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.is_ca = rcgen::IsCa::NoCa;
        (parameters, key)
    };
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let (parameters, key) = issued("localhost");
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (address, server) = kong(Some(tls));
    let store = Store::on_sqlite();
    let trusted = store.file("authority.pem", &authority_pem);
    let another = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let another = store.file("another.pem", &another.cert.pem());
    let empty = store.file("empty.pem", "");
    let import = |host: &str, authorities: Option<&str>| {
        let url = format!("https://{host}:{}", address.port());
        let mut flags = vec!["import", &url, "--header", "Kong-Admin-Token: t"];
        flags.extend(["--database-url", &store.url]);
        flags.extend(authorities.into_iter().flat_map(|file| ["--ca", file]));
        run(&flags, &[], "")
    };
    for (host, authorities) in [
        ("localhost", Some(another.as_str())),
        ("localhost", Some(empty.as_str())),
        ("localhost", None),
        // Another name than that of the certificate.
        ("127.0.0.1", Some(trusted.as_str())),
    ] {
        let done = import(host, authorities);
        assert!(done.code == 2 && done.out.is_empty(), "{host} {authorities:?}: {done:?}");
    }
    let done = import("localhost", Some(&trusted));
    assert_eq!(done.out, "3 created, 0 changed, 0 unchanged, 0 refused\n", "{done:?}");
    assert_eq!(server.join().unwrap().len(), 6);
}

/// Measures the time that 100,000 consumers with a credential each take. It is not part of every run:
/// `cargo test --profile tool -p gatehouse-admin --test files -- --ignored --nocapture`.
#[test]
#[ignore = "takes a while"]
fn a_hundred_thousand_credentials_take_less_than_a_minute_in_sqlite() {
    let mut text = String::from("_format_version: '3.0'\nconsumers:\n");
    for number in 0..100_000 {
        write!(
            text,
            "- username: user-{number}\n  keyauth_credentials:\n  - key: key-of-{number}\n"
        )
        .unwrap();
    }
    for (name, store) in [("SQLite", Store::on_sqlite()), ("PostgreSQL", Store::on_postgres())] {
        let file = store.file("kong.yml", &text);
        let begin = std::time::Instant::now();
        let done = store.import(&file);
        let took = begin.elapsed();
        assert_eq!(done.out, "200000 created, 0 changed, 0 unchanged, 0 refused\n", "{done:?}");
        println!("{name}: {took:?}");
        assert!(name != "SQLite" || took.as_secs() < 60, "{name}: {took:?}");
    }
}
