//! The service is killed, hangs, is cut off, is slow, or comes back with an older database.

use crate::bed::{AFTER_A_FAILURE, Bed, Writers, cases, chain, on, remembering, request};
use crate::load::{Case, Load, Verdict, under_load};
use crate::table::{Late, Row, length};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasm_tests::real::{Admin, FaultyServer, eventually, forward};

const PART: &str = "gatehouse-admin";

/// Waits until requests have been refused because nothing could be asked.
pub fn until_refused(load: &Load) {
    let before = load.refused();
    eventually("a refusal while the service is away", || (load.refused() > before).then_some(()));
    load.more(100);
}

#[test]
fn a_service_that_is_killed_under_load_loses_no_write_and_misleads_no_gateway() {
    kill_and_resume(Bed::start(Admin::start(), remembering), "SQLite");
}

/// Kills the service several times under requests and writes, and reports the row.
pub fn kill_and_resume(mut bed: Bed, database: &str) {
    let (to, at) = (bed.address(), bed.admin.address());
    let times = length(2, 20);
    let mut writers = None;
    let answers = under_load(to, cases(), |load| {
        writers = Some(Writers::run(at, 4, |writers| {
            for _ in 0..times {
                writers.more(50);
                bed.admin.kill();
                until_refused(load);
                bed.admin.resume();
                load.until_right();
                // A new epoch makes every worker forget what it knows.
                bed.settle();
            }
        }));
    });
    let cara = request("key-of-cara", "portal");
    assert_eq!(cara.send(to).status(), 200);
    let late = bed.revoke("/consumers/cara", &cara, 401);
    let (acknowledged, lost) = writers.expect("writers").lost(&bed.admin);
    let done = format!(
        "killed (SIGKILL) under requests and writes, and started on the same database, {times} times"
    );
    let row = Row::new(PART, done, on(database)).answers(answers).writes(acknowledged, lost);
    row.late(late).report();
}

#[test]
fn a_service_that_hangs_holds_up_nobody_who_is_known() {
    let bed = Bed::start(Admin::start(), remembering);
    let (to, at) = (bed.address(), bed.admin.address());
    let mut writers = None;
    let answers = under_load(to, cases(), |load| {
        writers = Some(Writers::run(at, 4, |writers| {
            for _ in 0..length(1, 5) {
                writers.more(50);
                bed.admin.hang();
                until_refused(load);
                bed.admin.go_on();
                writers.more(1);
                load.until_right();
            }
        }));
    });
    let (acknowledged, lost) = writers.expect("writers").lost(&bed.admin);
    let done = "stopped where it is (SIGSTOP) under requests and writes, and let go on (SIGCONT)";
    Row::new(PART, done, on("SQLite")).answers(answers).writes(acknowledged, lost).report();
}

#[test]
fn an_older_database_is_noticed_as_soon_as_the_service_is_back() {
    let mut bed = Bed::start(Admin::start(), remembering);
    let to = bed.address();
    bed.admin.backup();
    bed.admin.create("/consumers/cara/appids", &json!({"appid": "later"}));
    let later = request("key-of-cara", "later");
    eventually("what the backup does not have", || {
        (0..16).all(|_| later.send(to).status() == 200).then_some(())
    });
    let mut late = None;
    let answers = under_load(to, cases(), |load| {
        load.more(100);
        // The service is away while its database is put back, so polls may fail.
        bed.admin.put_back();
        let after = bed.until_refused(&later, 403);
        late = Some(Late { promised: AFTER_A_FAILURE, ..after });
    });
    let done =
        "an older database is put back under load: an App ID that it does not have is refused";
    let row = Row::new(PART, done, on("SQLite")).answers(answers);
    row.late(late.expect("a measurement")).report();
}

#[test]
fn a_service_that_is_slow_is_waited_for_up_to_the_timeout() {
    let delay = Arc::new(AtomicU64::new(0));
    let (admin, milliseconds) = (Admin::start(), delay.clone());
    let service = admin.address();
    let faulty = FaultyServer::scripted(move |request| {
        std::thread::sleep(Duration::from_millis(milliseconds.load(Ordering::SeqCst)));
        forward(request, service)
    });
    let bed = Bed::behind(admin, faulty, |setup| setup, |target| chain(&remembering(target)));
    bed.settle();
    for (slow, refuses) in [(300, false), (2600, true)] {
        let answers = under_load(bed.address(), cases(), |load| {
            delay.store(slow, Ordering::SeqCst);
            let asked = bed.faulty.count("/identities");
            match refuses {
                true => until_refused(load),
                false => eventually("slow answers", || {
                    (bed.faulty.count("/identities") > asked + 2).then_some(())
                }),
            }
            load.more(length(100, 2000));
            delay.store(0, Ordering::SeqCst);
        });
        let what = if refuses { "above" } else { "below" };
        let done = format!("each answer takes {slow} ms, {what} `admin.timeout` (2000 ms)");
        Row::new(PART, done, on("SQLite")).answers(answers).report();
    }
}

#[test]
fn a_partition_is_survived_and_a_revocation_arrives_when_it_ends() {
    let bed = Bed::start(Admin::start(), remembering);
    let to = bed.address();
    let cara = request("key-of-cara", "portal");
    let mut late = None;
    let answers = under_load(to, cases(), |load| {
        eventually("a key in the cache", || {
            (0..16).all(|_| cara.send(to).status() == 200).then_some(())
        });
        bed.link.cut();
        until_refused(load);
        // The operator reaches the service, which the gateway does not.
        bed.admin.delete("/consumers/cara");
        load.more(100);
        bed.link.mend();
        let after = bed.until_refused(&cara, 401);
        late = Some(Late { promised: AFTER_A_FAILURE, ..after });
    });
    let done = "the network swallows all bytes between gateway and service; a key is deleted \
                meanwhile, and its end is counted from the end of the partition";
    let row = Row::new(PART, done, on("SQLite")).answers(answers);
    row.late(late.expect("a measurement")).report();
}

#[test]
fn nobody_is_served_past_ttl_and_stale_ttl_while_the_service_is_away() {
    let (ttl, stale) = (2, 3);
    // Lookups go on all the time here, so there is nothing to settle.
    let cache = json!({"ttl": ttl, "negative_ttl": 1, "stale_ttl": stale});
    let settings = |target: &Value| chain(&json!({"admin": target, "cache": cache}));
    let bed = Bed::with(Admin::start(), |setup| setup, settings);
    let ana = Case::passes("ana", "ana", request("key-of-ana", "portal")).or_else(&[503]);
    let mut late = None;
    let answers = under_load(bed.address(), vec![ana.clone()], |load| {
        load.more(100);
        bed.link.cut();
        let cut = Instant::now();
        let mut measured = 0.0;
        eventually("refusals only", || {
            let at = cut.elapsed().as_secs_f64();
            let verdict = ana.ask(bed.address());
            if verdict == Verdict::Right {
                measured = at;
            }
            (verdict == Verdict::Refused && at > measured + 1.0).then_some(())
        });
        let promised = f64::from(ttl + stale);
        // An answer may have been under way when the network was cut, for as long as the timeout.
        assert!(measured <= promised + 2.0, "served {measured} s after the last answer");
        let judged = "seconds, and the timeout of a call under way";
        late = Some(Late { promised, measured, judged });
        bed.link.mend();
    });
    let done =
        format!("the same for longer than `cache.ttl` ({ttl} s) and `cache.stale_ttl` ({stale} s)");
    let row = Row::new(PART, done, on("SQLite")).answers(answers);
    row.late(late.expect("a measurement")).report();
}
