//! Answers of which a suite names only a part: some headers, and some attributes of cookies.

use crate::play;
use crate::table::{Asked, Cookie};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_tests::{Proxy, Response};

/// The cookies of a client, by their names.
pub type Jar = BTreeMap<String, String>;

/// Asks a question, and compares what the table names.
pub fn ask(proxy: &Proxy, asked: &Asked, jar: &mut Jar) -> Result<(), String> {
    let mut request = play::request(asked);
    if asked.jar && !jar.is_empty() {
        let cookies: Vec<String> =
            jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request = request.header("Cookie", cookies.join("; "));
    }
    let stream = proxy.send(request);
    let outcome = stream.outcome();
    if let Some(trap) = outcome.traps.first() {
        return Err(format!("a filter trapped: {trap:?}"));
    }
    match (&asked.up, outcome.forwarded.is_some()) {
        (Some(status), true) => {
            let seen = stream.forwarded();
            let told = asked.u.as_ref();
            for (name, told) in told.iter().flat_map(|told| &told.added) {
                let found = seen.header(name);
                if !found.as_deref().is_some_and(|found| is(found, told)) {
                    return Err(format!("the upstream's {name} is {found:?} instead of {told}"));
                }
            }
            for name in told.iter().flat_map(|told| &told.removed) {
                // What a filter removes reaches the upstream of Kong empty (docs/hosts.md).
                if seen.header(name).is_some_and(|value| !value.is_empty()) {
                    return Err(format!("the upstream gets {name}"));
                }
            }
            let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
            stream.respond(Response::new(status.expect("a status")));
        }
        (None, true) => return Err(format!("goes on instead of {}", asked.s)),
        (Some(_), false) => {
            let reply = stream.reply();
            return Err(format!("is answered with {} {}", reply.status, reply.text()));
        }
        (None, false) => {}
    }
    reply(asked, &stream.reply(), jar)
}

/// Returns `true` if a value is the text that a table has, or of the length or the kind that it has.
fn is(found: &str, told: &Value) -> bool {
    match told {
        Value::String(text) => found == text,
        told => match told["length"].as_u64() {
            Some(length) => u64::try_from(found.len()) == Ok(length),
            None => told["number"] == true && found.parse::<u64>().is_ok(),
        },
    }
}

fn reply(asked: &Asked, seen: &Response, jar: &mut Jar) -> Result<(), String> {
    if seen.status != asked.s {
        let (status, text) = (seen.status, seen.text());
        return Err(format!("the status is {status} {text} instead of {}", asked.s));
    }
    for (name, value) in &asked.r {
        let found = seen.header(name);
        if found.as_deref() != value.as_str() {
            return Err(format!("{name} is {found:?} instead of {value}"));
        }
    }
    let got = seen.headers_named("set-cookie");
    for (name, told) in &asked.cookies {
        cookie(name, told, &got)?;
    }
    for (name, value) in got.iter().filter_map(|line| named(line)) {
        match value.is_empty() {
            true => jar.remove(name),
            false => jar.insert(name.to_owned(), value.to_owned()),
        };
    }
    Ok(())
}

/// Returns the name and the value of a `Set-Cookie`.
fn named(line: &str) -> Option<(&str, &str)> {
    line.split(';').next()?.trim().split_once('=')
}

fn cookie(name: &str, told: &Cookie, got: &[String]) -> Result<(), String> {
    let line = got.iter().find(|line| named(line).is_some_and(|(found, _)| found == name));
    let has_value = line.and_then(|line| named(line)).is_some_and(|(_, value)| !value.is_empty());
    if has_value != told.value {
        return Err(format!("the cookie {name} is {line:?}"));
    }
    let attributes: Vec<&str> =
        line.iter().flat_map(|line| line.split(';')).map(str::trim).collect();
    let missing = told.has.iter().find(|wanted| !attributes.contains(&wanted.as_str()));
    let more = told.lacks.iter().find(|unwanted| attributes.contains(&unwanted.as_str()));
    match (missing, more) {
        (None, None) => Ok(()),
        _ => Err(format!("the cookie {name} is {line:?}")),
    }
}
