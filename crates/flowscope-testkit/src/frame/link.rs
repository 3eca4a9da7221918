use super::Frame;
use crate::layer::{Kind, Order};

/// Link layers.
impl Frame {
    /// Ethernet from 02:00:00:00:00:01 to 02:00:00:00:00:02.
    pub fn ethernet(self) -> Self {
        self.ethernet_between([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
    }

    /// Ethernet between these addresses.
    pub fn ethernet_between(self, src: [u8; 6], dst: [u8; 6]) -> Self {
        self.push(Kind::Ethernet { src, dst })
    }

    /// LLC and SNAP headers with organisation code 0 (RFC 1042); makes the type field of the
    /// Ethernet header or VLAN tag before it a length.
    pub fn snap(self) -> Self {
        self.push(Kind::Snap)
    }

    /// Linux cooked capture.
    pub fn sll(self) -> Self {
        self.push(Kind::Sll)
    }

    /// Linux cooked capture, version 2.
    pub fn sll2(self) -> Self {
        self.push(Kind::Sll2)
    }

    /// BSD loopback, the address family in the capturing host's byte order. [`Frame::next`] sets
    /// another family than 2 or 30.
    pub fn null(self, order: Order) -> Self {
        self.push(Kind::Null { order })
    }

    /// OpenBSD loopback.
    pub fn loopback(self, order: Order) -> Self {
        self.push(Kind::Loop { order })
    }

    /// PPP behind address and control bytes (RFC 1662 §3.1).
    pub fn ppp(self) -> Self {
        self.push(Kind::Ppp { address_control: true, compressed: false })
    }

    /// PPP that begins with its protocol field.
    pub fn ppp_bare(self) -> Self {
        self.push(Kind::Ppp { address_control: false, compressed: false })
    }

    /// Shortens the PPP protocol field to one byte (RFC 1661 §6.5).
    pub fn compressed_protocol(mut self) -> Self {
        match &mut self.last().kind {
            Kind::Ppp { compressed, .. } => *compressed = true,
            other => panic!("{other:?} has no protocol field to compress"),
        }
        self
    }

    /// An IEEE 802.11 data frame, to be followed by [`snap`](Frame::snap).
    pub fn wifi(self, qos: bool) -> Self {
        self.push(Kind::Wifi { qos, radiotap: false })
    }

    /// The same behind a radiotap header.
    pub fn radiotap(self, qos: bool) -> Self {
        self.push(Kind::Wifi { qos, radiotap: true })
    }
}
