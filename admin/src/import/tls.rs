//! TLS to Kong's Admin API.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Returns a connector that trusts the authorities in the PEM file, or those of the system.
///
/// # Errors
/// A message, if there is none.
pub(super) fn connector(authorities: Option<&Path>) -> Result<TlsConnector, String> {
    let mut trusted = RootCertStore::empty();
    let from = match authorities {
        Some(file) => {
            let told = |error: &dyn std::fmt::Display| format!("--ca {}: {error}", file.display());
            let found = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| told(&error))?;
            for certificate in found {
                trusted.add(certificate).map_err(|error| told(&error))?;
            }
            format!("--ca {}", file.display())
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            trusted.add_parsable_certificates(found.certs);
            "the system".to_owned()
        }
    };
    if trusted.is_empty() {
        return Err(format!("{from}: found no certificate of an authority"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
