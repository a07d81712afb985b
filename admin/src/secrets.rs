//! Tokens, encryption keys and the certificate, read again while the service runs.
//!
//! The files are looked at every [`INTERVAL`] and at SIGHUP. What is wrong in them is logged, and
//! what was read before stays in force.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

use crate::auth::Auth;
use crate::settings::Serve;
use crate::store::Store;
use crate::vault::Vault;

/// The time between two looks at the files.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// The tokens, the encryption keys and the TLS certificate that the service has read from files.
pub(crate) struct Secrets {
    pub(crate) auth: Arc<Auth>,
    pub(crate) vault: Arc<Vault>,
    /// `None` if the service does not speak TLS.
    pub(crate) tls: Option<watch::Sender<Arc<ServerConfig>>>,
    /// A digest of the files when they were read last, whether they could be used or not.
    seen: [u8; 32],
}

impl Secrets {
    /// Reads everything. An error is the reason why the service does not start.
    pub(crate) fn read(flags: &Serve) -> Result<Self, Box<dyn Display>> {
        let auth = Arc::new(flags.auth().map_err(boxed)?);
        let tls = flags.tls().map_err(boxed)?.map(watch::Sender::new);
        let vault = Arc::new(flags.vault().map_err(boxed)?);
        Ok(Self { auth, vault, tls, seen: fingerprint(flags) })
    }

    /// Reads everything again if a file has changed. Secrets in the database are sealed anew if
    /// there is another first key.
    pub(crate) async fn read_again(&mut self, flags: &Serve, store: &Store) {
        let found = fingerprint(flags);
        if found == self.seen {
            return;
        }
        self.seen = found;
        match self.take(flags, store).await {
            Ok(0) => tracing::info!("tokens, keys and certificate were read again"),
            Ok(count) => {
                tracing::info!(
                    count,
                    "keys were read again, and secrets sealed with the first one"
                );
            }
            Err(error) => {
                let error = error.to_string();
                tracing::error!(error, "what was read before stays in force");
            }
        }
    }

    /// Takes everything or nothing.
    async fn take(&self, flags: &Serve, store: &Store) -> Result<usize, Box<dyn Display>> {
        let auth = flags.auth().map_err(boxed)?;
        let tls = flags.tls().map_err(boxed)?;
        let vault = flags.vault().map_err(boxed)?;
        store.check_secrets(&vault).await.map_err(boxed)?;
        self.auth.replace(auth);
        if let (Some(sender), Some(config)) = (&self.tls, tls) {
            sender.send_replace(config);
        }
        self.vault.replace(vault);
        store.seal_secrets(&self.vault).await.map_err(boxed)
    }
}

/// Returns a digest of the files' contents. A file that cannot be read counts as empty.
fn fingerprint(flags: &Serve) -> [u8; 32] {
    let files = [
        &flags.admin_token_file,
        &flags.gateway_token_file,
        &flags.encryption_key_file,
        &flags.tls_cert,
        &flags.tls_key,
    ];
    let mut whole = Sha256::new();
    for file in files.into_iter().flatten() {
        whole.update(Sha256::digest(std::fs::read(file).unwrap_or_default()));
    }
    whole.finalize().into()
}

fn boxed(error: impl Display + 'static) -> Box<dyn Display> {
    Box::new(error)
}
