//! session on the pretend gateways: browser sessions in the format of Kong's plugin.

pub mod browser;
mod browsing;
mod hostile;
mod interchange;
mod logout;
mod one_of_a_kind;
mod storage;
