//! The gateway that a suite runs on: an Envoy, or a Kong where `GATEHOUSE_GATEWAY=kong` says so.

use super::client::Request;
use super::envoy::Envoy;
use super::kong::Kong;
use super::kong_files::KongFiles;
use super::setup::Setup;
use super::wire::Message;
use std::net::SocketAddr;

/// A running gateway; it ends with this value.
pub enum Proxy {
    /// Envoy.
    Envoy(Envoy),
    /// Kong.
    Kong(Box<Kong>),
}

/// Whether the suites run on Kong.
pub fn on_kong() -> bool {
    std::env::var("GATEHOUSE_GATEWAY").is_ok_and(|gateway| gateway == "kong")
}

/// What differs between the gateways: the first on Envoy, the second on Kong.
pub fn by_gateway<T>(envoy: T, kong: T) -> T {
    if on_kong() { kong } else { envoy }
}

impl Proxy {
    /// Starts it and waits until it serves.
    #[track_caller]
    pub fn start(setup: &Setup) -> Self {
        match on_kong() {
            true => Self::Kong(Box::new(Kong::start(setup))),
            false => Self::Envoy(Envoy::start(setup)),
        }
    }

    /// Starts it; where it refuses its configuration, gives what it said and logged.
    pub fn try_start(setup: &Setup) -> Result<Self, String> {
        match on_kong() {
            true => Kong::try_run(&KongFiles::of(setup)).map(|kong| Self::Kong(Box::new(kong))),
            false => Envoy::try_start(setup).map(Self::Envoy),
        }
    }

    /// Gives it other listeners, which keep their ports, and waits until it has taken them.
    #[track_caller]
    pub fn reload(&self, setup: &Setup) {
        match self {
            Self::Envoy(envoy) => envoy.reload(setup),
            Self::Kong(kong) => kong.reload(&KongFiles::of(setup)),
        }
    }

    /// The address of a listener.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        match self {
            Self::Envoy(envoy) => envoy.address(listener),
            Self::Kong(kong) => kong.address(listener),
        }
    }

    /// Sends a request to the listener `main`.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Message {
        request.send(self.address("main"))
    }

    /// The value of one of Envoy's counters or gauges.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        match self {
            Self::Envoy(envoy) => envoy.stat(name),
            Self::Kong(_) => {
                panic!("{name} is Envoy's: the test's name must say that it is for Envoy")
            }
        }
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        match self {
            Self::Envoy(envoy) => envoy.log(),
            Self::Kong(kong) => kong.log(),
        }
    }

    /// The processor time that it has used so far, in microseconds.
    pub fn processor_time(&self) -> f64 {
        match self {
            Self::Envoy(envoy) => envoy.processor_time(),
            Self::Kong(kong) => kong.processor_time(),
        }
    }
}
