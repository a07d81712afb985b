#![allow(clippy::arithmetic_side_effects)]

use super::*;

pub(crate) fn config(json: &str) -> Config {
    settings::read(json.as_bytes(), &|_| None, Config::read).unwrap()
}

fn problem(json: &str) -> String {
    settings::read(json.as_bytes(), &|_| None, Config::read).unwrap_err().to_string()
}

#[test]
fn what_is_left_out_gets_kongs_default() {
    let config = config(r#"{"second":10}"#);
    assert_eq!((config.limit_by, config.policy), (LimitBy::Consumer, Policy::Local));
    assert!(config.fault_tolerant && !config.hide_client_headers && !config.dry_run);
    assert_eq!(
        (config.error_code, config.error_message.as_str()),
        (429, "API rate limit exceeded")
    );
    let limit = config.limits[0];
    assert_eq!((limit.algorithm, limit.most, limit.burst), (Algorithm::FixedWindow, 10, 10));
}

/// These are Kong's own cases, from 23-rate-limiting/01-schema.
#[test]
fn what_kong_accepts_is_accepted() {
    for json in [
        r#"{"second":10}"#,
        r#"{"second":10,"hour":20}"#,
        r#"{"second":10,"minute":20,"hour":30,"day":40,"month":50,"year":60}"#,
        r#"{"second":10,"limit_by":"header","header_name":"X-App-Version"}"#,
        r#"{"second":10,"limit_by":"path","path":"/request"}"#,
        r#"{"second":10,"policy":"redis","admin":{"upstream":"admin:8001"},"redis":{"host":"r","port":6379,"password":"x"}}"#,
        r#"{"minute":5,"redis_host":null,"redis_port":6379,"redis":{"timeout":2000},"header_name":null,"path":null,"sync_rate":-1}"#,
        r#"{"minute":5,"policy":"redis","admin":{"upstream":"admin:8001"},"sync_rate":0.02}"#,
    ] {
        config(json);
    }
}

#[test]
fn what_kong_refuses_is_refused() {
    for (json, path) in [
        (r#"{}"#, "found no limit"),
        (
            r#"{"second":20,"hour":10}"#,
            "hour: found 10, expected at least the limit for second (20)",
        ),
        (r#"{"second":10,"minute":30,"hour":20}"#, "hour: found 20"),
        (r#"{"second":-10}"#, "second: "),
        (r#"{"second":0}"#, "second: "),
        (r#"{"second":"abc"}"#, "second: "),
        (r#"{"second":10,"limit_by":"header"}"#, "header_name: "),
        (r#"{"second":10,"limit_by":"path"}"#, "path: "),
        (r#"{"second":10,"limit_by":"path","path":"request"}"#, "path: "),
        (r#"{"second":10,"limit_by":"colour"}"#, "limit_by: "),
        (r#"{"second":10,"policy":"redis"}"#, "policy: found without `admin`"),
        (
            r#"{"second":10,"policy":"redis","admin":{"upstream":"a"},"sync_rate":0.01}"#,
            "sync_rate: ",
        ),
        (
            r#"{"second":10,"policy":"redis","admin":{"upstream":"a"},"sync_rate":-2}"#,
            "sync_rate: ",
        ),
        (r#"{"second":10,"sync_rate":1}"#, "sync_rate: "),
        (r#"{"second":10,"error_code":0}"#, "error_code: "),
    ] {
        let problem = problem(json);
        assert!(problem.contains(path), "{json}: {problem}");
    }
}

#[test]
fn settings_that_kong_does_not_have_are_checked_too() {
    for (json, path) in [
        (r#"{"second":1,"burst":3}"#, "burst: "),
        (r#"{"second":1,"algorithm":"leaky"}"#, "algorithm: "),
        (
            r#"{"second":1,"algorithm":"token_bucket","policy":"cluster","admin":{"upstream":"a"}}"#,
            "algorithm: ",
        ),
        (r#"{"second":1,"limits":[{"second":5}]}"#, "limits[0]: found neither"),
        (r#"{"second":1,"limits":[{"groups":["gold"]}]}"#, "limits[0]: found no limit"),
        (r#"{"second":1,"limits":[{"groups":["gold"],"second":5,"hour":4}]}"#, "limits[0].hour: "),
        (r#"{"second":1,"max_identifiers":1}"#, "max_identifiers: "),
    ] {
        let problem = problem(json);
        assert!(problem.contains(path), "{json}: {problem}");
    }
    let bucket = config(r#"{"second":2,"minute":60,"algorithm":"token_bucket","burst":7}"#);
    assert_eq!(bucket.limits.iter().map(|limit| limit.burst).collect::<Vec<_>>(), [7, 60]);
}

#[test]
fn the_first_exception_that_fits_has_the_limits() {
    let config = config(
        r#"{"minute":5,"limits":[{"consumers":["ana","custom_id:c9"],"minute":50},
            {"groups":["gold"],"second":9,"minute":500}]}"#,
    );
    let most = |username: &str, custom_id: Option<&str>, groups: &[&str]| {
        let identity = Identity {
            id: "1".into(),
            username: Some(username.into()),
            custom_id: custom_id.map(str::to_owned),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Identity::default()
        };
        config.limits_of(Some(&identity)).last().unwrap().most
    };
    assert_eq!(most("ana", None, &["gold"]), 50);
    assert_eq!(most("bob", Some("c9"), &[]), 50);
    assert_eq!(most("bob", None, &["silver", "gold"]), 500);
    assert_eq!(most("bob", None, &["silver"]), 5);
    assert_eq!(config.limits_of(None)[0].most, 5);
}

#[test]
fn filters_that_count_differently_do_not_count_together() {
    let namespace = |json: &str| config(json).namespace;
    let same = namespace(r#"{"minute":5}"#);
    assert_eq!(namespace(r#"{"minute":5,"error_code":430}"#), same);
    for other in [
        r#"{"minute":6}"#,
        r#"{"minute":5,"limit_by":"ip"}"#,
        r#"{"minute":5,"algorithm":"sliding_window"}"#,
        r#"{"minute":5,"match":{"paths":["/a"]}}"#,
        r#"{"minute":5,"limits":[{"groups":["gold"],"minute":9}]}"#,
    ] {
        assert_ne!(namespace(other), same, "{other}");
    }
    assert_eq!(namespace(r#"{"minute":6,"namespace":"n"}"#), "n");
}
