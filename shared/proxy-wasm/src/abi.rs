//! The functions of the Proxy-Wasm ABI 0.2.1 that filters use. Each returns a `Result`, and none
//! panics. `docs/adr/0001-own-abi-layer.md` says why the SDK is not used.

#![allow(unsafe_code)]
// The ABI's own signatures.
#![allow(clippy::too_many_arguments)]

#[cfg(target_arch = "wasm32")]
mod imports;
#[cfg(not(target_arch = "wasm32"))]
#[path = "abi/absent.rs"]
mod imports;

mod memory;

pub(crate) use memory::allocate;

/// Proof that the host is in a request's headers callback. The proof is lent for that callback and
/// cannot be kept.
pub(crate) struct RequestHeaders(());

/// Runs the work of the request-headers callback. The exported callback is the only caller, and
/// `make lint` checks that.
pub(crate) fn in_request_headers<R>(work: impl FnOnce(&RequestHeaders) -> R) -> R {
    work(&RequestHeaders(()))
}

/// The status of a host function that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    NotFound,
    BadArgument,
    CasMismatch,
    Other(i32),
}

impl Status {
    fn check(code: i32) -> Result<(), Self> {
        match code {
            0 => Ok(()),
            1 => Err(Self::NotFound),
            2 => Err(Self::BadArgument),
            8 => Err(Self::CasMismatch),
            other => Err(Self::Other(other)),
        }
    }
}

/// The maps that a host function reads or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Map {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    CallResponse = 6,
}

/// The buffers that a host function reads or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponse = 4,
    VmConfiguration = 6,
    PluginConfiguration = 7,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Lends a byte string to the host.
fn lend(bytes: &[u8]) -> (*const u8, usize) {
    (bytes.as_ptr(), bytes.len())
}

pub(crate) fn log(level: Level, message: &str) {
    let (at, len) = lend(message.as_bytes());
    // SAFETY: the host reads `len` bytes from `at` during the call.
    let _ = unsafe { imports::proxy_log(level as i32, at, len) };
}

/// Nanoseconds since 1970; 0 where the host has no clock to give.
pub(crate) fn now_ns() -> u64 {
    let mut now = 0;
    // SAFETY: the host writes eight bytes.
    let status = unsafe { imports::proxy_get_current_time_nanoseconds(&mut now) };
    if status == 0 { now } else { 0 }
}

/// Reads a buffer from byte `start` on. Only Envoy heeds `start`; Kong ignores it.
pub(crate) fn buffer_from(buffer: Buffer, start: usize) -> Result<Vec<u8>, Status> {
    // Start and length together must not go past the end of the address space.
    let len = usize::MAX.saturating_sub(start);
    memory::receive(|at, out| {
        // SAFETY: `at` and `out` are written by the host.
        unsafe { imports::proxy_get_buffer_bytes(buffer as i32, start, len, at, out) }
    })
}

/// Reads a whole buffer. Kong writes past the guest's allocation when it is asked for fewer bytes
/// than the buffer has, so that callers cut afterwards.
pub(crate) fn buffer(buffer: Buffer) -> Result<Vec<u8>, Status> {
    memory::receive(|at, len| {
        // SAFETY: `at` and `len` are written by the host.
        unsafe { imports::proxy_get_buffer_bytes(buffer as i32, 0, usize::MAX, at, len) }
    })
}

/// Replaces a request's body, or the piece of a response's body that has come.
pub(crate) fn set_body(buffer: Buffer, body: &[u8]) -> Result<(), Status> {
    let (at, len) = lend(body);
    // SAFETY: the host reads `len` bytes from `at`.
    Status::check(unsafe { imports::proxy_set_buffer_bytes(buffer as i32, 0, usize::MAX, at, len) })
}

/// Reads a header map in wire form.
pub(crate) fn map(map: Map) -> Result<Vec<u8>, Status> {
    memory::receive(|at, len| {
        // SAFETY: `at` and `len` are written by the host.
        unsafe { imports::proxy_get_header_map_pairs(map as i32, at, len) }
    })
}

