//! The changes at the admin service, and the answers that they make outdated.

use super::Cache;
use crate::effects::Effects;
use crate::feed::News;
use admin_api::Change;

impl Cache {
    /// Carries the news of the list of changes out.
    pub(super) fn take_in(&mut self, news: &News, effects: &mut Effects) {
        self.entries.ensure_generation(self.random);
        if news.dropped {
            self.drop_all((self.random)());
            effects.counts.push("cache_dropped");
        }
        for change in &news.changes {
            self.apply(change);
        }
    }

    /// Makes the answers outdated that a change touched.
    pub(super) fn apply(&mut self, change: &Change) {
        for key in self.source.touched(change) {
            self.entries.remove(&key, self.source.is_secret(&key), change.seq);
            self.recent.forget(&key);
            self.fetches.touch(&key, change.seq);
            self.snapshot.touch(key);
        }
    }

    /// Drops everything. `generation` is a random number.
    pub(super) fn drop_all(&mut self, generation: u64) {
        self.entries.drop_all(generation);
        self.recent.forget_all();
        self.fetches.drop_all();
        self.snapshot.drop_all();
    }
}
