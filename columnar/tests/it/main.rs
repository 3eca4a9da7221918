//! Records as columns: what goes in comes out, of every schema, from values to files.

#![allow(missing_docs)]
#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

#[cfg(feature = "command")]
mod command;
mod files;
mod json;
mod limits;
#[cfg(feature = "command")]
mod merge;
mod names;
mod samples;
mod values;
