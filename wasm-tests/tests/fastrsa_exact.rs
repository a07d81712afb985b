//! `fastrsa` as the filters have it, a Wasm module with `simd128`: every product and sum of digits
//! is exact, and each power is the native one.
//!
//! The module is `shared/fastrsa/examples/exact.rs` with the feature `exact`, which traps where an
//! operation is not exact. The inputs are those that the fuzzer has kept, and made-up ones:
//! `GATEHOUSE_EXACT_INPUTS` sets their number.

#![allow(dead_code, reason = "a part of the module is for Wasm only")]

#[path = "../../shared/fastrsa/examples/exact.rs"]
mod exact;

use std::path::Path;
use wasmtime::{Config, Engine, Linker, Module, Store, Strategy, TypedFunc};

struct Lanes {
    store: Store<()>,
    push: TypedFunc<u32, ()>,
    run: TypedFunc<(), u32>,
    pop: TypedFunc<(), u32>,
}

impl Lanes {
    fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/tests/fastrsa_exact.wasm");
        let bytes = std::fs::read(&path).expect("`scripts/wasm-build sdk` makes this module");
        let simd = wasmparser::Parser::new(0).parse_all(&bytes).any(|payload| {
            let Ok(wasmparser::Payload::CodeSectionEntry(body)) = payload else { return false };
            let mut operators = body.get_operators_reader().expect("code");
            std::iter::from_fn(|| operators.read().ok())
                .any(|operator| matches!(operator, wasmparser::Operator::F64x2Mul))
        });
        assert!(simd || std::env::var("GATEHOUSE_SIMD").is_ok_and(|simd| simd == "no"));
        let mut config = Config::new();
        config.strategy(Strategy::Winch);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, &bytes).unwrap();
        let mut linker = Linker::new(&engine);
        // The standard library imports WASI, and calls it for the message of a panic only.
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            start.call(&mut store, ()).unwrap();
        }
        let push = instance.get_typed_func(&mut store, "push").unwrap();
        let run = instance.get_typed_func(&mut store, "run").unwrap();
        let pop = instance.get_typed_func(&mut store, "pop").unwrap();
        Self { store, push, run, pop }
    }

    fn power(&mut self, input: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
        for byte in input {
            self.push.call(&mut self.store, u32::from(*byte))?;
        }
        let length = self.run.call(&mut self.store, ())?;
        let mut next = || self.pop.call(&mut self.store, ()).map(|byte| byte.to_le_bytes()[0]);
        (0..length).map(|_| next()).collect()
    }
}

/// Reads the inputs that the fuzzer has kept, one in each line with escapes.
fn kept() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/fuzz/corpus/rsa_exact.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(unescaped).collect()
}

fn unescaped(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let (byte, used) = match after.as_bytes()[0] {
            b'x' => (u8::from_str_radix(&after[1..3], 16).unwrap(), 3),
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b't' => (b'\t', 1),
            other => (other, 1),
        };
        out.push(byte);
        rest = &after[used..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Makes inputs up, always the same ones. Few have more than 2048 bits, since these take long.
fn made_up(number: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..number).map(move |n| {
        let mut input: Vec<u8> = (0..27 + 3 * (n % 5)).map(|_| random()).collect();
        let most = if n % 32 == 0 { 7168 } else { 1024 };
        let bits = usize::from(u16::from_be_bytes([input[0], input[1]])) % (most + 1);
        input[..2].copy_from_slice(&u16::try_from(bits).unwrap().to_be_bytes());
        // The long exponents only now and then.
        input[2] = if n % 16 == 0 { input[2] } else { input[2] % 4 };
        input
    })
}

#[test]
fn as_simd_wasm_every_operation_is_exact_and_every_power_is_the_native_one() {
    let mut lanes = Lanes::load();
    let number = std::env::var("GATEHOUSE_EXACT_INPUTS").map_or(200, |text| text.parse().unwrap());
    let (mut powers, mut kept_ones) = (0, 0);
    for (at, input) in kept().into_iter().chain(made_up(number)).enumerate() {
        let Some(numbers) = exact::numbers(&input) else { continue };
        let shown = input.escape_ascii();
        let found = lanes.power(&input).unwrap_or_else(|error| panic!("{shown}: {error:?}"));
        assert_eq!(found, exact::power(&numbers), "{shown}");
        assert!(!found.is_empty(), "{shown}");
        powers += 1;
        kept_ones = if at < kept().len() { powers } else { kept_ones };
    }
    assert!(kept_ones > 0 && powers >= number);
    println!("{powers} powers as Wasm, {kept_ones} of them from the corpus");
}
