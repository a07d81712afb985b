//! rate_limiting on the pretend gateways: limits, response headers, and the places of counters.

mod nodes;

use crate::gateways::{Gateway, identified, refusal};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{Filter, Profile, Proxy, Request, Response, Stream, merged, refused_with};

const LIMITED: &str = "API rate limit exceeded";

fn start(gateway: &Gateway, settings: Value) -> Proxy {
    let settings = match gateway.zone {
        Some(zone) => merged(settings, json!({"shm_zone": zone})),
        None => settings,
    };
    let proxy = Proxy::new(
        gateway.profile.clone(),
        [Filter::built("rate_limiting").config(settings.to_string())],
    );
    // The clock starts at a full minute, so that a test decides when a window ends.
    let into = proxy.now_ms() % 60_000;
    proxy.advance(Duration::from_millis(60_000 - into));
    proxy
}

fn from(address: &str) -> Request {
    Request::get("/").client(address, 4000)
}

/// The status 200 after the upstream's answer, or the status of the refusal.
fn status(proxy: &Proxy, request: Request) -> u16 {
    let stream = proxy.send(request);
    if stream.outcome().forwarded.is_some() { 200 } else { stream.refused().status }
}

fn statuses(proxy: &Proxy, request: &Request, count: usize) -> Vec<u16> {
    (0..count).map(|_| status(proxy, request.clone())).collect()
}

/// The limiter's headers of a response, in lower case and sorted.
fn told(response: &Response) -> Vec<String> {
    let mut fields: Vec<String> = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .filter(|(name, _)| name.contains("ratelimit") || name == "retry-after")
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    fields.sort();
    fields
}

/// envoyproxy/envoy#4735: after UNAVAILABLE, clients try again at once.
#[test]
fn a_grpc_client_that_comes_too_often_is_told_resource_exhausted_and_when_to_come_back() {
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"minute": 1, "limit_by": "ip"}));
        let call = || from("192.0.2.1").header("content-type", "application/grpc");
        assert_eq!(status(&proxy, call()), 200, "{}", gateway.name);
        let refused = proxy.send(call()).refused();
        assert_eq!((refused.status, refused.text().as_str()), (200, ""), "{}", gateway.name);
        assert_eq!(refused.header("grpc-status").as_deref(), Some("8"), "{}", gateway.name);
        assert_eq!(refused.header("grpc-message").as_deref(), Some(LIMITED), "{}", gateway.name);
        assert_eq!(refused.header("retry-after").as_deref(), Some("60"), "{}", gateway.name);
    }
}

/// The response that the client gets after the upstream has answered.
fn answered(stream: &Stream) -> Response {
    stream.respond(Response::json(200, "{}"));
    stream.reply()
}

#[test]
fn requests_pass_up_to_the_limit_and_again_when_the_window_is_over() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"minute": 3, "limit_by": "ip"}));
        let request = from("192.0.2.1");
        assert_eq!(statuses(&proxy, &request, 4), [200, 200, 200, 429], "{}", gateway.name);
        assert_eq!(
            refusal(&proxy.send(request.clone())),
            refused_with(429, LIMITED),
            "{}",
            gateway.name
        );
        assert_eq!(status(&proxy, from("192.0.2.2")), 200, "{}", gateway.name);
        proxy.advance(Duration::from_millis(59_999));
        assert_eq!(status(&proxy, request.clone()), 429, "{}", gateway.name);
        proxy.advance(Duration::from_millis(1));
        assert_eq!(statuses(&proxy, &request, 4), [200, 200, 200, 429], "{}", gateway.name);
    }
}

