//! The compiled filters on the pretend gateways: what a client, an upstream and an operator see.

mod admin;
mod app_id;
mod every_filter;
mod gateways;
mod jwt_auth;
mod key_auth;
mod lookups;
mod schemas;
mod upstream_jwt;
mod witness;
