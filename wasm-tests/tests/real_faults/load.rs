//! Clients that send without a pause, and know what each answer has to be.

use crate::table::Answers;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use wasm_tests::real::{Message, RawRequest, eventually};

/// The number of clients.
const CLIENTS: usize = 4;
/// The wrong answers that a row shows.
const SHOWN: usize = 10;

/// A request and its only right answer.
#[derive(Debug, Clone)]
pub struct Case {
    name: &'static str,
    request: RawRequest,
    right: Right,
    refusals: &'static [u16],
}

#[derive(Debug, Clone, Copy)]
enum Right {
    /// The request reaches the upstream as this consumer's.
    Passes(&'static str),
    /// The filters refuse the request with this status.
    Refused(u16),
}

impl Case {
    /// A request that must reach the upstream as the consumer's of this name.
    pub fn passes(name: &'static str, consumer: &'static str, request: RawRequest) -> Self {
        let request = request.header("x-case", name);
        Self { name, request, right: Right::Passes(consumer), refusals: &[] }
    }

    /// A request that the filters must refuse with this status.
    pub fn refused(name: &'static str, status: u16, request: RawRequest) -> Self {
        let request = request.header("x-case", name);
        Self { name, request, right: Right::Refused(status), refusals: &[] }
    }

    /// Makes these statuses documented refusals of this case.
    pub fn or_else(mut self, refusals: &'static [u16]) -> Self {
        self.refusals = refusals;
        self
    }

    /// Sends the request over a new connection, and judges the answer.
    pub fn ask(&self, to: SocketAddr) -> Verdict {
        match self.request.try_send(to) {
            Ok(answer) => self.judge(&answer),
            Err(error) => Verdict::Wrong(format!("{}: {error}", self.name)),
        }
    }

    fn judge(&self, answer: &Message) -> Verdict {
        let status = answer.status();
        let right = match self.right {
            Right::Passes(consumer) => status == 200 && answer.json()["consumer"] == consumer,
            Right::Refused(refusal) => status == refusal,
        };
        if right {
            Verdict::Right
        } else if self.refusals.contains(&status) && !is_of_the_upstream(answer) {
            Verdict::Refused
        } else {
            Verdict::Wrong(format!("{}: {status} {}", self.name, answer.text()))
        }
    }
}

/// Returns `true` if a request reached the upstream.
fn is_of_the_upstream(answer: &Message) -> bool {
    answer.header("x-upstream").is_some()
}

/// The judgement of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is the one that is given when all is well.
    Right,
    /// The answer is a documented refusal.
    Refused,
    /// Neither.
    Wrong(String),
}

/// The state that clients and the test share.
pub struct Load {
    to: SocketAddr,
    cases: Vec<Case>,
    over: AtomicBool,
    right: AtomicUsize,
    refused: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    asked: AtomicUsize,
}

impl Load {
    /// The requests that have been answered so far.
    pub fn answered(&self) -> usize {
        self.right.load(Ordering::SeqCst) + self.refused.load(Ordering::SeqCst)
    }

    /// The requests that have been refused in the documented way.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// Waits until so many more requests have been answered. Those that wait for a service which is
    /// away take seconds in which nobody works, so each answer renews the patience.
    pub fn more(&self, count: usize) {
        let before = self.answered();
        for answers in 1..=count {
            // After a wrong answer the row has failed, and need not wait for more.
            let enough = || self.answered() >= before + answers || !self.is_well();
            eventually("more answers", || enough().then_some(()));
        }
    }

    /// Waits until every case is answered right many times in a row: nobody is refused for good.
    pub fn until_right(&self) {
        eventually("every client served again", || {
            let all =
                self.cases.iter().all(|case| (0..12).all(|_| self.ask(case) == Verdict::Right));
            (all || !self.is_well()).then_some(())
        });
    }

    fn ask(&self, case: &Case) -> Verdict {
        self.asked.fetch_add(1, Ordering::SeqCst);
        case.ask(self.to)
    }

    fn is_well(&self) -> bool {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn count(&self, verdict: Verdict) {
        match verdict {
            Verdict::Right => drop(self.right.fetch_add(1, Ordering::SeqCst)),
            Verdict::Refused => drop(self.refused.fetch_add(1, Ordering::SeqCst)),
            Verdict::Wrong(why) => {
                let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
                wrong.push(why);
                wrong.truncate(SHOWN);
            }
        }
    }
}

/// Sends the cases in turn from several clients while `during` runs, and returns what they got. It
/// begins when every case is answered right, and ends when it is so again.
pub fn under_load(to: SocketAddr, cases: Vec<Case>, during: impl FnOnce(&Load)) -> Answers {
    let load = Load {
        to,
        cases,
        over: AtomicBool::new(false),
        right: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        wrong: Mutex::new(Vec::new()),
        asked: AtomicUsize::new(0),
    };
    load.until_right();
    std::thread::scope(|scope| {
        // The clients end also where `during` panics.
        let over = Over(&load.over);
        for client in 0..CLIENTS {
            let load = &load;
            scope.spawn(move || {
                let cases = load.cases.iter().cycle().skip(client);
                for case in cases.take_while(|_| !load.over.load(Ordering::SeqCst)) {
                    load.count(load.ask(case));
                }
            });
        }
        load.more(50);
        during(&load);
        load.until_right();
        load.more(100);
        drop(over);
    });
    let wrong = load.wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (right, refused) = (load.right.into_inner(), load.refused.into_inner());
    let asked = load.asked.into_inner();
    Answers { sent: right + refused + wrong.len(), right, refused, wrong, asked }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
