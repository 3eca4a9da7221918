//! What every protocol of flowscope has to satisfy. Never published, and a dependency of tests only.
//!
//! A protocol's crate has a folder `samples` with conversations of the protocol ([`Sample`]), and a test
//! program `tests/conformance.rs` (`harness = false`) that runs the [`Suite`] over them:
//!
//! ```text
//! fn main() -> std::process::ExitCode {
//!     flowscope_conformance::Suite::<Finger>::new(env!("CARGO_MANIFEST_DIR")).run()
//! }
//! ```
//!
//! | law | of | says |
//! |---|---|---|
//! | `records` | samples | each sample has a record, and makes no parser fail |
//! | `schema` | the schema | it has no [faults](flowscope_record::Schema::faults), and values have the declared kinds |
//! | `formats` | records | EVE is JSON, Zeek and CSV have a value per column, also for damaged samples |
//! | `golden` | records | EVE and Zeek are those in `samples` |
//! | `cuts` | streams | records do not depend on how bytes are cut, damaged or not |
//! | `any bytes` | both | no bytes, gaps or ends make a parser panic, or emit without bound |
//! | `gaps` | streams | what was complete before a gap stays the same |
//! | `required methods` | both | `feed_initiator`, `feed_responder` and `parse` say what `feed_into` and `parse_into` say |
//! | `shapes` | streams | callbacks get the records that a session driver emits |
//! | `memory` | both | hostile input makes a parser hold no more than its bound, and it knows what it holds |
//! | `probe` | both | sure of its own samples or waiting, final once decided; if found by bytes, never sure of other protocols' |
//!
//! `UPDATE_GOLDEN=1` in the environment writes the golden files anew.

mod any_bytes;
mod datagram;
#[cfg(test)]
mod faults;
mod golden;
mod memory;
mod ops;
mod probe;
mod records;
mod schema;
mod shapes;
mod stream;
mod suite;

pub use suite::Suite;

#[doc(no_inline)]
pub use flowscope_testkit::{Conversation, Sample, Transport, Turn};

/// Counts the bytes that a parser holds, for the law on memory.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;
