use std::ops::Range;

use flowscope_core::PacketView;

/// Copies of the packets of a batch, in memory that is used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    bytes: Vec<u8>,
    /// Where the bytes of each packet are, and all the rest of it.
    packets: Vec<(Range<usize>, PacketView<'static>)>,
}

impl Copied {
    /// Replaces the content by copies of these packets.
    pub(crate) fn fill(&mut self, views: &[PacketView<'_>]) {
        self.bytes.clear();
        self.packets.clear();
        for view in views {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(view.frame());
            self.packets.push((start..self.bytes.len(), view.with_frame(&[])));
        }
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = PacketView<'_>> {
        self.packets.iter().map(|(range, packet)| {
            packet.with_frame(self.bytes.get(range.clone()).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::{LinkType, Timestamp, VlanTag};

    use super::*;

    #[test]
    fn copies_equal_what_was_copied_whatever_was_there_before() {
        let bytes: Vec<u8> = (0..200).collect();
        let view = |len: usize, seconds| {
            PacketView::new(&bytes[..len], LinkType::ETHERNET, Timestamp::from_secs(seconds))
        };
        let full = view(100, 3).with_wire_len(1500).with_interface(7).with_rx_hash(9);
        let full = full.with_vlan(VlanTag { tpid: 0x8100, tci: 5 }).without_own_time();
        let mut copied = Copied::default();
        for batch in [vec![view(200, 1), full], vec![], vec![full, view(0, 2), view(1, 2)]] {
            copied.fill(&batch);
            let parts = |view: &PacketView<'_>| {
                let meta = (view.link(), view.ts(), view.has_own_time(), view.wire_len());
                (view.frame().to_vec(), meta, view.vlan(), view.interface(), view.rx_hash())
            };
            let expected: Vec<_> = batch.iter().map(parts).collect();
            assert_eq!(copied.views().map(|view| parts(&view)).collect::<Vec<_>>(), expected);
        }
    }
}
