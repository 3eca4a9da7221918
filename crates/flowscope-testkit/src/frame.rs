mod ip;
mod link;
mod transport;
mod tunnel;

use flowscope_core::{LinkType, Timestamp};

use crate::Packet;
use crate::layer::{Kind, Layer, encode};

/// An empty frame; the first layer added decides its link type.
pub fn frame() -> Frame {
    Frame { layers: Vec::new(), payload: Vec::new() }
}

/// Builder of one frame, outermost layer first.
///
/// Layers nest freely: after [`vxlan`](Frame::vxlan) an inner [`ethernet`](Frame::ethernet)
/// follows. Setters such as [`ttl`](Frame::ttl) or [`checksum`](Frame::checksum) change the layer
/// added last. Lengths, checksums and the numbers of the next layer are correct unless set.
///
/// # Panics
///
/// Setters panic on a layer that has no such field, address arguments when they do not parse.
#[derive(Clone, Debug)]
#[must_use]
pub struct Frame {
    layers: Vec<Layer>,
    payload: Vec<u8>,
}

/// Results.
impl Frame {
    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        encode(&self.layers, &self.payload)
    }

    /// The bytes with the link type of the first layer, captured whole one second after the epoch.
    #[must_use]
    pub fn packet(&self) -> Packet {
        let bytes = self.build();
        let wire_len = bytes.len() as u32;
        Packet { bytes, link: self.link(), ts: Timestamp::from_secs(1), wire_len, vlan: None }
    }

    /// The link type of the first layer; Ethernet for a frame without any.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.layers.first().map_or(LinkType::ETHERNET, |layer| layer.kind.link())
    }

    /// The frames of the innermost IP packet cut into fragments that carry `size` bytes each (a
    /// multiple of 8; the last carries the rest), in order.
    #[must_use]
    pub fn fragments(&self, id: u32, size: usize) -> Vec<Vec<u8>> {
        assert!(size > 0 && size.is_multiple_of(8), "fragments carry a multiple of 8 bytes");
        let ip = self
            .layers
            .iter()
            .rposition(|l| matches!(l.kind, Kind::Ipv4 { .. } | Kind::Ipv6 { .. }))
            .expect("an IP layer to fragment");
        let whole = self.datagram_of(ip);
        let last = (whole.len().max(1) - 1) / size;
        whole
            .chunks(size)
            .enumerate()
            .map(|(at, piece)| {
                let head = Frame { layers: self.layers[..=ip].to_vec(), payload: piece.to_vec() };
                let next = self.layers.get(ip + 1).map_or(253, |l| l.kind.ip_protocol());
                let next = self.layers[ip].next.unwrap_or(u16::from(next));
                head.protocol(next as u8).fragment(id, (at * size) as u16, at < last).build()
            })
            .collect()
    }

    /// The bytes that layer `ip` carries, transport checksums included.
    fn datagram_of(&self, ip: usize) -> Vec<u8> {
        let mut alone = self.layers[ip..].to_vec();
        alone[0].length = None;
        let whole = encode(&alone, &self.payload);
        let head = match &alone[0].kind {
            Kind::Ipv4 { options, .. } => 20 + options.len(),
            _ => 40,
        };
        whole[head..].to_vec()
    }
}

/// Fields of all layers, and the payload.
impl Frame {
    /// Payload of the innermost layer.
    pub fn payload(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.payload = bytes.as_ref().to_vec();
        self
    }

    /// The same where no payload was set.
    pub(crate) fn or_payload(self, bytes: &[u8]) -> Self {
        if self.payload.is_empty() { self.payload(bytes) } else { self }
    }

    /// Forces the length field of this layer: total length of IPv4, payload length of IPv6, data
    /// offset (in words) of TCP, the type field of Ethernet, and so on.
    pub fn length(mut self, value: u16) -> Self {
        self.last().length = Some(value);
        self
    }

    /// Forces the checksum of this layer.
    pub fn checksum(mut self, value: u16) -> Self {
        self.last().checksum = Some(value);
        self
    }

    /// Forces the field that names the next layer: Ethertype, protocol number, PPP protocol or
    /// address family.
    pub fn next(mut self, value: u16) -> Self {
        self.last().next = Some(value);
        self
    }

    /// Forces the IP protocol or next-header number of this layer.
    pub fn protocol(self, value: u8) -> Self {
        self.next(u16::from(value))
    }

    /// All layers of `inner`, and its payload, behind those of this frame.
    pub fn then(mut self, inner: &Frame) -> Self {
        self.layers.extend_from_slice(&inner.layers);
        self.payload.clone_from(&inner.payload);
        self
    }

    fn push(mut self, kind: Kind) -> Self {
        self.layers.push(Layer::new(kind));
        self
    }

    fn last(&mut self) -> &mut Layer {
        self.layers.last_mut().expect("a layer to set a field of")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::internet_checksum;

    #[test]
    fn lengths_and_checksums_come_out_right() {
        let bytes = frame().ipv4("10.0.0.1", "10.0.0.2").udp(53, 5353).payload(b"odd").build();
        assert_eq!(bytes[2..4], 31u16.to_be_bytes());
        assert_eq!(internet_checksum(&[&bytes[..20]]), 0);
        let pseudo = [&bytes[12..20], &[0, 17, 0, 11]].concat();
        assert_eq!(internet_checksum(&[&pseudo, &bytes[20..]]), 0);
    }

    #[test]
    fn a_known_frame() {
        let bytes = frame().ethernet().vlan(5).ipv6("::1", "::2").hop_by_hop(&[]).tcp(1, 2).build();
        assert_eq!(bytes[12..18], [0x81, 0, 0, 5, 0x86, 0xdd]);
        assert_eq!((bytes[18 + 6], bytes[18 + 40]), (0, 6));
        assert_eq!(bytes[18 + 4..18 + 6], 28u16.to_be_bytes());
    }

    #[test]
    fn fragments_carry_the_whole_datagram() {
        let whole = frame().ethernet().ipv6("::1", "::2").udp(1, 2).payload([7; 100]);
        let joined: Vec<u8> =
            whole.fragments(9, 48).iter().flat_map(|f| f[14 + 40 + 8..].to_vec()).collect();
        assert_eq!(joined, whole.build()[54..]);
        let flags: Vec<u8> = whole.fragments(9, 48).iter().map(|f| f[14 + 40 + 3] & 1).collect();
        assert_eq!(flags, [1, 1, 0]);
    }

    #[test]
    fn tunnels_nest() {
        let bytes = frame()
            .ethernet()
            .ipv4("192.0.2.1", "192.0.2.2")
            .vxlan(42)
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.2")
            .tcp(1, 2)
            .build();
        assert_eq!(bytes.len(), 14 + 20 + 8 + 8 + 14 + 20 + 20);
        assert_eq!(bytes[36..38], 4789u16.to_be_bytes());
        assert_eq!(bytes[46..49], [0, 0, 42]);
    }
}
