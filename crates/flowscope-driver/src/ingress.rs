//! Before the flow table: extraction, checksums, IP fragments, the packet ledger and the clock.

mod checksum;
mod pipeline;
mod resolve;

pub use resolve::{ChecksumStats, PayloadCounts};

pub(crate) use pipeline::Pipeline;
pub(crate) use resolve::Ingress;
