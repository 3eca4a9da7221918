//! Filters that refuse packets for the tunnels around them.

use flowscope::core::{Layer, PacketView};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FlowExtractor};

/// Counts the tunnelled packets among those that a filter refuses. A filter matches the outer packet, so an address
/// of the inner one never matches.
pub(crate) struct Tunnels {
    extractor: AutoDetectEncap<FiveTuple>,
    seen: u32,
    tunnelled: u32,
}

/// So many refused packets are looked at.
const MOST: u32 = 1000;

impl Tunnels {
    pub(crate) fn new() -> Self {
        let extractor = AutoDetectEncap(FiveTuple::bidirectional());
        Tunnels { extractor, seen: 0, tunnelled: 0 }
    }

    /// Takes a packet that the filter has refused.
    pub(crate) fn refused(&mut self, packet: PacketView<'_>) {
        if self.seen == MOST {
            return;
        }
        self.seen += 1;
        let found = self.extractor.extract(packet);
        let is_in_tunnel =
            found.is_some_and(|found| found.path.iter().any(|layer| layer.layer != Layer::Vlan));
        self.tunnelled += u32::from(is_in_tunnel);
    }

    /// A hint, if most of the packets were in tunnels.
    pub(crate) fn hint(&self) -> Option<String> {
        let most = self.tunnelled * 2 > self.seen;
        most.then(|| {
            "-f sees the outer packet of a tunnel, and most packets that it left out are in tunnels; \
             --where sees the inner one"
                .into()
        })
    }
}
