//! Carries a core's steps out with Proxy-Wasm; the only shared crate that knows the proxy.
//!
//! | room          | what is in it                                                      |
//! |---------------|--------------------------------------------------------------------|
//! | `filter.rs`   | what a filter tells this crate about itself                        |
//! | `vm.rs`       | the ABI callbacks: which context an event belongs to               |
//! | `root.rs`     | one filter configuration: settings, lookups, the tick              |
//! | `stream.rs`   | one request: its flow's steps, carried out                         |
//! | `background.rs`| what a filter sends on its own account                             |
//! | `store.rs`    | numbered slots in shared data or in the VM                         |
//! | `kong.rs`     | what Kong says of itself and of a request, while it can be asked   |
//! | `profile.rs`  | which host this is, and what follows from it                       |
//! | `callout.rs`  | sending a call, reading its answer                                 |
//! | `reply.rs`    | local answers in Kong's forms                                      |
//! | `grpc.rs`     | the same for clients that speak gRPC                               |
//! | `entropy.rs`  | randomness that does not depend on the host's alone                |
//! | `metrics.rs`  | metrics, where counting does not trap                               |
//! | `abi.rs`      | the raw host functions, each as a `Result`; the only unsafe code   |

#![warn(missing_docs)]
// Natively there is no proxy that could call in, so a part of this crate has no caller.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, unused_imports))]

mod abi;
mod background;
mod callout;
mod entropy;
mod filter;
mod grpc;
mod kong;
mod metrics;
mod profile;
mod reply;
mod root;
mod store;
mod stream;
mod vm;

pub use cache::{Counters, Put, SharedData, Snapshot, Source};
pub use entropy::{Entropy, random};
pub use filter::{Filter, Needs, is_address, meta};
pub use profile::Host;

pub use stream::now;
#[doc(hidden)]
pub use vm::install;
pub use vm::{counters, foreign, note, report};

/// Makes a crate a filter: `runtime::filter!(filter::KeyAuth);`.
///
/// Every callback of the ABI is exported from `vm.rs`, whichever filter it is; this adds the function that the
/// host calls first, which says what filter the module is.
#[macro_export]
macro_rules! filter {
    ($filter:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn _initialize() {
            unsafe extern "C" {
                fn __wasm_call_ctors();
            }
            // SAFETY: the host calls this once, before anything else.
            unsafe { __wasm_call_ctors() };
            $crate::install::<$filter>();
        }
    };
}
