//! `gatehouse-admin convert`.

use crate::program::run;

const KONG: &str = "_format_version: '3.0'
services:
- name: api
  url: http://127.0.0.1:8002
  routes: [{ name: api, paths: [/api] }]
  plugins:
  - { name: key-auth }
  - { name: oauth2 }
consumers:
- { username: ana, keyauth_credentials: [{ key: \"ana's key\" }] }
";

#[test]
fn the_new_file_is_printed_and_everything_else_is_told() {
    let done = run(&["convert", "-"], &[], KONG);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("name: gatehouse_key_auth") && !done.out.contains("ana's"),
        "{done:?}"
    );
    assert!(done.err.contains("-: not carried over: services[0].plugins[1]: "), "{done:?}");
    assert!(done.err.contains("GATEHOUSE_KEY_ANA"), "{done:?}");
    let checked = run(&["check-config", "-"], &[("GATEHOUSE_KEY_ANA", "x")], &done.out);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn with_check_the_exit_code_says_whether_something_was_not_carried_over() {
    assert_eq!(run(&["convert", "--check", "-"], &[], KONG).code, 1);
    let whole = KONG.replace("  - { name: oauth2 }\n", "");
    assert_eq!(run(&["convert", "--check", "-"], &[], &whole).code, 0);
    for input in ["a: [", "name: value"] {
        let unusable = run(&["convert", "-"], &[], input);
        assert!(unusable.code == 2 && unusable.out.is_empty(), "{unusable:?}");
    }
}

#[test]
fn the_resources_for_istio_are_checked_as_they_are_written() {
    let istio = run(&["convert", "--to", "istio", "-"], &[], KONG);
    assert!(istio.code == 0 && istio.out.contains("kind: VirtualService"), "{istio:?}");
    let checked = run(&["check-config", "-"], &[("GATEHOUSE_KEY_ANA", "x")], &istio.out);
    assert!(checked.out.contains("2 filters, 0 errors, 0 warnings"), "{checked:?}");
}

#[test]
fn secrets_go_to_a_file_that_only_its_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (file, secrets) = (path("new.yml"), path("secrets"));
    // A file that others can read, from an earlier run.
    std::fs::write(&secrets, "").unwrap();
    let done = run(&["convert", "-", "-o", &file, "--secrets", &secrets], &[], KONG);
    assert!(done.code == 0 && done.out.is_empty(), "{done:?}");
    let mode = std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // A shell reads the value as it was.
    let script = format!(". {secrets}; printf %s \"$GATEHOUSE_KEY_ANA\"");
    let shell = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), "ana's key");
    let done = run(&["convert", "-", "--inline-secrets", "--to", "envoy"], &[], KONG);
    assert!(done.code == 0 && done.out.contains("ana's key"), "{done:?}");
}

/// The file has the settings of plugins that are not converted, which may be secrets.
#[test]
fn who_may_not_read_the_old_file_may_not_read_the_new_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for (mode, expected) in [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644)] {
        let (old, new) = (path("old.yml"), path(&format!("new-{mode}.yml")));
        std::fs::write(&old, KONG).unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(mode)).unwrap();
        let done = run(&["convert", &old, "-o", &new], &[], "");
        assert_eq!(done.code, 0, "{done:?}");
        let found = std::fs::metadata(&new).unwrap().permissions().mode() & 0o777;
        assert_eq!(found & !expected, 0, "{found:o} of {mode:o}");
    }
}
