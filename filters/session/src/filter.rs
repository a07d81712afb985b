//! The description of the filter for the runtime.

use crate::config::{Config, Phase};
use crate::flow::SessionFlow;
use crate::header::{BOUND_TO_IP, BOUND_TO_SCHEME};
use crate::mark::MARK;
use crate::save_flow::SaveFlow;
use crate::sessions::{Sessions, Tools};
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
    type Config = Sessions;

    fn settings(fields: &mut Fields<'_>) -> Sessions {
        let (config, secrets) = Config::read(fields);
        Sessions::new(config, secrets, TOOLS)
    }

    fn common(sessions: &Sessions) -> &Common {
        &sessions.config.common
    }

    /// An instance that only saves owns no header, because it tells the upstream nothing.
    fn owned(sessions: &Sessions) -> Owned {
        match sessions.config.phase {
            Phase::Save => Owned::nothing(),
            Phase::Both | Phase::Open => {
                let told = sessions.config.request_headers.iter();
                let owned = Owned::identity().and(told.map(|property| property.header()));
                owned.answering_for(sessions.config.hide_cookie.then_some("cookie"))
            }
        }
    }

    fn leaves(sessions: &Sessions) -> Vec<&'static str> {
        match sessions.config.phase {
            Phase::Both => vec![PROPERTY],
            Phase::Open | Phase::Save => vec![PROPERTY, MARK],
        }
    }

    fn needs(sessions: &Sessions) -> Needs {
        let config = &sessions.config;
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

    fn body_setting(sessions: &Sessions) -> Option<(&'static str, &'static str)> {
        sessions.config.logout.reads_body.then_some(("read_body_for_logout", "found true"))
    }

    fn check_host(sessions: &Sessions, able: Capabilities) -> Result<(), Invalid> {
        let config = &sessions.config;
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

    fn source(sessions: &Rc<Sessions>) -> Option<Box<dyn Source>> {
        let config = &sessions.config;
        let asks = config.phase != Phase::Save
            && (config.stored || config.logout.revokes || config.check_consumer);
        (asks && config.admin.is_some())
            .then(|| Box::new(Service { now: runtime::now }) as Box<dyn Source>)
    }

    fn start(sessions: &Rc<Sessions>, request: Admitted) -> Started {
        match sessions.config.phase {
            Phase::Both | Phase::Open => SessionFlow::start(Rc::clone(sessions), request),
            Phase::Save => SaveFlow::start(Rc::clone(sessions), &request.request),
        }
    }
}
