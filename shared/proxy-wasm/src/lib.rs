//! Carries filters on the Proxy-Wasm ABI 0.2.1, as Kong (ngx_wasm_module) and Envoy have it.
//!
//! This crate is the only one that knows the ABI, and the only one with unsafe code. Everything
//! that differs between Kong and Envoy is decided here; the runtime sees [`runtime::Capabilities`].
//!
//! | module           | contents                                                        |
//! |------------------|-----------------------------------------------------------------|
//! | `vm.rs`          | the contexts of a VM: which one an event belongs to             |
//! | `vm/exports.rs`  | every callback of the ABI                                       |
//! | `guest.rs`       | `runtime::Proxy`: the gateway during one event                  |
//! | `platform.rs`    | `runtime::Platform`: clock, log, metrics, shared data           |
//! | `host.rs`        | Kong or Envoy, their versions and abilities                     |
//! | `profile.rs`     | the host as a VM knows it                                       |
//! | `kong.rs`        | Kong's own properties, while they can be read                   |
//! | `request.rs`     | the facts of a request at its headers                           |
//! | `edits.rs`       | edits of a request and of a response                            |
//! | `response.rs`    | the response's head, and what takes its place                   |
//! | `properties.rs`  | properties that filters leave for one another                   |
//! | `callout.rs`     | the answer to a callout                                         |
//! | `shared_data.rs` | numbered slots in the gateway's shared data                     |
//! | `abi.rs`         | the raw functions, each as a `Result`; none panics              |

#![warn(missing_docs)]
// Natively there is no proxy that could call in, so a part of this crate has no caller.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, unused_imports))]

mod abi;
mod callout;
mod edits;
mod guest;
mod host;
mod kong;
mod platform;
mod profile;
mod properties;
mod request;
mod response;
mod shared_data;
mod vm;

/// Makes `F` the filter of this module. [`filter!`] calls it.
#[doc(hidden)]
pub fn install<F: runtime::Filter>() {
    runtime::install(&platform::Wasm);
    vm::hold::<F>();
}

/// Makes a crate a filter: `proxy_wasm::filter!(filter::KeyAuth);`.
///
/// Every callback of the ABI is exported from `vm.rs`, whichever filter it is; this adds the
/// function that the host calls first, which says what filter the module is.
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
