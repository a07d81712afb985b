//! A filter's work besides its requests: what it sends on its own account.

use crate::{Call, CallResult, Tally, Target};
use std::rc::Rc;

/// The work of one filter configuration in one VM.
pub trait Worker {
    /// What is to be sent now (in milliseconds since 1970). Asked on each tick, and after a request
    /// whose flow says that it is urgent.
    fn due(&mut self, now: u64) -> Vec<BackgroundCall>;

    /// What became of a call, and what is to be sent because of it.
    fn answered(&mut self, id: u64, result: CallResult, now: u64) -> Vec<BackgroundCall>;

    /// The configuration is going away: what is to be sent while that is possible. Only Envoy says
    /// so; while an answer is missing, the configuration stays for it.
    fn leave(&mut self, _now: u64) -> Vec<BackgroundCall> {
        Vec::new()
    }

    /// What there is to count since the last time.
    fn tally(&mut self) -> Vec<Tally> {
        Vec::new()
    }
}

/// A call of the background's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackgroundCall {
    /// Tells the background's own calls apart.
    pub id: u64,
    /// Who is called.
    pub target: Rc<Target>,
    /// What is sent.
    pub call: Call,
}
