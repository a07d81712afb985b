//! Rate limits on a real Envoy: exact among workers, and shared with other gateways through
//! gatehouse-admin.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasm_tests::merged;
use wasm_tests::real::{
    Admin, Connection, Echo, FaultyServer, Filter, Gateway, Mode, Proxy, RawRequest, Setup,
    eventually,
};

fn limits(settings: Value) -> Vec<Filter> {
    vec![Filter::new("rate_limiting", &settings)]
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

/// Runs `work` within one hour of the clock, and repeats it if an hour ended meanwhile.
fn within_an_hour<T>(mut work: impl FnMut() -> T) -> T {
    loop {
        let hour = now().as_secs() / 3600;
        let done = work();
        if now().as_secs() / 3600 == hour {
            return done;
        }
    }
}

/// One response, and the seconds of the clock within which its request was counted.
struct Seen {
    status: u16,
    seconds: RangeInclusive<u64>,
}

/// The responses to many clients that sent as fast as they could.
struct Rush(Vec<Seen>);

impl Rush {
    fn count(&self, status: u16) -> u64 {
        self.0.iter().filter(|seen| seen.status == status).count() as u64
    }

    fn admitted(&self) -> u64 {
        self.count(200)
    }

    fn refused(&self) -> u64 {
        self.count(429)
    }

    fn other(&self) -> u64 {
        self.0.len() as u64 - self.admitted() - self.refused()
    }
}

/// Opens this number of connections to each gateway. Each sends until `enough` holds for its
/// responses.
fn rush(gateways: &[&Proxy], connections: usize, enough: impl Fn(&[Seen]) -> bool + Sync) -> Rush {
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for gateway in gateways {
            for _ in 0..connections {
                let (all, enough) = (&all, &enough);
                let address = gateway.address("main");
                scope.spawn(move || {
                    let mut connection = Connection::open(address).expect("a connection");
                    let mut own = Vec::new();
                    while !enough(&own) {
                        let before = now().as_secs();
                        let answer = connection.exchange(&RawRequest::get("/")).expect("an answer");
                        let seconds = before..=now().as_secs();
                        own.push(Seen { status: answer.status(), seconds });
                    }
                    all.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
                });
            }
        }
    });
    Rush(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Returns `true` after a few refusals.
fn refused_often(own: &[Seen]) -> bool {
    own.iter().filter(|seen| seen.status == 429).count() >= 5
}

/// Returns `true` after refusals in four different seconds of the clock.
fn refused_in_four_seconds(own: &[Seen]) -> bool {
    let mut seconds: Vec<u64> =
        own.iter().filter(|seen| seen.status == 429).map(|seen| *seen.seconds.end()).collect();
    // The seconds come in the order of the clock.
    seconds.dedup();
    seconds.len() >= 4
}

#[test]
fn four_workers_and_sixty_four_connections_admit_exactly_the_limit_in_each_window() {
    const LIMIT: u64 = 40;
    let echo = Echo::start();
    let filters = limits(json!({"second": LIMIT, "limit_by": "ip"}));
    let envoy = Proxy::start(&Setup::new(echo.address(), filters).concurrency(4));
    let rush = rush(&[&envoy], 64, refused_in_four_seconds);
    assert_eq!((rush.other(), echo.count() as u64), (0, rush.admitted()));
    // For each second: surely admitted in it, perhaps admitted in it, surely refused in it.
    let mut windows: BTreeMap<u64, [u64; 3]> = BTreeMap::new();
    for Seen { status, seconds } in &rush.0 {
        let sure = seconds.start() == seconds.end();
        for second in seconds.clone() {
            let [surely, perhaps, refused] = windows.entry(second).or_default();
            *perhaps += u64::from(*status == 200);
            *surely += u64::from(*status == 200 && sure);
            *refused += u64::from(*status == 429 && sure);
        }
    }
    for (second, [surely, perhaps, refused]) in &windows {
        assert!(*surely <= LIMIT, "{second}: {windows:?}");
        // A refusal means that the limit had been reached.
        assert!(*refused == 0 || *perhaps >= LIMIT, "{second}: {windows:?}");
    }
    assert!(windows.values().filter(|[.., refused]| *refused > 0).count() >= 2, "{windows:?}");
}

#[test]
fn workers_that_have_just_started_admit_exactly_the_limit_whether_or_not_they_know_the_host() {
    for named in [true, false] {
        let echo = Echo::start();
        let filter = Filter::new("rate_limiting", &json!({"hour": 300, "limit_by": "ip"}));
        let filter = if named { filter } else { filter.without_host_name() };
        let rush = within_an_hour(|| {
            let setup = Setup::new(echo.address(), vec![filter.clone()]).concurrency(4);
            rush(&[&Proxy::start(&setup)], 64, refused_often)
        });
        assert_eq!((rush.admitted(), rush.other()), (300, 0), "{} refused", rush.refused());
    }
}

#[test]
fn clients_are_told_by_the_upstream_by_later_filters_and_by_the_limiter() {
    let ended = json!({"trigger": "x-end", "status_code": 410});
    let [upstream, later, limiter] = within_an_hour(|| {
        let gateway = Gateway::start(|_| {
            let limits = json!({"hour": 3, "day": 100, "limit_by": "ip"});
            vec![Filter::new("rate_limiting", &limits), Filter::new("request_termination", &ended)]
        });
        let upstream = gateway.send(&RawRequest::get("/"));
        let later = gateway.send(&RawRequest::get("/").header("x-end", "1"));
        gateway.send(&RawRequest::get("/"));
        [upstream, later, gateway.send(&RawRequest::get("/"))]
    });
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
fn a_grpc_client_that_comes_too_often_is_told_resource_exhausted() {
    let call = RawRequest::post("/hello.HelloService/SayHello", "")
        .header("content-type", "application/grpc");
    let refused = within_an_hour(|| {
        let echo = Echo::start();
        let filters = limits(json!({"hour": 1, "limit_by": "ip"}));
        let envoy = Proxy::start(&Setup::new(echo.address(), filters));
        envoy.send(&call);
        envoy.send(&call)
    });
    assert_eq!((refused.status(), refused.header("grpc-status").as_deref()), (200, Some("8")));
    assert_eq!(refused.header("grpc-message").as_deref(), Some("API rate limit exceeded"));
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn consumers_have_their_own_counts_and_a_group_its_own_limit() {
    let prepare = |admin: &Admin| {
        for name in ["ana", "eve"] {
            admin.consumer(name, &format!("key-of-{name}"), &[]);
        }
        admin.create("/consumers/eve/acls", &json!({"group": "gold"}));
    };
    let passed = within_an_hour(|| {
        let gateway = Gateway::with(1, prepare, |admin| {
            let limits = json!({"hour": 2, "limits": [{"groups": ["gold"], "hour": 4}]});
            vec![
                Filter::new("key_auth", &json!({"admin": admin})),
                Filter::new("rate_limiting", &limits),
            ]
        });
        ["key-of-ana", "key-of-eve"].map(|key| {
            let request = RawRequest::get("/").header("apikey", key);
            (0..6).filter(|_| gateway.send(&request).status() == 200).count()
        })
    });
    assert_eq!(passed, [2, 4]);
}

// === Several gateways ===

/// Gateways that count at one gatehouse-admin.
struct Several {
    gateways: Vec<Proxy>,
    faulty_admin: FaultyServer,
    _behind: (Admin, Echo),
}

fn several(count: usize, workers: u32, settings: &Value) -> Several {
    let (echo, admin) = (Echo::start(), Admin::start());
    let faulty_admin = FaultyServer::before(admin.address());
    // A busy machine must not cause a 503.
    let service =
        json!({"upstream": "admin", "authority": admin.address().to_string(), "timeout": 60_000});
    let settings =
        merged(json!({"admin": service, "policy": "cluster", "limit_by": "ip"}), settings.clone());
    let setup = || {
        Setup::new(echo.address(), limits(settings.clone()))
            .cluster("admin", faulty_admin.address())
            .concurrency(workers)
    };
    let gateways = (0..count).map(|_| Proxy::start(&setup())).collect();
    Several { gateways, faulty_admin, _behind: (admin, echo) }
}

#[test]
fn gateways_that_ask_admit_exactly_the_limit_together() {
    let (rush, asked) = within_an_hour(|| {
        let several = several(2, 2, &json!({"hour": 50, "day": 1000}));
        let gateways: Vec<&Proxy> = several.gateways.iter().collect();
        (rush(&gateways, 8, refused_often), several.faulty_admin.count("/counters") as u64)
    });
    assert_eq!((rush.admitted(), rush.other()), (50, 0));
    assert!(asked >= 50 + rush.refused());
}

#[test]
fn without_its_admin_service_a_gateway_counts_for_itself_or_refuses() {
    for (tolerant, expected) in [(true, [200, 200, 429]), (false, [500, 500, 500])] {
        let statuses = within_an_hour(|| {
            let several = several(1, 1, &json!({"hour": 2, "fault_tolerant": tolerant}));
            [Mode::HangUp, Mode::Garbage, Mode::Stranger].map(|mode| {
                several.faulty_admin.set(mode);
                several.gateways[0].send(&RawRequest::get("/")).status()
            })
        });
        assert_eq!(statuses, expected, "{tolerant}");
    }
}

/// The README's figures: three gateways with one worker each, which compare once a second.
#[test]
fn gateways_that_compare_admit_more_by_what_comes_between_two_comparisons() {
    let [fast, later] = within_an_hour(|| {
        let several = several(3, 1, &json!({"hour": 1000, "sync_rate": 1}));
        let gateways: Vec<&Proxy> = several.gateways.iter().collect();
        // In the first second the gateways do not know of each other.
        let fast = rush(&gateways, 4, refused_often);
        [fast, rush(&gateways, 4, refused_often)]
    });
    println!("as fast as they can: {} of 1000 admitted", fast.admitted());
    assert_eq!(fast.other(), 0);
    assert!((1000..=3000).contains(&fast.admitted()), "{}", fast.admitted());
    // The clients stop only after each gateway has refused.
    assert_eq!((later.admitted(), later.other()), (0, 0));

    // At a steady pace of 300 requests a second in all, the excess is the traffic of about a
    // second.
    let several = several(3, 1, &json!({"hour": 1000, "sync_rate": 1}));
    let mut admitted = 0;
    let begun = now();
    for n in 0..1800_u32 {
        let due = begun + Duration::from_micros(3333) * n;
        std::thread::sleep(due.saturating_sub(now()));
        let gateway = &several.gateways[n as usize % 3];
        admitted += u64::from(gateway.send(&RawRequest::get("/")).status() == 200);
    }
    let took = now() - begun;
    println!("at 300 a second: {admitted} of 1000 admitted in {took:?}");
    assert!((1000..=1800).contains(&admitted), "{admitted}");
}

#[test]
fn gateways_admit_as_many_requests_as_the_service_has_counted() {
    let several = several(2, 1, &json!({"hour": 100_000, "sync_rate": 0.2}));
    let gateways: Vec<&Proxy> = several.gateways.iter().collect();
    let rush = rush(&gateways, 4, |own| own.len() >= 300);
    assert_eq!((rush.refused(), rush.other()), (0, 0));
    let remaining = |gateway: &Proxy| {
        let answer = gateway.send(&RawRequest::get("/"));
        let remaining = answer.header("ratelimit-remaining").expect("a count");
        remaining.parse::<u64>().expect("a number")
    };
    // Each request that asks for the remaining number is counted as well.
    let mut asked = 0;
    eventually("all gateways to know of all requests", || {
        std::thread::sleep(Duration::from_millis(500));
        let found = gateways.iter().all(|gateway| {
            asked += 1;
            let total = rush.admitted() + asked;
            // The other gateway's last request may not have been reported yet.
            (100_000 - total..=100_000 - total + 2).contains(&remaining(gateway))
        });
        found.then_some(())
    });
}
