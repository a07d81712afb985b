//! Limits on a real Envoy: exact among its workers, and together with other gateways through gatehouse-admin.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasm_tests::real::{
    Admin, Connection, Echo, Envoy, Filter, Front, Gateway, Mode, Request, Setup, eventually,
};

fn limits(settings: Value) -> Vec<Filter> {
    vec![Filter::new("rate_limiting", &settings)]
}

fn with(mut settings: Value, more: Value) -> Value {
    let members = more.as_object().cloned().unwrap_or_default();
    settings.as_object_mut().expect("an object").extend(members);
    settings
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

/// Waits for the next second of the clock.
fn next_second() {
    let before = now().as_secs();
    eventually("the next second", || (now().as_secs() > before).then_some(()));
}

/// Waits until what follows does not meet the end of an hour.
fn within_an_hour() {
    while now().as_secs() % 3600 > 3600 - 25 {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What many clients did that sent as fast as they could.
struct Rush {
    admitted: u64,
    refused: u64,
    other: u64,
}

/// So many connections to each gateway until `end`.
fn rush(gateways: &[&Envoy], connections: usize, end: Duration) -> Rush {
    let counts = [const { AtomicU64::new(0) }; 3];
    std::thread::scope(|scope| {
        for gateway in gateways {
            for _ in 0..connections {
                let counts = &counts;
                let address = gateway.address("main");
                scope.spawn(move || {
                    let mut connection = Connection::open(address).expect("a connection");
                    while now() < end {
                        let answer = connection.exchange(&Request::get("/")).expect("an answer");
                        let which = match answer.status() {
                            200 => 0,
                            429 => 1,
                            _ => 2,
                        };
                        counts[which].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
    });
    let [admitted, refused, other] = counts.map(AtomicU64::into_inner);
    Rush { admitted, refused, other }
}

#[test]
fn four_workers_and_sixty_four_connections_admit_exactly_the_limit_in_each_window() {
    let echo = Echo::start();
    let filters = limits(json!({"second": 100, "limit_by": "ip"}));
    let envoy = Envoy::start(&Setup::new(echo.address(), filters).concurrency(4));
    // Every worker has seen a request, so that nothing is compiled any more.
    rush(&[&envoy], 64, now() + Duration::from_millis(300));
    next_second();
    let begun = now();
    let before = echo.count();
    let end = Duration::from_secs(begun.as_secs() + 4) + Duration::from_millis(900);
    let Rush { admitted, refused, other } = rush(&[&envoy], 64, end);
    let windows = now().as_secs() - begun.as_secs() + 1;
    assert_eq!(other, 0);
    assert!(refused > 0, "nobody wanted more");
    assert_eq!(admitted, windows * 100, "{windows} windows, {refused} refused");
    assert_eq!((echo.count() - before) as u64, admitted);
}

#[test]
fn workers_that_have_just_started_admit_exactly_the_limit_whether_or_not_they_know_the_host() {
    for named in [true, false] {
        let echo = Echo::start();
        let filter = Filter::new("rate_limiting", &json!({"hour": 300, "limit_by": "ip"}));
        let filter = if named { filter } else { filter.without_host_name() };
        within_an_hour();
        let envoy = Envoy::start(&Setup::new(echo.address(), vec![filter]).concurrency(4));
        let Rush { admitted, refused, other } = rush(&[&envoy], 64, now() + Duration::from_secs(2));
        assert_eq!((admitted, other), (300, 0), "{refused} refused");
        assert!(refused > 0, "nobody wanted more");
    }
}

#[test]
fn clients_are_told_by_the_upstream_by_later_filters_and_by_the_limiter() {
    let ended = json!({"trigger": "x-end", "status_code": 410});
    let gateway = Gateway::start(|_| {
        let limits = json!({"hour": 3, "day": 100, "limit_by": "ip"});
        vec![Filter::new("rate_limiting", &limits), Filter::new("request_termination", &ended)]
    });
    within_an_hour();
    let upstream = gateway.send(&Request::get("/"));
    let later = gateway.send(&Request::get("/").header("x-end", "1"));
    gateway.send(&Request::get("/"));
    let limiter = gateway.send(&Request::get("/"));
    assert_eq!([upstream.status(), later.status(), limiter.status()], [200, 410, 429]);
    for (answer, remaining) in [(&upstream, "2"), (&later, "1"), (&limiter, "0")] {
        assert_eq!(answer.header("x-ratelimit-limit-hour").as_deref(), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining-hour").as_deref(), Some(remaining));
        assert_eq!(answer.header("ratelimit-remaining").as_deref(), Some(remaining));
        assert_eq!(answer.header("x-ratelimit-limit-day").as_deref(), Some("100"));
        let reset: u64 =
            answer.header("ratelimit-reset").expect("a time").parse().expect("seconds");
        assert!((1..=3600).contains(&reset));
    }
    assert_eq!(limiter.json()["message"], "API rate limit exceeded");
    assert_eq!(limiter.header("retry-after"), limiter.header("ratelimit-reset"));
    assert_eq!(upstream.header("retry-after"), None);
    assert_eq!(limiter.header("x-ratelimit-remaining-day").as_deref(), Some("97"));
}

#[test]
fn consumers_have_their_own_counts_and_a_group_its_own_limit() {
    let prepare = |admin: &Admin| {
        for name in ["ana", "eve"] {
            admin.consumer(name, &format!("key-of-{name}"), &[]);
        }
        admin.create("/consumers/eve/acls", &json!({"group": "gold"}));
    };
    let gateway = Gateway::with(1, prepare, |admin| {
        let limits = json!({"hour": 2, "limits": [{"groups": ["gold"], "hour": 4}]});
        vec![
            Filter::new("key_auth", &json!({"admin": admin})),
            Filter::new("rate_limiting", &limits),
        ]
    });
    let passed = |key: &str| {
        let request = Request::get("/").header("apikey", key);
        (0..6).filter(|_| gateway.send(&request).status() == 200).count()
    };
    assert_eq!((passed("key-of-ana"), passed("key-of-eve")), (2, 4));
}

// === Several gateways ===

/// Gateways that count at one gatehouse-admin.
struct Several {
    gateways: Vec<Envoy>,
    front: Front,
    _behind: (Admin, Echo),
}

fn several(count: usize, workers: u32, settings: &Value) -> Several {
    let (echo, admin) = (Echo::start(), Admin::start());
    let front = Front::before(admin.address());
    let service =
        json!({"upstream": "admin", "authority": admin.address().to_string(), "timeout": 5000});
    let settings =
        with(json!({"admin": service, "policy": "cluster", "limit_by": "ip"}), settings.clone());
    let setup = || {
        Setup::new(echo.address(), limits(settings.clone()))
            .cluster("admin", front.address())
            .concurrency(workers)
    };
    let gateways = (0..count).map(|_| Envoy::start(&setup())).collect();
    Several { gateways, front, _behind: (admin, echo) }
}

#[test]
fn gateways_that_ask_admit_exactly_the_limit_together() {
    let several = several(2, 2, &json!({"hour": 50, "day": 1000}));
    within_an_hour();
    let gateways: Vec<&Envoy> = several.gateways.iter().collect();
    let rush = rush(&gateways, 8, now() + Duration::from_secs(3));
    assert_eq!((rush.admitted, rush.other), (50, 0));
    assert!(rush.refused > 0 && several.front.count("/counters") as u64 >= 50 + rush.refused);
}

#[test]
fn without_its_admin_service_a_gateway_counts_for_itself_or_refuses() {
    for (tolerant, expected) in [(true, [200, 200, 429]), (false, [500, 500, 500])] {
        let several = several(1, 1, &json!({"hour": 2, "fault_tolerant": tolerant}));
        let statuses = [Mode::HangUp, Mode::Garbage, Mode::Stranger].map(|mode| {
            several.front.set(mode);
            several.gateways[0].send(&Request::get("/")).status()
        });
        assert_eq!(statuses, expected, "{tolerant}");
    }
}

/// What the README states: three gateways with one worker each that compare once a second.
#[test]
fn gateways_that_compare_admit_more_by_what_comes_between_two_comparisons() {
    let several = several(3, 1, &json!({"hour": 1000, "sync_rate": 1}));
    let gateways: Vec<&Envoy> = several.gateways.iter().collect();
    within_an_hour();
    // As fast as they can: in the first second nobody knows of the others.
    let fast = rush(&gateways, 4, now() + Duration::from_secs(4));
    println!("as fast as they can: {} of 1000 admitted, {} refused", fast.admitted, fast.refused);
    assert_eq!(fast.other, 0);
    assert!((1000..=3000).contains(&fast.admitted), "{}", fast.admitted);
    // Nobody goes on once all have been told.
    let later = rush(&gateways, 4, now() + Duration::from_secs(1));
    assert_eq!((later.admitted, later.other), (0, 0));

    // At a steady pace, 300 requests a second in all, it is what comes in about a second.
    let several = self::several(3, 1, &json!({"hour": 1000, "sync_rate": 1}));
    let mut admitted = 0;
    let begun = now();
    for n in 0..1800_u32 {
        let due = begun + Duration::from_micros(3333) * n;
        std::thread::sleep(due.saturating_sub(now()));
        let gateway = &several.gateways[n as usize % 3];
        admitted += u64::from(gateway.send(&Request::get("/")).status() == 200);
    }
    let took = now() - begun;
    println!("at 300 a second: {admitted} of 1000 admitted in {took:?}");
    assert!((1000..=1800).contains(&admitted), "{admitted}");
}

#[test]
fn what_gateways_admit_is_what_the_service_has_counted() {
    let several = several(2, 1, &json!({"hour": 100_000, "sync_rate": 0.2}));
    let gateways: Vec<&Envoy> = several.gateways.iter().collect();
    let rush = rush(&gateways, 4, now() + Duration::from_secs(1));
    assert_eq!((rush.refused, rush.other), (0, 0));
    let remaining = |gateway: &Envoy| {
        let answer = gateway.send(&Request::get("/"));
        let remaining = answer.header("ratelimit-remaining").expect("a count");
        remaining.parse::<u64>().expect("a number")
    };
    // Each request that asks is one more.
    let mut asked = 0;
    eventually("all gateways to know of all requests", || {
        std::thread::sleep(Duration::from_millis(500));
        let found = gateways.iter().all(|gateway| {
            asked += 1;
            let total = rush.admitted + asked;
            // The other's last question may not have been told yet.
            (100_000 - total..=100_000 - total + 2).contains(&remaining(gateway))
        });
        found.then_some(())
    });
}
