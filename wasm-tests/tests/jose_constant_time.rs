//! Signing in the built filters has no branch and no address that depends on a secret.
//!
//! The method rests on types. `fastrsa` keeps every secret in an `i64`, an `f64` or a `v128`, the
//! windows of the private exponents included. A condition or an address in WebAssembly is an `i32`.
//! So the functions that compute with secrets obey these rules:
//!
//! 1. No instruction turns one of those types into an `i32`: no comparison, no `wrap`, no
//!    extraction of a lane or bit.
//! 2. No load reads a byte or a half word, by which a secret could become an `i32` in memory.
//! 3. No division and no square root is used, whose time depends on the operands.
//! 4. They call only functions of this list, and a few that handle whole pieces of memory.
//!
//! In addition, no function of `fastrsa` contains a panic.
//!
//! The check does not cover the set-up of a key, and the conversion between bytes and digits of the
//! padded message and the signature (one comparison each, of bits that must all be zero). It does
//! not cover what the engine makes of `f64` multiplication and addition either.

use std::collections::HashMap;
use std::path::Path;
use wasmparser::{KnownCustom, Name, Operator, Parser, Payload, TypeRef};

/// The functions that compute with secrets, by the ends of their mangled names.
const SECRET: [&str; 17] = [
    "fastrsa4dualNtB2_8DualMont3mul",
    "fastrsa4dualNtB2_8DualMont6square",
    "fastrsa4dualNtB2_8DualMont3pow",
    "fastrsa4dual6lookup",
    "fastrsa4montNtB2_4Mont3mul",
    "fastrsa4montNtB2_4Mont6square",
    "fastrsa4montNtB2_4Mont9canonical",
    "fastrsa4montNtB2_4Mont11reduce_wide",
    // The functions that call those above, and the power with the public exponent, whose base is
    // the blinding.
    "fastrsa3crtNtB2_3Crt3pow",
    "fastrsa3crtNtB4_3Crt3pow0B6_",
    "fastrsa3crtNtB4_3Crt3pows_0B6_",
    "fastrsa4dualNtB2_8DualMont7pack_in",
    "fastrsa6publicNtB4_9PublicKey5power",
    "fastrsa4wideNtB2_8WideMont3mul",
    "fastrsa4wideNtB2_8WideMont6square",
    "fastrsa4wideNtB2_8WideMont9pack_from",
    "fastrsa4wide4pack",
];

/// Functions that move, clear, allocate or free memory, whose time depends on its length. Those of
/// the C library have their full names here.
const MEMORY_C: [&str; 8] =
    ["memcpy", "memmove", "memset", "malloc", "calloc", "free", "posix_memalign", "aligned_alloc"];
const MEMORY_RUST: [&str; 5] = ["rust_alloc", "rust_dealloc", "raw_vec", "to_vec", "drop_in_place"];

/// The reason why an instruction breaks a rule, if it does.
fn objection(operator: &Operator, callee: impl Fn(u32) -> String) -> Option<String> {
    let name = format!("{operator:?}");
    let name = name.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
    let wide = ["I64", "F64", "F32", "V128", "I8x16", "I16x8", "I32x4", "I64x2", "F32x4", "F64x2"];
    let from_wide = wide.iter().any(|prefix| name.starts_with(prefix));
    let compares = [
        "Eqz", "Eq", "Ne", "LtS", "LtU", "GtS", "GtU", "LeS", "LeU", "GeS", "GeU", "Lt", "Gt",
        "Le", "Ge",
    ];
    let scalar = name.strip_prefix("I64").or(name.strip_prefix("F64")).or(name.strip_prefix("F32"));
    if scalar.is_some_and(|rest| compares.contains(&rest)) {
        return Some(format!("{name} makes a condition"));
    }
    if name == "I32WrapI64" || name.starts_with("I32Trunc") || name.starts_with("I32Reinterpret") {
        return Some(format!("{name} makes an i32"));
    }
    let narrow_lanes = ["I8x16ExtractLane", "I16x8ExtractLane", "I32x4ExtractLane"];
    if name.ends_with("AnyTrue")
        || name.ends_with("AllTrue")
        || name.ends_with("Bitmask")
        || narrow_lanes.iter().any(|lane| name.starts_with(lane))
    {
        return Some(format!("{name} makes an i32"));
    }
    if name.starts_with("I32Load8") || name.starts_with("I32Load16") {
        return Some(format!("{name} may load a secret as an i32"));
    }
    if name.contains("Div") || name.contains("Rem") || name.contains("Sqrt") {
        // Slices are cut into chunks by dividing their lengths, which are `i32`.
        return from_wide.then(|| format!("{name} takes a time that depends on its operands"));
    }
    match operator {
        Operator::Call { function_index } => {
            let callee = callee(*function_index);
            let known = SECRET.iter().chain(&MEMORY_RUST).any(|part| callee.contains(part))
                || MEMORY_C.contains(&callee.as_str());
            (!known).then(|| format!("calls {callee}"))
        }
        Operator::CallIndirect { .. } => Some("calls through a table".to_owned()),
        _ => None,
    }
}

