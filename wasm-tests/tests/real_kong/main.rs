//! What can be asked of a real Kong only. The suites beside this one run on it too (`GATEHOUSE_GATEWAY=kong`).
//!
//! | room           | what is in it                                                            |
//! |----------------|--------------------------------------------------------------------------|
//! | `fixture.rs`   | a Kong with all that stands behind it, for many requests                 |
//! | `examples.rs`  | the example of each filter's README: whom it refuses, whom it lets through |
//! | `callouts.rs`  | the real admin service: lookups, ticks, two workers, a first stampede    |
//! | `variables.rs` | the variables of nginx that filters need, declared or not                |
//! | `lua.rs`       | Lua plugins before our filters                                           |
//! | `reload.rs`    | `kong reload` under traffic                                              |
//! | `load.rs`      | all filters in one chain, for a long time                                |
//! | `shipped.rs`   | the files in `kong-config/`                                              |
//!
//! Each test ends with a look into Kong's log: a worker that has died fails it.

mod callouts;
mod examples;
mod fixture;
mod load;
mod lua;
mod reload;
mod shipped;
mod variables;
