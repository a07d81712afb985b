//! The commands `import` and `export`: consumers and what they own, from a declarative file, a CSV
//! file or Kong's Admin API into the database, and back.

mod csv;
mod export;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod items;
mod kong_admin;
mod sections;
mod tls;

pub(crate) use export::export;

use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::api::{App, Item, Outcome, Refusal, Rules, import as import_item};
use crate::auth::Auth;
use crate::counting::Counters;
use crate::metrics::Metrics;
use crate::settings::{Database, Import};
use crate::store::{Store, Tx};
use crate::vault::Vault;

/// The number of items that one transaction stores.
const BATCH: usize = 500;
/// The number of items that wait to be stored. With [`BATCH`] it bounds the memory.
const WAITING: usize = 2 * BATCH;
/// The number of refused items that are told one by one.
const TOLD: usize = 50;

/// The reason why an import or an export ends early.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// An item with its place, or a problem of the source at that place.
pub(crate) struct Read {
    place: String,
    item: Result<Item, String>,
    /// The part of the source that has been read, in percent, where that is known.
    percent: Option<u8>,
}

/// The numbers of items by what has become of them.
#[derive(Debug, Default)]
struct Numbers {
    created: usize,
    changed: usize,
    unchanged: usize,
    refused: usize,
}

/// Stores the items of a source. Returns `true` if none was refused.
pub(crate) async fn import(flags: &Import) -> Result<bool, Failure> {
    let app = open(&flags.database, flags.strict_app_ids).await?;
    let (send, mut receive) = mpsc::channel::<Read>(WAITING);
    let source = flags.source.clone();
    let (headers, authorities) = (flags.header.clone(), flags.ca.clone());
    let reading = tokio::spawn(async move {
        if source.contains("://") {
            return kong_admin::read(&source, &headers, authorities.as_deref(), send).await;
        }
        let is_csv =
            Path::new(&source).extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let read = if is_csv { csv::read } else { sections::read };
        let reading = tokio::task::spawn_blocking(move || read(Path::new(&source), &send));
        reading.await.unwrap_or_else(|error| Err(error.to_string()))
    });
    let mut numbers = Numbers::default();
    let mut batch = Vec::with_capacity(BATCH);
    while receive.recv_many(&mut batch, BATCH).await > 0 {
        let percent = batch.last().and_then(|read| read.percent);
        store(&app, &mut batch, &mut numbers).await?;
        progress(&numbers, percent);
    }
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    reading.await.map_err(failure)?.map_err(failure)?;
    println!("{numbers}");
    Ok(numbers.refused == 0)
}

/// Stores a batch in one transaction, and empties it.
async fn store(app: &App, batch: &mut Vec<Read>, numbers: &mut Numbers) -> Result<(), Failure> {
    app.store.write(async |tx| store_in(app, tx, batch, numbers).await).await
}

/// Stores a batch in `tx`.
async fn store_in(
    app: &App,
    tx: &mut Tx,
    batch: &mut Vec<Read>,
    numbers: &mut Numbers,
) -> Result<(), Failure> {
    for Read { place, item, .. } in batch.drain(..) {
        let outcome = match item {
            Ok(item) => import_item(app, tx, item)
                .await
                .map_err(|refusal| (refusal.in_words(), refusal.ends_an_import())),
            Err(problem) => Err((problem, false)),
        };
        match outcome {
            Ok(Outcome::Created) => numbers.created += 1,
            Ok(Outcome::Changed) => numbers.changed += 1,
            Ok(Outcome::Unchanged) => numbers.unchanged += 1,
            Err((words, true)) => return Err(failure(format!("{place}: {words}"))),
            Err((words, false)) => {
                numbers.refused += 1;
                if numbers.refused <= TOLD {
                    eprintln!("refused: {place}: {words}");
                } else if numbers.refused == TOLD + 1 {
                    eprintln!("refused: more than {TOLD}, which are not shown any more");
                }
            }
        }
    }
    Ok(())
}

fn progress(numbers: &Numbers, percent: Option<u8>) {
    if std::io::stderr().is_terminal() {
        let percent = percent.map(|percent| format!("{percent:3} %  ")).unwrap_or_default();
        eprint!("\r{percent}{numbers}");
    }
}

/// Opens the database, with the rules of the service.
async fn open(database: &Database, strict_app_ids: bool) -> Result<App, Failure> {
    let vault = match &database.encryption_key_file {
        None => Vault::plaintext(),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                failure(format!("--encryption-key-file {}: {error}", file.display()))
            })?;
            Vault::with_keys(&text).ok_or_else(|| {
                failure("--encryption-key-file does not hold 32 bytes in hex or base64")
            })?
        }
    };
    let store = Store::open(&database.database_url, database.change_history).await;
    let store = store.map_err(failure)?;
    // As the service does: without the key, no secret would be stored in clear beside sealed ones.
    store.seal_secrets(&vault).await.map_err(failure)?;
    Ok(App {
        store: Arc::new(store),
        counters: Arc::new(Counters::Database),
        metrics: Arc::new(Metrics::default()),
        rules: Rules { strict_app_ids, session_data_max: admin_api::SESSION_DATA_MAX },
        vault: Arc::new(vault),
        gateways: Arc::default(),
        auth: Arc::new(Auth::Loopback),
        body_timeout: std::time::Duration::ZERO,
    })
}

fn failure(error: impl fmt::Display) -> Failure {
    Failure(error.to_string())
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        failure(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.in_words())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, changed, unchanged, refused } = self;
        write!(f, "{created} created, {changed} changed, {unchanged} unchanged, {refused} refused")
    }
}
