//! The compiled filters on the pretend gateways, as a client, an upstream and an operator see them.

mod admin;
mod app_id;
mod bot_detection;
mod cors;
mod every_filter;
mod examples;
mod gateways;
mod identity_probe;
mod ip_restriction;
mod jwt_auth;
mod key_auth;
mod lookups;
mod module_of_all;
mod moesif;
mod operators;
mod owned_headers;
mod paths;
mod rate_limiting;
mod request_termination;
mod request_transformer;
mod schemas;
mod sdk;
mod session;
mod tunnels;
mod upstream_jwt;
mod variables;
