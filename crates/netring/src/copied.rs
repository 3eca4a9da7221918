use std::ops::Range;

use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};

/// Copies of the packets of a batch, in memory that is used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    bytes: Vec<u8>,
    packets: Vec<Packet>,
}

/// What a view has beside its bytes.
#[derive(Debug)]
struct Packet {
    range: Range<usize>,
    link: LinkType,
    ts: Timestamp,
    has_own_time: bool,
    wire_len: u32,
    vlan: Option<VlanTag>,
    interface: Option<u32>,
    rx_hash: Option<u32>,
}

impl Copied {
    /// Replaces the content by copies of these packets.
    pub(crate) fn fill(&mut self, views: &[PacketView<'_>]) {
        self.bytes.clear();
        self.packets.clear();
        for view in views {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(view.frame());
            self.packets.push(Packet {
                range: start..self.bytes.len(),
                link: view.link(),
                ts: view.ts(),
                has_own_time: view.has_own_time(),
                wire_len: view.wire_len(),
                vlan: view.vlan(),
                interface: view.interface(),
                rx_hash: view.rx_hash(),
            });
        }
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = PacketView<'_>> {
        self.packets.iter().map(|packet| {
            let bytes = self.bytes.get(packet.range.clone()).unwrap_or_default();
            let mut view =
                PacketView::new(bytes, packet.link, packet.ts).with_wire_len(packet.wire_len);
            if !packet.has_own_time {
                view = view.without_own_time();
            }
            if let Some(tag) = packet.vlan {
                view = view.with_vlan(tag);
            }
            if let Some(interface) = packet.interface {
                view = view.with_interface(interface);
            }
            if let Some(hash) = packet.rx_hash {
                view = view.with_rx_hash(hash);
            }
            view
        })
    }
}

#[cfg(test)]
mod tests {
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
