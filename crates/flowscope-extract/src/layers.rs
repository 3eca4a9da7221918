use flowscope_core::{
    Endpoints, Extracted, FlowExtractor, Layer, PacketView, Refusal, UnreadHeader,
};

use crate::combinator::Combinator;
use crate::walk::peel_inline;

/// A combinator that removes one kind of layer.
macro_rules! layer {
    ($(#[$docs:meta])* $name:ident, $layer:expr) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name<E>(pub E);

        impl<E: FlowExtractor> Combinator for $name<E> {
            type Inner = E;

            #[inline]
            fn inner(&self) -> &E {
                &self.0
            }

            #[inline(always)]
            fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal> {
                peel_inline(view, $layer)
            }
        }

        impl<E: FlowExtractor> FlowExtractor for $name<E> {
            type Key = E::Key;

            #[inline(always)]
            fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
                self.extract_inside(view)
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
    };
}

layer! {
    /// Removes VLAN tags: all consecutive tags, and the tag that the capture stripped.
    ///
    /// Tags are those of IEEE 802.1Q and 802.1ad (Ethertypes 0x8100 and 0x88a8) and the older 0x9100. Their
    /// VLAN ids are in the path, outermost first. A packet without a tag is refused; wrap the combinator in
    /// [`OrPlain`] to accept it.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, StripVlan};
    /// use flowscope_testkit::frame;
    ///
    /// let packet = frame().ethernet().vlan(5).vlan(6).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = StripVlan(FiveTuple::bidirectional()).extract(packet.view()).expect("two tags");
    /// assert_eq!(found.key.to_string(), "10.0.0.1:1 <-> 10.0.0.2:2");
    /// assert_eq!(found.path.iter().map(|layer| layer.id).collect::<Vec<_>>(), [5, 6]);
    /// ```
    ///
    /// [`OrPlain`]: crate::OrPlain
    StripVlan, Layer::Vlan
}

layer! {
    /// Removes an MPLS label stack (RFC 3032), and the header of the Ethernet pseudo-wire (RFC 4448) in it if
    /// there is one, with or without a control word.
    ///
    /// Labels do not name their payload, so it is recognised by its content: as IP if it begins like IP and
    /// is not longer than the packet; as an Ethernet frame if it has a known Ethertype and the matching
    /// header follows. Any other payload is refused.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, StripMpls, StripVlan};
    /// use flowscope_testkit::frame;
    ///
    /// let wire = frame().ethernet().mpls(16).control_word().ethernet().vlan(5);
    /// let packet = wire.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let extractor = StripMpls(StripVlan(FiveTuple::bidirectional()));
    /// let found = extractor.extract(packet.view()).expect("a tagged frame in a pseudo-wire");
    /// assert_eq!(found.key.to_string(), "10.0.0.1:1 <-> 10.0.0.2:2");
    /// ```
    StripMpls, Layer::Mpls
}

layer! {
    /// Removes the PPPoE and PPP headers (RFC 2516) around IP or MPLS. Discovery and control packets are
    /// refused.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, StripPppoe};
    /// use flowscope_testkit::frame;
    ///
    /// let packet = frame().ethernet().pppoe(9).ipv6("::1", "::2").udp(1, 2).packet();
    /// let found = StripPppoe(FiveTuple::bidirectional()).extract(packet.view()).expect("a session");
    /// assert_eq!(found.key.to_string(), "[::1]:1 <-> [::2]:2");
    /// ```
    StripPppoe, Layer::Pppoe
}

layer! {
    /// Opens VXLAN (RFC 7348) on UDP port 4789, which carries an Ethernet frame, and VXLAN-GPE on UDP port
    /// 4790, which carries an Ethernet frame or IP.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerVxlan};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").vxlan(42).ethernet();
    /// let packet = outer.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = InnerVxlan(FiveTuple::bidirectional()).extract(packet.view()).expect("a tunnel");
    /// assert_eq!(found.key.to_string(), "10.0.0.1:1 <-> 10.0.0.2:2");
    /// assert_eq!(found.path.get(0).map(|layer| layer.to_string()).as_deref(), Some("vxlan 42"));
    /// ```
    InnerVxlan, Layer::Vxlan
}

layer! {
    /// Opens GENEVE (RFC 8926) on UDP port 6081 with an Ethernet frame, IP, MPLS or a network service header inside.
    ///
    /// ```
    /// use flowscope_extract::{FlowExtractor, InnerGeneve, IpPair};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").geneve(42).options(&[0; 8]);
    /// let packet = outer.ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = InnerGeneve(IpPair).extract(packet.view()).expect("a tunnel");
    /// assert_eq!(found.key.to_string(), "10.0.0.1 <-> 10.0.0.2");
    /// ```
    InnerGeneve, Layer::Geneve
}

layer! {
    /// Opens GRE (RFC 2784, RFC 2890) with IP, MPLS or Ethernet inside. This includes NVGRE (RFC 7637),
    /// ERSPAN types I to III, and the enhanced GRE of PPTP (RFC 2637) if its PPP is neither compressed nor
    /// encrypted. PPP in GRE version 0 is not opened, and neither is GRE with source routes (RFC 1701), which
    /// RFC 2784 removed.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerGre, Layer};
    /// use flowscope_testkit::frame;
    ///
    /// let mirrored = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").erspan(3).ethernet();
    /// let packet = mirrored.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = InnerGre(FiveTuple::bidirectional()).extract(packet.view()).expect("a tunnel");
    /// assert_eq!(found.path.get(0).map(|layer| layer.layer), Some(Layer::Erspan));
    /// ```
    InnerGre, Layer::Gre
}

layer! {
    /// Opens GTP-U (3GPP TS 29.281) with IP inside on UDP port 2152, behind any extension headers. The tunnel
    /// identifiers differ per direction.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerGtpU};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").gtpu(77).seq(1);
    /// let packet = outer.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = InnerGtpU(FiveTuple::bidirectional()).extract(packet.view()).expect("a tunnel");
    /// assert_eq!(found.key.to_string(), "10.0.0.1:1 <-> 10.0.0.2:2");
    /// ```
    InnerGtpU, Layer::GtpU
}

layer! {
    /// Opens one level of IP in IP, either version in either (RFC 2003, RFC 2473, RFC 4213).
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerIpIp};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2");
    /// let packet = outer.ipv6("2001:db8::1", "2001:db8::2").tcp(1, 2).packet();
    /// let found = InnerIpIp(FiveTuple::bidirectional()).extract(packet.view()).expect("6in4");
    /// assert_eq!(found.key.to_string(), "[2001:db8::1]:1 <-> [2001:db8::2]:2");
    /// ```
    InnerIpIp, Layer::IpIp
}

layer! {
    /// Removes a VN-Tag (Ethertype 0x8926).
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, StripVnTag};
    /// use flowscope_testkit::frame;
    ///
    /// let packet = frame().ethernet().vn_tag(3, 1).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = StripVnTag(FiveTuple::bidirectional()).extract(packet.view()).expect("a tag");
    /// assert_eq!(found.path.get(0).map(|layer| layer.to_string()).as_deref(), Some("vntag 3"));
    /// ```
    StripVnTag, Layer::VnTag
}

