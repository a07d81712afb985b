//! Answers that gatehouse-admin never gives: damaged ones, those of others, and wrong histories.

use crate::bed::{Bed, cases, chain, on};
use crate::load::{Case, under_load};
use crate::table::{Row, length};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wasm_tests::real::{Admin, Answer, FaultyServer, Message, eventually, forward};

/// The size of an answer that is far too large, in bytes.
const HUGE: usize = 8 << 20;

/// What is done to the true answer to a request. `None` leaves it as it is.
type Lie = fn(&Message, &Answer) -> Option<Answer>;

/// The liar between the gateway and the service.
struct Liar {
    lie: Mutex<Lie>,
    told: AtomicUsize,
}

fn truth(_: &Message, _: &Answer) -> Option<Answer> {
    None
}

/// Makes a lie only where a gateway asks for an identity or for App IDs.
fn about_consumers(request: &Message) -> bool {
    request.path().starts_with("/identities") || request.path().contains("/appids")
}

fn with_body(answer: &Answer, body: Vec<u8>) -> Option<Answer> {
    let Answer::Reply { status, headers, .. } = answer else { return None };
    Some(Answer::Reply { status: *status, headers: headers.clone(), body })
}

fn body_of(answer: &Answer) -> &[u8] {
    match answer {
        Answer::Reply { body, .. } | Answer::Bytes(body) => body,
    }
}

/// Damages of the answer itself, whatever was asked.
const DAMAGES: [(&str, Lie); 8] = [
    ("no JSON", |_, _| Some(Answer::json(200, "{\"data\": [\u{fffd}"))),
    ("nothing", |_, _| Some(Answer::json(200, ""))),
    ("a page of HTML", |_, _| Some(Answer::json(200, "<!DOCTYPE html><title>Sign in</title>"))),
    ("JSON of another shape", |_, _| Some(Answer::json(200, json!(["somebody", {"else": 1}])))),
    ("null", |_, _| Some(Answer::json(200, "null"))),
    ("half of the body, with its length", |_, answer| {
        let body = body_of(answer);
        with_body(answer, body.get(..body.len() / 2)?.to_vec())
    }),
    ("half of the body, and the end of the connection", |_, answer| {
        let body = body_of(answer);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        Some(Answer::Bytes([head.as_bytes(), body.get(..body.len() / 2)?].concat()))
    }),
    ("eight megabytes", |_, _| Some(Answer::json(200, "[".repeat(HUGE)))),
];

/// Complete answers that belong to somebody or something else.
const OF_OTHERS: [(&str, Lie); 9] = [
    ("another consumer's identity", |request, _| {
        let id = "00000000-0000-4000-8000-000000000001";
        let digest = "0".repeat(64);
        request.path().starts_with("/identities").then(|| {
            Answer::json(
                200,
                json!({"consumer": {"id": id, "username": "ana"}, "groups": [],
                "credential": {"id": id, "type": "key-auth", "identifier": id},
                "digest": digest, "expires_at": null, "seq": 1_000_000}),
            )
        })
    }),
    ("another consumer's App IDs", |request, _| {
        let entry = json!({"id": "1", "appid": "portal", "consumer_id": "somebody-else"});
        request
            .path()
            .contains("/appids")
            .then(|| Answer::json(200, json!({"data": [entry], "total": 1, "seq": 1_000_000})))
    }),
    ("a consumer for a name", |request, _| {
        request.path().starts_with("/identities").then(|| {
            Answer::json(200, json!({"consumer": {"id": "1", "username": "ana"}, "seq": 1}))
        })
    }),
    ("a 404 of a proxy", |_, _| Some(Answer::json(404, "<h1>404</h1>"))),
    ("a 404 with a foreign message", |_, _| {
        Some(Answer::json(404, json!({"message": "no route"})))
    }),
    ("a wrong token, 401", |_, _| Some(Answer::json(401, json!({"message": "Unauthorized"})))),
    ("a wrong token, 403", |_, _| Some(Answer::json(403, json!({"message": "Forbidden"})))),
    ("a redirect", |_, _| Some(Answer::json(302, "{}"))),
    ("204 without a body", |_, _| Some(Answer::json(204, ""))),
];