pub(crate) fn map_value(map: Map, name: &str) -> Result<Vec<u8>, Status> {
    let (name, name_len) = lend(name.as_bytes());
    memory::receive(|at, len| {
        // SAFETY: the host reads the name and writes `at` and `len`.
        unsafe { imports::proxy_get_header_map_value(map as i32, name, name_len, at, len) }
    })
}

pub(crate) fn map_replace(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    let ((name, name_len), (value, len)) = (lend(name.as_bytes()), lend(value));
    // SAFETY: the host reads both.
    Status::check(unsafe {
        imports::proxy_replace_header_map_value(map as i32, name, name_len, value, len)
    })
}

pub(crate) fn map_add(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    let ((name, name_len), (value, len)) = (lend(name.as_bytes()), lend(value));
    // SAFETY: the host reads both.
    Status::check(unsafe {
        imports::proxy_add_header_map_value(map as i32, name, name_len, value, len)
    })
}

pub(crate) fn map_remove(map: Map, name: &str) -> Result<(), Status> {
    let (name, len) = lend(name.as_bytes());
    // SAFETY: the host reads the name.
    Status::check(unsafe { imports::proxy_remove_header_map_value(map as i32, name, len) })
}

/// Reads a property of the current context, in any callback.
///
/// # Errors
/// [`Status::NotFound`] when the host has no such property. A path below `kong` is refused here, and the
/// host is not called: see [`kong_property`].
pub(crate) fn property(path: &[&str]) -> Result<Vec<u8>, Status> {
    if is_behind_lua(path) {
        return Err(Status::BadArgument);
    }
    get_property(path)
}

/// Reads the property `kong.<name>`. Kong answers it from Lua, on a thread that exists for certain
/// only while the request's headers are handled: in every other callback the worker may die
/// (measured on Kong 3.9.3). The token makes a call from another callback impossible to compile.
/// [`crate::kong`] is the only caller, because it knows when even this callback is too late.
///
/// # Errors
/// This version of Kong has no such property, or the host is not Kong.
pub(crate) fn kong_property(_: &RequestHeaders, name: &str) -> Result<Vec<u8>, Status> {
    get_property(&["kong", name])
}

/// Returns `true` if Kong would ask Lua for this property. The first segment may hold several
/// names.
fn is_behind_lua(path: &[&str]) -> bool {
    let first = path.first().copied().unwrap_or_default();
    first.split(['.', '\0']).next() == Some("kong")
}

fn get_property(path: &[&str]) -> Result<Vec<u8>, Status> {
    let path = path.join("\0");
    let (path, path_len) = lend(path.as_bytes());
    memory::receive(|at, len| {
        // SAFETY: the host reads the path and writes `at` and `len`.
        unsafe { imports::proxy_get_property(path, path_len, at, len) }
    })
}

/// Sets a property of the current context.
///
/// # Errors
/// [`Status::NotFound`] for a variable of nginx that the operator has not declared. A path below `kong` is
/// refused here, and the host is not called: filters leave nothing behind Lua.
pub(crate) fn set_property(path: &[&str], value: &[u8]) -> Result<(), Status> {
    if is_behind_lua(path) {
        return Err(Status::BadArgument);
    }
    let path = path.join("\0");
    let ((path, path_len), (value, len)) = (lend(path.as_bytes()), lend(value));
    // SAFETY: the host reads both.
    Status::check(unsafe { imports::proxy_set_property(path, path_len, value, len) })
}

/// Reads a shared value and its compare-and-swap number. The call traps on Kong without a declared
/// zone.
pub(crate) fn shared_get(key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
    let (key, key_len) = lend(key);
    let mut cas = 0;
    let value = memory::receive(|at, len| {
        // SAFETY: the host reads the key and writes `at`, `len` and `cas`.
        unsafe { imports::proxy_get_shared_data(key, key_len, at, len, &mut cas) }
    })?;
    Ok((value, cas))
}

/// Writes a shared value. The number 0 overwrites on Envoy, and only creates on Kong.
pub(crate) fn shared_set(key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
    let ((key, key_len), (value, len)) = (lend(key), lend(value));
    // SAFETY: the host reads both.
    Status::check(unsafe { imports::proxy_set_shared_data(key, key_len, value, len, cas) })
}

