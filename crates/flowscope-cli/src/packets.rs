//! Commands that write packets of capture files: those of chosen flows to one capture, or each flow to a
//! capture of its own.
//!
//! Which flows are chosen is known when they have ended, so files are read more than once: first to choose
//! flows by their ids, then to find their packets. Both readings track with the same limits, and so give
//! flows the same ids.

mod capture;
mod extract;
mod pieces;
mod reread;
mod split;

pub(crate) use extract::extract;
pub(crate) use split::split;
