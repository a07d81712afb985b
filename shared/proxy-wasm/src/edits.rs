//! Edits of the current request or response.

use crate::abi::{self, Buffer, Map, Status};
use crate::host::Host;
use crate::properties::publish;
use exchange::{Edit, Head, Query, split_target};
use std::collections::HashSet;

/// Makes `edit` to the request that arrived with `head`.
pub(crate) fn edit_request(host: Host, head: &Head, edit: &Edit) -> Result<(), Status> {
    match edit {
        Edit::Set(name, value) if name.eq_ignore_ascii_case("host") => set_host(host, value),
        Edit::Set(name, value) => abi::map_replace(Map::Request, name, value),
        Edit::Add(name, value) => abi::map_add(Map::Request, name, value),
        Edit::Remove(name) if host.can_remove() => abi::map_remove(Map::Request, name),
        // A removed header still reaches the upstream on Kong, and later filters still read it.
        Edit::Remove(name) => abi::map_replace(Map::Request, name, b""),
        Edit::Method(method) => abi::map_replace(Map::Request, ":method", method),
        Edit::Target(target) => set_target(host, target),
        Edit::Query(query) => set_query(host, head, query),
        Edit::DropParameters(names) => drop_parameters(host, head, names),
        Edit::Requery { from, to } => requery(host, head, from, to),
        Edit::Body(body) => set_body(host, head, body),
        Edit::Publish(name, value) => publish(host, name, value),
    }
}

/// Sets the query. The runtime has checked it.
fn set_query(host: Host, head: &Head, query: &[u8]) -> Result<(), Status> {
    put_query(host, upstream_target(host, head)?.as_deref(), query)
}

/// Sets the query `to`, and repeats in it what later filters have taken out of `from` and added.
fn requery(host: Host, head: &Head, from: &[u8], to: &[u8]) -> Result<(), Status> {
    let target = upstream_target(host, head)?;
    let now = query_of(target.as_deref());
    put_made_query(host, target.as_deref(), repeated(from, to, &now))
}

/// Returns the query `to` with the changes that lead from the query `from` to the query `now`. The
/// time is linear in the lengths: a client chooses them.
fn repeated(from: &[u8], to: &[u8], now: &[u8]) -> Vec<u8> {
    let pieces = |query| <[u8]>::split(query, |byte| *byte == b'&');
    let [before, after] = [from, now].map(|query| pieces(query).collect::<HashSet<&[u8]>>());
    let stays = |piece: &&[u8]| !before.contains(piece) || after.contains(piece);
    let come = pieces(now).filter(|piece| !before.contains(piece));
    let all = pieces(to).filter(stays).chain(come).filter(|piece| !piece.is_empty());
    all.collect::<Vec<_>>().join(&b'&')
}

/// Removes parameters from the query as it is now.
fn drop_parameters(host: Host, head: &Head, names: &[String]) -> Result<(), Status> {
    let target = upstream_target(host, head)?;
    let now = query_of(target.as_deref());
    let unwanted = |name: &[u8]| names.iter().any(|unwanted| unwanted.as_bytes() == name);
    let query = Query::new(&now);
    match query.pairs().any(|(name, _)| unwanted(&name)) {
        true => put_made_query(host, target.as_deref(), query.without(unwanted)),
        false => Ok(()),
    }
}

/// Reads the target that the upstream would get by now. The one that the client has sent may be
/// another one: on Kong, every filter is shown that, whatever others have changed.
///
/// Returns `None` for a Kong before 3.8, which makes the target of `args` after the filters.
fn upstream_target(host: Host, head: &Head) -> Result<Option<Vec<u8>>, Status> {
    match host {
        Host::Envoy => Ok(Some(head.first(":path").unwrap_or_default().to_vec())),
        Host::Kong(version) if version >= Some((3, 8)) => {
            abi::property(&["ngx", "upstream_uri"]).map(Some)
        }
        Host::Kong(_) | Host::Unknown => Ok(None),
    }
}

/// Returns the query of what [`upstream_target`] has read.
fn query_of(target: Option<&[u8]>) -> Vec<u8> {
    match target {
        Some(target) => split_target(target).1.unwrap_or_default().to_vec(),
        // Nginx leaves this variable unset where there is no query.
        None => abi::property(&["ngx", "args"]).unwrap_or_default(),
    }
}

