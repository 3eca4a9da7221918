//! Passive flow tracking for packet capture.
//!
//! This crate holds no logic: it re-exports the parts under one name, `flowscope-x` as
//! `flowscope::x`, one feature each. Depend on the parts directly for the smallest dependency tree.
//!
//! ```
//! use flowscope::extract::{AutoDetectEncap, FiveTuple};
//! use flowscope::pcap::CaptureWriter;
//! use flowscope::track::{EndReason, FlowEvent, FlowTracker};
//! # fn main() {}
//! ```

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
