//! What the end-to-end tests share.

pub mod script;
pub mod session;
pub mod traffic;
pub mod wire;
