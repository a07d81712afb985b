//! The anonymous consumer, which stands in for a client that could not be authenticated.
//!
//! key_auth and jwt_auth have the setting `anonymous` of Kong's plugins: the id or username of this
//! consumer. A client becomes anonymous only after its authentication has failed. If the lookup of
//! a credential fails, nothing is known about the client, and the request is refused.

use crate::identity::Identity;
use crate::inline::Directory;
use crate::lookup::{Progress, Search};
use exchange::{Finding, Reply, Request, Step, Unavailable};

/// The settings of a filter about its anonymous consumer.
#[derive(Debug, Clone, Copy)]
pub struct Anonymous<'a> {
    /// The id or username of the anonymous consumer.
    pub name: Option<&'a str>,
    /// The consumers in the settings.
    pub consumers: &'a Directory,
    /// `true` if the settings have an admin service, which may know the consumer.
    pub has_admin: bool,
}

/// The next thing to do for a client that could not be authenticated.
#[derive(Debug)]
pub enum StandIn {
    /// Carry out the step, which looks up the anonymous consumer. [`Anonymous::answered`] takes the
    /// finding.
    Ask(Search, Step),
    /// Let the request on with this identity.
    Admit(Identity),
    /// Answer the client.
    Refuse(Reply),
}

impl Anonymous<'_> {
    /// Returns `true` if the filter lets the request on without authenticating it: a CORS preflight
    /// unless `run_on_preflight` is `true`, and, with an anonymous consumer, a request that an
    /// earlier filter has authenticated.
    #[must_use]
    pub fn skips(
        &self,
        request: &Request,
        identity: Option<&Identity>,
        run_on_preflight: bool,
    ) -> bool {
        let preflight = request.method == b"OPTIONS" && !run_on_preflight;
        let done = self.name.is_some() && identity.is_some_and(Identity::is_authenticated);
        preflight || done
    }

    /// Begins to let the anonymous consumer stand in. Without the setting, `failure` is the answer.
    /// `now` is the time of the request in milliseconds since 1970.
    #[must_use]
    pub fn stand_in(&self, now: u64, failure: Reply) -> StandIn {
        let Some(name) = self.name else { return StandIn::Refuse(failure) };
        match self.consumers.by_id_or_username(name) {
            Some(identity) => StandIn::Admit(Identity::clone(identity).into_anonymous()),
            None if !self.has_admin => StandIn::Refuse(self.missing()),
            None => {
                let (search, step) = Search::id_or_username(name, now);
                StandIn::Ask(search, step)
            }
        }
    }

    /// Continues with the finding that `search` has looked up.
    #[must_use]
    pub fn answered(&self, search: Search, found: Result<Finding, Unavailable>) -> StandIn {
        match search.on(found) {
            Progress::Ask(search, step) => StandIn::Ask(search, step),
            Progress::Found(identity) => StandIn::Admit(identity.into_anonymous()),
            Progress::Nobody => StandIn::Refuse(self.missing()),
            Progress::Unavailable => StandIn::Refuse(Reply::unavailable()),
        }
    }

    fn missing(&self) -> Reply {
        let name = self.name.unwrap_or_default();
        let message = format!("anonymous consumer {name} is configured but doesn't exist");
        Reply::error(500, "no_anonymous_consumer", message)
    }
}
