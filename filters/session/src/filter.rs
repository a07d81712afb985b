//! What the host has to know of this filter. No decision is made in this file.

use crate::config::{Config, Phase};
use crate::flow::SessionFlow;
use crate::header::{BOUND_TO_IP, BOUND_TO_SCHEME};
use crate::keeper::{Keeper, Tools};
use crate::mark::MARK;
use crate::save_flow::SaveFlow;
use crate::source::Service;
use consumer::{Admitted, Owned, PROPERTY};
use exchange::Started;
use runtime::{Capabilities, Filter, Needs, Source};
use settings::{Common, Fields, Invalid};
use std::rc::Rc;

/// The session filter.
#[derive(Debug)]
pub struct Session;

const TOOLS: Tools = Tools { random: runtime::random, report: runtime::report };

impl Filter for Session {
    const NAME: &'static str = "session";
    const ID: u8 = 5;
    type Config = Keeper;

    fn settings(fields: &mut Fields<'_>) -> Keeper {
        let (config, secrets) = Config::read(fields);
        Keeper::new(config, secrets, TOOLS)
    }

    fn common(keeper: &Keeper) -> &Common {
        &keeper.config.common
    }

    /// The instance that only saves tells the upstream nothing.
    fn owned(keeper: &Keeper) -> Owned {
        match keeper.config.phase {
            Phase::Save => Owned::nothing(),
            Phase::Both | Phase::Open => {
                let told = keeper.config.request_headers.iter();
                Owned::identity().and(told.map(|property| property.header()))
            }
        }
    }

    fn leaves(keeper: &Keeper) -> Vec<&'static str> {
        match keeper.config.phase {
            Phase::Both => vec![PROPERTY],
            Phase::Open | Phase::Save => vec![PROPERTY, MARK],
        }
    }

    fn needs(keeper: &Keeper) -> Needs {
        let config = &keeper.config;
        let needs = Needs::of(&config.common);
        let saves = config.phase == Phase::Save;
        Needs {
            raw_target: needs.raw_target || (!saves && !config.logout.methods.is_empty()),
            peer: config.bind & BOUND_TO_IP != 0,
            origin: config.bind & BOUND_TO_SCHEME != 0,
            mark: saves.then_some(MARK),
            at_response: config.phase == Phase::Both,
            ..needs
        }
    }

    fn body_setting(keeper: &Keeper) -> Option<(&'static str, &'static str)> {
        keeper.config.logout.reads_body.then_some(("read_body_for_logout", "true"))
    }

    fn check_host(keeper: &Keeper, able: Capabilities) -> Result<(), Invalid> {
        let config = &keeper.config;
        if able.can_hold_responses || !config.stored || config.phase != Phase::Both {
            return Ok(());
        }
        Err(Invalid::one(
            "phase",
            "found nothing with a storage outside the cookie, expected \"open\" here, and another \
             gatehouse_session with \"save\" after the authenticating filters: a response on Kong cannot wait \
             until a session is stored",
        ))
    }

    fn source(keeper: &Rc<Keeper>) -> Option<Box<dyn Source>> {
        let config = &keeper.config;
        let asks = config.phase != Phase::Save
            && (config.stored || config.logout.revokes || config.check_consumer);
        (asks && config.admin.is_some())
            .then(|| Box::new(Service { now: runtime::now }) as Box<dyn Source>)
    }

    fn start(keeper: &Rc<Keeper>, request: Admitted) -> Started {
        match keeper.config.phase {
            Phase::Both | Phase::Open => SessionFlow::start(Rc::clone(keeper), request),
            Phase::Save => SaveFlow::start(Rc::clone(keeper), &request.request),
        }
    }
}
