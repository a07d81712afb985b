//! A filter written with the crate `proxy-wasm`, as somebody writes one for a gateway that also
//! runs Gatehouse. It tells the upstream the name of the consumer whom an earlier filter
//! authenticated, in the request header `X-SDK-Consumer`, and does nothing else.
//!
//! `docs/foreign-filters.md` gives the rules that such a filter follows, and the reason for each.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde::Deserialize;

/// The request header that this filter sets.
const HEADER: &str = "x-sdk-consumer";

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request))
    }
}

/// The content of the property `gatehouse_consumer`, as far as this filter needs it.
#[derive(Default, Deserialize)]
struct Identity {
    username: Option<String>,
    /// `true` if an earlier filter has answered the request; Kong runs later filters all the same.
    #[serde(default)]
    refused: bool,
}

struct Request;

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        let identity = self.identity();
        if identity.refused {
            return Action::Continue;
        }
        // A client could have sent the header, and Kong cannot remove one, only overwrite it.
        let name = identity.username.unwrap_or_default();
        self.set_http_request_header(HEADER, Some(&name));
        Action::Continue
    }
}

impl Request {
    /// Returns the identity that an earlier filter left, and an empty one if there is none.
    fn identity(&self) -> Identity {
        // Kong keeps the identity in a variable of nginx, Envoy in a property of one segment.
        let json = self
            .get_property(vec!["ngx", "gatehouse_consumer"])
            .or_else(|| self.get_property(vec!["gatehouse_consumer"]));
        json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }
}
