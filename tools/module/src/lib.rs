//! The module that holds all filters: `gatehouse.wasm`. Envoy's `root_id` chooses one of them for
//! each configuration.

proxy_wasm::module!(all_filters::DEFINITIONS);
