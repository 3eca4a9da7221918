//! Flow records as IPFIX messages (RFC 7011), both directions in one record (RFC 5103).
//!
//! An [`Exporter`] turns [`FlowRecord`](flowscope_output::FlowRecord)s into messages, and is given the
//! time; sockets and files are its caller's. Messages are self-delimiting: over UDP each of [`messages`] is a
//! datagram, over TCP and in a file (RFC 5655) they stand one behind the other.
//!
//! ```
//! use flowscope_core::FlowSide::{Initiator, Responder};
//! use flowscope_driver::FlowDriver;
//! use flowscope_extract::{FiveTuple, FiveTupleKey};
//! use flowscope_ipfix::{Exporter, ExporterConfig, messages};
//! use flowscope_output::FlowRecord;
//! use flowscope_track::{EndReason, Flow, FlowSink};
//!
//! struct Export(Exporter, Vec<u8>);
//!
//! impl FlowSink<FiveTupleKey, ()> for Export {
//!     fn removed(&mut self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) {
//!         self.0.record(flow.ts, &FlowRecord::of_removed(&flow, reason), &mut self.1);
//!     }
//! }
//!
//! # use flowscope_testkit::{Dialogue, views};
//! # let talk = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:53").datagram(Initiator, [0; 30]);
//! # let packets = talk.datagram(Responder, [0; 60]).build();
//! # let packets: Vec<_> = views(&packets).collect();
//! let mut driver = FlowDriver::new(FiveTuple::bidirectional());
//! let mut export = Export(Exporter::new(ExporterConfig::datagrams()), Vec::new());
//! driver.handle_batch_with(&packets, &mut export);
//! driver.finish_with(EndReason::EndOfInput, &mut export);
//! let Export(mut exporter, mut out) = export;
//! exporter.flush(driver.now().watermark, &mut out);
//! for message in messages(&out) {
//!     assert_eq!(message[..2], [0, 10], "the version of IPFIX");
//!     // socket.send(message)?;
//! }
//! # assert_eq!(messages(&out).count(), 1);
//! ```

mod config;
mod element;
mod exporter;
mod message;
mod template;

pub use config::{ExporterConfig, Refresh};
pub use element::{ELEMENTS, EXAMPLE_ENTERPRISE, Element, Owner, REVERSE, REVERSE_ENTERPRISE};
pub use exporter::Exporter;
pub use message::messages;
