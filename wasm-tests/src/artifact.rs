//! The compiled filters: their files, and the functions that they import and export.

use crate::everywhere;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;
use wasmtime::{Config, Engine, Module, Strategy};

/// A filter for a chain: its Wasm and the configuration of its operator.
#[derive(Clone)]
pub struct Filter {
    pub(crate) name: String,
    pub(crate) module: Module,
    /// A number that equal code has in common.
    pub(crate) code: u64,
    pub(crate) config: Vec<u8>,
    pub(crate) vm_id: String,
    pub(crate) root_id: String,
    /// The name of the filter, if it is one of ours: `key_auth`.
    built: Option<String>,
}

impl Filter {
    /// The filter of this name, for example `key_auth`, as `make build` left it.
    pub fn built(name: &str) -> Self {
        let filter = Self::wasm(&format!("gatehouse_{name}"), &read_built(name));
        Self { root_id: name.to_owned(), built: Some(name.to_owned()), ..filter }
    }

    /// The filter of this name out of the module that holds all, as Envoy's `root_id` chooses it.
    pub fn of_all(name: &str) -> Self {
        let filter = Self::wasm(&format!("gatehouse_{name}"), &module_of_all());
        filter.root_id(name)
    }

    /// The same filter out of the module that holds all, if it is one of ours.
    pub(crate) fn in_one_module(&self) -> Self {
        match &self.built {
            Some(name) => {
                let (config, vm_id) = (self.config.clone(), self.vm_id.clone());
                Self { config, vm_id, ..Self::of_all(name) }
            }
            None => self.clone(),
        }
    }

    /// A filter that is written with the crate `proxy-wasm`, as `make build` left it: see
    /// [`sdk_module`].
    pub fn sdk(name: &str) -> Self {
        let bytes = std::fs::read(sdk_module(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self::wasm(name, &bytes)
    }

    /// A filter written in WebAssembly text.
    pub fn wat(name: &str, text: &str) -> Self {
        Self::wasm(name, text.as_bytes())
    }

    /// A filter from the bytes of a module.
    pub fn wasm(name: &str, bytes: &[u8]) -> Self {
        let (code, module) = compiled(bytes);
        let (name, config, vm_id) = (name.to_owned(), Vec::new(), String::new());
        Self { name, module, code, config, vm_id, root_id: String::new(), built: None }
    }

    /// Sets the plugin configuration.
    pub fn config(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.config = bytes.as_ref().to_vec();
        self
    }

    /// Envoy: sets the `vm_id`. Filters with an equal `vm_id` share data, and one VM if their code
    /// is equal.
    pub fn vm_id(mut self, id: &str) -> Self {
        self.vm_id = id.to_owned();
        self
    }

    /// Envoy: sets the `root_id`.
    pub fn root_id(mut self, id: &str) -> Self {
        self.root_id = id.to_owned();
        self
    }
}

/// The Wasm engine of this process.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        // Winch compiles a filter in one pass: a second, where Cranelift built without optimisation
        // takes five. It supports the SIMD of the filters on x86-64 (with AVX) and aarch64.
        Engine::new(Config::new().strategy(Strategy::Winch)).expect("Winch is supported here")
    })
}

/// Compiles `bytes` once per process.
fn compiled(bytes: &[u8]) -> (u64, Module) {
    type Modules = HashMap<Vec<u8>, (u64, Module)>;
    static MODULES: OnceLock<Mutex<Modules>> = OnceLock::new();
    let modules = MODULES.get_or_init(Mutex::default);
    let mut modules = modules.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((code, module)) = modules.get(bytes) {
        return (*code, module.clone());
    }
    let module = Module::new(engine(), bytes).unwrap_or_else(|e| panic!("not a module: {e:?}"));
    let code = modules.len() as u64;
    modules.insert(bytes.to_vec(), (code, module.clone()));
    (code, module)
}

/// The directory in which `make build` leaves the filters.
pub fn filters_directory() -> PathBuf {
    match std::env::var_os("GATEHOUSE_DIST") {
        Some(dist) => PathBuf::from(dist).join("filters"),
        None => workspace().join("dist/filters"),
    }
}

