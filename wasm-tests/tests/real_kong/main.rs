//! Rules that only a real Kong can test. The suites beside this one run on Kong, too
//! (`GATEHOUSE_GATEWAY=kong`).
//!
//! | module         | contents                                                         |
//! |----------------|------------------------------------------------------------------|
//! | `fixture.rs`   | a Kong with the services around it, for many requests            |
//! | `examples.rs`  | the example of each filter's README                              |
//! | `callouts.rs`  | gatehouse-admin: lookups, ticks, two workers, a first stampede   |
//! | `variables.rs` | variables of nginx that filters need, declared or not            |
//! | `lua.rs`       | Lua plugins before the filters                                   |
//! | `reload.rs`    | `kong reload` under traffic                                      |
//! | `module.rs`    | the module that holds all filters, which Kong cannot use         |
//! | `one_request.rs` | the access log, and reports for operators                      |
//! | `sdk.rs`       | a filter written with the crate `proxy-wasm`, between ours       |
//! | `load.rs`      | all filters in one chain, for a long time                        |
//! | `shipped.rs`   | the files in `kong-config/`                                      |
//! | `torture.rs`   | requests that a careful client never sends                       |
//! | `converted.rs` | what `gatehouse-admin convert` writes                            |
//!
//! Each test ends with a search of Kong's log: a worker that has died fails the test.

mod callouts;
mod converted;
mod examples;
mod fixture;
mod load;
mod lua;
mod module;
mod one_request;
mod reload;
mod sdk;
mod shipped;
mod torture;
mod variables;
