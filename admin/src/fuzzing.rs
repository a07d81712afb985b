//! The entries for the fuzzer. docs/hostile-input.md says what each of them promises.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use admin_api::SESSION_DATA_MAX;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use clap::Parser as _;
use http_body_util::BodyExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::api::{App, Middleware, Rules, router};
use crate::auth::{Auth, Tokens, is_local};
use crate::counting::{Batch, Counters, Entry, Redis, totals_from_text, totals_to_text};
use crate::metrics::Metrics;
use crate::settings::{Action, Command, token};
use crate::store::Store;
use crate::vault::{PLAIN, Vault};

/// One target: a name, and a function that panics where a promise is broken.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("admin_requests", crate::api::fuzzing::requests),
    target("admin_bodies", crate::api::fuzzing::bodies),
    target("admin_queries", crate::api::fuzzing::queries),
    target("admin_import", crate::import::fuzzing::files),
    target("admin_csv", crate::import::fuzzing::csv_files),
    target("admin_records", records),
    target("admin_settings", settings),
];

/// The service without its listener, on a database of its own.
pub(crate) struct Bed {
    pub(crate) runtime: Runtime,
    pub(crate) app: App,
    /// A directory for files.
    pub(crate) directory: PathBuf,
    open: Middleware,
    closed: Middleware,
}

