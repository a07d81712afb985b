//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::{Tools, UpstreamJwtFlow};
use crate::mint::Mint;
use consumer::{Admitted, Owned};
use exchange::{Started, same_name};
use jose::{Backend, Crypto, ForeignFailed};
use runtime::{Capabilities, Filter, Needs};
use settings::{Common, Fields, Invalid};
use std::rc::Rc;

/// The filter upstream_jwt.
#[derive(Debug)]
pub struct UpstreamJwt;

const TOOLS: Tools = Tools { random: runtime::random, now: runtime::now, report: runtime::report };

impl Filter for UpstreamJwt {
    const NAME: &'static str = "upstream_jwt";
    const ID: u8 = 4;
    type Config = Mint;

    fn settings(fields: &mut Fields<'_>) -> Mint {
        Mint::new(Config::read(fields))
    }

    fn common(mint: &Mint) -> &Common {
        &mint.config().common
    }

    /// `Authorization` belongs to the client until a token replaces it. Any other header is owned.
    fn owned(mint: &Mint) -> Owned {
        let header = &mint.config().header;
        match same_name(header.as_bytes(), b"authorization") {
            true => Owned::nothing(),
            false => Owned::headers([header]),
        }
    }

    fn leaves(_: &Mint) -> Vec<&'static str> {
        Vec::new()
    }

    fn needs(mint: &Mint) -> Needs {
        let config = mint.config();
        let needs = Needs::of(&config.common);
        Needs {
            route: needs.route || !config.route.is_empty(),
            service: needs.service || config.needs_service(),
            entities: !config.route.is_empty() || config.needs_service(),
            claims: !config.claims_from_token.is_empty(),
            upstream_query: config.query_hash,
            ..needs
        }
    }

    fn body_setting(mint: &Mint) -> Option<(&'static str, &'static str)> {
        mint.config().body_hash.then_some(("body_hash", "found true"))
    }

    fn check_host(mint: &Mint, able: Capabilities) -> Result<(), Invalid> {
        if mint.config().crypto != Crypto::Host || able.has_signatures {
            return Ok(());
        }
        Err(Invalid::one(
            "crypto",
            "found \"host\" on Kong, expected \"auto\" or \"wasm\": Kong has no functions for signatures",
        ))
    }

    fn start(mint: &Rc<Mint>, request: Admitted) -> Started {
        mint.sign_with(|| signer(mint.config().crypto));
        UpstreamJwtFlow::start(Rc::clone(mint), TOOLS, &request)
    }
}

/// Chooses the backend that signs, and reports the reason if there is none. This is done at the
/// first request, because the gateway is unknown before.
fn signer(crypto: Crypto) -> Option<Box<dyn Backend>> {
    let foreign =
        |name: &str, argument: &[u8]| runtime::foreign(name, argument).ok_or(ForeignFailed);
    match crypto.backend(Some(Box::new(foreign))) {
        Ok(backend) => Some(backend),
        Err(error) => {
            runtime::report(&format!("gatehouse_upstream_jwt: {error}"));
            None
        }
    }
}