/// Every built filter: its name without `gatehouse_`, and its bytes.
pub fn built_filters() -> Vec<(String, Vec<u8>)> {
    let directory = filters_directory();
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make build` first", directory.display()));
    let names = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        Some(name.strip_prefix("gatehouse_")?.strip_suffix(".wasm")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    assert!(!names.is_empty(), "no filter in {}; run `make build` first", directory.display());
    names.sort();
    names.into_iter().map(|name| (name.clone(), read_built(&name))).collect()
}

/// Returns the module that holds all filters, as `make build` left it.
#[track_caller]
pub fn module_of_all() -> Vec<u8> {
    let path = filters_directory().with_file_name("gatehouse.wasm");
    let parts = ["filters", "shared", "tools/all-filters", "tools/module"];
    read_fresh(&path, "gatehouse", &parts.map(|part| workspace().join(part)))
}

fn read_built(name: &str) -> Vec<u8> {
    let record = format!("gatehouse_{name}");
    let path = filters_directory().join(format!("{record}.wasm"));
    let filter = workspace().join("filters").join(name.replace('_', "-"));
    read_fresh(&path, &record, &[filter, workspace().join("shared")])
}

/// Returns the path of a module of `wasm-tests/sdk-filter`, which is written with the crate
/// `proxy-wasm`: `sdk_filter` or one of the examples beside it. Panics if it is missing, or older
/// than its source.
#[track_caller]
pub fn sdk_module(name: &str) -> PathBuf {
    let path = filters_directory().with_file_name("tests").join(format!("{name}.wasm"));
    let is_library = name == "sdk_filter";
    let record = if is_library { name.to_owned() } else { format!("examples/{name}") };
    read_fresh(&path, &record, &[workspace().join("wasm-tests/sdk-filter")]);
    path
}

#[track_caller]
fn read_fresh(path: &Path, record: &str, directories: &[PathBuf]) -> Vec<u8> {
    let bytes = std::fs::read(path)
        .unwrap_or_else(|e| panic!("{}: {e}; run `make build` first", path.display()));
    if std::env::var_os("GATEHOUSE_DIST").is_none() {
        refuse_stale(path, record, directories);
    }
    bytes
}

/// Fails if a module is older than its source: a test of an old filter proves nothing.
fn refuse_stale(wasm: &Path, record: &str, directories: &[PathBuf]) {
    // `make build` leaves an unchanged file alone, so that cargo's own copy and its list of sources
    // are more exact where they exist.
    let (built, sources) = match cargo_record(record) {
        Some(record) => record,
        None => (modified(wasm), sources(directories)),
    };
    let newer = sources.into_iter().find(|source| modified(source) > built);
    if let Some(newer) = newer {
        panic!("{} is older than {}; run `make build` first", wasm.display(), newer.display());
    }
}

/// The time at which cargo last linked a filter, and the paths of its sources.
fn cargo_record(name: &str) -> Option<(Option<SystemTime>, Vec<PathBuf>)> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| workspace().join("target"));
    // The project's own modules have a profile of their own, and those of `sdk-filter` have not.
    let directory = |profile| target.join("wasm/wasm32-wasip1").join(profile);
    let mut profiles = ["filter", "release"].into_iter().map(directory);
    let built = profiles.find(|built| built.join(format!("{name}.d")).is_file())?;
    let list = std::fs::read_to_string(built.join(format!("{name}.d"))).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let sources = sources.split_whitespace().map(PathBuf::from).collect();
    Some((Some(modified(&built.join(format!("{name}.wasm")))?), sources))
}

/// The sources below these directories.
fn sources(directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in directories {
        collect(directory, &mut found);
    }
    found
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Sources of tests are not in the Wasm.
        let outside = ["tests", "benches", "examples", "fuzz", "target"].contains(&name)
            || name.ends_with("_tests.rs")
            || name == "tests.rs";
        if outside {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if name.ends_with(".rs") || name.ends_with(".toml") {
            found.push(path);
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}

/// The functions that a module imports, as (module, name).
pub fn imports(wasm: &[u8]) -> Vec<(String, String)> {
    let (_, module) = compiled(wasm);
    module.imports().map(|i| (i.module().to_owned(), i.name().to_owned())).collect()
}

/// The imports of `wasm` that some supported gateway lacks. A filter should have none.
pub fn imports_not_everywhere(wasm: &[u8]) -> Vec<(String, String)> {
    let allowed = |(module, name): &(String, String)| match module.as_str() {
        "env" => everywhere::FUNCTIONS.contains(&name.as_str()),
        "wasi_snapshot_preview1" => everywhere::WASI_FUNCTIONS.contains(&name.as_str()),
        _ => false,
    };
    imports(wasm).into_iter().filter(|import| !allowed(import)).collect()
}

/// The functions that a module exports.
pub fn exports(wasm: &[u8]) -> Vec<String> {
    let (_, module) = compiled(wasm);
    let functions = module.exports().filter(|export| export.ty().func().is_some());
    functions.map(|export| export.name().to_owned()).collect()
}
