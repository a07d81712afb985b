//! Items from a running Kong, by its Admin API, page by page.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::items::items;
use super::{Read, tls};
use crate::api::What;

/// The collections, in the order in which they can be stored.
const COLLECTIONS: [(&str, What); 5] = [
    ("consumers", What::Consumer),
    ("key-auths", What::Key),
    ("jwts", What::Jwt),
    ("acls", What::Group),
    ("appids", What::AppId),
];

/// The greatest size of a page, in bytes.
const PAGE_MAX: usize = 64 << 20;
/// The longest time for a page.
const PATIENCE: Duration = Duration::from_secs(60);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An Admin API.
pub(super) struct Source {
    authority: String,
    /// The connector and the name in the certificate, if the address begins with `https://`.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    prefix: String,
    headers: Vec<(String, String)>,
}

/// Reads everything, and sends it. The file `authorities` has the certificates that are trusted
/// over TLS in place of the system's.
pub(super) async fn read(
    url: &str,
    headers: &[String],
    authorities: Option<&Path>,
    send: Sender<Read>,
) -> Result<(), String> {
    let source = Source::of(url, headers, authorities)?;
    for (collection, what) in COLLECTIONS {
        let mut next = Some(format!("{}/{collection}?size=1000", source.prefix));
        let mut number = 0_usize;
        while let Some(path) = next.take() {
            let Some(mut page) = source.page(&path).await? else { break };
            let Some(Value::Array(data)) = page.get_mut("data").map(Value::take) else {
                return Err(format!("{path}: found no `data`, expected a page of an Admin API"));
            };
            for object in data {
                let place = format!("{collection}[{number}]");
                number += 1;
                let all = match object {
                    Value::Object(object) => items(what, object, &place),
                    _ => vec![(place, Err("expected an object".to_owned()))],
                };
                for (place, item) in all {
                    if send.send(Read { place, item, percent: None }).await.is_err() {
                        return Ok(());
                    }
                }
            }
            let offset = page["offset"].as_str();
            next = offset.map(|offset| {
                let offset = crate::api::query(&[("offset", offset.to_owned())]);
                format!("{}/{collection}?size=1000&{offset}", source.prefix)
            });
        }
    }
    Ok(())
}

impl Source {
    pub(super) fn of(
        url: &str,
        headers: &[String],
        authorities: Option<&Path>,
    ) -> Result<Self, String> {
        const EXPECTED: &str = "expected http://<host>:<port> or https://<host>:<port>";
        // The user before an `@` may have a password. `--header` is the way to send credentials.
        if url.contains('@') {
            return Err(format!(
                "found a user in the address (not shown), {EXPECTED}, and `--header`"
            ));
        }
        let expected = || format!("found {url}, {EXPECTED}");
        let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
        let secure = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(expected()),
        };
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let mut all = Vec::new();
        for header in headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| "--header: expected `<name>: <value>`".to_owned())?;
            all.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, if secure { "443" } else { "80" }),
        };
        if host.is_empty() {
            return Err(expected());
        }
        let tls = match secure {
            true => {
                let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(name).map_err(|_| expected())?;
                Some((tls::connector(authorities)?, name))
            }
            false => None,
        };
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(Self { authority: format!("{host}:{port}"), tls, prefix, headers: all })
    }

    /// Returns a page, or `None` if there is no such collection.
    async fn page(&self, path: &str) -> Result<Option<Value>, String> {
        let fetched = tokio::time::timeout(PATIENCE, self.fetch(path)).await;
        let (status, body) = fetched
            .map_err(|_| format!("{path}: no answer within a minute"))?
            .map_err(|error| format!("{}{path}: {error}", self.authority))?;
        match status {
            StatusCode::OK => {
                let page = serde_json::from_slice(&body);
                page.map(Some).map_err(|error| format!("{path}: {error}"))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(format!("{path}: the answer is {status}")),
        }
    }

    async fn fetch(&self, path: &str) -> Result<(StatusCode, Bytes), Error> {
        let stream = TcpStream::connect(&self.authority).await?;
        match &self.tls {
            None => self.exchange(stream, path).await,
            Some((connector, name)) => {
                self.exchange(connector.connect(name.clone(), stream).await?, path).await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        path: &str,
    ) -> Result<(StatusCode, Bytes), Error> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::get(path).header("host", &self.authority);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), PAGE_MAX).collect().await?.to_bytes();
        connection.abort();
        Ok((status, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_no_user() {
        for (url, authority) in [
            ("http://kong", "kong:80"),
            ("http://kong:8001/admin/", "kong:8001"),
            ("https://kong", "kong:443"),
            ("http://[::1]", "[::1]:80"),
            ("http://[::1]:8001", "[::1]:8001"),
        ] {
            let source = Source::of(url, &[], None);
            assert_eq!(source.map(|source| source.authority), Ok(authority.to_owned()), "{url}");
        }
        for url in ["kong:8001", "ftp://kong", "http://", "http:///admin", "https://:8444"] {
            let why = Source::of(url, &[], None).err().unwrap_or_default();
            assert!(why.starts_with(&format!("found {url}, expected http://")), "{url}: {why}");
        }
        for url in ["http://ada:secret@kong", "ada:secret@kong:8001", "http://kong/se@cret"] {
            let why = Source::of(url, &[], None).err().unwrap_or_default();
            assert!(why.contains("found a user") && !why.contains("cret"), "{url}: {why}");
        }
    }
}
