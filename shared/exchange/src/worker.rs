//! A filter's own work besides its requests, and the calls that it makes for it.

use crate::{Call, CallResult, Tally, Target};
use std::rc::Rc;

/// The work of one filter configuration besides its requests, in one VM or worker of the gateway.
pub trait Worker {
    /// Returns the calls to make at `now`, in milliseconds since 1970. The runtime asks on each
    /// tick, and after a request whose [`crate::Flow::on_done`] returns `true`.
    fn due(&mut self, now: u64) -> Vec<BackgroundCall>;

    /// Takes the result of the call `id`, and returns the calls to make because of it. `now` is in
    /// milliseconds since 1970.
    fn answered(&mut self, id: u64, result: CallResult, now: u64) -> Vec<BackgroundCall>;

    /// Returns the last calls of a configuration that is going away at `now`, in milliseconds since
    /// 1970. The configuration waits for their results. Only Envoy tells a filter of this.
    fn leave(&mut self, _now: u64) -> Vec<BackgroundCall> {
        Vec::new()
    }

    /// Returns everything to count since the previous call of this function.
    fn tally(&mut self) -> Vec<Tally> {
        Vec::new()
    }
}

/// A call that belongs to a filter configuration, and not to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackgroundCall {
    /// The number by which the worker tells its calls apart. The runtime hands it back with the
    /// result.
    pub id: u64,
    /// The service to call.
    pub target: Rc<Target>,
    /// The request to send.
    pub call: Call,
}
