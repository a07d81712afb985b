//! The command-line flags. Each can also be set by an environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::auth::{Auth, Tokens};
use crate::counting::{BadUrl, Counters, Redis};
use crate::vault::Vault;

/// The admin service of Gatehouse: consumers, credentials and App IDs for the gateways.
#[derive(Debug, Parser)]
#[command(name = "gatehouse-admin", version, disable_help_subcommand = true)]
pub struct Command {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Answer the HTTP API until told to stop.
    Serve(Box<Serve>),
    /// Exit with 0 if the service on this machine works, otherwise with 1.
    Health(Health),
    /// Say what each filter would say of its settings in files for Kong, Envoy, Istio or Envoy
    /// Gateway, without a gateway. The exit code is 0, or 1 if a filter refuses its settings, or 2
    /// if a file cannot be read.
    CheckConfig(CheckConfig),
    /// Write the file for filters that takes the place of one for Kong's own plugins, and tell what
    /// was not carried over and what differs. The exit code is 0, or with `--check` 1 if something
    /// was not carried over, or 2 if the file cannot be used.
    Convert(Convert),
    /// Store consumers, groups, API keys, JWT credentials and App IDs of a declarative file, of a
    /// CSV file (`consumer,appid`) or of Kong's Admin API. What is stored already stays, so that an
    /// import that was interrupted can be run again. The exit code is 0, or 1 if an item was
    /// refused, or 2 if the import ended early.
    Import(Import),
    /// Write a declarative file of all consumers and what they own, which `import` reads.
    Export(Export),
}

/// The database of the service.
#[derive(Debug, Args)]
pub(crate) struct Database {
    /// `sqlite:<file>` or `postgres://<user>:<password>@<host>/<database>`, as of `serve`.
    #[arg(
        long,
        env = "GATEHOUSE_DATABASE_URL",
        default_value = "sqlite:gatehouse.db",
        hide_env_values = true
    )]
    pub(crate) database_url: String,
    /// File with the key that encrypts stored secrets, as of `serve`.
    #[arg(long, env = "GATEHOUSE_ENCRYPTION_KEY_FILE")]
    pub(crate) encryption_key_file: Option<PathBuf>,
    /// Number of changes that are kept, as of `serve`.
    #[arg(long, env = "GATEHOUSE_CHANGE_HISTORY", default_value_t = 100_000,
          value_parser = clap::value_parser!(i64).range(100..=100_000_000))]
    pub(crate) change_history: i64,
}

/// The flags of `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A declarative file, a file that ends with `.csv`, or `http://<host>:<port>` or
    /// `https://<host>:<port>` of Kong's Admin API.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) database: Database,
    /// A header for Kong's Admin API, such as `Kong-Admin-Token: …`.
    #[arg(long, value_name = "HEADER")]
    pub(crate) header: Vec<String>,
    /// PEM file with the authorities whose certificates the Admin API may have, in place of the
    /// system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Accept only App IDs of the form `<organisation>.<app>` in lower case.
    #[arg(long, env = "GATEHOUSE_STRICT_APP_IDS")]
    pub(crate) strict_app_ids: bool,
}

/// The flags of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) database: Database,
    /// The new file, instead of the standard output. Only its owner can read it.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The flags of `convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The declarative file of Kong or decK; `-` is the standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The gateway that the new file is for.
    #[arg(long, value_enum, default_value_t = To::Kong)]
    pub(crate) to: To,
    /// Exit with 1 if something was not carried over.
    #[arg(long)]
    pub(crate) check: bool,
    /// Write secrets into the new file. Otherwise they become variables of the environment.
    #[arg(long)]
    pub(crate) inline_secrets: bool,
    /// The gatehouse-admin that owns the consumers, as gateways reach it:
    /// `https://<host>:<port>`. Without it, consumers stand in the filters' settings.
    #[arg(long, value_name = "URL", value_parser = gateway_files::convert::Admin::read)]
    pub(crate) admin: Option<gateway_files::convert::Admin>,
    /// The new file, instead of the standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// A file for the variables and their values, as a shell reads them. Only its owner can read
    /// it.
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Option<PathBuf>,
}

/// A kind of file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum To {
    Kong,
    Envoy,
    Istio,
}

