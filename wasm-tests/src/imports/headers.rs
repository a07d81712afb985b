//! The host functions that read and change header maps.

use super::Functions;
use crate::abi::{Callback, MapKind, Status};
use crate::guest::{Guest, GuestState, trap};
use crate::headers::{HeaderMap, Headers};
use crate::pairs;
use crate::profile::Host;
use crate::stream::{Stream, split};
use wasmtime::{Caller, Result};

/// nginx's limit for one header map, pseudo-headers included.
const KONG_MAX: usize = 100;

/// A change to a map.
enum Edit {
    Add(String, Vec<u8>),
    Set(String, Vec<u8>),
    Remove(String),
    ReplaceAll(Headers),
}

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |c: Caller<'_, GuestState>, kind: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_header_map_pairs");
            let Some(kind) = MapKind::from_number(kind) else {
                return Ok(Status::BadArgument as i32);
            };
            let headers = pairs_of(&g, kind)?;
            let block = if g.is_kong() { kong_block(&g, &headers) } else { encode(&headers) };
            g.hand_over(&block, at, len)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |c: Caller<'_, GuestState>,
         kind: i32,
         key: i32,
         key_len: i32,
         at: i32,
         len: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_header_map_value");
            let name = g.text(key, key_len)?;
            let Some(kind) = MapKind::from_number(kind) else {
                return Ok(Status::BadArgument as i32);
            };
            if kind == MapKind::RequestHeaders {
                g.node().note("header", &name.to_ascii_lowercase());
            }
            match value_of(&g, kind, &name)? {
                Ok(Some(value)) => g.hand_over_value(&value, at, len),
                Ok(None) => Ok(Status::NotFound as i32),
                Err(status) => Ok(status as i32),
            }
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |c: Caller<'_, GuestState>, kind: i32, k: i32, kl: i32, v: i32, vl: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_add_header_map_value");
            let edit = Edit::Add(g.text(k, kl)?, g.read(v, vl)?);
            change(&g, kind, edit)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |c: Caller<'_, GuestState>, kind: i32, k: i32, kl: i32, v: i32, vl: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_replace_header_map_value");
            let edit = Edit::Set(g.text(k, kl)?, g.read(v, vl)?);
            change(&g, kind, edit)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |c: Caller<'_, GuestState>, kind: i32, k: i32, kl: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_remove_header_map_value");
            let edit = Edit::Remove(g.text(k, kl)?);
            change(&g, kind, edit)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |c: Caller<'_, GuestState>, kind: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_set_header_map_pairs");
            let Some(headers) = pairs::decode(&g.read(at, len)?) else {
                return Ok(Status::BadArgument as i32);
            };
            change(&g, kind, Edit::ReplaceAll(headers))
        },
    )?;
    Ok(())
}

fn encode(headers: &Headers) -> Vec<u8> {
    // Envoy returns no bytes at all for an empty map.
    if headers.is_empty() { Vec::new() } else { pairs::encode(headers) }
}

/// The header block as nginx writes it. Its size is that of the first hundred headers and one
/// pseudo-header. Its content is every pseudo-header and as many headers as then fit a hundred.
fn kong_block(g: &Guest<'_>, headers: &Headers) -> Vec<u8> {
    if headers.len() <= KONG_MAX {
        return pairs::encode(headers);
    }
    g.violation("reading a header map of more than 100 entries corrupts the filter's memory");
    let size = |(name, value): &(String, Vec<u8>)| 8 + name.len() + 1 + value.len() + 1;
    let pseudo = headers.iter().filter(|(n, _)| n.starts_with(':'));
    let ordinary = headers.iter().filter(|(n, _)| !n.starts_with(':'));
    let claimed =
        4 + pseudo.take(1).map(size).sum::<usize>() + ordinary.take(100).map(size).sum::<usize>();
    let mut block = pairs::encode(headers.get(..KONG_MAX).unwrap_or(headers));
    block.resize(claimed, 0);
    block
}

