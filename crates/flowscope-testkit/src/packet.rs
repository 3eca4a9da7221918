use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};

/// A built frame with its capture metadata.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Captured bytes.
    pub bytes: Vec<u8>,
    /// Link type of the frame.
    pub link: LinkType,
    /// Capture time.
    pub ts: Timestamp,
    /// Length on the wire; raised to the captured length where it is below.
    pub wire_len: u32,
    /// VLAN tag that the capture removed.
    pub vlan: Option<VlanTag>,
}

impl Packet {
    /// An Ethernet frame that was captured whole.
    #[must_use]
    pub fn ethernet(ts: Timestamp, bytes: Vec<u8>) -> Packet {
        let wire_len = bytes.len() as u32;
        Packet { bytes, link: LinkType::ETHERNET, ts, wire_len, vlan: None }
    }

    /// Borrowed view, the input of extractors.
    #[must_use]
    pub fn view(&self) -> PacketView<'_> {
        let view = PacketView::new(&self.bytes, self.link, self.ts).with_wire_len(self.wire_len);
        match self.vlan {
            Some(tag) => view.with_vlan(tag),
            None => view,
        }
    }

    /// The same packet as a snap length of `len` bytes would have captured it.
    #[must_use]
    pub fn cut(&self, len: usize) -> Packet {
        let mut cut = self.clone();
        cut.bytes.truncate(len);
        cut
    }

    /// The same packet with a VLAN tag that the capture removed.
    #[must_use]
    pub fn stripped_vlan(mut self, id: u16) -> Packet {
        self.vlan = Some(VlanTag { tpid: 0x8100, tci: id });
        self
    }
}