#[test]
fn clients_are_told_with_every_kind_of_response() {
    for gateway in Gateway::all() {
        let settings = json!({"minute": 3, "hour": 5, "limit_by": "ip"});
        let proxy = start(&gateway, settings);
        let hour = (proxy.now_ms() / 1000) % 3600;
        // The upstream answers.
        let told_by_upstream = told(&answered(&proxy.send(from("192.0.2.1"))));
        let expected = [
            "ratelimit-limit: 3",
            "ratelimit-remaining: 2",
            "ratelimit-reset: 60",
            "x-ratelimit-limit-hour: 5",
            "x-ratelimit-limit-minute: 3",
            "x-ratelimit-remaining-hour: 4",
            "x-ratelimit-remaining-minute: 2",
        ];
        assert_eq!(told_by_upstream, expected, "{}", gateway.name);
        proxy.advance(Duration::from_secs(20));
        statuses(&proxy, &from("192.0.2.1"), 2);
        // The filter answers.
        let refused = proxy.send(from("192.0.2.1")).refused();
        let expected = [
            "ratelimit-limit: 3",
            "ratelimit-remaining: 0",
            "ratelimit-reset: 40",
            "retry-after: 40",
            "x-ratelimit-limit-hour: 5",
            "x-ratelimit-limit-minute: 3",
            "x-ratelimit-remaining-hour: 2",
            "x-ratelimit-remaining-minute: 0",
        ];
        assert_eq!(told(&refused), expected, "{}", gateway.name);
        // Of two exhausted windows, the longer one sets the time to wait.
        proxy.advance(Duration::from_secs(40));
        statuses(&proxy, &from("192.0.2.1"), 2);
        let refused = proxy.send(from("192.0.2.1")).refused();
        let wait = format!("retry-after: {}", 3600 - hour - 60);
        if hour + 60 < 3600 {
            assert!(told(&refused).contains(&wait), "{} {:?}", gateway.name, told(&refused));
        }
    }
}

#[test]
fn clients_are_told_when_a_later_filter_answers() {
    for gateway in Gateway::both() {
        let chain = [
            ("rate_limiting", json!({"minute": 3, "limit_by": "ip"})),
            ("request_termination", json!({"status_code": 404})),
        ];
        let reply = gateway.start(&chain).send(from("192.0.2.1")).refused();
        assert_eq!(reply.status, 404, "{}", gateway.name);
        assert!(told(&reply).contains(&"ratelimit-remaining: 2".to_owned()), "{}", gateway.name);
    }
}

#[test]
fn hidden_headers_are_not_sent() {
    for gateway in Gateway::both() {
        let settings = json!({"minute": 1, "limit_by": "ip", "hide_client_headers": true});
        let proxy = start(&gateway, settings);
        assert!(told(&answered(&proxy.send(from("192.0.2.1")))).is_empty(), "{}", gateway.name);
        assert!(told(&proxy.send(from("192.0.2.1")).refused()).is_empty(), "{}", gateway.name);
    }
}

#[test]
fn workers_of_a_node_count_together_where_they_share_data() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"minute": 4, "limit_by": "ip"}));
        let other = proxy.worker();
        let request = from("192.0.2.1");
        let mut passed = 0;
        for _ in 0..6 {
            for worker in [&proxy, &other] {
                passed += usize::from(status(worker, request.clone()) == 200);
            }
        }
        let expected = if gateway.is_kong() && gateway.zone.is_none() { 8 } else { 4 };
        assert_eq!(passed, expected, "{}", gateway.name);
    }
}

#[test]
fn each_way_of_counting_tells_callers_apart() {
    for gateway in Gateway::both() {
        for (settings, one, other) in [
            (json!({"limit_by": "ip"}), from("192.0.2.1"), from("2001:db8::1")),
            (json!({}), identified(&gateway, "ana"), identified(&gateway, "bob")),
            (
                json!({"limit_by": "header", "header_name": "X-Team"}),
                from("192.0.2.1").header("x-team", "red"),
                from("192.0.2.1").header("x-team", b"\xff\0blue"),
            ),
            (
                json!({"limit_by": "path", "path": "/a"}),
                Request::get("/a?b").client("192.0.2.1", 1),
                Request::get("/b").client("192.0.2.1", 1),
            ),
        ] {
            let proxy = start(&gateway, merged(json!({"hour": 2}), settings.clone()));
            let found = [statuses(&proxy, &one, 3), statuses(&proxy, &other, 3)];
            let expected = [[200, 200, 429], [200, 200, 429]];
            assert_eq!(found, expected, "{} {settings}", gateway.name);
        }
    }
}

