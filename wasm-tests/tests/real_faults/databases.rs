//! PostgreSQL and Redis are killed and come back.

use crate::bed::{Bed, Writers, cases, on, remembering, request};
use crate::load::{Case, Load, under_load};
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::service::{kill_and_resume, until_refused};
use crate::table::{Row, length};
use serde_json::{Value, json};
use wasm_tests::real::{Admin, Filter, RawRequest, eventually};

const PART: &str = "Databases";

#[test]
fn a_postgres_that_is_killed_loses_no_write_and_misleads_no_gateway() {
    let mut postgres = Postgres::start();
    let bed = Bed::start(Admin::launched(&[], Some(&postgres.database()), &[]), remembering);
    let (to, at) = (bed.address(), bed.admin.address());
    let times = length(1, 10);
    let mut writers = None;
    let answers = under_load(to, cases(), |load| {
        writers = Some(Writers::run(at, 4, |writers| {
            for _ in 0..times {
                writers.more(30);
                postgres.go_away();
                until_refused(load);
                postgres.come_back();
                load.until_right();
                bed.settle();
            }
        }));
    });
    let late = bed.revoke("/consumers/cara", &request("key-of-cara", "portal"), 401);
    let (acknowledged, lost) = writers.expect("writers").lost(&bed.admin);
    let done =
        format!("PostgreSQL is killed under requests and writes, and started again, {times} times");
    let row = Row::new(PART, done, on("PostgreSQL")).answers(answers).writes(acknowledged, lost);
    row.late(late).report();
}

#[test]
fn a_service_on_postgres_that_is_killed_loses_no_write() {
    let postgres = Postgres::start();
    let bed = Bed::start(Admin::launched(&[], Some(&postgres.database()), &[]), remembering);
    kill_and_resume(bed, "PostgreSQL");
}

/// A gateway that limits everybody by gatehouse-admin's counters, which are in this Redis.
fn limited(redis: &Redis, settings: Value) -> Bed {
    let admin = Admin::launched(&[], None, &["--redis-url", &redis.database()]);
    Bed::with(
        admin,
        |setup| setup,
        |target| {
            let mut limits = json!({"hour": 1_000_000_000, "policy": "cluster", "limit_by": "ip",
            "admin": target});
            limits
                .as_object_mut()
                .expect("settings")
                .extend(settings.as_object().cloned().unwrap_or_default());
            let key_auth = Filter::new("key_auth", &remembering(target));
            vec![key_auth, Filter::new("rate_limiting", &limits)]
        },
    )
}

/// Kills Redis while clients and writers are busy, waits for `effect`, and starts it again.
fn without_redis(redis: &mut Redis, bed: &Bed, cases: Vec<Case>, effect: impl Fn(&Load)) -> Row {
    let at = bed.admin.address();
    let mut writers = None;
    let answers = under_load(bed.address(), cases, |load| {
        writers = Some(Writers::run(at, 2, |writers| {
            for _ in 0..length(1, 10) {
                writers.more(20);
                redis.go_away();
                effect(load);
                // Writes of consumers and credentials do not need Redis.
                writers.more(20);
                redis.come_back();
                load.until_right();
            }
        }));
    });
    let (acknowledged, lost) = writers.expect("writers").lost(&bed.admin);
    let done = "Redis, where the counters of rate_limiting are, is killed under requests and writes, \
                and started again empty";
    Row::new(PART, done, "").answers(answers).writes(acknowledged, lost)
}

fn ana() -> RawRequest {
    request("key-of-ana", "portal")
}

#[test]
fn without_redis_a_tolerant_limit_is_counted_on_the_node() {
    let mut redis = Redis::start();
    let bed = limited(&redis, json!({"fault_tolerant": true}));
    let here = || bed.gateway.stat("wasmcustom.gatehouse_rate_limiting_counted_here_instead");
    let row = without_redis(&mut redis, &bed, vec![Case::passes("ana", "ana", ana())], |load| {
        let before = here();
        eventually("requests counted here", || (here() > before).then_some(()));
        load.more(100);
    });
    row.on("`fault_tolerant: true`: counted on the node meanwhile").report();
}

#[test]
fn without_redis_a_strict_limit_refuses_with_500() {
    let mut redis = Redis::start();
    let bed = limited(&redis, json!({"fault_tolerant": false}));
    let cases = vec![Case::passes("ana", "ana", ana()).or_else(&[500])];
    let row = without_redis(&mut redis, &bed, cases, until_refused);
    row.on("`fault_tolerant: false`: refused with 500 meanwhile").report();
}
