//! Carries filters on the Proxy-Wasm ABI 0.2.1, as Kong (ngx_wasm_module) and Envoy have it.
//!
//! This crate is the only one that knows the ABI, and the only one with unsafe code. Everything
//! that differs between Kong and Envoy is decided here; the runtime sees [`runtime::Capabilities`].
//!
//! | module           | contents                                                        |
//! |------------------|-----------------------------------------------------------------|
//! | `vm.rs`          | the contexts of a VM: which one an event belongs to             |
//! | `vm/exports.rs`  | every callback of the ABI                                       |
//! | `vm/chosen.rs`   | which of a module's filters a configuration is for              |
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

#[doc(hidden)]
pub use runtime::Definition;

/// Makes `held` the filters of this module. [`module!`] calls it.
#[doc(hidden)]
pub fn install(held: &'static [Definition]) {
    runtime::install(&platform::Wasm);
    vm::hold(held);
}

/// Makes a crate a Wasm module with the filters of a list, of which Envoy's `root_id` chooses one
/// for each configuration: `proxy_wasm::module!(all_filters::DEFINITIONS);`.
///
/// Every callback of the ABI is exported from `vm/exports.rs`, whichever filters these are. This
/// macro adds the function that the host calls first.
#[macro_export]
macro_rules! module {
    ($filters:expr) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn _initialize() {
            unsafe extern "C" {
                fn __wasm_call_ctors();
            }
            // SAFETY: the host calls this once, before anything else.
            unsafe { __wasm_call_ctors() };
            static HELD: &[$crate::Definition] = $filters;
            $crate::install(HELD);
        }
    };
}

/// Makes a crate a filter: `proxy_wasm::filter!(filter::KeyAuth);`.
///
/// With the crate's feature `module` the crate is a Wasm module of its own. Without it, another
/// module can hold the filter beside others.
#[macro_export]
macro_rules! filter {
    ($filter:ty) => {
        #[cfg(feature = "module")]
        $crate::module!(&[$crate::Definition::of::<$filter>()]);
    };
}