/// Sets a query that was made of the present one. It is checked here, because nothing else has seen
/// it.
fn put_made_query(host: Host, target: Option<&[u8]>, query: Vec<u8>) -> Result<(), Status> {
    let edit = Edit::Query(query);
    match &edit {
        Edit::Query(query) if edit.stays_in_its_line() => put_query(host, target, query),
        _ => Err(Status::BadArgument),
    }
}

/// Sets the query beside the path of what [`upstream_target`] has read.
fn put_query(host: Host, target: Option<&[u8]>, query: &[u8]) -> Result<(), Status> {
    let Some(target) = target else { return abi::set_property(&["ngx", "args"], query) };
    let mut made = split_target(target).0.to_vec();
    if !query.is_empty() {
        made.push(b'?');
        made.extend_from_slice(query);
    }
    set_target(host, &made)
}

fn set_body(host: Host, head: &Head, body: &[u8]) -> Result<(), Status> {
    abi::set_body(Buffer::RequestBody, body)?;
    // Kong's nginx corrects the length itself.
    if host == Host::Envoy && head.first("content-length").is_some() {
        abi::map_replace(Map::Request, "content-length", body.len().to_string().as_bytes())?;
    }
    Ok(())
}

/// Makes `edit` to the response. The response goes on even if the edit fails.
pub(crate) fn edit_response(host: Host, edit: &Edit) -> Result<(), Status> {
    {
        match edit {
            Edit::Set(name, value) if host == Host::Envoy => {
                abi::map_replace(Map::Response, name, value)
            }
            // On Kong, setting a header that is there twice removes both copies; removing it first
            // does not.
            Edit::Set(name, value) => {
                let _ = abi::map_remove(Map::Response, name);
                abi::map_add(Map::Response, name, value)
            }
            Edit::Add(name, value) => abi::map_add(Map::Response, name, value),
            Edit::Remove(name) => abi::map_remove(Map::Response, name),
            // The request has left already.
            Edit::Method(_)
            | Edit::Target(_)
            | Edit::Query(_)
            | Edit::DropParameters(_)
            | Edit::Requery { .. }
            | Edit::Body(_)
            | Edit::Publish(..) => Ok(()),
        }
    }
}

/// Sets the host that the upstream gets: a pseudo-header on Envoy, an nginx variable on Kong.
fn set_host(host: Host, value: &[u8]) -> Result<(), Status> {
    match host {
        Host::Envoy => abi::map_replace(Map::Request, ":authority", value),
        Host::Kong(_) | Host::Unknown => abi::set_property(&["ngx", "upstream_host"], value),
    }
}

/// Sets the path and the query that the upstream gets.
fn set_target(host: Host, target: &[u8]) -> Result<(), Status> {
    match host {
        Host::Envoy => abi::map_replace(Map::Request, ":path", target),
        Host::Kong(version) if version >= Some((3, 8)) => {
            abi::set_property(&["ngx", "upstream_uri"], target)
        }
        // Before 3.8 Kong appends `args` itself.
        Host::Kong(_) | Host::Unknown => {
            let (path, query) = split_target(target);
            abi::set_property(&["ngx", "upstream_uri"], path)?;
            abi::set_property(&["ngx", "args"], query.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_later_filters_have_changed_in_a_query_is_repeated_in_the_new_one() {
        let repeated = |from: &str, to: &str, now: &str| {
            let made = repeated(from.as_bytes(), to.as_bytes(), now.as_bytes());
            String::from_utf8(made).unwrap()
        };
        assert_eq!(repeated("a=1&b=2", "a=1&b=2&f=3", "a=1&b=2"), "a=1&b=2&f=3");
        assert_eq!(repeated("a=1&b=2", "a=1&b=2&f=3", "b=2&c=4"), "b=2&f=3&c=4");
        assert_eq!(repeated("", "&f=3&", ""), "f=3");
        assert_eq!(repeated("a", "a&a&b", ""), "b");
    }

    #[test]
    fn a_query_of_many_pieces_is_made_in_linear_time() {
        patience::assert_linear("a query", 2000, |pieces| {
            let query: Vec<String> = (0..pieces).map(|n| n.to_string()).collect();
            let query = query.join("&").into_bytes();
            assert_eq!(repeated(&query, &query, &query), query);
        });
    }
}