#[test]
fn a_caller_without_the_identifier_is_counted_by_address() {
    for gateway in Gateway::both() {
        for settings in [
            json!({"limit_by": "consumer"}),
            json!({"limit_by": "credential"}),
            json!({"limit_by": "header", "header_name": "X-Team"}),
        ] {
            let settings = merged(json!({"hour": 1, "metrics": true}), settings);
            let proxy = start(&gateway, settings);
            assert_eq!(statuses(&proxy, &from("192.0.2.1"), 2), [200, 429], "{}", gateway.name);
            assert_eq!(status(&proxy, from("192.0.2.2")), 200, "{}", gateway.name);
            assert_eq!(proxy.metric("gatehouse_rate_limiting_by_ip_instead"), Some(3));
            assert_eq!(proxy.metric("gatehouse_rate_limiting_limited"), Some(1));
        }
    }
}

#[test]
fn consumers_and_groups_can_have_limits_of_their_own() {
    for gateway in Gateway::both() {
        let limits = json!([{"consumers": ["ana"], "hour": 3}, {"groups": ["gold"], "hour": 2}]);
        let proxy = start(&gateway, json!({"hour": 1, "limits": limits}));
        let member = |id: &str| {
            let identity = json!({"id": id, "groups": ["gold"]});
            Request::get("/").property(gateway.identity(), identity.to_string())
        };
        assert_eq!(statuses(&proxy, &member("ana"), 4), [200, 200, 200, 429]);
        assert_eq!(statuses(&proxy, &member("eve"), 3), [200, 200, 429]);
        assert_eq!(statuses(&proxy, &identified(&gateway, "bob"), 2), [200, 429]);
    }
}

#[test]
fn the_limits_of_a_group_and_of_the_others_do_not_erase_each_other() {
    for gateway in Gateway::both() {
        let limits = json!([{"groups": ["gold"], "hour": 3}]);
        let proxy = start(&gateway, json!({"minute": 2, "limit_by": "ip", "limits": limits}));
        let other = from("192.0.2.1");
        let identity = json!({"id": "i", "groups": ["gold"]});
        let gold = other.clone().property(gateway.identity(), identity.to_string());
        let both = || [status(&proxy, other.clone()), status(&proxy, gold.clone())];
        let all = [both(), both(), both(), both()];
        let expected = [[200, 200], [200, 200], [429, 200], [429, 429]];
        assert_eq!(all, expected, "{}", gateway.name);
    }
}

#[test]
fn a_dry_run_refuses_nobody() {
    for gateway in Gateway::both() {
        let settings = json!({"hour": 1, "limit_by": "ip", "dry_run": true, "metrics": true});
        let proxy = start(&gateway, settings);
        assert_eq!(statuses(&proxy, &from("192.0.2.1"), 3), [200, 200, 200], "{}", gateway.name);
        let told = told(&answered(&proxy.send(from("192.0.2.1"))));
        assert!(told.contains(&"ratelimit-remaining: 0".to_owned()), "{told:?}");
        assert_eq!(proxy.metric("gatehouse_rate_limiting_would_be_limited"), Some(3));
    }
}

#[test]
fn a_bucket_fills_again_token_by_token() {
    for gateway in Gateway::both() {
        let settings =
            json!({"minute": 60, "burst": 3, "algorithm": "token_bucket", "limit_by": "ip"});
        let proxy = start(&gateway, settings);
        let request = from("192.0.2.1");
        assert_eq!(statuses(&proxy, &request, 4), [200, 200, 200, 429], "{}", gateway.name);
        proxy.advance(Duration::from_secs(2));
        assert_eq!(statuses(&proxy, &request, 3), [200, 200, 429], "{}", gateway.name);
    }
}

