//! jwt_auth: Kong's answers in Kong's order, tokens wherever a request carries them, and providers' keys.

mod admin_side;
mod anonymous;
mod answers;
mod faults;
mod idp;
mod places;
mod providers;
mod tokens;
