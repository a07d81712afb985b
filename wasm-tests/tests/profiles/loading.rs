//! The loading and the configuration of filters.

use crate::probe::{Buffer, Do, Probe, lines, said};
use wasm_tests::{
    Callback, Filter, KongVersion, Profile, Proxy, Request, Standing, imports,
    imports_not_everywhere,
};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

#[test]
fn a_refused_configuration_is_kept_away_by_envoy_and_serves_without_filters_on_kong() {
    let refuse = Probe::on(Callback::Configure, &[Do::Log("no"), Do::Return(0)])
        .and(Callback::RequestHeaders, &[Do::Reply(403, "", &[]), Do::Pause]);
    let proxy = Proxy::new(Profile::envoy(), [refuse.filter()]);
    assert!(proxy.rejected().is_some_and(|log| log.contains("no")));
    let send = std::panic::AssertUnwindSafe(|| proxy.send(Request::get("/")));
    assert!(std::panic::catch_unwind(send).is_err());

    let proxy = Proxy::new(kong(), [refuse.filter()]);
    assert!(proxy.rejected().is_some());
    let stream = proxy.send(Request::get("/"));
    stream.forwarded();
    assert!(stream.outcome().callbacks.is_empty());
}

#[test]
fn configurations_arrive_as_bytes() {
    let read = [Do::Read(Buffer::Configuration, 0, -1), Do::Read(Buffer::VmConfiguration, 0, -1)];
    let probe = Probe::on(Callback::Configure, &read);
    let profile = Profile::envoy().vm_configuration(r#"{"host":"envoy"}"#);
    let proxy = Proxy::new(profile, [probe.filter().config(r#"{"a":1}"#)]);
    assert_eq!(said(&proxy, "read"), [r#"{"a":1}"#, r#"{"host":"envoy"}"#]);
    let proxy = Proxy::new(kong(), [probe.filter().config(r#"{"a":1}"#)]);
    assert_eq!(said(&proxy, "read"), [r#"{"a":1}"#, ""]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    assert_eq!(said(&proxy, "read"), ["", ""]);
}

#[test]
fn the_environment_holds_what_the_operator_gave() {
    let probe = Probe::on(Callback::Configure, &[Do::Environment]);
    for profile in [Profile::envoy(), kong()] {
        let profile = profile.environment("GATEHOUSE_HOST", "kong").environment("SECRET", "s");
        let proxy = Proxy::new(profile, [probe.filter()]);
        assert_eq!(said(&proxy, "environment"), ["GATEHOUSE_HOST=kong\0SECRET=s\0"]);
    }
}

#[test]
fn kong_does_not_load_what_imports_a_function_that_it_lacks() {
    for name in ["poll_oneoff", "sched_yield", "fd_fdstat_set_flags"] {
        let parameters = match name {
            "poll_oneoff" => "(param i32 i32 i32 i32)",
            "fd_fdstat_set_flags" => "(param i32 i32)",
            _ => "",
        };
        let import = format!(
            r#"(import "wasi_snapshot_preview1" "{name}" (func {parameters} (result i32)))"#
        );
        let probe = Probe::on(Callback::RequestHeaders, &[]).importing(&import);
        let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
        assert_eq!(proxy.rejected(), None, "{name}");
        let proxy = Proxy::new(kong(), [probe.filter()]);
        assert!(proxy.rejected().is_some_and(|why| why.contains(name)), "{name}");

        let module = format!("(module {import})");
        assert!(imports(module.as_bytes()).iter().any(|(_, n)| n == name));
        let found = imports_not_everywhere(module.as_bytes());
        assert_eq!(found, [("wasi_snapshot_preview1".to_owned(), name.to_owned())]);
    }
}

#[test]
fn a_function_that_nobody_has_keeps_a_filter_from_loading() {
    let probe = Probe::on(Callback::RequestHeaders, &[]).importing(
        r#"(import "env" "proxy_get_header_map_size" (func (param i32 i32) (result i32)))"#,
    );
    for profile in [Profile::envoy(), kong()] {
        assert!(Proxy::new(profile, [probe.filter()]).rejected().is_some());
    }
}

#[test]
fn malloc_serves_where_the_other_allocator_is_missing() {
    let filter = Filter::wat(
        "malloc",
        r#"(module
            (import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
              (drop (call $get (i32.const 7) (i32.const 0) (i32.const -1) (i32.const 8) (i32.const 12)))
              (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
              (i32.const 1)))"#,
    );
    let proxy = Proxy::new(Profile::envoy(), [filter.config("hello")]);
    assert_eq!(lines(&proxy), ["hello"]);
}

#[test]
fn a_filter_without_callbacks_has_nothing_against_anything_on_envoy() {
    let filter = Filter::wat("empty", r#"(module (memory (export "memory") 1))"#);
    let proxy = Proxy::new(Profile::envoy(), [filter]);
    assert_eq!(proxy.send(Request::post("/", "x")).standing(), Standing::Forwarded);
}

#[test]
fn kong_cuts_long_lines_of_the_log() {
    let line: &'static str = Box::leak("x".repeat(3000).into_boxed_str());
    let probe = Probe::on(Callback::Configure, &[Do::Log(line)]);
    for (profile, length) in [(Profile::envoy(), 3000), (kong(), 2048)] {
        let proxy = Proxy::new(profile, [probe.filter()]);
        assert_eq!(lines(&proxy)[0].len(), length);
    }
}
