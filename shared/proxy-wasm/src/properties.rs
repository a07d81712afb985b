//! The properties of a request that filters leave for one another and for their own later
//! callbacks.
//!
//! On Envoy such a property has one segment, and every VM reads it. On Kong it is an nginx variable
//! with that name, which the operator declares in kong.conf. Such a variable can be read and set in
//! every callback, unlike Kong's own properties (`kong.*`), and no client can write it.

use crate::abi::{self, Status};
use crate::host::Host;

/// Reads the property `name` as an earlier filter or callback left it. An empty value counts as
/// none, because a declared nginx variable that nobody has set is empty.
pub(crate) fn property(host: Host, name: &str) -> Option<Vec<u8>> {
    abi::property(segments(host, &["ngx", name])).ok().filter(|value| !value.is_empty())
}

pub(crate) fn publish(host: Host, name: &str, value: &[u8]) -> Result<(), Status> {
    abi::set_property(segments(host, &["ngx", name]), value)
}

/// Checks that nginx has a variable for each of `names`. A declared variable exists from the
/// beginning, with an empty value. Envoy needs no declaration.
///
/// # Errors
/// The message to an operator, with the line that kong.conf lacks.
pub(crate) fn check(host: Host, names: &[&'static str]) -> Result<(), String> {
    if !host.may_be_kong() {
        return Ok(());
    }
    let missing = |name: &&&str| abi::property(&["ngx", name]).is_err();
    names.iter().find(missing).map_or(Ok(()), |name| Err(undeclared(name)))
}

/// The message about an nginx variable that is not declared.
fn undeclared(name: &str) -> String {
    format!(
        "nginx has no variable ${name}, in which filters leave what they know of a request: add the line \
         `{KONG_CONF_LINE}` to kong.conf (environment: KONG_NGINX_PROXY_SET) and start Kong again"
    )
}

/// The line of kong.conf that declares every variable in which a filter of Gatehouse leaves a
/// property.
const KONG_CONF_LINE: &str = "nginx_proxy_set = $gatehouse_consumer \"\"; set $gatehouse_claims \"\"; \
                              set $gatehouse_session \"\"; set $gatehouse_moesif \"\"; set $gatehouse_kong \"\"; \
                              set $gatehouse_refusal \"\"; set $gatehouse_debug \"\"";

fn segments<'a>(host: Host, variable: &'a [&'a str; 2]) -> &'a [&'a str] {
    let [_, name] = variable;
    match host {
        Host::Envoy => std::slice::from_ref(name),
        Host::Kong(_) | Host::Unknown => variable,
    }
}
