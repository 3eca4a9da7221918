//! What a whole capture amounts to, in bounded memory.
//!
//! [`Heavy`] has the largest sums of many keys, [`key`] makes keys of the values of records, and [`FlowFailure`] says
//! how a flow failed.

mod failure;
mod heavy;
mod key;

pub use failure::FlowFailure;
pub use heavy::Heavy;
pub use key::{MAX_KEYS, key};