layer! {
    /// Removes the Cisco metadata header of TrustSec (Ethertype 0x8909).
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, StripTrustSec};
    /// use flowscope_testkit::frame;
    ///
    /// let packet = frame().ethernet().trustsec(16).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = StripTrustSec(FiveTuple::bidirectional()).extract(packet.view()).expect("a tag");
    /// assert_eq!(found.path.get(0).map(|layer| layer.to_string()).as_deref(), Some("trustsec 16"));
    /// ```
    StripTrustSec, Layer::TrustSec
}

layer! {
    /// Opens provider backbone bridging (IEEE 802.1ah, Ethertype 0x88e7), which carries an Ethernet frame.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerPbb};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().pbb(42).ethernet();
    /// let packet = outer.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = InnerPbb(FiveTuple::bidirectional()).extract(packet.view()).expect("a frame");
    /// assert_eq!(found.path.get(0).map(|layer| layer.to_string()).as_deref(), Some("pbb 42"));
    /// ```
    InnerPbb, Layer::Pbb
}

layer! {
    /// Opens the network service header (RFC 8300) with IP, MPLS or an Ethernet frame inside, behind an
    /// Ethertype (0x894f), VXLAN-GPE, GENEVE or GRE.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerNsh};
    /// use flowscope_testkit::frame;
    ///
    /// let packet = frame().ethernet().nsh(42).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    /// let found = InnerNsh(FiveTuple::bidirectional()).extract(packet.view()).expect("a packet");
    /// assert_eq!(found.path.get(0).map(|layer| layer.to_string()).as_deref(), Some("nsh 42"));
    /// ```
    InnerNsh, Layer::Nsh
}

layer! {
    /// Opens Teredo (RFC 4380) on UDP port 3544 of either side, which carries IPv6, behind its authentication
    /// and origin headers. Packets between clients and relays that have other ports are not recognised.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerTeredo, Layer};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").teredo(true, true);
    /// let packet = outer.ipv6("2001:0:1::1", "2001:db8::2").tcp(1, 2).packet();
    /// let found = InnerTeredo(FiveTuple::bidirectional()).extract(packet.view()).expect("a tunnel");
    /// assert_eq!(found.path.get(0).map(|layer| layer.layer), Some(Layer::Teredo));
    /// ```
    InnerTeredo, Layer::Teredo
}

layer! {
    /// Opens AYIYA (draft-massar-v6ops-ayiya-02) on UDP port 5072 of either side, which carries IPv6 or IPv4.
    ///
    /// ```
    /// use flowscope_extract::{FiveTuple, FlowExtractor, InnerAyiya, Layer};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").ayiya();
    /// let packet = outer.ipv6("2001:db8::1", "2001:db8::2").tcp(1, 2).packet();
    /// let found = InnerAyiya(FiveTuple::bidirectional()).extract(packet.view()).expect("a tunnel");
    /// assert_eq!(found.path.get(0).map(|layer| layer.layer), Some(Layer::Ayiya));
    /// ```
    InnerAyiya, Layer::Ayiya
}
