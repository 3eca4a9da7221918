use flowscope_core::{Extracted, FlowExtractor, Layer, PacketView, Refusal};

use crate::combinator::{self, Combinator};
use crate::walk::peel;

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

            #[inline]
            fn peel<'a>(&self, view: PacketView<'a>) -> Result<Option<PacketView<'a>>, Refusal> {
                peel(view, $layer)
            }
        }

        impl<E: FlowExtractor> FlowExtractor for $name<E> {
            type Key = E::Key;

            #[inline]
            fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
                combinator::extract(self, view)
            }

            fn explain(&self, view: PacketView<'_>) -> Refusal {
                combinator::explain(self, view)
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
    StripMpls, Layer::Mpls
}

layer! {
    /// Peels PPPoE (RFC 2516) and PPP above IP or MPLS. Discovery and control packets are refused.
    StripPppoe, Layer::Pppoe
}

layer! {
    /// Opens VXLAN (RFC 7348) on UDP port 4789, where an Ethernet frame is inside, and with its
    /// generic protocol extension on UDP port 4790, where that or IP is.
    InnerVxlan, Layer::Vxlan
}

layer! {
    /// Opens GENEVE (RFC 8926) on UDP port 6081; an Ethernet frame or IP is inside.
    InnerGeneve, Layer::Geneve
}

layer! {
    /// Opens GRE (RFC 2784, RFC 2890) that carries IP, MPLS or Ethernet, which includes NVGRE
    /// (RFC 7637) and ERSPAN of types I to III; and the enhanced GRE of PPTP (RFC 2637) with PPP that
    /// is neither compressed nor encrypted.
    InnerGre, Layer::Gre
}

layer! {
    /// Opens GTP-U (3GPP TS 29.281) on UDP port 2152, where it carries IP, behind any extension
    /// headers. Its identifiers differ per direction.
    InnerGtpU, Layer::GtpU
}

layer! {
    /// Opens IP in IP, either version in either (RFC 2003, RFC 2473, RFC 4213): one level.
    InnerIpIp, Layer::IpIp
}
