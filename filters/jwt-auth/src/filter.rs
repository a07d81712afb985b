//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::JwtFlow;
use crate::source::Entities;
use consumer::{Admitted, CLAIMS, Owned, PROPERTY};
use exchange::Started;
use jose::{Backend, Crypto, ForeignFailed};
use runtime::{Capabilities, Filter, Needs, Source, is_address};
use settings::{Common, Fields, Invalid};
use std::cell::OnceCell;
use std::rc::Rc;

/// The filter jwt_auth.
#[derive(Debug)]
pub struct JwtAuth;

/// The settings, and the backend that verifies signatures.
pub struct Settings {
    config: Rc<Config>,
    /// The backend, chosen at the first request, because the gateway is unknown before. `None` if
    /// the settings demand the gateway's functions, and they do not work.
    backend: OnceCell<Option<Rc<dyn Backend>>>,
}

impl Filter for JwtAuth {
    const NAME: &'static str = "jwt_auth";
    const ID: u8 = 3;
    type Config = Settings;

    fn settings(fields: &mut Fields<'_>) -> Settings {
        Settings { config: Rc::new(Config::read(fields)), backend: OnceCell::new() }
    }

    fn common(settings: &Settings) -> &Common {
        &settings.config.common
    }

    fn owned(settings: &Settings) -> Owned {
        let config = &settings.config;
        let owned = Owned::identity().and(&config.owned);
        if !config.hide_credentials {
            return owned;
        }
        let cookies = (!config.cookie_names.is_empty()).then_some("cookie");
        owned.answering_for(&config.header_names).answering_for(cookies)
    }

    fn leaves(_: &Settings) -> Vec<&'static str> {
        vec![PROPERTY, CLAIMS]
    }

    fn needs(settings: &Settings) -> Needs {
        let config = &settings.config;
        let needs = Needs::of(&config.common);
        Needs { raw_target: needs.raw_target || !config.uri_param_names.is_empty(), ..needs }
    }

    fn check_host(settings: &Settings, able: Capabilities) -> Result<(), Invalid> {
        if settings.config.crypto == Crypto::Host && !able.has_signatures {
            return Err(Invalid::one(
                "crypto",
                "found \"host\" on Kong, which has no functions for signatures, expected \"auto\" or \"wasm\"",
            ));
        }
        if !able.calls_addresses {
            return Ok(());
        }
        for (n, provider) in settings.config.providers.iter().enumerate() {
            let place = provider.place();
            if place.is_some_and(|place| !is_address(&place.target.upstream)) {
                return Err(Invalid::one(
                    format!("providers[{n}].upstream.upstream"),
                    "found a name that Kong cannot call, expected `host:port`",
                ));
            }
        }
        Ok(())
    }

    fn warnings(settings: &Settings) -> Vec<String> {
        settings.config.warnings()
    }

    fn source(settings: &Rc<Settings>) -> Option<Box<dyn Source>> {
        let config = &settings.config;
        let remote = config.providers.iter().any(|provider| provider.place().is_some());
        let entities = || Box::new(Entities { config: Rc::clone(config) }) as Box<dyn Source>;
        (config.common.admin.is_some() || remote).then(entities)
    }

    fn depends(settings: &Settings) -> Vec<u8> {
        settings.config.depends()
    }

    fn start(settings: &Rc<Settings>, request: Admitted) -> Started {
        let backend = settings.backend.get_or_init(|| {
            // On Kong every call of this function fails, and so does the self-test.
            let host =
                |name: &str, argument: &[u8]| runtime::foreign(name, argument).ok_or(ForeignFailed);
            settings.config.crypto.backend(Some(Box::new(host))).ok().map(Rc::from)
        });
        JwtFlow::start(Rc::clone(&settings.config), backend.clone(), request)
    }
}