fn pairs_of(g: &Guest<'_>, kind: MapKind) -> Result<Headers> {
    match kind {
        MapKind::CallResponseHeaders => {
            let received = g.now().received.as_ref();
            Ok(received.map(|r| r.headers.clone()).unwrap_or_default())
        }
        MapKind::RequestHeaders if g.is_kong() => {
            let Some((stream, _)) = g.stream() else { return g.null_request("a header map") };
            let host = server_name(g);
            let mut worker = g.worker_mut();
            let Some(s) = worker.stream(stream) else { return Ok(Headers::new()) };
            let names = [":path", ":method", ":authority", ":scheme"];
            let pseudo = names.iter().map(|n| ((*n).to_owned(), kong_pseudo(s, n, &host)));
            let mut all: Headers =
                pseudo.filter_map(|(name, value)| Some((name, value?))).collect();
            all.extend(s.request.pairs());
            Ok(all)
        }
        MapKind::ResponseHeaders if g.is_kong() => {
            let Some((stream, _)) = g.stream() else { return g.null_request("a header map") };
            let mut worker = g.worker_mut();
            let Some(s) = worker.stream(stream) else { return Ok(Headers::new()) };
            let mut all = vec![(":status".to_owned(), s.response_status.to_string().into_bytes())];
            all.extend(s.response.as_ref().map(HeaderMap::pairs).unwrap_or_default());
            Ok(all)
        }
        MapKind::RequestTrailers if g.is_kong() => Ok(Headers::new()),
        MapKind::RequestHeaders | MapKind::RequestTrailers | MapKind::ResponseHeaders => {
            Ok(in_reach(g, kind, |map| map.pairs()).unwrap_or_default())
        }
        _ => Ok(Headers::new()),
    }
}

/// The value of a header, or the status that says why the map is out of reach.
fn value_of(g: &Guest<'_>, kind: MapKind, name: &str) -> Result<Result<Option<Vec<u8>>, Status>> {
    match kind {
        MapKind::CallResponseHeaders => {
            let Some(received) = g.now().received.as_ref() else {
                return Ok(Err(Status::BadArgument));
            };
            // After a failed callout Envoy has no response to look into.
            if received.headers.is_empty() && !g.is_kong() {
                return Ok(Err(Status::BadArgument));
            }
            let found = received.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            Ok(Ok(found.map(|(_, value)| value.clone())))
        }
        MapKind::RequestHeaders if g.is_kong() => {
            let Some((stream, _)) = g.stream() else { return g.null_request("a header map") };
            let host = server_name(g);
            let mut worker = g.worker_mut();
            let Some(s) = worker.stream(stream) else { return Ok(Ok(None)) };
            Ok(Ok(match kong_pseudo(s, name, &host) {
                Some(value) => Some(value),
                None => s.request.get(name).map(<[u8]>::to_vec),
            }))
        }
        MapKind::ResponseHeaders if g.is_kong() => {
            let Some((stream, _)) = g.stream() else { return g.null_request("a header map") };
            let mut worker = g.worker_mut();
            let Some(s) = worker.stream(stream) else { return Ok(Ok(None)) };
            if name == ":status" {
                return Ok(Ok(Some(s.response_status.to_string().into_bytes())));
            }
            Ok(Ok(s.response.as_ref().and_then(|map| map.get(name).map(<[u8]>::to_vec))))
        }
        MapKind::RequestHeaders | MapKind::ResponseHeaders => {
            let value = in_reach(g, kind, |map| map.get(name).map(<[u8]>::to_vec));
            Ok(value.ok_or(Status::BadArgument))
        }
        _ => Ok(Err(if g.is_kong() { Status::NotFound } else { Status::BadArgument })),
    }
}

/// Reads a map if it is in reach. Envoy lets a filter read a map in its callback and while the
/// filter holds it, and all maps in the log callback.
fn in_reach<T>(g: &Guest<'_>, kind: MapKind, read: impl FnOnce(&HeaderMap) -> T) -> Option<T> {
    let (stream, place) = g.stream()?;
    let logging = g.callback() == Callback::Log;
    let mut worker = g.worker_mut();
    let s = worker.stream(stream)?;
    let slot = s.slots.get(place)?;
    match kind {
        MapKind::RequestHeaders if slot.request.map || logging => Some(read(&s.request)),
        MapKind::RequestTrailers if slot.request.trailers => Some(read(&s.trailers)),
        MapKind::ResponseHeaders if slot.response.map || logging => s.response.as_ref().map(read),
        _ => None,
    }
}

fn server_name(g: &Guest<'_>) -> String {
    match g.host() {
        // `server_name` of Kong's template, not the host that the client asked for.
        Host::Kong(_) => "kong".to_owned(),
        Host::Envoy(_) => String::new(),
    }
}

