//! A comparison of pretend gateways with real ones: whether a request reaches the upstream, and the
//! status with which the filters answer it otherwise.

use super::answer::Reading;
use super::drive::{Client, Protocol};
use super::families::shapes;
use super::pretend::Pretend;
use super::shape::{Case, Credentials, Shape};
use super::tally::Seen;
use std::net::SocketAddr;

/// The number of clients of the real gateway.
const CLIENTS: usize = 8;

/// Sends the requests of every family to the real gateway and the pretend one. Panics if a request
/// that both hand to the filters ends differently, or if there are fewer than `least` such
/// requests. Prints how many requests only one of them hands over.
#[track_caller]
pub fn compare(name: &str, real: SocketAddr, mut pretend: Pretend, least: usize) {
    let all = shapes(&Credentials::default());
    let answers = answers(real, &all);
    let (mut compared, mut only_real, mut only_pretend) = (0, 0, 0);
    let mut different = Vec::new();
    for (shape, real) in all.iter().zip(answers) {
        let reached = matches!(real, Seen::Passed | Seen::Ours(_));
        match (reached, pretend.send(shape)) {
            (true, Some(pretended)) => {
                compared += 1;
                if real != pretended {
                    different.push(format!("{real:?} and {pretended:?} for {}", shape.text()));
                }
            }
            (true, None) => only_real += 1,
            (false, Some(_)) => only_pretend += 1,
            (false, None) => {}
        }
    }
    println!(
        "{name}: of {} requests {compared} were compared, {} ended differently; {only_real} reach filters \
         on the real gateway only, {only_pretend} on the pretend one only",
        all.len(),
        different.len()
    );
    let shown = different.iter().take(80).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{name}: {} differences:\n{shown}", different.len());
    assert!(compared >= least, "{name}: {compared} requests compared");
}

/// The answers of the real gateway to each of these.
fn answers(address: SocketAddr, all: &[Shape]) -> Vec<Seen> {
    let share = all.len().div_ceil(CLIENTS).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .chunks(share)
            .map(|shapes| {
                scope.spawn(move || {
                    let mut client = Client::new(address, Reading::CHAIN);
                    let send = |shape: &Shape| {
                        let extended = shape.protocol.is_some();
                        let protocol = if extended { Protocol::Http2 } else { Protocol::Http1 };
                        let seen = client.send(&Case::Shape(shape.clone()), protocol);
                        seen.first().copied().unwrap_or(Seen::Hung)
                    };
                    shapes.iter().map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a client")).collect()
    })
}
