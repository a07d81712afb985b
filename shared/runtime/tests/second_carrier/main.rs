//! A second carrier, in the way of Envoy's native modules, proves what the traits of the runtime
//! promise: filters run unchanged on several threads, over memory of the process, with callouts
//! that belong to a request or to a configuration, and with metrics that are declared up front.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

mod names;
mod native;
mod request;

use cache::Rooms;
use exchange::Answer;
use names::Names;
use native::{Native, PROCESS};
use request::Exchange;
use runtime::{Action, Asked, CallOwner, Definition, Instance, Purpose, Stream};
use std::rc::Rc;
use std::sync::Mutex;

/// The tests count in one process, one after the other.
static TURN: Mutex<()> = Mutex::new(());

const SETTINGS: &[u8] =
    br#"{"admin":{"upstream":"admin","token":"0123456789abcdef0123456789abcdef"}}"#;

/// An instance of a worker thread, configured.
fn worker() -> Rc<Instance> {
    worker_with(SETTINGS)
}

fn worker_with(settings: &[u8]) -> Rc<Instance> {
    let instance = Rc::new(Instance::new(1, Definition::of::<Names>(), Rooms::default()));
    assert!(instance.configure(&Exchange::default(), settings));
    // The admin service of this test has no list of changes.
    let main = Exchange::default();
    for (_, purpose) in instance.tick(&main).0 {
        if matches!(purpose, Purpose::Cache(_)) {
            instance.answered(&main, &purpose, &Ok(Answer::new(404, Vec::new())));
        }
    }
    instance
}

/// Sends a request by this name; `answers` are those of the admin service, in order.
fn send(instance: &Rc<Instance>, name: &str, answers: &[(u16, &str)]) -> (Exchange, usize) {
    let exchange = Exchange::named(name);
    let mut stream = Stream::new(Rc::clone(instance), 2);
    let (mut action, mut asked) = stream.request_headers(&exchange, 4, true);
    let mut answers = answers.iter();
    while let (Action::Pause, Asked::ByRequest(1, _)) = (action, &asked) {
        let (status, body) = answers.next().expect("the filter asked once more");
        let answer = Ok(Answer::new(*status, body.as_bytes().to_vec()));
        (action, asked) = stream.answered(&exchange, answer);
    }
    stream.gone();
    let asked = exchange.calls.borrow().len();
    (exchange, asked)
}

#[test]
fn a_filter_runs_unchanged_on_the_threads_of_a_second_carrier() {
    let _turn = TURN.lock().unwrap();
    runtime::install(&Native);
    let counted = |name: &str| PROCESS.counts.lock().unwrap().get(name).copied().unwrap_or(0);
    let all = || ["passed", "refused_403", "refused_503"].map(counted);
    let before = all();
    let (first, asked) = send(&worker(), "ana", &[(200, "Dr")]);
    assert_eq!((first.title().as_deref(), asked), (Some(b"Dr".as_slice()), 1));
    assert_eq!(
        first.calls.borrow().as_slice(),
        [(CallOwner::Request, "/names/ana".to_owned())],
        "where no request can be woken, the callout is the request's own"
    );

    // Other threads find in the process's memory what the first one has learnt.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let instance = worker();
                let (known, asked) = send(&instance, "ana", &[(200, "Dr")]);
                assert_eq!(known.title().as_deref(), Some(b"Dr".as_slice()));
                let (unknown, _) = send(&instance, "bob", &[(404, "")]);
                assert_eq!(*unknown.reply.borrow(), Some(403));
                assert_eq!(unknown.title(), None);
                let (failed, _) = send(&instance, "eve", &[(500, "")]);
                assert_eq!(*failed.reply.borrow(), Some(503), "unknown is refused");
                let (split, _) = send(&instance, "max", &[(200, "Dr\r\nx-admin: 1")]);
                assert_eq!(*split.reply.borrow(), Some(500), "no edit adds a line to a request");
                assert_eq!(split.title(), None);
                asked
            })
        })
        .collect();
    let asked: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let [passed, refused, failed] = before;
    assert_eq!(all(), [passed + 5, refused + 4, failed + 4]);
    assert_eq!(asked, [0; 4], "the first answer serves all threads");
}

#[test]
fn a_flow_can_tell_a_lookup_that_was_not_made_from_one_that_failed() {
    let _turn = TURN.lock().unwrap();
    runtime::install(&Native);
    let instance = worker_with(br#"{"admin":{"upstream":"other"},"cache":{"max_lookups":1}}"#);
    let first = Exchange::named("zoe");
    let mut waits = Stream::new(Rc::clone(&instance), 3);
    assert_eq!(waits.request_headers(&first, 4, true).0, Action::Pause);
    let (second, asked) = send(&instance, "kim", &[]);
    assert_eq!((*second.reply.borrow(), asked), (Some(429), 0));
    // While the service is away, it would have failed.
    waits.answered(&first, Ok(Answer::new(502, Vec::new())));
    let mut waits = Stream::new(Rc::clone(&instance), 4);
    assert_eq!(waits.request_headers(&first, 4, true).0, Action::Pause);
    let (third, asked) = send(&instance, "kim", &[]);
    assert_eq!((*third.reply.borrow(), asked), (Some(503), 0));
    waits.gone();
}
