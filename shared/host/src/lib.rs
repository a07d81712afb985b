//! Carries a core's steps out with Proxy-Wasm; the only shared crate that knows the proxy.
