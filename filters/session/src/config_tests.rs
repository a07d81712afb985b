use super::*;
use crate::set_cookie::SetCookie;

pub(crate) fn read(json: &str) -> Config {
    settings::read(json.as_bytes(), &|_| None, Config::read).unwrap().0
}

fn problem(json: &str) -> settings::Invalid {
    settings::read(json.as_bytes(), &|_| None, |f| Config::read(f).0).unwrap_err()
}

fn attributes(json: &str) -> String {
    let cookies: Vec<SetCookie> = read(json).attributes.cookies("s", "", "", None, &[]).unwrap();
    cookies[0].line.clone()
}

#[test]
fn what_is_left_out_gets_kongs_default() {
    let config = read(r#"{"secret":"s"}"#);
    assert_eq!(config.timeouts, Timeouts { idling: 900, rolling: 3600, absolute: 86_400 });
    let remember = Timeouts { idling: 0, rolling: 604_800, absolute: 2_592_000 };
    assert_eq!((config.remember, config.remember_timeouts), (false, remember));
    assert_eq!(
        (config.cookie_name.as_str(), config.remember_cookie_name.as_str()),
        ("session", "remember")
    );
    assert_eq!(attributes(r#"{"secret":"s"}"#), "s=; Path=/; SameSite=Strict; Secure; HttpOnly");
    assert_eq!((config.audience.as_str(), config.stale_ttl, config.bind), ("default", 10, 0));
    assert_eq!(config.noted, Noted::Nothing);
    assert!(!config.stored && config.phase == Phase::Both && !config.check_consumer);
    assert!(!config.hide_cookie && !config.expire_invalid);
    assert!(config.response_headers.is_empty() && config.request_headers.is_empty());
    assert_eq!(
        config.logout,
        Logout {
            methods: vec!["POST", "DELETE"],
            query_arg: "session_logout".into(),
            post_arg: "session_logout".into(),
            reads_body: false,
            redirect_uri: None,
            revokes: false,
        }
    );
}

#[test]
fn the_names_of_kong_2_are_understood() {
    let config = read(
        r#"{"secret":"s","cookie_lifetime":7200,"cookie_idletime":60,"cookie_renew":600,"cookie_discard":5,
            "cookie_samesite":"off","cookie_httponly":false,"cookie_persistent":true,"cookie_secure":false}"#,
    );
    assert_eq!((config.timeouts.rolling, config.timeouts.idling, config.stale_ttl), (7200, 60, 5));
    assert!(config.remember);
    let old =
        r#"{"secret":"s","cookie_samesite":"off","cookie_httponly":false,"cookie_secure":false}"#;
    assert_eq!(attributes(old), "s=; Path=/; SameSite=Lax");
    assert_eq!(read(r#"{"secret":"s","cookie_idletime":null}"#).timeouts.idling, 0);
}

#[test]
fn kong_prints_both_names_and_they_have_to_agree() {
    let both = r#"{"secret":"s","cookie_lifetime":60,"rolling_timeout":60,"cookie_idletime":null,"idling_timeout":7}"#;
    assert_eq!((read(both).timeouts.rolling, read(both).timeouts.idling), (60, 7));
    let apart = r#"{"secret":"s","cookie_lifetime":60,"rolling_timeout":61}"#;
    assert_eq!(problem(apart).problems()[0].path, "cookie_lifetime");
}

#[test]
fn settings_that_cannot_work_are_refused_by_path() {
    for (json, path) in [
        ("{}", "secret"),
        (r#"{"secret":""}"#, "secret"),
        (r#"{"secret_env":"NONE"}"#, "secret_env"),
        (r#"{"secret_env":""}"#, "secret"),
        (r#"{"secret":"s","secret_fallbacks":"hush"}"#, "secret_fallbacks"),
        (r#"{"secret":"s","storage":"kong"}"#, "storage"),
        (r#"{"secret":"s","storage":"redis"}"#, "storage"),
        (r#"{"secret":"s","logout_revokes":true}"#, "logout_revokes"),
        (r#"{"secret":"s","logout_methods":["PATCH"]}"#, "logout_methods[0]"),
        (r#"{"secret":"s","cookie_name":"a b"}"#, "cookie_name"),
        (r#"{"secret":"s","cookie_path":"/;x"}"#, "cookie_path"),
        (r#"{"secret":"s","cookie_domain":"a;b"}"#, "cookie_domain"),
        (r#"{"secret":"s","cookie_same_site":"off"}"#, "cookie_same_site"),
        (r#"{"secret":"s","rolling_timeout":34560001}"#, "rolling_timeout"),
        (r#"{"secret":"s","bind":["port"]}"#, "bind[0]"),
        (r#"{"secret":"s","request_headers":["cookie"]}"#, "request_headers[0]"),
        (r#"{"secret":"s","admin":{"upstream":"a"},"cache":{"mode":"full"}}"#, "cache.mode"),
        (r#"{"secret":"s","match":{"consumers":["x"]}}"#, "match.consumers"),
        (r#"{"secret":"s","logout_redirect_uri":"/a b"}"#, "logout_redirect_uri"),
    ] {
        let error = problem(json);
        assert_eq!(error.problems()[0].path, path, "{error}");
        assert!(!error.to_string().contains("hush"));
    }
}

#[test]
fn metadata_needs_both_a_storage_and_the_setting() {
    let noted = |more: &str, storage: &str| {
        let common = r#""secret":"s","admin":{"upstream":"a"}"#;
        read(&format!(r#"{{{common},"storage":"{storage}",{more}}}"#)).noted
    };
    for storage in ["kong", "admin"] {
        assert_eq!(noted(r#""store_metadata":true"#, storage), Noted::Subjects);
        let both = r#""store_metadata":true,"hash_subject":true"#;
        assert_eq!((noted(both, storage), noted(both, "cookie")), (Noted::Hashes, Noted::Nothing));
        assert_eq!(noted(r#""hash_subject":true"#, storage), Noted::Nothing);
    }
    // A long audience cannot be listed, so it is accepted only if nothing is listed.
    let long = format!(r#""store_metadata":true,"audience":"{}""#, "a".repeat(257));
    assert_eq!(noted(&long, "cookie"), Noted::Nothing);
    let stored = format!(r#"{{"secret":"s","admin":{{"upstream":"a"}},"storage":"kong",{long}}}"#);
    assert_eq!(problem(&stored).problems()[0].path, "audience");
}

#[test]
fn the_two_cookies_have_names_that_cannot_meet() {
    for (session, remember) in
        [("session", "Session"), ("session", "session2"), ("a3", "a"), ("a", "a9")]
    {
        let json = format!(
            r#"{{"secret":"s","cookie_name":"{session}","remember_cookie_name":"{remember}"}}"#
        );
        assert_eq!(problem(&json).problems()[0].path, "remember_cookie_name", "{json}");
    }
    read(r#"{"secret":"s","cookie_name":"session","remember_cookie_name":"session1"}"#);
    read(r#"{"secret":"s","cookie_name":"a3","remember_cookie_name":"a4"}"#);
}

#[test]
fn consumers_are_checked_where_there_is_somebody_to_ask() {
    assert!(read(r#"{"secret":"s","consumers":[{"username":"ana"}]}"#).check_consumer);
    assert!(read(r#"{"secret":"s","admin":{"upstream":"a"}}"#).check_consumer);
    assert!(
        !read(r#"{"secret":"s","admin":{"upstream":"a"},"check_consumer":false}"#).check_consumer
    );
    assert!(read(r#"{"secret":"s","admin":{"upstream":"a"},"storage":"admin"}"#).stored);
}

#[test]
fn no_secret_is_shown() {
    let json = br#"{"secret":"hush","secret_fallbacks":["hush2"]}"#;
    let (config, secrets) = settings::read(json, &|_| None, Config::read).unwrap();
    assert_eq!(secrets.len(), 2);
    assert!(!format!("{config:?}{secrets:?}").contains("hush"));
}
