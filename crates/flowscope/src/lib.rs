//! Passive flow tracking for packet capture.
//!
//! This crate holds no logic: it re-exports the parts under one name, `flowscope-x` as
//! `flowscope::x`, one feature each. Depend on a part directly for the smallest dependency tree.
//!
//! | module | what | feature |
//! |---|---|---|
//! | [`core`] | packet views and the traits everything meets at | |
//! | [`track`] | the flow table: packets in, the life of each flow out | |
//! | [`extract`] | ready-made extractors: five-tuples, address pairs, decapsulation | `extract`, on |
//! | [`pcap`] | capture files as a packet source, and a writer | `pcap`, on |
//!
//! # Flows of a capture file
//!
//! ```
//! use flowscope::core::PacketSource;
//! use flowscope::extract::{AutoDetectEncap, FiveTuple};
//! use flowscope::pcap::CaptureReader;
//! use flowscope::track::{EndReason, FlowEvent, FlowTracker};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/http-keep-alive.pcap");
//! # let mut total = 0;
//! let mut capture = CaptureReader::open(path)?;
//! let mut tracker = FlowTracker::new(AutoDetectEncap(FiveTuple::bidirectional()));
//! let mut events = Vec::new();
//!
//! while capture.next_batch(&mut |views| tracker.track_batch(views, &mut events))? > 0 {}
//! tracker.finish(EndReason::EndOfInput, &mut events);
//!
//! for event in events {
//!     if let FlowEvent::Ended { flow, reason, stats, history } = event {
//!         let sent = stats.initiator.counters.wire_bytes;
//!         println!("{} {reason:?} {history} {sent} bytes sent", flow.key);
//! #       total += 1;
//!     }
//! }
//! # assert!(total > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Keep nothing that is not needed: implement [`track::FlowSink`] instead of collecting events, and
//! the tracker lends each change with the flow it is about, allocating nothing.

#[doc(inline)]
pub use flowscope_core as core;
#[cfg(feature = "extract")]
#[doc(inline)]
pub use flowscope_extract as extract;
#[cfg(feature = "pcap")]
#[doc(inline)]
pub use flowscope_pcap as pcap;
#[doc(inline)]
pub use flowscope_track as track;
