//! An Envoy with all filters in one chain, and the services around it.

use serde_json::json;
use wasm_tests::memory::{memory, vm_memory};
use wasm_tests::real::{
    Admin, Answer, Connection, Envoy, Filter, RawRequest, Server, Setup, eventually,
};
use wasm_tests::torture::{
    Case, Client, Credentials, Protocol, Seen, Target, Upstream, Want, all_filters, normal,
};

/// Every running part.
pub struct Fixture {
    pub envoy: Envoy,
    pub upstream: Upstream,
    pub credentials: Credentials,
    vms: u64,
    _admin: Admin,
    _collector: Server,
}

impl Fixture {
    #[track_caller]
    pub fn start() -> Self {
        let (upstream, admin) = (Upstream::start(), Admin::start());
        let collector = Server::start(|request| match request.path() {
            "/v1/events/batch" => Answer::json(201, "{}"),
            "/v1/config" => Answer::json(200, json!({"sample_rate": 100})),
            _ => Answer::json(200, "[]"),
        });
        admin.consumer("ana", "key-of-ana", &["portal"]);
        admin.consumer("ado", "key-of-ado", &["partners"]);
        admin.create("/consumers/ado/jwt", &json!({"key": "adokey", "secret": "supersecret"}));
        let target = json!({
            "upstream": "admin", "authority": admin.address().to_string(),
            // A busy machine must not cause a 503.
            "timeout": 60_000, "poll_interval": 1,
        });
        let filters = all_filters(Some(&target)).into_iter();
        let filters =
            filters.map(|(name, settings)| Filter::new(name, &settings).of_all().vm_id("torture"));
        let setup = Setup::new(upstream.address(), filters.collect())
            .cluster("admin", admin.address())
            .cluster("collector", collector.address())
            .at_the_edge()
            // Envoy waits for a client that it has refused; these clients only wait for Envoy.
            .manager(json!({"delayed_close_timeout": "0.01s"}));
        let envoy = Envoy::start(&setup);
        let mut fixture = Self {
            envoy,
            upstream,
            credentials: Credentials::default(),
            vms: 0,
            _admin: admin,
            _collector: collector,
        };
        fixture.credentials.cookie = fixture.log_in();
        fixture.vms = fixture.envoy.stat("wasm.envoy.wasm.runtime.v8.active");
        fixture
    }

    /// A session cookie of the consumer who may pass.
    fn log_in(&self) -> String {
        let request = RawRequest::get("/orders?case=may")
            .header("x-case", "may")
            .header("apikey", "key-of-ana")
            .header("x-app-id", "portal");
        eventually("a session", || {
            let mut connection = Connection::open(self.envoy.address("main")).ok()?;
            let answer = connection.exchange(&request).ok()?;
            let field = answer.all("set-cookie").into_iter().find(|f| f.starts_with("session="))?;
            Some(field.split(';').next().unwrap_or_default().to_owned())
        })
    }

    pub fn target(&self) -> Target {
        // Envoy answers 501 to a transfer coding that it does not know.
        Target { address: self.envoy.address("main"), clients: 8, own_5xx: &[501] }
    }

    /// Panics unless normal requests get the right answers.
    #[track_caller]
    pub fn assert_normal(&self) {
        let mut client = Client::new(self.envoy.address("main"));
        for shape in normal(&self.credentials) {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let seen = client.send(&Case::Shape(shape.clone()), protocol);
                let right = match shape.want {
                    Want::Passes => Seen::Passed,
                    Want::Status(status) => Seen::Ours(status),
                    Want::Any => continue,
                };
                assert_eq!(seen, [right], "{protocol:?} {}", shape.text());
            }
        }
    }

    /// Panics if a VM has died, or if a filter trapped.
    #[track_caller]
    pub fn assert_alive(&self) {
        let log = self.envoy.log();
        for trace in ["Function: proxy_on", "RuntimeError", "panicked at", "Failed to", "VM failed"]
        {
            assert!(!log.contains(trace), "{log}");
        }
        let vms = self.envoy.stat("wasm.envoy.wasm.runtime.v8.active");
        assert_eq!(vms, self.vms, "as many VMs as in the beginning");
    }

    /// The memory that Envoy and its VMs use now.
    pub fn memory(&self) -> Memory {
        let resident_kb = memory(self.envoy.id()).resident_kb;
        Memory { vms_kb: vm_memory(self.envoy.id()).size_kb, resident_kb }
    }
}

/// A look at the memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// The size of the VMs' memories, in KiB.
    pub vms_kb: u64,
    /// The resident memory of Envoy, in KiB.
    pub resident_kb: f64,
}
