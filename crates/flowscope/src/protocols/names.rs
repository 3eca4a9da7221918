//! The names of protocols that are not read.

use flowscope_core::L4Proto;
use flowscope_driver::{NamedEntry, Transport};
use flowscope_names::NAMES;

pub use flowscope_names::NamedProtocol;

/// The protocols that flows are named by, and that no parser reads.
///
/// [`Registry`](super::Registry) has them if all protocols are selected.
#[must_use]
pub fn named() -> &'static [NamedProtocol] {
    NAMES
}

/// How they are recognised; their ids are their places in the table.
pub(super) fn entries() -> Vec<NamedEntry> {
    let entry = |(id, known): (usize, &NamedProtocol)| NamedEntry {
        id,
        name: known.name,
        transport: match known.transport {
            L4Proto::Tcp => Transport::Stream,
            _ => Transport::Datagram,
        },
        ports: known.ports,
        or_port: known.or_port,
    };
    NAMES.iter().enumerate().map(entry).collect()
}
