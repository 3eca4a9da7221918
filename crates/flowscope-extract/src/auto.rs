use flowscope_core::{
    Endpoints, Extracted, FlowExtractor, NextHeader, PacketView, Refusal, UnreadHeader,
};

use crate::combinator::Combinator;
use crate::walk::{LinkPayload, is_plain, link_payload, to_innermost};

/// Removes any known encapsulation and passes the innermost packet to its extractor.
///
/// Reads the headers in one pass from the link layer, so the result is never the tunnel around a flow. It
/// opens VLAN tags, VN-Tags, Cisco metadata, provider backbone bridging, network service headers, MPLS with
/// IP or Ethernet pseudo-wires, PPPoE, VXLAN and its generic protocol extension, GENEVE, GRE with NVGRE,
/// ERSPAN and PPTP, GRE in UDP, GTP-U, Teredo, AYIYA and IP in IP, nested in any order up to
/// [`MAX_DEPTH`](flowscope_core::MAX_DEPTH) layers. A packet with more layers is refused as
/// [`DepthExceeded`](Refusal::DepthExceeded). A tunnel that carries no IP (but ARP, for example) is itself
/// the innermost flow. Packets without encapsulation are passed on unchanged.
///
/// Not opened, and therefore flows of their own: L2TP, whose port identifies it in one direction only and whose
/// headers are ambiguous; Teredo without a server's port; PPP in GRE version 0; MPLS in UDP (RFC 7510); GRE in UDP
/// over DTLS (port 4755), which is encrypted.
///
/// A fragment is passed on as a fragment: only the whole datagram shows whether it carries a tunnel.
///
/// With [`IpPair`](crate::IpPair) the key is the pair of IP addresses inside the tunnel. With
/// [`MacPair`](crate::MacPair) it is the pair of MAC addresses of the innermost frame; packets without an
/// Ethernet frame are refused.
///
/// ```
/// use flowscope_extract::{AutoDetectEncap, FiveTuple, FlowExtractor};
/// use flowscope_testkit::frame;
///
/// let auto = AutoDetectEncap(FiveTuple::bidirectional());
/// let key = |packet: flowscope_testkit::Packet| {
///     auto.extract(packet.view()).map(|found| found.key.to_string())
/// };
/// let outer = frame().ethernet().vlan(5).ipv6("2001:db8::1", "2001:db8::2").vxlan(42).ethernet();
/// let inside = key(outer.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet());
/// let plain = key(frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet());
/// assert_eq!(inside.as_deref(), Some("10.0.0.1:1 <-> 10.0.0.2:2"));
/// assert_eq!(inside, plain);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoDetectEncap<E>(pub E);

impl<E: FlowExtractor> AutoDetectEncap<E> {
    /// Not inlined, and given the view by value: packets without encapsulation do not pay for it, and keep their view
    /// in registers.
    #[inline(never)]
    fn inside(
        &self,
        mut view: PacketView<'_>,
        link_payload: LinkPayload,
    ) -> Option<Extracted<E::Key>> {
        let mut found = None;
        if to_innermost(&mut view, link_payload).is_ok() {
            self.0.extract_into(&view, &mut found);
        }
        found
    }

    /// As [`inside`](Self::inside), written in place.
    #[inline(never)]
    fn inside_into(
        &self,
        mut view: PacketView<'_>,
        link_payload: LinkPayload,
        found: &mut Option<Extracted<E::Key>>,
    ) {
        match to_innermost(&mut view, link_payload) {
            Ok(()) => self.0.extract_into(&view, found),
            Err(_) => *found = None,
        }
    }
}

impl<E: FlowExtractor> Combinator for AutoDetectEncap<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.0
    }

    fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal> {
        to_innermost(view, LinkPayload::UNKNOWN).map(|()| true)
    }
}

impl<E: FlowExtractor> FlowExtractor for AutoDetectEncap<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        let Some(link_payload) = link_payload(&view) else {
            return self.inside(view, LinkPayload::UNKNOWN);
        };
        if !is_plain(&view, link_payload) {
            return self.inside(view, link_payload);
        }
        self.0.extract(behind_link(&view, link_payload))
    }

    #[inline]
    fn extract_into(&self, view: &PacketView<'_>, found: &mut Option<Extracted<E::Key>>) {
        match link_payload(view) {
            Some(link_payload) if is_plain(view, link_payload) => {
                self.0.extract_into(&behind_link(view, link_payload), found);
            }
            link_payload => {
                let link_payload = link_payload.unwrap_or(LinkPayload::UNKNOWN);
                self.inside_into(*view, link_payload, found);
            }
        }
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.explain_inside(view)
    }

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        self.0.unread(view)
    }

    fn endpoints(key: &E::Key) -> Option<Endpoints> {
        E::endpoints(key)
    }
}

/// The view of a plain packet behind its link header, which the inner extractor does not read a second time.
#[inline(always)]
fn behind_link<'a>(view: &PacketView<'a>, link_payload: LinkPayload) -> PacketView<'a> {
    let mut packet = *view;
    let cursor = packet.cursor_mut();
    cursor.next = NextHeader::EtherType(link_payload.ethertype);
    cursor.offset = link_payload.offset as u32;
    packet
}
