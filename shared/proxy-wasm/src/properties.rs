//! What filters leave for one another, and for their own later callbacks: properties of the request.
//!
//! On Envoy such a property has one segment, and every VM reads it. On Kong it is a variable of nginx of that
//! name, which the operator declares in kong.conf: unlike Kong's own properties (`kong.*`), which Lua answers,
//! it can be read and set in every callback, and no client can write it.

use crate::abi::{self, Status};
use crate::profile::Host;

/// The property `name`, as an earlier filter or callback left it. An empty one says nothing: so is a variable of
/// nginx that is declared and has not been set.
pub(crate) fn property(host: Host, name: &str) -> Option<Vec<u8>> {
    abi::property(segments(host, &["ngx", name])).ok().filter(|value| !value.is_empty())
}

pub(crate) fn publish(host: Host, name: &str, value: &[u8]) -> Result<(), Status> {
    abi::set_property(segments(host, &["ngx", name]), value)
}

/// Whether nginx has a variable for each of `names`. A declared one is there from the beginning, if
/// only empty. Envoy needs none.
///
/// # Errors
/// The message to an operator.
pub(crate) fn check(host: Host, names: &[&'static str]) -> Result<(), String> {
    if !host.may_be_kong() {
        return Ok(());
    }
    let missing = |name: &&&str| abi::property(&["ngx", name]).is_err();
    names.iter().find(missing).map_or(Ok(()), |name| Err(undeclared(name)))
}

/// What is wrong when nginx has no variable `name`, and what mends it.
fn undeclared(name: &str) -> String {
    format!(
        "nginx has no variable ${name}, in which filters leave what they know of a request: add the line \
         `{KONG_CONF_LINE}` to kong.conf (environment: KONG_NGINX_PROXY_SET) and start Kong again"
    )
}

/// The line of kong.conf that declares every variable that a filter of Gatehouse leaves something in.
const KONG_CONF_LINE: &str = "nginx_proxy_set = $gatehouse_consumer \"\"; set $gatehouse_claims \"\"; \
                              set $gatehouse_session \"\"; set $gatehouse_moesif \"\"; set $gatehouse_kong \"\"";

fn segments<'a>(host: Host, variable: &'a [&'a str; 2]) -> &'a [&'a str] {
    let [_, name] = variable;
    match host {
        Host::Envoy => std::slice::from_ref(name),
        Host::Kong(_) | Host::Unknown => variable,
    }
}
