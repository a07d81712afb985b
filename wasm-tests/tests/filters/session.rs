//! session: browser sessions as Kong's plugin keeps them, on both kinds of gateway.

pub mod browser;
mod browsing;
mod hostile;
mod interchange;
mod logout;
mod one_of_a_kind;
mod storage;