pub(crate) fn http_call(
    upstream: &str,
    headers: &[(&str, &[u8])],
    body: &[u8],
    timeout_ms: u32,
) -> Result<u32, Status> {
    let headers = memory::block(headers);
    let (upstream, upstream_len) = lend(upstream.as_bytes());
    let ((headers, headers_len), (body, body_len)) = (lend(&headers), lend(body));
    let no_trailers = memory::block(&[]);
    let (trailers, trailers_len) = lend(&no_trailers);
    let mut token = 0;
    // SAFETY: the host reads what is lent and writes the token.
    Status::check(unsafe {
        imports::proxy_http_call(
            upstream,
            upstream_len,
            headers,
            headers_len,
            body,
            body_len,
            trailers,
            trailers_len,
            timeout_ms,
            &mut token,
        )
    })?;
    Ok(token)
}

pub(crate) fn local_response(
    status: u16,
    headers: &[(&str, &[u8])],
    body: &[u8],
    details: &str,
    grpc_status: Option<u8>,
) -> Result<(), Status> {
    let headers = memory::block(headers);
    let ((headers, headers_len), (body, body_len)) = (lend(&headers), lend(body));
    let (details, details_len) = lend(details.as_bytes());
    // SAFETY: the host reads what is lent. -1 means: no gRPC status. Kong never looks at it.
    Status::check(unsafe {
        imports::proxy_send_local_response(
            status.into(),
            details,
            details_len,
            body,
            body_len,
            headers,
            headers_len,
            grpc_status.map_or(-1, i32::from),
        )
    })
}

pub(crate) fn continue_response() -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_continue_stream(1) })
}

/// Tells the host that the root context has nothing left to do. The call traps on Kong.
pub(crate) fn done() -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_done() })
}

pub(crate) fn continue_request() -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_continue_stream(0) })
}

/// Lets the next host calls act on another context. The call does nothing on Kong.
pub(crate) fn set_effective_context(context: u32) -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_set_effective_context(context) })
}

/// Sets the interval of ticks. A second call traps on Kong.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_set_tick_period_milliseconds(milliseconds) })
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

pub(crate) fn define_metric(kind: Kind, name: &str) -> Result<u32, Status> {
    let (name, len) = lend(name.as_bytes());
    let mut id = 0;
    // SAFETY: the host reads the name and writes the id.
    Status::check(unsafe { imports::proxy_define_metric(kind as i32, name, len, &mut id) })?;
    Ok(id)
}

pub(crate) fn increment_metric(id: u32, by: i64) -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_increment_metric(id, by) })
}

/// Sets a gauge, or shows a histogram a value. The call traps on Kong for a counter.
pub(crate) fn record_metric(id: u32, value: u64) -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::check(unsafe { imports::proxy_record_metric(id, value) })
}

/// Calls a function by its name. Envoy has some; on Kong the call traps.
pub(crate) fn foreign(name: &str, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let ((name, name_len), (arguments, len)) = (lend(name.as_bytes()), lend(arguments));
    memory::receive(|at, out_len| {
        // SAFETY: the host reads both and writes `at` and `out_len`.
        unsafe { imports::proxy_call_foreign_function(name, name_len, arguments, len, at, out_len) }
    })
}

/// Fills `out` from the host's generator, which is strong on Envoy and predictable on Kong.
pub(crate) fn random(out: &mut [u8]) {
    imports::random(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_property_behind_lua_is_asked_for_outside_of_the_request_headers() {
        for path in [
            &["kong"][..],
            &["kong", "version"],
            &["kong.version"],
            &["kong\0version"],
            &["kong", "ctx", "shared", "x"],
        ] {
            assert_eq!(property(path), Err(Status::BadArgument), "{path:?}");
            assert_eq!(set_property(path, b"x"), Err(Status::BadArgument), "{path:?}");
        }
        // Natively the host is absent, and gives another status.
        for path in [&["ngx", "kong_request_id"][..], &["gatehouse_consumer"], &["kongs"]] {
            assert_ne!(property(path), Err(Status::BadArgument), "{path:?}");
        }
    }
}
