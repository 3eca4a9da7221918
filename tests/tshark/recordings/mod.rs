//! Recordings of one protocol each, field by field.

pub(crate) mod infrastructure;
pub(crate) mod mail;
pub(crate) mod sessions;
pub(crate) mod storage;
pub(crate) mod tunnels;
