//! The parts that a cache is made of.

use crate::entries::Entries;
use crate::feed::Feed;
use crate::report::Report;
use crate::seal::fingerprint;
use crate::shared_data::SharedData;
use crate::time::millis;
use crate::waiting::Rooms;
use settings::Common;
use std::rc::Rc;
use std::time::Duration;

/// Returns the time between two ticks of a cache: a quarter of the interval in which the admin
/// service is asked for changes, and 250 milliseconds to one second.
#[must_use]
pub fn tick_period(common: &Common) -> Duration {
    let interval =
        common.admin.as_ref().map_or(Duration::from_secs(4), |admin| admin.poll_interval);
    let quarter = interval.checked_div(4).unwrap_or_default();
    quarter.clamp(Duration::from_millis(250), Duration::from_secs(1))
}

/// The parts that a [`Cache`](crate::Cache) is made of.
pub struct Setup<'a> {
    /// The filter's name and its ID, which no other filter has.
    pub filter: (&'a str, u8),
    /// The settings that every filter has.
    pub common: &'a Common,
    /// Further settings that answers depend on: with other settings, no cached answer is found.
    pub depends: &'a [u8],
    /// The memory for the answers.
    pub data: Rc<dyn SharedData>,
    /// The rooms in which requests wait.
    pub rooms: Rooms,
    /// Returns a random number.
    pub random: fn() -> u64,
    /// The time at which the filter was started, in milliseconds since 1970.
    pub started: u64,
}

impl Setup<'_> {
    /// Returns this VM's view of the list of changes, if there is an admin service.
    pub(crate) fn feed(&self) -> Option<Feed> {
        let admin = self.common.admin.as_ref()?;
        let print = fingerprint(Some(&admin.target), &[]);
        let (interval, timeout) = (millis(admin.poll_interval), millis(admin.target.timeout));
        let mut feed = Feed::new(&print, (self.random)(), interval, timeout);
        feed.begin(&*self.data);
        Some(feed)
    }

    /// Returns this VM's view of the counts of the gateway. Without an admin service, nobody is
    /// told.
    pub(crate) fn report(&self) -> Report {
        let target = self.common.admin.as_ref().map(|admin| &admin.target);
        Report::new(&fingerprint(target, &[]), self.filter.0, self.random)
    }

    /// Returns the entries of this filter with these settings.
    pub(crate) fn entries(&self) -> Entries {
        let (name, id) = self.filter;
        let target = self.common.admin.as_ref().map(|admin| &admin.target);
        let trust = [u8::from(self.common.trust_consumer_headers)];
        let print = fingerprint(target, &[name.as_bytes(), &trust, self.depends]);
        let token = target.and_then(|target| target.token.as_deref()).unwrap_or_default();
        let most = self.common.cache.max_entries;
        Entries::new(Rc::clone(&self.data), id, &print, token.as_bytes(), most)
    }
}
