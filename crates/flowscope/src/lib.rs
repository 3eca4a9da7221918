//! Passive flow tracking for packet capture.
//!
//! This crate re-exports the parts under one name, `flowscope-x` as `flowscope::x`, one feature each, and
//! holds the [registry](protocols) of protocols. Depend on a part directly for the smallest dependency tree.
//!
//! | module | what | feature |
//! |---|---|---|
//! | [`core`] | packet views and the traits everything meets at | |
//! | [`driver`] | the one loop: extract, join fragments, track, reassemble, parse | |
//! | [`track`] | the flow table: packets in, the life of each flow out | |
//! | [`reassembly`] | segments to byte streams, IP fragments to whole datagrams | |
//! | [`session`] | the state machine that drives a parser; the callback shape of every protocol | |
//! | [`record`] | what a record is: schemas, columns, values | |
//! | [`extract`] | ready-made extractors: five-tuples, address pairs, decapsulation | `extract`, on |
//! | [`pcap`] | capture files as a packet source, and a writer | `pcap`, on |
//! | [`protocols`] | the registry: all protocols below on one flow table | |
//! | one for each protocol | its parsers and records; [`protocols`] has the list | its name, on |
//! | [`output`] | EVE JSON, Zeek logs, CSV and tables of records | `output`, on |
//!
//! # Flows of a capture file
//!
//! ```
//! use flowscope::core::PacketSource;
//! use flowscope::driver::FlowDriver;
//! use flowscope::extract::{AutoDetectEncap, FiveTuple};
//! use flowscope::pcap::CaptureReader;
//! use flowscope::track::{EndReason, FlowEvent};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/http-keep-alive.pcap");
//! # let mut total = 0;
//! let mut capture = CaptureReader::open(path)?;
//! let mut driver = FlowDriver::new(AutoDetectEncap(FiveTuple::bidirectional()));
//!
//! while capture.next_batch(&mut |packets| driver.handle_batch(packets))? > 0 {
//!     while let Some(event) = driver.poll_event() {
//!         report(event);
//! #       total += 1;
//!     }
//! }
//! driver.finish(EndReason::EndOfInput);
//! while let Some(event) = driver.poll_event() {
//!     report(event);
//! }
//!
//! fn report<K: std::fmt::Display>(event: FlowEvent<K>) {
//!     if let FlowEvent::Ended { flow, reason, stats, history } = event {
//!         let sent = stats.initiator.counters.wire_bytes;
//!         println!("{} {reason:?} {history} {sent} bytes sent", flow.key);
//!     }
//! }
//! # assert!(total > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Those who need no owned events implement [`track::FlowSink`] and call
//! [`handle_batch_with`](driver::FlowDriver::handle_batch_with): each change is lent with the flow it is
//! about, and nothing is allocated.

pub mod protocols;

macro_rules! reexport {
    ($($feature:literal $module:ident $protocol:ident $krate:ident,)*) => {$(
        #[cfg(feature = $feature)]
        #[doc(inline)]
        pub use $krate as $module;
    )*};
}

protocols::for_each_protocol!(reexport);

#[doc(inline)]
pub use flowscope_core as core;
#[cfg(feature = "keylog")]
#[doc(inline)]
pub use flowscope_decrypt as decrypt;
#[doc(inline)]
pub use flowscope_driver as driver;
#[cfg(feature = "extract")]
#[doc(inline)]
pub use flowscope_extract as extract;
#[cfg(feature = "names")]
#[doc(inline)]
pub use flowscope_names as names;
#[cfg(feature = "output")]
#[doc(inline)]
pub use flowscope_output as output;
#[cfg(feature = "pcap")]
#[doc(inline)]
pub use flowscope_pcap as pcap;
#[doc(inline)]
pub use flowscope_reassembly as reassembly;
#[doc(inline)]
pub use flowscope_record as record;
#[doc(inline)]
pub use flowscope_session as session;
#[doc(inline)]
pub use flowscope_track as track;