#[test]
fn a_window_that_slides_lets_nobody_spend_two_limits_at_its_edge() {
    for gateway in Gateway::both() {
        let settings = json!({"minute": 10, "algorithm": "sliding_window", "limit_by": "ip"});
        let proxy = start(&gateway, settings);
        let passed = |count| {
            statuses(&proxy, &from("192.0.2.1"), count).iter().filter(|s| **s == 200).count()
        };
        proxy.advance(Duration::from_secs(59));
        assert_eq!(passed(20), 10, "{}", gateway.name);
        proxy.advance(Duration::from_secs(1));
        assert_eq!(passed(20), 0, "{}", gateway.name);
        proxy.advance(Duration::from_secs(30));
        assert_eq!(passed(20), 5, "{}", gateway.name);
    }
}

#[test]
fn a_flood_of_addresses_leaves_memory_and_limits_as_they_are() {
    for gateway in Gateway::sharing() {
        let settings = json!({"hour": 2, "limit_by": "ip", "max_identifiers": 64, "metrics": true});
        let proxy = start(&gateway, settings);
        assert_eq!(statuses(&proxy, &from("192.0.2.1"), 3), [200, 200, 429]);
        for n in 0..2000 {
            proxy.send(from(&format!("10.0.{}.{}", n / 250, n % 250)));
        }
        // 64 / 8 buckets, and the key.
        assert!(proxy.shared_entries() <= 9, "{}: {}", gateway.name, proxy.shared_entries());
        assert_eq!(status(&proxy, from("192.0.2.1")), 429, "{}", gateway.name);
        assert!(proxy.metric("gatehouse_rate_limiting_shared_counters") > Some(100));
    }
}

#[test]
fn shared_data_that_was_tampered_with_or_lost_never_traps() {
    for gateway in Gateway::sharing() {
        let proxy = start(&gateway, json!({"hour": 2, "limit_by": "ip"}));
        let request = from("192.0.2.1");
        statuses(&proxy, &request, 3);
        proxy.tamper_shared(|value| value.iter().map(|byte| byte ^ 0x55).collect());
        proxy.advance(Duration::from_secs(2));
        // Counters that are not valid are dropped, and counting starts anew.
        assert_eq!(statuses(&proxy, &request, 3), [200, 200, 429], "{}", gateway.name);
        for cut in [0, 1, 17, 40] {
            proxy.tamper_shared(|value| value[..value.len().min(cut)].to_vec());
            proxy.advance(Duration::from_secs(2));
            assert_eq!(statuses(&proxy, &request, 3), [200, 200, 429], "{}", gateway.name);
        }
    }
}

#[test]
fn a_request_costs_a_handful_of_host_calls() {
    let envoy =
        Gateway::envoy().with(|profile: Profile| profile.vm_configuration(r#"{"host":"envoy"}"#));
    for gateway in [envoy, Gateway::kong_sharing()] {
        let proxy = start(&gateway, json!({"minute": 1000, "limit_by": "ip"}));
        statuses(&proxy, &from("192.0.2.1"), 3);
        let stream = proxy.send(from("192.0.2.1"));
        stream.respond(Response::json(200, "{}"));
        let calls = stream.outcome().host_calls;
        // One read and one write.
        assert_eq!(calls.named("proxy_get_shared_data"), 1, "{}", gateway.name);
        assert_eq!(calls.named("proxy_set_shared_data"), 1, "{}", gateway.name);
        assert!(calls.total() <= 24, "{}: {}", gateway.name, calls.total());
    }
}

#[test]
fn an_identifier_that_comes_often_costs_no_shared_data_most_of_the_time() {
    for gateway in Gateway::sharing() {
        let proxy = start(&gateway, json!({"minute": 100_000, "limit_by": "ip"}));
        let writes = |stream: &Stream| stream.outcome().host_calls.named("proxy_set_shared_data");
        let total: u32 = (0..1000).map(|_| writes(&proxy.send(from("192.0.2.1")))).sum();
        assert!(total < 150, "{}: {total}", gateway.name);
    }
}
