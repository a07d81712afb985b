//! Writes resources for an ingress gateway of Istio: a Gateway, a VirtualService for each host, a
//! ServiceEntry and a DestinationRule for what is called, a WasmPlugin for filters that every route
//! has, and an EnvoyFilter for what these cannot say.

mod destinations;
mod filters;
mod routes;

use self::destinations::Destinations;
use super::Options;
use super::kong_file::KongFile;
use super::notes::Notes;
use super::parts::Parts;
use super::plugins::Filter;
use super::values::map;
use serde_norway::{Mapping, Value};
use std::collections::BTreeSet;

pub(super) use self::destinations::{cluster, collector};

/// The namespace of the gateway, where all resources are.
const NAMESPACE: &str = "istio-system";

/// Returns the file and the number of filters in it.
pub(super) fn write(
    file: &KongFile,
    chains: &[Vec<Filter>],
    options: &Options,
    notes: &mut Notes,
) -> Result<(String, usize), String> {
    let Parts { filters, hosts, upstreams, variables } =
        Parts::of(file, chains, "the Gateway listens on port 80", notes);
    let mut destinations = Destinations::default();
    let services = destinations.services(&upstreams, notes);
    destinations.called_by_filters(options.admin.as_ref(), &filters, notes);
    let mut resources = vec![gateway()];
    resources.extend(destinations.resources());
    resources.extend(routes::virtual_services(&hosts, &services, file, notes));
    resources.extend(filters::resources(&hosts, &filters, &variables, notes));
    let mut text = head(&variables, destinations.needs_authority());
    for (number, resource) in resources.into_iter().enumerate() {
        let yaml = serde_norway::to_string(&resource).map_err(|error| error.to_string())?;
        text += if number == 0 { "" } else { "---\n" };
        text += &yaml;
    }
    Ok((text, filters.len()))
}

fn gateway() -> Value {
    let port = map([("number", 80.into()), ("name", "http".into()), ("protocol", "HTTP".into())]);
    let server = map([("port", Value::Mapping(port)), ("hosts", one("*".into()))]);
    let spec =
        map([("selector", Value::Mapping(labels())), ("servers", one(Value::Mapping(server)))]);
    resource("networking.istio.io/v1", "Gateway", GATEWAY, spec)
}

/// The name of the Gateway.
const GATEWAY: &str = "gatehouse";

/// The labels of the gateway's pods.
fn labels() -> Mapping {
    map([("istio", "ingressgateway".into())])
}

fn resource(version: &str, kind: &str, name: &str, spec: Mapping) -> Value {
    let metadata = map([("name", name.into()), ("namespace", NAMESPACE.into())]);
    Value::Mapping(map([
        ("apiVersion", version.into()),
        ("kind", kind.into()),
        ("metadata", Value::Mapping(metadata)),
        ("spec", Value::Mapping(spec)),
    ]))
}

fn one(value: Value) -> Value {
    Value::Sequence(vec![value])
}

/// Names of resources and hosts that are made of other names: DNS labels, each given once.
#[derive(Debug, Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn of(&mut self, text: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let label: String = text.chars().map(letter).take(50).collect();
        let label = label.trim_matches('-');
        let label = if label.is_empty() { "any" } else { label };
        let mut name = label.to_owned();
        let mut number: usize = 2;
        while !self.0.insert(name.clone()) {
            name = format!("{label}-{number}");
            number = number.saturating_add(1);
        }
        name
    }
}

/// Returns the lines that tell what the gateway needs.
fn head(variables: &[String], needs_authority: bool) -> String {
    let mut lines = format!(
        "# Written by `gatehouse-admin convert --to istio`, for Istio 1.26 or newer. Where they are otherwise, replace the\n\
         # gateway's namespace ({NAMESPACE}), its label (istio: ingressgateway) and the image ({}).\n",
        filters::IMAGE,
    );
    if !variables.is_empty() {
        lines += "# The container istio-proxy of the gateway needs variables of the environment from a secret. With those of\n\
                  # `--secrets` in a shell (`set -a; . ./gatehouse.env`):\n#\n\
                  #   kubectl -n istio-system create secret generic gatehouse-gateway";
        for name in variables {
            lines += &format!(" \\\n#     --from-literal={name}=\"${name}\"");
        }
        lines += "\n#   kubectl -n istio-system set env deployment/istio-ingressgateway --containers=istio-proxy \\\n\
                  #     --from=secret/gatehouse-gateway\n";
    }
    if needs_authority {
        lines += &format!(
            "# The secret {} has the certificate of gatehouse-admin's authority as `ca.crt`.\n",
            destinations::AUTHORITY
        );
    }
    lines + "\n"
}

#[cfg(test)]
mod tests;