fn kong_pseudo(s: &Stream, name: &str, server_name: &str) -> Option<Vec<u8>> {
    Some(match name {
        ":path" => s.line.path(),
        ":method" => s.line.method.clone().into_bytes(),
        ":scheme" => s.line.scheme.clone().into_bytes(),
        ":authority" => server_name.as_bytes().to_vec(),
        _ => return None,
    })
}

fn change(g: &Guest<'_>, kind: i32, edit: Edit) -> Result<i32> {
    let kind = MapKind::from_number(kind);
    if g.is_kong() {
        return kong_change(g, kind, edit);
    }
    let Some((stream, place)) = g.stream() else { return Ok(Status::BadArgument as i32) };
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Ok(Status::BadArgument as i32) };
    let Some(slot) = s.slots.get(place) else { return Ok(Status::BadArgument as i32) };
    let map = match kind {
        Some(MapKind::RequestHeaders) if slot.request.map => Some(&mut s.request),
        Some(MapKind::RequestTrailers) if slot.request.trailers => Some(&mut s.trailers),
        Some(MapKind::ResponseHeaders) if slot.response.map => s.response.as_mut(),
        _ => None,
    };
    let Some(map) = map else { return Ok(Status::BadArgument as i32) };
    apply(map, edit);
    Ok(Status::Ok as i32)
}

fn apply(map: &mut HeaderMap, edit: Edit) {
    match edit {
        Edit::Add(name, value) => map.add(&name, &value),
        Edit::Set(name, value) => map.set(&name, &value),
        Edit::Remove(name) => map.remove(&name),
        Edit::ReplaceAll(headers) => map.replace_all(&headers),
    }
}

fn kong_change(g: &Guest<'_>, kind: Option<MapKind>, edit: Edit) -> Result<i32> {
    let Some((stream, _)) = g.stream() else { return g.null_request("changing a header map") };
    let callback = g.callback();
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Ok(Status::BadArgument as i32) };
    let request_phase = matches!(callback, Callback::RequestHeaders | Callback::RequestBody);
    match kind {
        Some(MapKind::RequestHeaders) => {
            let called_back = callback == Callback::CallResponse && s.response.is_none();
            if !request_phase && !called_back {
                return trap("can only set request headers before response is produced");
            }
            let crossing = smuggles(&edit);
            let listless = s.given.without_version;
            change_request(s, edit);
            drop(worker);
            if listless {
                g.violation("a header of a request without a version ends the worker");
            }
            if let Some(name) = crossing {
                g.violation(format!("removing `{name}` sends it upstream twice"));
            }
        }
        Some(MapKind::ResponseHeaders) => {
            let called_back = callback == Callback::CallResponse && !s.reply_started;
            if !request_phase && !called_back && callback != Callback::ResponseHeaders {
                return trap("can only set response headers before \"on_response_body\"");
            }
            change_response(s, edit);
        }
        _ => return Ok(Status::BadArgument as i32),
    }
    Ok(Status::Ok as i32)
}

/// The text of a violation, if the edit is one. nginx leaves its own headers out by a mark. A
/// removal takes the mark away, and then nginx sends both.
fn smuggles(edit: &Edit) -> Option<String> {
    let Edit::Remove(name) = edit else { return None };
    let own = ["content-length", "host", "connection", "transfer-encoding"];
    own.iter().any(|n| n.eq_ignore_ascii_case(name)).then(|| name.clone())
}

fn change_request(s: &mut Stream, edit: Edit) {
    match edit {
        Edit::Set(name, value) | Edit::Add(name, value) if name.starts_with(':') => {
            match name.as_str() {
                // The change reaches only what filters read: Kong proxies `$upstream_uri`.
                ":path" => {
                    let (path, query) = split(&value);
                    (s.line.uri, s.line.args) = (path.to_vec(), query.to_vec());
                }
                ":method" => s.line.method = String::from_utf8_lossy(&value).into_owned(),
                // `:scheme` and `:authority` are read-only: an error in the log, and Ok.
                _ => {}
            }
        }
        edit => apply(&mut s.request, edit),
    }
}

fn change_response(s: &mut Stream, edit: Edit) {
    match edit {
        Edit::Set(name, value) if name == ":status" => {
            if let Some(status) = std::str::from_utf8(&value).ok().and_then(|v| v.parse().ok()) {
                s.response_status = status;
            }
        }
        edit => apply(s.response.as_mut().unwrap_or(&mut s.early), edit),
    }
}
