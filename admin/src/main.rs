//! The admin service: owns consumers, credentials and App IDs, and feeds the gateways' caches.
fn main() {}
