//! The code of a module stays as small as it was made: a gateway compiles all of it before it
//! serves.

use wasm_tests::{built_filters, filters_directory, module_of_all};
use wasmparser::{Parser, Payload};

/// The greatest size of each module's code section in bytes, five percent above what it was with
/// `wasm-opt` when the line was written.
const CEILINGS: [(&str, u32); 13] = [
    ("all", 2_083_000),
    ("app_id", 426_000),
    ("bot_detection", 585_000),
    ("cors", 513_000),
    ("ip_restriction", 305_000),
    ("jwt_auth", 900_000),
    ("key_auth", 514_000),
    ("moesif", 704_000),
    ("rate_limiting", 370_000),
    ("request_termination", 308_000),
    ("request_transformer", 595_000),
    ("session", 629_000),
    ("upstream_jwt", 652_000),
];

/// Returns the size of the module's code section in bytes, and `true` if it names its functions.
fn code(wasm: &[u8]) -> (u32, bool) {
    let (mut code, mut named) = (0, false);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.expect("a module") {
            Payload::CodeSectionStart { size, .. } => code = size,
            Payload::CustomSection(section) => named |= section.name() == "name",
            _ => {}
        }
    }
    (code, named)
}

#[test]
fn no_module_is_larger_than_its_ceiling() {
    let modules = built_filters().into_iter().chain([("all".to_owned(), module_of_all())]);
    let mut larger = Vec::new();
    for (name, wasm) in modules {
        let (code, named) = code(&wasm);
        let found = CEILINGS.iter().find(|(of, _)| *of == name).map(|(_, ceiling)| *ceiling);
        let ceiling = found.unwrap_or_else(|| panic!("{name} has no line in CEILINGS"));
        // Without `wasm-opt` a module keeps its names, and its code is an eighth larger.
        let ceiling = if named { ceiling.saturating_mul(6) / 5 } else { ceiling };
        if code > ceiling {
            larger.push(format!("{name}: {code} bytes of code, at most {ceiling}"));
        }
    }
    assert_eq!(
        larger,
        Vec::<String>::new(),
        "see docs/size.md for how to find what a module is made of; raise the line in CEILINGS only \
         if the growth is worth its time at every start of a gateway"
    );
}

#[test]
fn a_module_without_names_has_them_in_a_file_beside() {
    let names = filters_directory().with_file_name("names");
    for (name, wasm) in built_filters() {
        if code(&wasm).1 {
            continue;
        }
        let file = names.join(format!("gatehouse_{name}.names"));
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|e| panic!("{}: {e}; run `make build`", file.display()));
        assert!(text.contains(":proxy_on_request_headers\n"), "{}", file.display());
    }
}
