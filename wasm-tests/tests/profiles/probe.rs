//! A filter that is written as a list of host calls and turned into WebAssembly text.
//!
//! Each call logs its result as `label: result`, where the result is a value or `status N`, so that
//! a test reads the behaviour of a host in the log.

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

/// The callbacks that a probe exports even if it does nothing in them.
const EXPORTED: [Callback; 14] = [
    Callback::ContextCreate,
    Callback::VmStart,
    Callback::Configure,
    Callback::Tick,
    Callback::QueueReady,
    Callback::RequestHeaders,
    Callback::RequestBody,
    Callback::RequestTrailers,
    Callback::ResponseHeaders,
    Callback::ResponseBody,
    Callback::CallResponse,
    Callback::Done,
    Callback::Log,
    Callback::Delete,
];

/// The export's name, the number of its parameters, and `true` if it returns a value.
fn signature(callback: Callback) -> (&'static str, usize, bool) {
    match callback {
        Callback::Start => ("_initialize", 0, false),
        Callback::ContextCreate => ("proxy_on_context_create", 2, false),
        Callback::VmStart => ("proxy_on_vm_start", 2, true),
        Callback::Configure => ("proxy_on_configure", 2, true),
        Callback::Tick => ("proxy_on_tick", 1, false),
        Callback::QueueReady => ("proxy_on_queue_ready", 2, false),
        Callback::RequestHeaders => ("proxy_on_request_headers", 3, true),
        Callback::RequestBody => ("proxy_on_request_body", 3, true),
        Callback::RequestTrailers => ("proxy_on_request_trailers", 2, true),
        Callback::ResponseHeaders => ("proxy_on_response_headers", 3, true),
        Callback::ResponseBody => ("proxy_on_response_body", 3, true),
        Callback::CallResponse => ("proxy_on_http_call_response", 5, false),
        Callback::Done => ("proxy_on_done", 1, true),
        Callback::Log => ("proxy_on_log", 1, false),
        Callback::Delete => ("proxy_on_delete", 1, false),
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

const IMPORTS: &str = r#"
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_pairs" (func $get_pairs (param i32 i32 i32) (result i32)))
(import "env" "proxy_replace_header_map_value" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_remove_header_map_value" (func $remove_header (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
(import "env" "proxy_get_shared_data" (func $get_shared (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_tick_period_milliseconds" (func $tick_period (param i32) (result i32)))
(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
(import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
(import "env" "proxy_get_metric" (func $metric (param i32 i32) (result i32)))
(import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_done" (func $proxy_done (result i32)))
(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
"#;

/// Functions that every probe has. Memory: 12 a token, 16 and 20 address and length of a result, 24
/// a version, 28 a metric, 32 its value, from 64 digits, from 1024 lines.
const LIBRARY: &str = r#"
(global $context (mut i32) (i32.const 0))
(func (export "proxy_abi_version_0_2_1"))
(func $allocate (export "proxy_on_memory_allocate") (param $len i32) (result i32)
  ;; nothing
  (global.get $heap)
  (global.set $heap (i32.and (i32.const -8)
    (i32.add (i32.const 8) (i32.add (global.get $heap) (local.get $len))))))
(func $log_line (param $at i32) (param $len i32)
  (drop (call $log (i32.const 2) (local.get $at) (local.get $len))))
(func $log_two (param $a i32) (param $al i32) (param $b i32) (param $bl i32) (local $line i32)
  (local.set $line (call $allocate (i32.add (local.get $al) (local.get $bl))))
  (memory.copy (local.get $line) (local.get $a) (local.get $al))
  (memory.copy (i32.add (local.get $line) (local.get $al)) (local.get $b) (local.get $bl))
  (call $log_line (local.get $line) (i32.add (local.get $al) (local.get $bl))))
(func $log_number (param $a i32) (param $al i32) (param $n i32) (local $at i32)
  (local.set $at (i32.const 96))
  (loop $digit
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
    (br_if $digit (local.get $n)))
  (call $log_two (local.get $a) (local.get $al) (local.get $at) (i32.sub (i32.const 96) (local.get $at))))
(data (i32.const 128) "status ")
(func $log_status (param $a i32) (param $al i32) (param $status i32) (local $line i32)
  (local.set $line (call $allocate (i32.add (local.get $al) (i32.const 7))))
  (memory.copy (local.get $line) (local.get $a) (local.get $al))
  (memory.copy (i32.add (local.get $line) (local.get $al)) (i32.const 128) (i32.const 7))
  (call $log_number (local.get $line) (i32.add (local.get $al) (i32.const 7)) (local.get $status)))
(func $show (param $a i32) (param $al i32) (param $status i32)
  (if (local.get $status)
    (then (call $log_status (local.get $a) (local.get $al) (local.get $status)))
    (else (call $log_two (local.get $a) (local.get $al)
      (i32.load (i32.const 16)) (i32.load (i32.const 20))))))
(func $show_pairs (param $a i32) (param $al i32) (param $status i32)
  (local $at i32) (local $left i32) (local $n i32) (local $need i32) (local $base i32)
  (if (local.get $status)
    (then (call $log_status (local.get $a) (local.get $al) (local.get $status)) (return)))
  (if (i32.eqz (i32.load (i32.const 20)))
    (then (call $log_number (local.get $a) (local.get $al) (i32.const 0)) (return)))
  (local.set $base (i32.load (i32.const 16)))
  (local.set $n (i32.load (local.get $base)))
  (local.set $left (local.get $n))
  (local.set $at (i32.add (local.get $base) (i32.const 4)))
  (local.set $need (i32.const 4))
  (block $counted (loop $next
    (br_if $counted (i32.eqz (local.get $left)))
    (local.set $need (i32.add (local.get $need) (i32.add (i32.const 10)
      (i32.add (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br $next)))
  (if (i32.gt_u (local.get $need) (i32.load (i32.const 20))) (then unreachable))
  (call $log_number (local.get $a) (local.get $al) (local.get $n)))
(func $show_random (param $a i32) (param $al i32) (param $len i32) (local $at i32) (local $status i32)
  (local.set $at (call $allocate (local.get $len)))
  (local.set $status (call $random (local.get $at) (local.get $len)))
  (if (local.get $status)
    (then (call $log_status (local.get $a) (local.get $al) (local.get $status)))
    (else (call $log_number (local.get $a) (local.get $al) (i32.load (local.get $at))))))
(func $show_environment (param $a i32) (param $al i32) (local $at i32) (local $list i32)
  (drop (call $env_sizes (i32.const 16) (i32.const 20)))
  (local.set $list (call $allocate (i32.mul (i32.const 4) (i32.load (i32.const 16)))))
  (local.set $at (call $allocate (i32.load (i32.const 20))))
  (drop (call $env (local.get $list) (local.get $at)))
  (call $log_two (local.get $a) (local.get $al) (local.get $at) (i32.load (i32.const 20))))
"#;
