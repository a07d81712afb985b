//! The gateway that a suite runs on: an Envoy, or a Kong if `GATEHOUSE_GATEWAY` is `kong`.

use super::client::RawRequest;
use super::envoy::Envoy;
use super::kong::Kong;
use super::kong_files::KongFiles;
use super::setup::Setup;
use super::wire::Message;
use std::net::SocketAddr;

/// A running gateway. It ends when this value is dropped.
pub enum Proxy {
    /// A running Envoy.
    Envoy(Envoy),
    /// A running Kong.
    Kong(Box<Kong>),
}

/// Returns `true` if the suites run on Kong.
pub fn on_kong() -> bool {
    std::env::var("GATEHOUSE_GATEWAY").is_ok_and(|gateway| gateway == "kong")
}

/// The first value on Envoy, the second on Kong.
pub fn by_gateway<T>(envoy: T, kong: T) -> T {
    if on_kong() { kong } else { envoy }
}

impl Proxy {
    /// Starts the gateway and waits until it serves.
    #[track_caller]
    pub fn start(setup: &Setup) -> Self {
        match on_kong() {
            true => Self::Kong(Box::new(Kong::start(setup))),
            false => Self::Envoy(Envoy::start(setup)),
        }
    }

    /// Starts the gateway. The error is the output and log of one that refused its configuration.
    pub fn try_start(setup: &Setup) -> Result<Self, String> {
        match on_kong() {
            true => Kong::try_run(&KongFiles::of(setup)).map(|kong| Self::Kong(Box::new(kong))),
            false => Envoy::try_start(setup).map(Self::Envoy),
        }
    }

    /// Replaces the listeners by those of `setup`, which keep their ports, and waits for the
    /// change.
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
    pub fn send(&self, request: &RawRequest) -> Message {
        request.send(self.address("main"))
    }

    /// The value of one of Envoy's counters or gauges. Panics on Kong.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        match self {
            Self::Envoy(envoy) => envoy.stat(name),
            Self::Kong(_) => {
                panic!("{name} is Envoy's: the test's name must say that it is for Envoy")
            }
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        match self {
            Self::Envoy(envoy) => envoy.log(),
            Self::Kong(kong) => kong.log(),
        }
    }

    /// The processor time that the gateway has used so far, in microseconds.
    pub fn processor_time(&self) -> f64 {
        match self {
            Self::Envoy(envoy) => envoy.processor_time(),
            Self::Kong(kong) => kong.processor_time(),
        }
    }
}
