use std::hash::Hash;

use crate::{
    Cursor, Endpoints, L4Proto, Loss, Orientation, PacketView, Path, TcpInfo, UnreadHeader,
};

/// A function from a packet to the flow it belongs to.
///
/// Extractors are pure: the same view always gives the same answer. One that meets an IP fragment
/// says so in [`Extracted::fragment`]; the code that joins fragments asks again with a view of the whole
/// datagram. Combinators wrap an inner extractor, move the view's cursor past their own layer and
/// hand it on; they add nothing to this trait.
pub trait FlowExtractor: Send + Sync + 'static {
    /// Identity of a flow. For a bidirectional extractor both directions have the same key.
    type Key: Hash + Eq + Clone + Send + Sync + 'static;

    /// The flow that `view` belongs to, or `None` if this extractor has none for it.
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<Self::Key>>;

    /// As [`extract`](Self::extract), written to where the caller keeps it: what is found is large, and
    /// moving it costs as much as finding it.
    #[inline]
    fn extract_into(&self, view: &PacketView<'_>, found: &mut Option<Extracted<Self::Key>>) {
        *found = self.extract(*view);
    }

    /// Why [`extract`](Self::extract) gave `None` for this view; asked after it did, for the ledger.
    fn explain(&self, _view: PacketView<'_>) -> Refusal {
        Refusal::NotAFlow
    }

    /// The header at which a packet that gave `None` stopped being read, if it is one that is not known;
    /// asked for the statistics, after [`explain`](Self::explain) gave [`NotAFlow`](Refusal::NotAFlow) or
    /// [`LinkUnsupported`](Refusal::LinkUnsupported).
    fn unread(&self, _view: PacketView<'_>) -> Option<UnreadHeader> {
        None
    }

    /// The two ends of a flow with this key, where the key has both addresses and ports: by them, a flow is known that
    /// a parser [expects](crate::Expectation). A combinator asks its inner extractor.
    fn endpoints(_key: &Self::Key) -> Option<Endpoints>
    where
        Self: Sized,
    {
        None
    }
}

/// What an extractor found in a packet. Made by [`Extracted::new`], then fields are set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Extracted<K> {
    /// The flow.
    pub key: K,
    /// Which way the packet went, seen from the key.
    pub orientation: Orientation,
    /// The transport protocol, where the packet is IP.
    pub l4: Option<L4Proto>,
    /// The TCP header, where the capture holds all of its fixed part.
    pub tcp: Option<TcpInfo>,
    /// Source and destination port, whatever the key is made of: evidence of who began the flow,
    /// and a hint which protocol it speaks.
    pub ports: Option<(u16, u16)>,
    /// Type, code and identifier of an ICMP message.
    pub icmp: Option<IcmpInfo>,
    /// Facts of the innermost IP header.
    pub ip: IpInfo,
    /// Where the transport header begins, in bytes from the start of the frame: right behind the
    /// last IP or extension header, whatever the protocol. 0 where there is none, as in a fragment.
    pub l4_at: u32,
    /// The layers peeled on the way to the innermost IP header.
    pub path: Path,
    /// What the transport header carries.
    pub payload: Payload,
    /// Set when the packet is one piece of a larger datagram: the key lacks ports then, join first.
    pub fragment: Option<Fragment>,
    /// Set by the code that verified the packet's checksums, if one is wrong and such packets are to change
    /// nothing but counters: its receiver drops it. Extractors leave it unset.
    pub corrupt: bool,
}

impl<K> Extracted<K> {
    /// A key and a direction, everything else absent.
    #[must_use]
    pub const fn new(key: K, orientation: Orientation) -> Self {
        Extracted {
            key,
            orientation,
            l4: None,
            tcp: None,
            ports: None,
            icmp: None,
            ip: IpInfo { header_at: 0, len: 0, version: 0, ttl: 0, tos: 0, flow_label: 0 },
            l4_at: 0,
            path: Path::EMPTY,
            payload: Payload::new(0, 0, 0),
            fragment: None,
            corrupt: false,
        }
    }

