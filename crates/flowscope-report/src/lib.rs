//! What a whole capture amounts to, in bounded memory, and a page of it that opens offline.
//!
//! [`Report`] gathers from packets, flow records and session records, and writes one HTML file: what was not seen
//! comes first, then rates, talkers, protocols, the health of TCP, conversations, what clients waited for, and tables.
//! The page makes no request, runs no script but its own, and every text of the wire in it is inert.
//!
//! ```
//! use flowscope_core::{L4Proto, Timestamp};
//! use flowscope_report::{Report, ReportTotals};
//!
//! let mut report = Report::new();
//! for second in 0..60 {
//!     report.packet(Timestamp::from_secs(1_767_323_045 + second), 1514, L4Proto::Tcp);
//! }
//! let mut page = Vec::new();
//! report.write(&ReportTotals::default(), &mut page)?;
//! assert!(page.starts_with(b"<!doctype html>"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Heavy`] has the largest sums of many keys, [`key`] makes keys of the values of records, [`SessionReader`] finds names
//! and failures in session records, [`FlowFailure`] says how a flow failed, and [`Handshakes`] has the times of a server.

mod facts;
mod failure;
mod handshakes;
mod health;
mod heavy;
mod key;
mod page;
mod rates;
mod report;
mod sample;
mod session;
mod steps;

pub use facts::{SessionFacts, SessionReader};
pub use failure::{FlowFailure, SessionFailure};
pub use handshakes::Handshakes;
pub use heavy::Heavy;
pub use key::{MAX_KEYS, key};
pub use page::markup_text;
pub use report::{Report, ReportTotals};
