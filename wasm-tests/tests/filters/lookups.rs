//! What both filters share: what is asked, how long it serves, who hears of a change, and what shared data can do.

mod changes;
mod outages;
mod shared;
mod snapshots;
mod storms;
