//! The cache, as who does not name its type sees it.

use crate::cache::Cache;
use crate::effects::{Conditions, Effects, Lookup, Purpose};
use exchange::{CallResult, Finding, Key, Unavailable};

/// The functions of a [`Cache`] behind a table. A program that holds only this trait, and makes no
/// cache, is linked without the code of the cache: it is most of a small filter's module.
pub trait Answers {
    /// See [`Cache::request_seen`].
    fn request_seen(&mut self, now: u64);

    /// See [`Cache::find`]. The lookup counts among those of the gateway.
    fn find(&mut self, key: &Key, waiter: u32, conditions: Conditions) -> Lookup;

    /// See [`Cache::left`].
    fn left(&mut self, key: &Key, waiter: u32, own_call: bool);

    /// Returns `true` if the last lookup at the admin service failed, so that one more would
    /// probably fail, too.
    fn is_away(&self) -> bool;

    /// See [`Cache::tick`].
    fn tick(&mut self, now: u64) -> Effects;

    /// See [`Cache::answered`].
    fn answered(
        &mut self,
        purpose: &Purpose,
        result: &CallResult,
        can_send: bool,
        now: u64,
    ) -> Effects;

    /// See [`Cache::answered_own`].
    fn answered_own(
        &mut self,
        key: &Key,
        result: &CallResult,
        now: u64,
    ) -> (Result<Finding, Unavailable>, Effects);
}

impl Answers for Cache {
    fn request_seen(&mut self, now: u64) {
        self.request_seen(now);
    }

    fn find(&mut self, key: &Key, waiter: u32, conditions: Conditions) -> Lookup {
        let lookup = self.find(key, waiter, conditions);
        self.report.count(lookup.counts());
        lookup
    }

    fn left(&mut self, key: &Key, waiter: u32, own_call: bool) {
        self.left(key, waiter, own_call);
    }

    fn is_away(&self) -> bool {
        self.away
    }

    fn tick(&mut self, now: u64) -> Effects {
        self.tick(now)
    }

    fn answered(
        &mut self,
        purpose: &Purpose,
        result: &CallResult,
        can_send: bool,
        now: u64,
    ) -> Effects {
        self.answered(purpose, result, can_send, now)
    }

    fn answered_own(
        &mut self,
        key: &Key,
        result: &CallResult,
        now: u64,
    ) -> (Result<Finding, Unavailable>, Effects) {
        self.answered_own(key, result, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::{ENVOY, Words, key, value};
    use crate::setup::Setup;
    use crate::shared_data::LocalData;
    use crate::waiting::Rooms;
    use admin_api::NODE_HEADER;
    use exchange::{Call, CallError, Target};
    use std::rc::Rc;
    use std::time::Duration;

    /// Returns what the call that asks for changes at `now` tells of this gateway's counts.
    fn told(cache: &mut dyn Answers, now: u64) -> Option<String> {
        let changes = |call: &Call| call.segments == [b"changes"];
        let call = cache.tick(now).calls.into_iter().map(|outgoing| outgoing.call).find(changes)?;
        let (name, report) = call.headers.first()?;
        assert_eq!(name, NODE_HEADER);
        let report = String::from_utf8(report.clone()).unwrap();
        Some(report.splitn(3, ' ').nth(2).unwrap_or_default().to_owned())
    }

    #[test]
    fn the_service_is_told_where_answers_came_from() {
        let mut common = settings::Common::default();
        common.cache.ttl = Duration::from_secs(60);
        common.cache.stale_ttl = Duration::from_secs(300);
        common.admin = Some(settings::Admin {
            target: Target {
                upstream: "admin".into(),
                authority: "admin".into(),
                tls: false,
                prefix: vec![],
                timeout: Duration::from_secs(1),
                token: None,
            },
            poll_interval: Duration::from_secs(5),
        });
        let setup = Setup {
            filter: ("key_auth", 1),
            common: &common,
            depends: b"",
            data: Rc::new(LocalData::default()),
            rooms: Rooms::default(),
            random: || 7,
            started: 0,
        };
        let cache: &mut dyn Answers = &mut Cache::new(setup, Box::new(Words), 0);
        let (a, b) = (Purpose::Key(key("a")), Purpose::Key(key("b")));
        assert!(matches!(cache.find(&key("a"), 1, ENVOY(0)), Lookup::Fetch(..)));
        cache.answered(&a, &Ok(value("Ana", 1)), true, 1);
        for waiter in 2..5 {
            assert!(matches!(cache.find(&key("a"), waiter, ENVOY(2)), Lookup::Hit(_)));
        }
        assert!(matches!(cache.find(&key("b"), 5, ENVOY(2)), Lookup::Fetch(..)));
        cache.answered(&b, &Err(CallError::NoAnswer), true, 3);
        assert_eq!(told(cache, 10).as_deref(), Some("key_auth=3/0/2/1"));
        // The service could not be asked, so it is told again, and of that call too.
        cache.answered(&Purpose::Changes, &Err(CallError::NoAnswer), true, 20);
        cache.request_seen(60_000);
        assert!(matches!(cache.find(&key("a"), 6, ENVOY(70_000)), Lookup::Stale(_)));
        assert_eq!(told(cache, 70_001).as_deref(), Some("key_auth=3/1/2/2"));
        let page = r#"{"data":[],"next":1,"epoch":"e","seq":1}"#;
        cache.answered(&Purpose::Changes, &Ok(exchange::Answer::new(200, page)), true, 70_002);
        assert_eq!(told(cache, 80_000).as_deref(), Some(""));
    }
}
