use flowscope_core::{Extracted, FlowExtractor, Layer, PacketView, Refusal};

use crate::combinator::Combinator;
use crate::walk::peel_inline;

/// A combinator that peels one kind of layer.
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
        }
    };
}

layer! {
    /// Peels VLAN tags: all that stand one behind the other, and the one that the capture took out.
    ///
    /// Tags are those of IEEE 802.1Q and 802.1ad (0x8100, 0x88a8) and the older 0x9100; their ids
    /// are in the path, outermost first. A packet without a tag is refused; [`OrPlain`] lets it
    /// through.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{FiveTuple, StripVlan};
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
    /// Peels MPLS labels (RFC 3032): the whole stack, and what it carries if that is an Ethernet
    /// pseudo-wire (RFC 4448), with or without a control word.
    ///
    /// Labels do not say what follows them, so this is a guess. It is taken for IP if it begins like
    /// IP and is no longer than the packet; for an Ethernet frame if an Ethertype stands in its place
    /// and what it announces follows; anything else is refused.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{FiveTuple, StripMpls, StripVlan};
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
    /// Peels PPPoE (RFC 2516) and PPP above IP or MPLS. Discovery and control packets are refused.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{FiveTuple, StripPppoe};
    /// use flowscope_testkit::frame;
    ///
    /// let packet = frame().ethernet().pppoe(9).ipv6("::1", "::2").udp(1, 2).packet();
    /// let found = StripPppoe(FiveTuple::bidirectional()).extract(packet.view()).expect("a session");
    /// assert_eq!(found.key.to_string(), "[::1]:1 <-> [::2]:2");
    /// ```
    StripPppoe, Layer::Pppoe
}

layer! {
    /// Opens VXLAN (RFC 7348) on UDP port 4789, where an Ethernet frame is inside, and with its
    /// generic protocol extension on UDP port 4790, where that or IP is.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{FiveTuple, InnerVxlan};
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
    /// Opens GENEVE (RFC 8926) on UDP port 6081; an Ethernet frame or IP is inside.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{InnerGeneve, IpPair};
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
    /// Opens GRE (RFC 2784, RFC 2890) that carries IP, MPLS or Ethernet, which includes NVGRE
    /// (RFC 7637) and ERSPAN of types I to III; and the enhanced GRE of PPTP (RFC 2637) with PPP that
    /// is neither compressed nor encrypted. PPP in GRE of version 0 is not opened, nor is GRE with
    /// source routes (RFC 1701), which RFC 2784 has taken out.
    ///
    /// ```
    /// use flowscope_core::{FlowExtractor, Layer};
    /// use flowscope_extract::{FiveTuple, InnerGre};
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
    /// Opens GTP-U (3GPP TS 29.281) on UDP port 2152, where it carries IP, behind any extension
    /// headers. Its identifiers differ per direction.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{FiveTuple, InnerGtpU};
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
    /// Opens IP in IP, either version in either (RFC 2003, RFC 2473, RFC 4213): one level.
    ///
    /// ```
    /// use flowscope_core::FlowExtractor;
    /// use flowscope_extract::{FiveTuple, InnerIpIp};
    /// use flowscope_testkit::frame;
    ///
    /// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2");
    /// let packet = outer.ipv6("2001:db8::1", "2001:db8::2").tcp(1, 2).packet();
    /// let found = InnerIpIp(FiveTuple::bidirectional()).extract(packet.view()).expect("6in4");
    /// assert_eq!(found.key.to_string(), "[2001:db8::1]:1 <-> [2001:db8::2]:2");
    /// ```
    InnerIpIp, Layer::IpIp
}
