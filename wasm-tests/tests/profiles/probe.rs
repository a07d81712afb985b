//! A filter that is written as a list of host calls and turned into WebAssembly text.
//!
//! Each call logs its result as `label: result`, where the result is a value or `status N`, so that
//! a test reads the behaviour of a host in the log.

mod library;

use library::{EXPORTED, IMPORTS, LIBRARY, signature};
use std::collections::BTreeMap;
use wasm_tests::{Callback, Filter, Level, Proxy};

/// The header maps.
#[derive(Clone, Copy)]
pub enum Map {
    Request = 0,
    Response = 2,
    Call = 6,
}

/// The buffers.
#[derive(Clone, Copy)]
pub enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallBody = 4,
    VmConfiguration = 6,
    Configuration = 7,
}

/// The acts of a probe.
#[derive(Clone)]
pub enum Do {
    Log(&'static str),
    /// Logs the arguments of the callback.
    Arguments,
    Get(Map, &'static str),
    /// Logs the number of pairs, and traps like the Rust SDK if the header block is cut short.
    Pairs(Map),
    Set(Map, &'static str, &'static str),
    Add(Map, &'static str, &'static str),
    Remove(Map, &'static str),
    /// Reads the property of this path, whose segments are separated by `/`.
    Property(&'static str),
    SetProperty(&'static str, &'static str),
    /// Reads from an offset at most this number of bytes, or all of them with -1.
    Read(Buffer, i32, i32),
    Write(Buffer, i32, i32, &'static str),
    Reply(u16, &'static str, &'static [(&'static str, &'static str)]),
    /// Makes a callout, by upstream, path and timeout in milliseconds.
    Call(&'static str, &'static str, i32),
    /// Makes a callout with exactly these headers.
    CallWith(&'static str, &'static [(&'static str, &'static str)]),
    Continue(i32),
    /// Makes the context of the last request the effective one.
    Effective,
    Shared(&'static str),
    SetShared(&'static str, Option<&'static str>, u32),
    /// Writes with the version that the last read returned.
    SwapShared(&'static str, &'static str),
    TickPeriod(i32),
    Define(i32, &'static str),
    Increment(i64),
    Record(i64),
    Metric,
    Foreign(&'static str, &'static str),
    Random(i32),
    Environment,
    Call0(&'static str),
    Trap,
    /// Leaves the callback if it has run before.
    Once,
    /// Leaves the callback unless the stream ends with it.
    UnlessEnd,
    Pause,
    /// Returns this value from `on_configure` or `on_vm_start`.
    Return(i32),
}

/// A filter under construction.
#[derive(Default, Clone)]
pub struct Probe {
    callbacks: Vec<(Callback, Vec<Do>)>,
    memory: Vec<u8>,
    places: BTreeMap<Vec<u8>, usize>,
    extra_imports: String,
    lacks: Option<Callback>,
    no_memory_for_nothing: bool,
}

impl Probe {
    pub fn on(callback: Callback, doing: &[Do]) -> Self {
        Self::default().and(callback, doing)
    }

    pub fn and(mut self, callback: Callback, doing: &[Do]) -> Self {
        self.callbacks.push((callback, doing.to_vec()));
        self
    }

    /// Leaves a callback out of the exports. All others are exported, as the Rust SDK does.
    pub fn without(mut self, callback: Callback) -> Self {
        self.lacks = Some(callback);
        self
    }

    /// Makes the allocator return null for a request of no bytes.
    pub fn without_memory_for_nothing(mut self) -> Self {
        self.no_memory_for_nothing = true;
        self
    }

    pub fn importing(mut self, import: &str) -> Self {
        self.extra_imports.push_str(import);
        self
    }

    pub fn filter(&self) -> Filter {
        self.named("probe")
    }

    pub fn named(&self, name: &str) -> Filter {
        Filter::wat(name, &self.clone().text())
    }

    fn text(mut self) -> String {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        // The probe always remembers the context of the last request.
        for callback in EXPORTED.into_iter().filter(|callback| self.lacks != Some(*callback)) {
            if !callbacks.iter().any(|(known, _)| *known == callback) {
                callbacks.push((callback, Vec::new()));
            }
        }
        let mut bodies = String::new();
        for (nth, (callback, doing)) in callbacks.iter().enumerate() {
            bodies.push_str(&self.callback(nth, *callback, doing));
        }
        let nothing = if self.no_memory_for_nothing {
            "(if (i32.eqz (local.get $len)) (then (return (i32.const 0))))"
        } else {
            ""
        };
        let library = LIBRARY.replacen(";; nothing", nothing, 1);
        let data: String = self.memory.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let (imports, heap) = (&self.extra_imports, 4096 + self.memory.len());
        format!(
            "(module {IMPORTS} {imports} (memory (export \"memory\") 64)
             (global $heap (mut i32) (i32.const {heap}))
             (data (i32.const 4096) \"{data}\") {library} {bodies})"
        )
    }

    /// Stores `bytes` as data, and returns its address and length as two constants.
    fn lit(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let bytes = bytes.as_ref().to_vec();
        let len = bytes.len();
        let memory = &mut self.memory;
        let at = *self.places.entry(bytes).or_insert_with_key(|bytes| {
            let at = memory.len();
            memory.extend(bytes);
            at
        });
        format!("(i32.const {}) (i32.const {len})", 4096 + at)
    }

    fn callback(&mut self, nth: usize, callback: Callback, doing: &[Do]) -> String {
        let (export, parameters, result) = signature(callback);
        let names: String = (0..parameters).map(|n| format!("(param $p{n} i32) ")).collect();
        let result_type = if result { "(result i32)" } else { "" };
        let default = match callback {
            Callback::Configure | Callback::VmStart | Callback::Done => 1,
            _ => 0,
        };
        let mut body = String::new();
        if callback == Callback::ContextCreate {
            body.push_str("(if (local.get $p1) (then (global.set $context (local.get $p0))))");
        }
        for step in doing {
            body.push_str(&self.step(nth, callback, step));
        }
        let last = if result { "(local.get $answer)" } else { "" };
        format!(
            "(global $ran{nth} (mut i32) (i32.const 0))
             (func (export \"{export}\") {names} {result_type} (local $answer i32)
             (local.set $answer (i32.const {default}))
             (block $out {body}) {last})"
        )
    }

    fn step(&mut self, nth: usize, callback: Callback, step: &Do) -> String {
        match step {
            Do::Log(text) => format!("(call $log_line {})", self.lit(text)),
            Do::Arguments => (1..signature(callback).1)
                .map(|n| {
                    let label = self.lit(format!("argument {n}: "));
                    format!("(call $log_number {label} (local.get $p{n}))")
                })
                .collect(),
            Do::Get(map, name) => {
                let (label, key) = (self.lit(format!("{name}: ")), self.lit(name));
                let map = *map as i32;
                format!(
                    "(call $show {label} (call $get_header (i32.const {map}) {key}
                     (i32.const 16) (i32.const 20)))"
                )
            }
            Do::Pairs(map) => {
                let label = self.lit("pairs: ");
                let map = *map as i32;
                format!(
                    "(call $show_pairs {label} (call $get_pairs (i32.const {map}) (i32.const 16) (i32.const 20)))"
                )
            }
            Do::Set(map, name, value) => self.edit("set", "$set_header", *map, name, Some(value)),
            Do::Add(map, name, value) => self.edit("add", "$add_header", *map, name, Some(value)),
            Do::Remove(map, name) => self.edit("remove", "$remove_header", *map, name, None),
            Do::Property(path) => {
                let (label, path) =
                    (self.lit(format!("{path}: ")), self.lit(path.replace('/', "\0")));
                format!(
                    "(call $show {label} (call $get_property {path} (i32.const 16) (i32.const 20)))"
                )
            }
            Do::SetProperty(path, value) => {
                let label = format!("set {path}: ");
                let (path, value) = (self.lit(path.replace('/', "\0")), self.lit(value));
                self.status(&label, &format!("(call $set_property {path} {value})"))
            }
            Do::Read(buffer, start, max) => {
                let label = self.lit("read: ");
                let buffer = *buffer as i32;
                format!(
                    "(call $show {label} (call $get_buffer (i32.const {buffer}) (i32.const {start})
                     (i32.const {max}) (i32.const 16) (i32.const 20)))"
                )
            }
            Do::Write(buffer, start, max, bytes) => {
                let (bytes, buffer) = (self.lit(bytes), *buffer as i32);
                let call = format!(
                    "(call $set_buffer (i32.const {buffer}) (i32.const {start}) (i32.const {max}) {bytes})"
                );
                self.status("write: ", &call)
            }
            Do::Reply(status, body, headers) => {
                let (details, body) = (self.lit("probe"), self.lit(body));
                let headers = self.lit(block(headers));
                let call = format!(
                    "(call $reply (i32.const {status}) {details} {body} {headers} (i32.const -1))"
                );
                self.status("reply: ", &call)
            }
            Do::Call(upstream, path, timeout) => {
                let headers = [(":method", "GET"), (":path", *path), (":authority", "peer.test")];
                self.call(upstream, &headers, *timeout)
            }
            Do::CallWith(upstream, headers) => self.call(upstream, headers, 1000),
            Do::Continue(stream) => {
                self.status("continue: ", &format!("(call $continue (i32.const {stream}))"))
            }
            Do::Effective => self.status("effective: ", "(call $effective (global.get $context))"),
            Do::Shared(key) => {
                let (label, key) = (self.lit(format!("{key}: ")), self.lit(key));
                format!(
                    "(call $show {label} (call $get_shared {key} (i32.const 16) (i32.const 20)
                     (i32.const 24)))"
                )
            }
            Do::SetShared(key, value, cas) => {
                let key = self.lit(key);
                let value = match value {
                    Some(value) => self.lit(value),
                    None => "(i32.const 0) (i32.const 0)".to_owned(),
                };
                let call = format!("(call $set_shared {key} {value} (i32.const {cas}))");
                self.status("set shared: ", &call)
            }
            Do::SwapShared(key, value) => {
                let (key, value) = (self.lit(key), self.lit(value));
                let call = format!("(call $set_shared {key} {value} (i32.load (i32.const 24)))");
                self.status("swap shared: ", &call)
            }
            Do::TickPeriod(ms) => {
                self.status("tick period: ", &format!("(call $tick_period (i32.const {ms}))"))
            }
            Do::Define(kind, name) => {
                let name = self.lit(name);
                let call = format!("(call $define (i32.const {kind}) {name} (i32.const 28))");
                self.status("define: ", &call)
            }
            Do::Increment(by) => {
                let call = format!("(call $increment (i32.load (i32.const 28)) (i64.const {by}))");
                self.status("increment: ", &call)
            }
            Do::Record(value) => {
                let call = format!("(call $record (i32.load (i32.const 28)) (i64.const {value}))");
                self.status("record: ", &call)
            }
            Do::Metric => {
                let call = "(call $metric (i32.load (i32.const 28)) (i32.const 32))";
                self.status("metric: ", call)
            }
            Do::Foreign(name, argument) => {
                let label = self.lit("foreign: ");
                let (name, argument) = (self.lit(name), self.lit(argument));
                format!(
                    "(call $show {label} (call $foreign {name} {argument} (i32.const 16)
                     (i32.const 20)))"
                )
            }
            Do::Random(len) => {
                let label = self.lit("random: ");
                format!("(call $show_random {label} (i32.const {len}))")
            }
            Do::Environment => {
                let label = self.lit("environment: ");
                format!("(call $show_environment {label})")
            }
            Do::Call0(function) => {
                self.status(&format!("{function}: "), &format!("(call ${function})"))
            }
            Do::Trap => "unreachable".to_owned(),
            Do::Once => {
                format!("(br_if $out (global.get $ran{nth})) (global.set $ran{nth} (i32.const 1))")
            }
            Do::UnlessEnd => "(br_if $out (i32.eqz (local.get $p2)))".to_owned(),
            Do::Pause => "(local.set $answer (i32.const 1))".to_owned(),
            Do::Return(n) => format!("(local.set $answer (i32.const {n}))"),
        }
    }

    fn call(&mut self, upstream: &str, headers: &[(&str, &str)], timeout: i32) -> String {
        let (upstream, headers) = (self.lit(upstream), self.lit(block(headers)));
        let call = format!(
            "(call $http_call {upstream} {headers} (i32.const 0) (i32.const 0) (i32.const 0)
             (i32.const 0) (i32.const {timeout}) (i32.const 12))"
        );
        self.status("call: ", &call)
    }

    fn edit(&mut self, label: &str, f: &str, map: Map, name: &str, value: Option<&str>) -> String {
        let key = self.lit(name);
        let value = value.map(|value| self.lit(value)).unwrap_or_default();
        let map = map as i32;
        let call = format!("(call {f} (i32.const {map}) {key} {value})");
        self.status(&format!("{label} {name}: "), &call)
    }

    fn status(&mut self, label: &str, call: &str) -> String {
        let label = self.lit(label);
        format!("(call $log_status {label} {call})")
    }
}

fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = (headers.len() as u32).to_le_bytes().to_vec();
    for (name, value) in headers {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in headers {
        out.extend(format!("{name}\0{value}\0").bytes());
    }
    out
}

/// The results that the probes logged under `label`, in order.
pub fn said(proxy: &Proxy, label: &str) -> Vec<String> {
    let prefix = format!("{label}: ");
    let lines = proxy.log().into_iter().filter(|line| line.level == Level::Info);
    lines.filter_map(|line| line.text.strip_prefix(&prefix).map(str::to_owned)).collect()
}

/// The lines that the probes logged, in order.
pub fn lines(proxy: &Proxy) -> Vec<String> {
    let lines = proxy.log().into_iter().filter(|line| line.level == Level::Info);
    lines.map(|line| line.text).collect()
}
