//! The cache of the filters that ask gatehouse-admin: its lookups, ages, changes and shared data.

mod changes;
mod outages;
mod shared;
mod snapshots;
mod storms;
