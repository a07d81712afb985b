//! `/ui`: the files of the page for operators, and what browsers are told about them.

use crate::client::Answer;
use crate::program::Program;

fn ask(program: &Program, target: &str, headers: &[(&str, &str)]) -> Answer {
    program.send("GET", target, headers, b"")
}

#[test]
fn the_page_loads_without_a_token_and_the_api_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "admin-token-of-thirty-two-letters-or-more").unwrap();
    let program = Program::on_sqlite_with(&["--admin-token-file", token.to_str().unwrap()]);
    for target in ["/ui", "/ui/", "/ui/app.js", "/ui/ui.css", "/ui/vendor/preact.mjs"] {
        assert_eq!(ask(&program, target, &[]).status, 200, "{target}");
        assert_eq!(program.send("HEAD", target, &[], b"").status, 200, "{target}");
    }
    for target in ["/ui/../status", "/ui/%2e%2e/status", "/ui/none", "/ui/vendor/LICENSE-htm"] {
        ask(&program, target, &[]).expect(404);
    }
    for target in ["/uix", "/status", "/consumers", "/u%69", "//ui"] {
        ask(&program, target, &[]).expect(401);
    }
    for method in ["POST", "PUT", "DELETE"] {
        program.send(method, "/ui", &[], b"").expect(405);
    }
}

#[test]
fn every_file_has_the_headers_that_protect_it_and_its_type() {
    let program = Program::on_sqlite();
    for (target, kind) in [
        ("/ui", "text/html; charset=utf-8"),
        ("/ui/app.js", "text/javascript; charset=utf-8"),
        ("/ui/vendor/preact.mjs", "text/javascript; charset=utf-8"),
        ("/ui/ui.css", "text/css; charset=utf-8"),
    ] {
        let answer = ask(&program, target, &[]);
        let header = |name| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(header("content-type"), kind);
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'none'; ",
            "script-src 'self'; ",
            "style-src 'self'; ",
            "connect-src 'self'; ",
            "frame-ancestors 'none'; ",
            "base-uri 'none'; ",
            "form-action 'none'; ",
        ] {
            assert!(policy.contains(rule), "{rule}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-cache");
        let tag = header("etag");
        let again = ask(&program, target, &[("if-none-match", &tag)]);
        assert_eq!((again.status, again.text().as_str()), (304, ""));
        assert!(again.header("content-security-policy").is_some());
        assert_eq!(ask(&program, target, &[("if-none-match", "\"x\"")]).status, 200);
    }
}

#[test]
fn another_site_may_link_to_the_page_but_not_pretend_to_be_it() {
    let program = Program::on_sqlite();
    assert_eq!(ask(&program, "/ui", &[("sec-fetch-site", "cross-site")]).status, 200);
    ask(&program, "/ui", &[("host", "evil.example")]).expect(403);
    ask(&program, "/ui", &[("origin", "http://evil.example")]).expect(403);
}

#[test]
fn without_the_page_its_paths_do_not_exist() {
    let program = Program::on_sqlite_with(&["--no-ui"]);
    for target in ["/ui", "/ui/app.js"] {
        ask(&program, target, &[]).expect(404);
    }
    program.get("/status").expect(200);
}
