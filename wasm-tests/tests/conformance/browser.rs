//! What a browser does with the responses of a server, by the Fetch standard (section 3.2, CORS
//! protocol, <https://fetch.spec.whatwg.org/#http-cors-protocol>).

use crate::table::Fetched;
use wasm_tests::{Proxy, Request, Response};

/// The methods that need no preflight.
const SAFE_METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

/// The headers of responses that every page may read.
const SAFE_HEADERS: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

/// Sends the requests of a browser, and compares what the page gets.
pub fn fetch(proxy: &Proxy, fetched: &Fetched) -> Result<(), String> {
    let got = response(proxy, fetched)?;
    match (fetched.ok, got) {
        (true, Err(why)) => Err(format!("the page gets nothing: {why}")),
        (false, Ok(_)) => Err("the page gets the response".to_owned()),
        (false, Err(_)) => Ok(()),
        (true, Ok(response)) => {
            for (name, readable) in &fetched.reads {
                if reads(&response, name, fetched.credentials) != *readable {
                    return Err(format!("the page may read {name}: {}", !readable));
                }
            }
            Ok(())
        }
    }
}

/// Returns the response that the page gets, or why it gets none. An outer error is the filter's own.
fn response(proxy: &Proxy, fetched: &Fetched) -> Result<Result<Response, String>, String> {
    let own = |status: u16| {
        let headers = fetched.up.iter();
        headers.fold(Response::new(status), |answer, (name, value)| answer.with(name, value))
    };
    let safe = SAFE_METHODS.contains(&fetched.fetch.as_str());
    if !safe || !fetched.ask.is_empty() {
        let mut names: Vec<String> =
            fetched.ask.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort();
        let mut request = Request::new("OPTIONS", "/")
            .header("Origin", &fetched.origin)
            .header("Access-Control-Request-Method", &fetched.fetch);
        if !names.is_empty() {
            request = request.header("Access-Control-Request-Headers", names.join(","));
        }
        let reply = sent(proxy, request, own(fetched.preflight.unwrap_or(404)))?;
        if let Err(why) = preflight(&reply, fetched, &names) {
            return Ok(Err(format!("preflight: {why}")));
        }
    }
    let mut request = Request::new(&fetched.fetch, "/").header("Origin", &fetched.origin);
    for (name, value) in &fetched.h {
        request = request.header(name, value);
    }
    let reply = sent(proxy, request, own(200))?;
    Ok(shared(&reply, fetched).map(|()| reply))
}

fn sent(proxy: &Proxy, request: Request, own: Response) -> Result<Response, String> {
    let stream = proxy.send(request);
    let outcome = stream.outcome();
    if let Some(trap) = outcome.traps.first() {
        return Err(format!("a filter trapped: {trap:?}"));
    }
    if outcome.forwarded.is_some() {
        stream.respond(own);
    }
    let reply = stream.reply();
    match reply.text().contains("misconfigured") {
        true => Err("the settings are refused".to_owned()),
        false => Ok(reply),
    }
}

/// Checks whether the response may be shared with the page (section 4.10, CORS check).
fn shared(reply: &Response, fetched: &Fetched) -> Result<(), String> {
    let allowed = reply.headers_named("access-control-allow-origin").join(", ");
    let allowed = allowed.trim();
    if allowed == "*" && !fetched.credentials {
        return Ok(());
    }
    if allowed != fetched.origin {
        return Err(format!("Access-Control-Allow-Origin is {allowed:?}"));
    }
    let credentials = reply.headers_named("access-control-allow-credentials").join(", ");
    match !fetched.credentials || credentials == "true" {
        true => Ok(()),
        false => Err(format!("Access-Control-Allow-Credentials is {credentials:?}")),
    }
}

/// Checks the response to a preflight (section 4.8, CORS-preflight fetch).
fn preflight(reply: &Response, fetched: &Fetched, names: &[String]) -> Result<(), String> {
    shared(reply, fetched)?;
    if !(200..300).contains(&reply.status) {
        return Err(format!("the status is {}", reply.status));
    }
    let any = |list: &[String]| !fetched.credentials && list.iter().any(|one| one == "*");
    let methods = list(reply, "access-control-allow-methods");
    let safe = SAFE_METHODS.contains(&fetched.fetch.as_str());
    if !safe && !methods.contains(&fetched.fetch) && !any(&methods) {
        return Err(format!("the methods are {methods:?}"));
    }
    let headers = list(reply, "access-control-allow-headers");
    for name in names {
        let named = headers.iter().any(|header| header.eq_ignore_ascii_case(name));
        if !named && (name == "authorization" || !any(&headers)) {
            return Err(format!("the headers are {headers:?}"));
        }
    }
    Ok(())
}

/// Returns `true` if a page may read this header.
fn reads(reply: &Response, name: &str, credentials: bool) -> bool {
    let lower = name.to_ascii_lowercase();
    if ["set-cookie", "set-cookie2"].contains(&lower.as_str()) || reply.header(name).is_none() {
        return false;
    }
    let exposed = list(reply, "access-control-expose-headers");
    SAFE_HEADERS.contains(&lower.as_str())
        || exposed.iter().any(|one| one.eq_ignore_ascii_case(name))
        || (!credentials && exposed.iter().any(|one| one == "*"))
}

/// Returns the members of a header that is a list.
fn list(reply: &Response, name: &str) -> Vec<String> {
    let values = reply.headers_named(name);
    let members = values.iter().flat_map(|value| value.split(','));
    members.map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}