/// The flags of `check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// The files; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The environment of this command is the gateway's: a variable that is not set is an error,
    /// and not a warning.
    #[arg(long)]
    pub(crate) env: bool,
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port to listen on.
    #[arg(long, env = "GATEHOUSE_LISTEN", default_value = "127.0.0.1:8001")]
    pub(crate) listen: SocketAddr,
    /// `sqlite:<file>` or `postgres://<user>:<password>@<host>/<database>`.
    #[arg(
        long,
        env = "GATEHOUSE_DATABASE_URL",
        default_value = "sqlite:gatehouse.db",
        hide_env_values = true
    )]
    pub(crate) database_url: String,
    /// Redis that keeps the counters instead of the database:
    /// `redis://[:<password>@]<host>[:<port>][/<db>]`, or `rediss://` for TLS.
    #[arg(long, env = "GATEHOUSE_REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// File with the bearer tokens that may do everything: one on each line, of at least 32
    /// characters. This file and the next four are read again while the service runs.
    #[arg(long, env = "GATEHOUSE_ADMIN_TOKEN_FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// File with the bearer tokens for gateways, which read what they need, and write sessions and
    /// counters: one on each line, of at least 32 characters.
    #[arg(long, env = "GATEHOUSE_GATEWAY_TOKEN_FILE")]
    pub(crate) gateway_token_file: Option<PathBuf>,
    /// File with the key that encrypts stored secrets: 32 bytes in hex or base64. Keys on further
    /// lines still decrypt.
    #[arg(long, env = "GATEHOUSE_ENCRYPTION_KEY_FILE")]
    pub(crate) encryption_key_file: Option<PathBuf>,
    /// Certificate chain (PEM) to serve TLS with.
    #[arg(long, env = "GATEHOUSE_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[arg(long, env = "GATEHOUSE_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Listen beyond loopback without TLS.
    #[arg(long, env = "GATEHOUSE_INSECURE")]
    pub(crate) insecure: bool,
    /// Accept only App IDs of the form `<organisation>.<app>` in lower case.
    #[arg(long, env = "GATEHOUSE_STRICT_APP_IDS")]
    pub(crate) strict_app_ids: bool,
    /// Do not serve the page for operators at `/ui`.
    #[arg(long, env = "GATEHOUSE_NO_UI")]
    pub(crate) no_ui: bool,
    /// Number of changes that are kept for gateways that have fallen behind.
    #[arg(long, env = "GATEHOUSE_CHANGE_HISTORY", default_value_t = 100_000,
          value_parser = clap::value_parser!(i64).range(100..=100_000_000))]
    pub(crate) change_history: i64,
    /// Maximum size of a session's data, in bytes before base64.
    #[arg(long, env = "GATEHOUSE_SESSION_DATA_MAX", default_value_t = admin_api::SESSION_DATA_MAX,
          value_parser = data_size)]
    pub(crate) session_data_max: usize,
    /// Seconds between two deletions of expired rows.
    #[arg(long, env = "GATEHOUSE_SWEEP_INTERVAL", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) sweep_interval: u64,
    /// Maximum number of open connections.
    #[arg(long, env = "GATEHOUSE_MAX_CONNECTIONS", default_value_t = 1024,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_connections: u32,
    /// Maximum number of open connections of one peer: an IPv4 address, or an IPv6 network of 64
    /// bits. The default is half of all connections.
    #[arg(long, env = "GATEHOUSE_MAX_CONNECTIONS_PER_PEER",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_connections_per_peer: Option<u32>,
    /// Seconds that a client may take to send its next request or to accept more of an answer.
    #[arg(long, env = "GATEHOUSE_CLIENT_TIMEOUT", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) client_timeout: u64,
    /// Address of an OpenTelemetry collector that gets a trace of each request:
    /// `http://<host>:<port>` (OTLP over HTTP).
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
    /// error, warn, info or debug.
    #[arg(long, env = "GATEHOUSE_LOG_LEVEL", default_value = "info")]
    pub(crate) log_level: tracing::level_filters::LevelFilter,
}

/// The flags of `health`. They are flags of `serve`, so that one environment is enough for both.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Address and port that the service listens on.
    #[arg(long, env = "GATEHOUSE_LISTEN", default_value = "127.0.0.1:8001")]
    pub(crate) listen: SocketAddr,
    /// File with the bearer token that may do everything.
    #[arg(long, env = "GATEHOUSE_ADMIN_TOKEN_FILE")]
    admin_token_file: Option<PathBuf>,
    /// File with the bearer token for gateways, which is enough to ask.
    #[arg(long, env = "GATEHOUSE_GATEWAY_TOKEN_FILE")]
    gateway_token_file: Option<PathBuf>,
    /// Certificate chain (PEM) of the service, which then speaks TLS.
    #[arg(long, env = "GATEHOUSE_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
}

impl Health {
    /// Reads the token to ask with: the gateways' one if there is one, since it may do less.
    pub(crate) fn token(&self) -> Result<Option<String>, SettingsError> {
        let gateway = self.gateway_token_file.as_deref().map(|file| ("--gateway-token-file", file));
        let admin = self.admin_token_file.as_deref().map(|file| ("--admin-token-file", file));
        let tokens = gateway.or(admin).map(|(flag, file)| read_tokens(flag, file)).transpose()?;
        Ok(tokens.and_then(|tokens| tokens.into_iter().next()))
    }
}

