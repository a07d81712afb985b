//! The host function that makes a callout.

use super::Functions;
use crate::abi::{Callback, Status};
use crate::callouts::{Pending, made};
use crate::guest::{Guest, GuestState, trap};
use crate::headers::Headers;
use crate::message::Response;
use crate::pairs;
use crate::profile::Host;
use wasmtime::{Caller, Result};

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_http_call",
        |c: Caller<'_, GuestState>,
         upstream: i32,
         upstream_len: i32,
         headers: i32,
         headers_len: i32,
         body: i32,
         body_len: i32,
         _trailers: i32,
         _trailers_len: i32,
         timeout_ms: i32,
         token_at: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_http_call");
            let upstream = g.text(upstream, upstream_len)?;
            let headers = pairs::decode(&g.read(headers, headers_len)?);
            let body = g.read(body, body_len)?;
            g.read(token_at, 4)?;
            let token = if g.is_kong() {
                kong(&g, upstream, headers, body, timeout_ms)?
            } else {
                envoy(&g, upstream, headers, body, timeout_ms)
            };
            match token {
                Ok(token) => {
                    g.write_number(token_at, token)?;
                    Ok(Status::Ok as i32)
                }
                Err(status) => Ok(status as i32),
            }
        },
    )?;
    Ok(())
}

fn envoy(
    g: &Guest<'_>,
    upstream: String,
    headers: Option<Headers>,
    body: Vec<u8>,
    timeout_ms: i32,
) -> Result<u32, Status> {
    let Host::Envoy(envoy) = g.host() else { return Err(Status::InternalFailure) };
    let headers = headers.ok_or(Status::BadArgument)?;
    let known = envoy.clusters.is_none_or(|all| all.contains(&upstream));
    let complete = [":method", ":path", ":authority"].iter().all(|n| header(&headers, n).is_some());
    if timeout_ms < 0 || !known || !complete {
        return Err(Status::BadArgument);
    }
    let mut headers: Headers =
        headers.into_iter().map(|(n, v)| (n.to_ascii_lowercase(), v)).collect();
    if !body.is_empty() {
        headers.retain(|(n, _)| n != "content-length");
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    }
    // A value that would end its header line is refused by the response only, not at once.
    let ends_line = |value: &[u8]| value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
    let invalid = headers.iter().find(|(_, value)| ends_line(value));
    let made = invalid.map(|(name, _)| made(503, &format!("invalid header value for: {name}")));
    // A timeout of 0 means that there is none.
    let timeout_ns = (timeout_ms > 0).then(|| timeout_ms as u64 * 1_000_000);
    let deadline_ns = timeout_ns.map(|ns| g.node().clock_ns + ns);
    let call = Sent { upstream, headers, body, timeout_ms: timeout_ms as u32, deadline_ns, made };
    Ok(send(g, call))
}

fn kong(
    g: &Guest<'_>,
    upstream: String,
    headers: Option<Headers>,
    body: Vec<u8>,
    timeout_ms: i32,
) -> Result<Result<u32, Status>> {
    let Host::Kong(settings) = g.host() else { return Ok(Err(Status::InternalFailure)) };
    let allowed =
        [Callback::RequestHeaders, Callback::RequestBody, Callback::Tick, Callback::CallResponse];
    if !allowed.contains(&g.callback()) {
        return trap(
            "can only send HTTP dispatch during \"on_request_headers\", \"on_request_body\", \
             \"on_tick\", \"on_dispatch_response\", \"on_foreign_function\"",
        );
    }
    if g.callback() == Callback::CallResponse && g.stream().is_none() {
        g.violation(
            "a callout of a root context from the answer to another one: Kong's worker dies of it, since the \
             connection of the old one is taken for the new one's",
        );
    }
    let problem = match &headers {
        None => Some("marshalling failed"),
        Some(headers) if header(headers, ":method").is_none_or(<[u8]>::is_empty) => {
            Some("no :method")
        }
        Some(headers) if header(headers, ":path").is_none_or(<[u8]>::is_empty) => Some("no :path"),
        Some(_) if !is_address(&upstream) => Some("invalid host or port"),
        Some(_) => None,
    };
    if let Some(problem) = problem {
        return match g.stream() {
            Some(_) => trap(format!("dispatch failed: {problem}")),
            None => Ok(Err(Status::InternalFailure)),
        };
    }
    let parallel = g
        .stream()
        .is_some_and(|stream| g.worker().calls.iter().any(|call| call.stream == Some(stream)));
    if parallel && !settings.version.has_parallel_callouts() {
        g.violation("a second callout while one is pending, before Kong 3.7");
    }
    // Kong writes these headers itself, and knows four pseudo-headers.
    let own = ["host", "connection"];
    let headers = headers.unwrap_or_default();
    let headers = headers.into_iter().filter(|(n, _)| !own.contains(&&*n.to_ascii_lowercase()));
    let mut headers: Headers = headers.collect();
    headers.push(("Connection".to_owned(), b"close".to_vec()));
    if header(&headers, "content-length").is_none() {
        headers.push(("Content-Length".to_owned(), body.len().to_string().into_bytes()));
    }
    let timeout = if timeout_ms == 0 { 60_000 } else { timeout_ms as u32 };
    let timeout_ns = u64::from(timeout) * 1_000_000;
    let deadline_ns = Some(g.node().clock_ns + timeout_ns);
    let timeout_ms = timeout_ms as u32;
    let call = Sent { upstream, headers, body, timeout_ms, deadline_ns, made: None };
    Ok(Ok(send(g, call)))
}

struct Sent {
    upstream: String,
    headers: Headers,
    body: Vec<u8>,
    timeout_ms: u32,
    deadline_ns: Option<u64>,
    made: Option<Response>,
}

fn send(g: &Guest<'_>, call: Sent) -> u32 {
    let (vm, root, stream, kong) = (g.data().vm, g.root(), g.stream(), g.is_kong());
    let mut worker = g.worker_mut();
    // Envoy counts its tokens by fours.
    worker.next_token += if kong { 1 } else { 4 };
    let token = worker.next_token - u32::from(kong);
    worker.callouts_made += 1;
    if let Some(s) = stream.and_then(|(stream, _)| worker.stream(stream)) {
        s.callouts += 1;
    }
    let Sent { upstream, headers, body, timeout_ms, deadline_ns, made } = call;
    let left = false;
    worker.calls.push(Pending {
        token,
        vm,
        root,
        stream,
        upstream,
        headers,
        body,
        timeout_ms,
        deadline_ns,
        made,
        left,
    });
    token
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_slice())
}

/// Returns `true` for `host`, `host:port`, `[v6]:port` or `unix:/path`. The name of a Kong upstream
/// looks like a host.
fn is_address(text: &str) -> bool {
    if text.starts_with("unix:/") {
        return true;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits = port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0));
    !host.is_empty() && port_fits && !host.contains(['/', ' ', '\r', '\n'])
}
