//! The traffic filters on a real Envoy: bot_detection, cors, ip_restriction, request_termination
//! and request_transformer.

mod bot_detection;
mod cors;
mod ip_restriction;
mod request_termination;
mod request_transformer;

use serde_json::Value;
use wasm_tests::real::{Echo, Filter, Message, Proxy, RawRequest, Setup};

struct Gateway {
    envoy: Proxy,
    echo: Echo,
}

impl Gateway {
    #[track_caller]
    fn start(feature: &str, settings: Value) -> Self {
        Self::with(vec![Filter::new(feature, &settings)])
    }

    #[track_caller]
    fn with(filters: Vec<Filter>) -> Self {
        let echo = Echo::start();
        let envoy = Proxy::start(&Setup::new(echo.address(), filters));
        Self { envoy, echo }
    }

    fn send(&self, request: &RawRequest) -> Message {
        self.envoy.send(request)
    }

    /// The request as the upstream received it.
    #[track_caller]
    fn passed(&self, request: &RawRequest) -> Message {
        let answer = self.send(request);
        assert_eq!(answer.status(), 200, "{}\n{}", answer.text(), self.envoy.log());
        self.echo.last()
    }

    /// The status and message of a refusal. Panics if the request reached the upstream.
    #[track_caller]
    fn refused(&self, request: &RawRequest) -> (u16, String) {
        let before = self.echo.count();
        let answer = self.send(request);
        assert_eq!(self.echo.count(), before, "it reached the upstream");
        (answer.status(), answer.json()["message"].as_str().unwrap_or_default().to_owned())
    }
}
