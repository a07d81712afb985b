//! A filter written with the crate `proxy-wasm` that asks a service about each request, with the
//! functions that come to hand. Tests show with it where the crate panics, and what becomes of the
//! request: `docs/adr/0001-own-abi-layer.md`. It is no example to follow.
//!
//! Its configuration is the name of the service.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { service: String::new() }));
}}

struct Root {
    service: String,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        self.service = String::from_utf8_lossy(&configuration).into_owned();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request { service: self.service.clone() }))
    }
}

struct Request {
    service: String,
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        let key = self.get_http_request_header("x-key").unwrap_or_default();
        let path = format!("/keys/{key}");
        let headers = vec![(":method", "GET"), (":path", &path), (":authority", "service.test")];
        match self.dispatch_http_call(&self.service, headers, None, vec![], Duration::from_secs(1))
        {
            Ok(_) => Action::Pause,
            Err(_) => self.refuse(503),
        }
    }
}

impl Context for Request {
    fn on_http_call_response(
        &mut self,
        _token: u32,
        _num_headers: usize,
        _body_size: usize,
        _num_trailers: usize,
    ) {
        match self.get_http_call_response_header(":status").as_deref() {
            Some("200") => self.resume_http_request(),
            _ => drop(self.refuse(403)),
        }
    }
}

impl Request {
    fn refuse(&self, status: u32) -> Action {
        self.send_http_response(status, vec![], None);
        Action::Pause
    }
}