/// The functions of [`SECRET`] that the module has, and all broken rules. `names` are the names of
/// functions that the module itself does not hold.
fn inspect(wasm: &[u8], mut names: HashMap<u32, String>) -> (Vec<&'static str>, Vec<String>) {
    let mut imported = 0u32;
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.expect("a module") {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported +=
                        u32::from(matches!(import.expect("an import").ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(reader) = section.as_known() {
                    for part in reader.into_iter().flatten() {
                        if let Name::Function(map) = part {
                            names.extend(
                                map.into_iter().flatten().map(|n| (n.index, n.name.to_owned())),
                            );
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let name =
        |index: u32| names.get(&index).cloned().unwrap_or_else(|| format!("function {index}"));
    let (mut found, mut objections) = (Vec::new(), Vec::new());
    for (index, body) in (imported..).zip(&bodies) {
        let this = name(index);
        // A hash may follow the name, but no other path.
        let secret = SECRET.iter().find(|part| this.ends_with(**part));
        found.extend(secret);
        for operator in body.get_operators_reader().expect("a body") {
            let operator = operator.expect("an instruction");
            if let Some(secret) = secret {
                objections.extend(objection(&operator, name).map(|why| format!("{secret}: {why}")));
            } else if let Operator::Call { function_index } = operator {
                let callee = name(function_index);
                if this.contains("fastrsa") && callee.contains("panicking") {
                    objections.push(format!("{this}: calls {callee}"));
                }
            }
        }
    }
    (found, objections)
}

/// Each filter's file name, its module, and the names of its functions, which `scripts/wasm-build`
/// keeps in a file beside.
fn built() -> Vec<(String, Vec<u8>, HashMap<u32, String>)> {
    let directory = wasm_tests::filters_directory();
    let names = |path: &Path| {
        let file =
            directory.with_file_name("names").join(path.with_extension("names").file_name()?);
        let text = std::fs::read_to_string(file).ok()?;
        let line = |line: &str| {
            let (index, name) = line.split_once(':')?;
            Some((index.parse().ok()?, name.to_owned()))
        };
        text.lines().map(line).collect::<Option<HashMap<_, _>>>()
    };
    let files = std::fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make build`", directory.display()));
    files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
        .map(|path| {
            (
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                std::fs::read(&path).expect("readable"),
                names(&path).unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn no_filter_branches_on_a_secret_or_uses_one_as_an_address_or_panics_over_it() {
    for (file, wasm, names) in built() {
        let (found, objections) = inspect(&wasm, names);
        assert_eq!(objections, Vec::<String>::new(), "{file}");
        // A filter that signs has all of these functions, and none if its names were stripped. A
        // filter that only verifies has some of them, for numbers that are public.
        if file.contains("upstream_jwt") || found.iter().any(|part| part.contains("4dual")) {
            for part in SECRET {
                // The compiler may inline a function into another one, except for those marked
                // `inline(never)`.
                let kept = ["3mul", "6square", "3pow", "6lookup", "5power"]
                    .iter()
                    .any(|end| part.ends_with(end));
                assert!(!kept || found.contains(&part), "{file} lacks {part}");
            }
        }
    }
}

/// The check notices each kind of mistake.
#[test]
fn the_check_objects_to_what_it_should() {
    let module = |body: &str| {
        let wat = format!(
            r#"(module (memory 1) (func $other) (func $__rust_alloc) (func $core9panicking)
                 (func $fastrsa6public (call $core9panicking)) (func $jose (call $core9panicking))
                 (func $fastrsa4dual6lookup (param i32 i64 f64 v128) {body}))"#
        );
        inspect(&wat::parse_str(&wat).expect("a module"), HashMap::new())
    };
    let fine = "(drop (i64.load (local.get 0))) (drop (f64.mul (local.get 2) (local.get 2)))
                (if (i32.eqz (local.get 0)) (then (call $__rust_alloc)))";
    // A panic counts in every function of `fastrsa`, and not in other crates.
    let panics = "fastrsa6public: calls core9panicking".to_owned();
    assert_eq!(module(fine), (vec!["fastrsa4dual6lookup"], vec![panics.clone()]));
    for (body, why) in [
        ("(if (i64.eqz (local.get 1)) (then))", "I64Eqz makes a condition"),
        ("(br_if 0 (f64.lt (local.get 2) (local.get 2)))", "F64Lt makes a condition"),
        ("(drop (i32.load (i32.wrap_i64 (local.get 1))))", "I32WrapI64 makes an i32"),
        ("(drop (v128.any_true (local.get 3)))", "V128AnyTrue makes an i32"),
        ("(drop (i32x4.extract_lane 0 (local.get 3)))", "I32x4ExtractLane makes an i32"),
        ("(drop (i32.load8_u (local.get 0)))", "I32Load8U may load a secret as an i32"),
        (
            "(drop (i64.rem_u (local.get 1) (local.get 1)))",
            "I64RemU takes a time that depends on its operands",
        ),
        ("(call $other)", "calls other"),
    ] {
        assert_eq!(
            module(body).1,
            [panics.clone(), format!("fastrsa4dual6lookup: {why}")],
            "{body}"
        );
    }
}
