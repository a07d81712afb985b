use super::*;

pub(crate) fn read(json: &str) -> Result<Config, settings::Invalid> {
    settings::read(
        json.as_bytes(),
        &|name| (name == "APP").then(|| "app-from-env".to_owned()),
        Config::read,
    )
}

pub(crate) fn config(json: &str) -> Config {
    let json = json.replacen('{', r#"{"application_id":"app","#, 1).replace(",}", "}");
    read(&json).unwrap()
}

fn problems(json: &str) -> String {
    read(json).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_the_plugins() {
    let config = config("{}");
    assert_eq!(config.connect_timeout, Duration::from_millis(1000));
    assert_eq!(config.send_timeout, Duration::from_millis(5000));
    assert_eq!(config.api_version.as_deref(), Some("1.0"));
    assert_eq!(
        (config.batch_size, config.max_events, config.max_queue_bytes),
        (50, 100_000, 8 << 20)
    );
    assert_eq!(config.request.body.limit, 100_000);
    assert_eq!(config.response.body.limit, 100_000);
    assert!(
        config.request.capture_body && config.response.body.decompress && config.transaction_id
    );
    assert!(!config.compress && !config.debug && config.ignored.is_empty());
    assert_eq!(config.sources.credential_headers, ["authorization"]);
    assert_eq!(config.sources.user_claim.as_deref(), Some("sub"));
    assert_eq!((config.sources.company_claim, config.sources.user_header), (None, None));
    assert_eq!(config.place.unwrap().target(false).upstream, "api.moesif.net:443");
}

#[test]
fn the_application_id_is_needed_and_never_quoted() {
    assert!(problems("{}").contains("application_id: found nothing"));
    assert_eq!(read(r#"{"application_id_env":"APP"}"#).unwrap().application_id, "app-from-env");
    let error = problems(r#"{"application_id":"se cret"}"#);
    assert!(error.contains("application_id") && !error.contains("cret"), "{error}");
}

#[test]
fn the_collector_comes_before_upstream_and_that_before_the_endpoint() {
    let target = |json: &str| config(json).place.unwrap().target(true);
    let all = r#"{"collector":{"upstream":"c"},"upstream":"u","base_uri":"b.example","api_endpoint":"http://e/p"}"#;
    assert_eq!((target(all).upstream.as_str(), target(all).authority.as_str()), ("c", "c"));
    let two = target(r#"{"upstream":"u","base_uri":"b.example","api_endpoint":"http://e/p"}"#);
    assert_eq!((two.upstream.as_str(), two.authority.as_str(), two.tls), ("u", "b.example", true));
    let one = target(r#"{"api_endpoint":"http://e:9500/collector"}"#);
    assert_eq!(
        (one.upstream.as_str(), one.authority.as_str(), one.tls),
        ("moesif_api", "e:9500", false)
    );
    assert_eq!(one.prefix, ["collector"]);
    assert_eq!(target(r#"{"upstream":"u"}"#).authority, "api.moesif.net");
}

#[test]
fn masks_have_an_old_name_that_counts_where_the_new_one_is_not_used() {
    let covers = |json: &str| {
        let config = config(json);
        ["new", "old"].map(|name| config.request.body.masks.cover(name))
    };
    assert_eq!(covers(r#"{"request_masks":["OLD"]}"#), [false, true]);
    assert_eq!(covers(r#"{"request_masks":["old"],"request_body_masks":["new"]}"#), [true, false]);
    assert_eq!(covers(r#"{"request_masks":["old"],"request_body_masks":{}}"#), [false, true]);
    assert!(
        config(r#"{"response_body_masks":["a b.$[c]"]}"#).response.body.masks.cover("A b.$[c]")
    );
}

#[test]
fn an_empty_text_switches_a_default_off() {
    let off = config(
        r#"{"authorization_header_name":"","authorization_user_id_field":"","user_id_header":""}"#,
    );
    assert!(off.sources.credential_headers.is_empty());
    assert_eq!((off.sources.user_claim, off.sources.user_header), (None, None));
    let listed = config(r#"{"authorization_header_name":" X-Api-Key , Authorization,"}"#);
    assert_eq!(listed.sources.credential_headers, ["x-api-key", "authorization"]);
}

#[test]
fn settings_without_effect_are_accepted_and_listed() {
    let config = config(
        r#"{"timeout":1000,"keepalive":5000,"max_callback_time_spent":750,"sampling_percentage":33.3,
        "max_events_sent_per_callback":100,"max_body_size_limit":1,"enable_reading_send_event_response":true,
        "disable_moesif_payload_compression":false}"#,
    );
    assert_eq!(config.ignored.len(), 8);
}

#[test]
fn all_that_is_wrong_is_said_with_its_place() {
    let error = problems(
        r#"{"application_id":"a","api_endpoint":"ftp://x","batch_size":0,"request_header_masks":["a b"],
        "user_id_header":"x y","debug":"yes","send_timeout":0,"request_max_body_size_limit":1000001,
        "collector":{"upstream":""},"typo":1}"#,
    );
    for path in [
        "api_endpoint",
        "batch_size",
        "request_header_masks[0]",
        "user_id_header",
        "debug",
        "send_timeout",
        "request_max_body_size_limit",
        "collector.upstream",
        "typo",
    ] {
        assert!(error.contains(path), "{path}: {error}");
    }
}

#[test]
fn ticks_come_twice_in_the_time_that_a_batch_may_wait() {
    let period = |json: &str| config(json).period().as_millis();
    assert_eq!(period("{}"), 1000);
    assert_eq!(period(r#"{"batch_max_wait":500}"#), 250);
    assert_eq!(period(r#"{"batch_max_wait":5}"#), 100);
}