/// An answer of the service.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Bed {
    /// Returns the bed of this process, with an empty database.
    pub(crate) fn empty() -> &'static Self {
        static BED: OnceLock<Bed> = OnceLock::new();
        let bed = BED.get_or_init(Self::new);
        bed.runtime.block_on(async {
            let forgotten = bed.app.store.write(async |tx| tx.forget_everything().await).await;
            forgotten.expect("an empty database");
        });
        bed
    }

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let directory = std::env::temp_dir().join(format!("fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let url = format!("sqlite:{}", directory.join("x.db").display());
        let store = runtime.block_on(Store::open(&url, 100)).unwrap_or_else(|why| panic!("{why}"));
        let (metrics, open) = (Arc::new(Metrics::default()), Arc::new(Auth::Loopback));
        let closed = Tokens::new(&["a".repeat(64)], &["b".repeat(64)]);
        let app = App {
            store: Arc::new(store),
            counters: Arc::new(Counters::Database),
            metrics: Arc::clone(&metrics),
            rules: Rules { strict_app_ids: false, session_data_max: SESSION_DATA_MAX },
            vault: Arc::new(Vault::with_keys(&"0f".repeat(32)).expect("a key")),
            gateways: Arc::default(),
            auth: Arc::clone(&open),
            body_timeout: std::time::Duration::from_secs(3600),
        };
        let router = router(app.clone(), true);
        Self {
            runtime,
            app,
            directory,
            open: Middleware::new(router.clone(), open, Arc::clone(&metrics), true),
            closed: Middleware::new(router, Arc::new(Auth::Tokens(closed.into())), metrics, true),
        }
    }

    /// Returns the answer of a service that gives everybody on this machine the admin's role.
    pub(crate) fn ask(&self, request: Request<Body>) -> Answered {
        self.answer(self.open.clone(), request)
    }

    /// Returns the answer of a service whose tokens no input holds.
    pub(crate) fn ask_without_a_token(&self, request: Request<Body>) -> Answered {
        self.answer(self.closed.clone(), request)
    }

    fn answer(&self, middleware: Middleware, request: Request<Body>) -> Answered {
        self.runtime.block_on(async {
            let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let Ok(response) = middleware.answer(here, (), request).await;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            Answered { status: parts.status, body }
        })
    }

    /// Writes a file, and returns its path.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

/// Stored records are read: remembered answers to batches, sealed secrets, and keys. The first byte
/// is a number, and the rest a text.
fn records(data: &[u8]) {
    let Some((number, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Some(totals) = totals_from_text(text) {
        let again = totals_from_text(&totals_to_text(&totals));
        assert_eq!(again, Some(totals), "what was written reads back");
    }
    counted(text);

    static KNOWN: OnceLock<Vault> = OnceLock::new();
    let known = KNOWN.get_or_init(|| Vault::with_keys(&"0f".repeat(32)).expect("a key"));
    let opened = known.unseal("row", text);
    assert_eq!(opened.ok().as_deref(), text.strip_prefix(PLAIN), "nothing else opens");
    let sealed = known.seal("row", text).expect("sealed");
    assert_eq!(known.unseal("row", &sealed).as_deref(), Ok(text));
    let mut changed = sealed.clone().into_bytes();
    let at = changed.len() - 1 - usize::from(*number) % changed.len();
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("text");
    assert!(known.unseal("row", &changed).is_err(), "{changed} is not what was sealed");
    if let Some(vault) = Vault::with_keys(text) {
        assert_eq!(vault.keys(), text.split_whitespace().count());
        let sealed = vault.seal("row", "secret").expect("sealed");
        assert_eq!(vault.unseal("row", &sealed).as_deref(), Ok("secret"));
        assert!(vault.unseal("other", &sealed).is_err());
    }
}

/// Counts a batch that a text describes: numbers, four for each increment.
fn counted(text: &str) {
    let numbers: Vec<u64> = text.split(' ').map_while(|word| word.parse().ok()).collect();
    let entry = |four: &[u64]| Entry {
        counter: (four[0] % 3).to_string(),
        by: four[1],
        limit: (four[2] > 0).then_some(four[2]),
        previous: (four[3] > 0).then(|| ((four[0] % 2).to_string(), four[3] % 1_000_001)),
        expires_at: 0,
    };
    let entries: Vec<Entry> = numbers.chunks_exact(4).map(entry).collect();
    let before = BTreeMap::from([("0".to_owned(), numbers.first().copied().unwrap_or(0))]);
    for all_or_nothing in [false, true] {
        let batch =
            Batch { entries: entries.iter().map(copied).collect(), all_or_nothing, id: None };
        let outcome = batch.decide(&before);
        assert_eq!(outcome.totals.len(), batch.entries.len());
        let refused = outcome.totals.iter().any(|total| total.admitted == Some(false));
        assert!(!(all_or_nothing && refused) || outcome.changed.is_empty(), "all or nothing");
        for (name, total) in &outcome.changed {
            assert!(*total >= before.get(name).copied().unwrap_or(0), "a counter never falls");
        }
        for (total, entry) in outcome.totals.iter().zip(&batch.entries) {
            let fits = entry.limit.is_none_or(|limit| total.total <= limit);
            assert!(total.admitted != Some(true) || fits || refused && all_or_nothing);
            assert_eq!(total.admitted.is_some(), entry.limit.is_some());
        }
    }
}

fn copied(entry: &Entry) -> Entry {
    let Entry { counter, by, limit, previous, expires_at } = entry;
    let (counter, previous) = (counter.clone(), previous.clone());
    Entry { counter, by: *by, limit: *limit, previous, expires_at: *expires_at }
}

/// The command line, one argument on each line; each line as a token, a Host header and an address
/// of Redis, too.
fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Command::try_parse_from(std::iter::once("gatehouse-admin").chain(text.lines())) {
        Err(refusal) => assert!(!refusal.to_string().is_empty(), "a refusal says why"),
        Ok(Command { action: Action::Serve(flags) }) => {
            assert!((100..=100_000_000).contains(&flags.change_history));
            assert!((1024..=524_288).contains(&flags.session_data_max));
            assert!((1..=3600).contains(&flags.sweep_interval.min(flags.client_timeout)));
            assert!((1..=100_000).contains(&flags.max_connections.min(flags.most_of_peer())));
            let files = [&flags.admin_token_file, &flags.gateway_token_file, &flags.tls_cert];
            if files.iter().all(|file| file.is_none()) {
                assert_eq!(flags.auth().is_ok(), flags.listen.ip().is_loopback());
            }
        }
        Ok(_) => {}
    }
    for line in text.lines() {
        match token(line) {
            Ok(read) => assert!(read == line && (32..=4096).contains(&line.len())),
            Err(why) => assert!(why.len() < 100, "{why} quotes a token"),
        }
        if is_local(line) {
            let bare = line.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
            let bare = bare.map_or(line, |(host, _)| host).trim_matches(['[', ']']);
            let address = bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            assert!(address || bare.eq_ignore_ascii_case("localhost"), "{line} is not local");
        }
        let _entered = Bed::runtime().enter();
        // The error holds nothing of the address, in which a password may be.
        drop(Redis::new(line));
        crate::import::fuzzing::address(line);
    }
}

impl Bed {
    /// Returns a runtime without a database.
    pub(crate) fn runtime() -> &'static Runtime {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().expect("one"))
    }
}