    /// The packet that this ICMP error quotes, as a view to ask the same extractor about: it gives
    /// the key of the flow that the error is about, and the orientation of the packet that caused
    /// it. `None` if nothing is quoted.
    ///
    /// Quotes are cut, mostly behind eight bytes of the transport header, which is enough for a key.
    /// Where a quoted packet is a tunnel's, and the quote ends before the packet inside, the answer
    /// is about the tunnel; where it is a [`Fragment`], no other piece of it is to be expected.
    #[must_use]
    pub fn quoted<'a>(&self, view: &PacketView<'a>) -> Option<PacketView<'a>> {
        let at = self.icmp?.quoted_at?;
        Some(view.at(Cursor::around(at, self.path)))
    }

    /// The same facts under another key.
    #[must_use]
    pub fn map_key<L>(self, f: impl FnOnce(K) -> L) -> Extracted<L> {
        Extracted {
            key: f(self.key),
            orientation: self.orientation,
            l4: self.l4,
            tcp: self.tcp,
            ports: self.ports,
            icmp: self.icmp,
            ip: self.ip,
            l4_at: self.l4_at,
            path: self.path,
            payload: self.payload,
            fragment: self.fragment,
            corrupt: self.corrupt,
        }
    }
}

/// Facts of an IP header; all zero where there was none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct IpInfo {
    /// Where the header begins, in bytes from the start of the frame.
    pub header_at: u32,
    /// Bytes of the IP packet by its own length field, header included: what was on the wire, not
    /// what was captured.
    pub len: u32,
    /// 4 or 6.
    pub version: u8,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class: DSCP in the upper six bits (RFC 2474), ECN in the lower two.
    pub tos: u8,
    /// IPv6 flow label (RFC 6437); 0 for IPv4.
    pub flow_label: u32,
}

/// Type, code and identifier of an ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IcmpInfo {
    /// Type (RFC 792, RFC 4443).
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Identifier of an echo or another query message.
    pub id: Option<u16>,
    /// Where in the frame the packet begins that an error message quotes.
    pub quoted_at: Option<u32>,
}

/// Where in the frame a transport header's payload lies, and how long the headers say it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Payload {
    /// Bytes from the start of the frame.
    pub offset: u32,
    /// Bytes of it that were captured.
    pub captured: u32,
    /// Bytes of it on the wire, by the headers' length fields; never below `captured`.
    pub wire_len: u32,
    /// Bytes at its end that the capture cut off. Of what was captured, who passes packets on may keep less:
    /// that lowers `captured` alone.
    pub cut: u32,
}

impl Payload {
    /// A payload of which the first `captured` bytes, of `wire_len`, were captured.
    #[must_use]
    #[inline]
    pub const fn new(offset: u32, captured: u32, wire_len: u32) -> Self {
        Payload { offset, captured, wire_len, cut: wire_len.saturating_sub(captured) }
    }

    /// The captured bytes of it.
    #[must_use]
    pub fn of<'a>(&self, view: &PacketView<'a>) -> &'a [u8] {
        let from = self.offset as usize;
        view.frame().get(from..from + self.captured as usize).unwrap_or_default()
    }
}

/// One piece of an IP datagram (RFC 791 §3.2, RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Where this piece belongs, in bytes from the start of the datagram's payload.
    pub offset: u32,
    /// Whether more pieces follow.
    pub more: bool,
    /// Where the IP header begins, in bytes from the start of the frame.
    pub header_at: u32,
}

/// Why an extractor gave no flow.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// A sound packet that is no flow of this extractor's kind: ARP asked for a five-tuple, say.
    NotAFlow,
    /// The link type is not one it decodes.
    LinkUnsupported,
    /// A header contradicts itself or the bytes around it.
    HeaderMalformed,
    /// The snap length cut a header that the key needs.
    SnaplenCut,
    /// More than [`MAX_DEPTH`](crate::MAX_DEPTH) tags and tunnels.
    DepthExceeded,
}

impl From<Refusal> for Loss {
    fn from(refusal: Refusal) -> Loss {
        match refusal {
            Refusal::NotAFlow => Loss::NotAFlow,
            Refusal::LinkUnsupported => Loss::LinkUnsupported,
            Refusal::HeaderMalformed => Loss::HeaderMalformed,
            Refusal::SnaplenCut => Loss::SnaplenCut,
            Refusal::DepthExceeded => Loss::DepthExceeded,
        }
    }
}
