//! The program as a whole: captures in, text and exit codes out.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod answers;
mod companion;
mod conditions;
mod directory;
mod eve;
mod failures;
mod fields;
mod files;
mod formats;
mod ftp;
mod hostile;
mod input;
mod keylog;
mod ladder;
mod merge;
mod named;
mod packets;
#[path = "../program/mod.rs"]
mod program;
mod readme;
mod report;
mod sessions;
mod sharding;

use program::*;
