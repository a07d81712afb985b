//! Loads modules built from `examples/probe.rs`, with and without `simd128`, signs and verifies in
//! them, and prints the CPU time of each operation (Linux).

use wasmtime::{Engine, Linker, Module, Store};

fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|v| v.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn main() {
    for path in std::env::args().skip(1) {
        let engine = Engine::default();
        let module = Module::from_file(&engine, &path).expect("a module that this engine takes");
        let mut linker = Linker::new(&engine);
        // The standard library imports WASI and does not call it.
        linker.define_unknown_imports_as_traps(&module).expect("imports");
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).expect("an instance");
        if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            start.call(&mut store, ()).expect("initialised");
        }
        for (name, rounds) in [
            ("sign_rs256", 100),
            ("verify_rs256", 1000),
            ("sign_ps256", 100),
            ("verify_es256", 1000),
        ] {
            let work = instance.get_typed_func::<u32, u32>(&mut store, name).expect(name);
            assert_eq!(work.call(&mut store, 2).expect("no trap"), 2, "{name}");
            let start = cpu_seconds();
            assert_eq!(work.call(&mut store, rounds).expect("no trap"), rounds, "{name}");
            println!("{path} {name} {:.1} us", (cpu_seconds() - start) * 1e6 / f64::from(rounds));
        }
    }
}
