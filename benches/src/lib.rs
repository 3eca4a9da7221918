//! What the benchmarks share: traces made in process, a way to time rivals fairly, tables.
//!
//! - [`Trace`] holds frames in one stretch of memory; [`traces`] makes those of the shapes that
//!   figures are quoted for, the same on every run.
//! - [`Contest`] runs rivals in turn, round by round, on thread CPU time, and drops the first round.
//! - [`Report`] prints each figure beside its goal, [`Table`] several in a row.
//! - [`feed`] puts a trace into a tracker, packet by packet or in batches; [`sessions`] into a driver;
//!   [`parsers`] feeds each parser of the registry alone.
//!
//! ```
//! use flowscope_benches::{Tally, feed, traces};
//! use flowscope_extract::FiveTuple;
//! use flowscope_track::FlowTracker;
//!
//! let trace = traces::m300(0.001);
//! let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
//! let mut tally = Tally::default();
//! feed::in_batches(&mut tracker, &trace, 0..trace.len(), 0, &mut tally);
//! assert_eq!((tally.started, tally.packets), (300, trace.len() as u64));
//! ```

mod conversation;
pub mod feed;
mod measure;
mod options;
pub mod parsers;
mod reordered;
mod report;
pub mod sessions;
mod trace;
pub mod traces;

pub use feed::Tally;
pub use measure::{Contest, Figure, cpu_time, per_unit, worst_of};
pub use options::Options;
pub use reordered::Reordered;
pub use report::{Report, Table, short, spread};
pub use trace::Trace;
pub use traces::{Established, Pings};
