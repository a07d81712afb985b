//! The command `health`: it asks the service on this machine whether it works.
//!
//! Images of containers have no other program that could ask.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
};

use crate::settings::Health;

/// The time that the service has to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks for `/status`. An error says why the service does not work.
pub(crate) async fn health(flags: &Health) -> Result<(), Box<dyn fmt::Display>> {
    let token = flags.token().map_err(|error| Box::new(error) as Box<dyn fmt::Display>)?;
    let address = reachable(flags.listen);
    let asked = tokio::time::timeout(PATIENCE, ask(address, flags.tls_cert.is_some(), token));
    match asked.await {
        Ok(Ok(line)) if line.starts_with("HTTP/1.1 200 ") => Ok(()),
        Ok(Ok(line)) => Err(Box::new(format!("{address} answers: {line}"))),
        Ok(Err(error)) => Err(Box::new(format!("{address}: {error}"))),
        Err(_) => Err(Box::new(format!("{address}: no answer in {} s", PATIENCE.as_secs()))),
    }
}

/// Returns an address at which a service on this machine answers that listens on `listen`.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Returns the first line of the answer.
async fn ask(address: SocketAddr, tls: bool, token: Option<String>) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!(
        "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n",
        bearer.unwrap_or_default()
    );
    if !tls {
        return first_line(stream, &request).await;
    }
    let name = ServerName::from(address.ip());
    first_line(connector()?.connect(name, stream).await?, &request).await
}

async fn first_line(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> std::io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    // The line and the headers that follow it fit in this many bytes.
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

fn connector() -> std::io::Result<TlsConnector> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Accepts every certificate, since the address is one of this machine: its name is not in the
/// certificate, and one that was renewed after the start must not make a service ill.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
