//! `gatehouse-admin check-config`.

use crate::program::run;

const RIGHT: &str = "_format_version: '3.0'\nservices:\n- name: a\n  filter_chains:\n  - filters:\n    - name: \
                     gatehouse_session\n      config: { secret_env: SECRET }\n";

#[test]
fn the_exit_code_says_whether_every_filter_accepts_its_settings() {
    let ok = run(&["check-config", "-"], &[("SECRET", "x")], RIGHT);
    assert_eq!((ok.code, ok.out.as_str()), (0, "-: 1 filter, 0 errors, 0 warnings\n"));
    let wrong = run(&["check-config", "-"], &[], &RIGHT.replace("secret_env", "secret_en"));
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let place = "-: error: services[0].filter_chains[0].filters[0].config.secret_en: session: found an unknown";
    assert!(wrong.out.contains(place), "{wrong:?}");
    for input in ["a: [", "name: value"] {
        let unusable = run(&["check-config", "-"], &[], input);
        assert!(unusable.code == 2 && unusable.err.starts_with("-: "), "{unusable:?}");
    }
    assert_eq!(run(&["check-config", "/does/not/exist"], &[], "").code, 2);
    assert_eq!(run(&["check-config"], &[], "").code, 2);
}

#[test]
fn a_variable_that_is_not_set_is_an_error_with_env_only() {
    let warned = run(&["check-config", "-"], &[], RIGHT);
    assert!(
        warned.code == 0 && warned.out.contains("warning: ") && warned.out.contains("`SECRET`"),
        "{warned:?}"
    );
    let refused = run(&["check-config", "--env", "-"], &[], RIGHT);
    assert!(refused.code == 1 && refused.out.contains("error: "), "{refused:?}");
}