/// Parses the maximum size of a session's data. A body has at most 1 MiB, and base64 makes four
/// bytes of three.
fn data_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1024..=524_288).contains(size));
    size.ok_or_else(|| "expected a number between 1024 and 524288".to_owned())
}

/// The reason why the service does not start.
#[derive(Debug)]
pub(crate) struct SettingsError(String);

/// The minimum length of a token, in characters. A shorter one could be guessed.
const TOKEN_MIN: usize = 32;
/// The maximum length of a token, in characters.
const TOKEN_MAX: usize = 4096;

impl Serve {
    /// Reads the tokens. It is an error if they are unsafe for the address to listen on.
    pub(crate) fn auth(&self) -> Result<Auth, SettingsError> {
        let admin = self.admin_token_file.as_deref();
        let gateway = self.gateway_token_file.as_deref();
        let auth = match (admin, gateway) {
            (None, None) => Auth::Loopback,
            (None, Some(_)) => {
                return Err(SettingsError(
                    "--gateway-token-file needs --admin-token-file: otherwise nobody could write"
                        .into(),
                ));
            }
            (Some(admin), gateway) => {
                let admin = read_tokens("--admin-token-file", admin)?;
                let gateway =
                    gateway.map(|file| read_tokens("--gateway-token-file", file)).transpose()?;
                let gateway = gateway.unwrap_or_default();
                if gateway.iter().any(|token| admin.contains(token)) {
                    return Err(SettingsError(
                        "--admin-token-file and --gateway-token-file hold the same token: every \
                         gateway would be an admin"
                            .into(),
                    ));
                }
                Auth::Tokens(Tokens::new(&admin, &gateway).into())
            }
        };
        if self.listen.ip().is_loopback() {
            return Ok(auth);
        }
        let listen = self.listen;
        if matches!(auth, Auth::Loopback) {
            return Err(SettingsError(format!(
                "--listen {listen} is open to other machines, which needs --admin-token-file"
            )));
        }
        if self.tls_cert.is_none() && !self.insecure {
            return Err(SettingsError(format!(
                "--listen {listen} is open to other machines, which needs --tls-cert and --tls-key, \
                 or --insecure where something else encrypts"
            )));
        }
        Ok(auth)
    }

    /// Reads the keys that encrypt stored secrets.
    pub(crate) fn vault(&self) -> Result<Vault, SettingsError> {
        const FLAG: &str = "--encryption-key-file";
        let Some(file) = &self.encryption_key_file else { return Ok(Vault::plaintext()) };
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(FLAG, file, &error))?;
        Vault::with_keys(&text)
            .ok_or_else(|| unreadable(FLAG, file, &"does not hold 32 bytes in hex or base64"))
    }

    /// Returns the maximum number of open connections of one peer.
    pub(crate) fn most_of_peer(&self) -> u32 {
        self.max_connections_per_peer.unwrap_or_else(|| self.max_connections.div_ceil(2))
    }

    /// Returns the place where counters are kept.
    pub(crate) fn counters(&self) -> Result<Counters, BadUrl> {
        Ok(match &self.redis_url {
            None => Counters::Database,
            Some(url) => Counters::Redis(Box::new(Redis::new(url)?)),
        })
    }

    /// Reads the TLS certificate and its key, if they are given.
    pub(crate) fn tls(&self) -> Result<Option<Arc<ServerConfig>>, SettingsError> {
        let (cert, key) = match (&self.tls_cert, &self.tls_key) {
            (None, None) => return Ok(None),
            (Some(cert), Some(key)) => (cert, key),
            _ => return Err(SettingsError("--tls-cert and --tls-key need each other".into())),
        };
        let chain = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable("--tls-cert", cert, &error))?;
        if chain.is_empty() {
            return Err(unreadable("--tls-cert", cert, &"no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| unreadable("--tls-key", key, &error))?;
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| {
                SettingsError(format!("--tls-cert and --tls-key do not fit: {error}"))
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(config)))
    }
}

/// Reads the tokens of `flag` from `file`: one on each line, without white space around it.
fn read_tokens(flag: &str, file: &Path) -> Result<Vec<String>, SettingsError> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(flag, file, &error))?;
    let lines = text.trim().split('\n').map(str::trim);
    lines.map(|line| token(line).map_err(|problem| unreadable(flag, file, &problem))).collect()
}

/// Checks a token. An error says what is wrong with it, without quoting it.
pub(crate) fn token(text: &str) -> Result<String, String> {
    if text.len() < TOKEN_MIN {
        Err(format!("holds {} characters, at least {TOKEN_MIN} are needed", text.len()))
    } else if text.len() > TOKEN_MAX {
        Err(format!("holds {} characters, at most {TOKEN_MAX} are possible", text.len()))
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err("holds characters other than printable ASCII without spaces".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn unreadable(flag: &str, file: &Path, error: &impl fmt::Display) -> SettingsError {
    SettingsError(format!("{flag} {}: {error}", file.display()))
}

// === SettingsError ===

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