/// Wrong histories: what `/changes` never says.
const HISTORIES: [(&str, Lie); 6] = [
    ("another epoch each time", |_, answer| {
        changed(answer, |page| {
            let next = format!("e{}", next_number());
            page["epoch"] = json!(next);
        })
    }),
    ("a number that goes back", |_, answer| changed(answer, |page| page["next"] = json!(0))),
    ("a number from the far end", |_, answer| {
        changed(answer, |page| page["next"] = json!(u64::MAX))
    }),
    ("a reset each time", |_, answer| changed(answer, |page| page["reset"] = json!(true))),
    ("ten thousand changes of unknown kinds", |_, answer| {
        changed(answer, |page| {
            let change = |seq: u64| {
                json!({"seq": seq, "entity": "moods", "operation": "brighten",
            "consumer_id": "", "key": "k".repeat(300)})
            };
            page["data"] = (1..10_000).map(change).collect();
        })
    }),
    ("a service without a list", |_, _| Some(Answer::json(404, json!({"message": "Not found"})))),
];

fn next_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

fn changed(answer: &Answer, change: impl FnOnce(&mut Value)) -> Option<Answer> {
    let mut page: Value = serde_json::from_slice(body_of(answer)).ok()?;
    change(&mut page);
    with_body(answer, page.to_string().into_bytes())
}

/// Tells each lie to the requests that `to_whom` names while clients send without a pause, and
/// reports the row.
fn tell(done: &str, lies: &[(&str, Lie)], to_whom: fn(&Message) -> bool, ttl: u64) {
    let liar = Arc::new(Liar { lie: Mutex::new(truth), told: AtomicUsize::new(0) });
    let (admin, tongue) = (Admin::start(), liar.clone());
    let service = admin.address();
    let faulty = FaultyServer::scripted(move |request| {
        let answer = forward(request, service);
        let lie = *tongue.lie.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lie) = to_whom(request).then(|| lie(request, &answer)).flatten() else {
            return answer;
        };
        tongue.told.fetch_add(1, Ordering::SeqCst);
        lie
    });
    // Answers expire at once, so that every lie is listened to.
    let cache = json!({"ttl": ttl, "negative_ttl": 1, "stale_ttl": 0});
    let bed = Bed::behind(
        admin,
        faulty,
        |setup| setup,
        |target| chain(&json!({"admin": target, "cache": cache})),
    );
    let cases: Vec<Case> = cases().into_iter().map(|case| case.or_else(&[503])).collect();
    let answers = under_load(bed.address(), cases, |load| {
        for (what, lie) in lies {
            let told = liar.told.load(Ordering::SeqCst);
            *liar.lie.lock().unwrap_or_else(PoisonError::into_inner) = *lie;
            eventually(what, || {
                (liar.told.load(Ordering::SeqCst) >= told + length(1, 3)).then_some(())
            });
            load.more(length(20, 500));
            *liar.lie.lock().unwrap_or_else(PoisonError::into_inner) = truth;
            load.until_right();
        }
    });
    for case in ["other app", "no key", "unknown"] {
        assert_eq!(bed.upstream.seen(case), 0, "{case} reached the upstream");
    }
    let names: Vec<&str> = lies.iter().map(|(name, _)| *name).collect();
    Row::new("Lies", format!("{done}: {}", names.join(", ")), on("SQLite"))
        .answers(answers)
        .report();
}

#[test]
fn damaged_answers_admit_nobody_and_shut_nobody_out_for_good() {
    tell("answers about consumers are replaced by", &DAMAGES, about_consumers, 1);
}

#[test]
fn answers_of_others_admit_nobody_and_shut_nobody_out_for_good() {
    tell("answers about consumers are replaced by", &OF_OTHERS, about_consumers, 1);
}

#[test]
fn wrong_histories_admit_nobody_and_shut_nobody_out_for_good() {
    let changes = |request: &Message| request.path().starts_with("/changes");
    tell("the list of changes is replaced by", &HISTORIES, changes, 3600);
    tell("the list of changes is replaced by", &DAMAGES, changes, 3600);
}
