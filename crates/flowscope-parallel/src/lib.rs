//! Flow tracking on several cores, with the same output for every number of workers.
//!
//! A [`ParallelDriver`] distributes flows over a fixed number of [`SHARDS`], each with a flow table and
//! parsers of its own; shards run on worker threads. A [`Recorder`] makes records of what happens to
//! flows, and the records of all shards come out in the order of the input. The configured limits are
//! divided among the shards.
//!
//! With one worker there are no threads, and no packet is copied. These are the only threads of flowscope
//! below its applications.
//!
//! ```
//! use std::num::NonZeroUsize;
//!
//! use flowscope_parallel::{
//!     Change, DriverConfig, EndReason, Extracted, Flow, FlowExtractor, LinkType, Merged, Orientation,
//!     PacketView, ParallelDriver, Protocols, Recorder, Timestamp, WorkerError,
//! };
//!
//! /// One flow per first byte of the frame.
//! struct ByFirstByte;
//!
//! impl FlowExtractor for ByFirstByte {
//!     type Key = u8;
//!     fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u8>> {
//!         Some(Extracted::new(*view.frame().first()?, Orientation::Forward))
//!     }
//! }
//!
//! /// The keys of flows, as they end.
//! #[derive(Clone)]
//! struct Ends;
//!
//! impl<M> Recorder<u8, M> for Ends {
//!     type State = ();
//!     type Record = u8;
//!     fn state(&self, _: &Extracted<u8>) {}
//!     fn flow(&self, flow: Flow<'_, u8, ()>, change: Change) -> Option<u8> {
//!         matches!(change, Change::Ended { .. }).then_some(*flow.key)
//!     }
//! }
//!
//! # fn main() -> Result<(), WorkerError> {
//! let config = DriverConfig::default();
//! let workers = NonZeroUsize::new(2).unwrap();
//! let protocols = |_: &DriverConfig| Protocols::<()>::new();
//! let mut driver =
//!     ParallelDriver::new(ByFirstByte, &config, workers, |key| u64::from(*key), protocols, &Ends)?;
//!
//! let mut ended = Vec::new();
//! let mut take = |merged: Merged<'_, u8>| -> Result<(), WorkerError> {
//!     if let Merged::Record(key) = merged {
//!         ended.push(key);
//!     }
//!     Ok(())
//! };
//! for (frame, secs) in [(b"c1", 1), (b"a1", 2), (b"b1", 3), (b"a2", 4)] {
//!     let time = Timestamp::from_secs(secs);
//!     driver.handle_batch(&[PacketView::new(frame, LinkType::ETHERNET, time)]);
//!     if driver.is_round_full() {
//!         driver.flush(&mut take)?;
//!     }
//! }
//! let counts = driver.finish(EndReason::EndOfInput, &mut take)?;
//! assert_eq!(ended, [b'c', b'a', b'b']);
//! assert_eq!(counts.packets.delivered(), 4);
//! # Ok(())
//! # }
//! ```

mod driver;
mod error;
mod local;
mod merge;
mod recorder;
mod shard;
mod worker;

pub use driver::ParallelDriver;
pub use error::WorkerError;
pub use merge::Merged;
pub use recorder::Recorder;
pub use shard::{Counts, SHARDS};

pub use flowscope_core::{
    Extracted, FlowExtractor, FlowSide, Ledger, LinkType, Orientation, PacketView, Timestamp,
};
pub use flowscope_driver::{
    ChecksumStats, Classifier, DriverConfig, PayloadCounts, Protocols, SessionChange, ShuntRefusal,
    Shunting,
};
pub use flowscope_track::{Change, Clock, Counters, EndReason, Flow, PacketTime, Shunt};
