use std::fmt;

/// What a frame begins with: a `LINKTYPE_` value as capture files store it.
///
/// Any 16-bit value can be carried; the constants are the ones that extractors of this workspace
/// decode. BSD and `OpenBSD` disagree on raw IP (`DLT_RAW` is 12 or 14 on live interfaces), so all
/// three spellings are here. Source: the tcpdump group's link-layer header type registry.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the capturing host's byte order.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet II and IEEE 802.3.
    pub const ETHERNET: LinkType = LinkType(1);
    /// Token Ring (IEEE 802.5) with LLC and SNAP headers.
    pub const IEEE802_5: LinkType = LinkType(6);
    /// PPP, with or without HDLC-like framing (RFC 1662).
    pub const PPP: LinkType = LinkType(9);
    /// FDDI (ANSI X3T9.5) with LLC and SNAP headers.
    pub const FDDI: LinkType = LinkType(10);
    /// Raw IP as `DLT_RAW` on most BSDs.
    pub const RAW_BSD: LinkType = LinkType(12);
    /// Raw IP as `DLT_RAW` on OpenBSD.
    pub const RAW_OPENBSD: LinkType = LinkType(14);
    /// PPP in HDLC-like framing, address and control fields present (RFC 1662).
    pub const PPP_HDLC: LinkType = LinkType(50);
    /// PPPoE session packets without the Ethernet header (RFC 2516).
    pub const PPP_ETHER: LinkType = LinkType(51);
    /// Raw IP: the frame begins with an IPv4 or IPv6 header.
    pub const RAW: LinkType = LinkType(101);
    /// Cisco HDLC: address, control, Ethertype (RFC 1547 §4.3.1).
    pub const C_HDLC: LinkType = LinkType(104);
    /// IEEE 802.11 without a radio header.
    pub const IEEE802_11: LinkType = LinkType(105);
    /// Frame Relay (RFC 2427), or with Ethertypes as Cisco has it.
    pub const FRELAY: LinkType = LinkType(107);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// IEEE 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: LinkType = LinkType(127);
    /// Raw IPv4.
    pub const IPV4: LinkType = LinkType(228);
    /// Raw IPv6.
    pub const IPV6: LinkType = LinkType(229);
    /// Packets that Linux netfilter logged (NFLOG): attributes, one of them the IP packet.
    pub const NFLOG: LinkType = LinkType(239);
    /// Messages of Linux netlink: no packets of a network, so nothing decodes them, but a cooked capture may
    /// hold them.
    pub const NETLINK: LinkType = LinkType(253);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: LinkType = LinkType(276);
}

impl fmt::Debug for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkType({self})")
    }
}

/// The registry's name in lower case where it is one of the constants, else the number.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            LinkType::NULL => "null",
            LinkType::ETHERNET => "ethernet",
            LinkType::IEEE802_5 => "ieee802_5",
            LinkType::PPP => "ppp",
            LinkType::FDDI => "fddi",
            LinkType::C_HDLC => "c_hdlc",
            LinkType::FRELAY => "frelay",
            LinkType::NFLOG => "nflog",
            LinkType::NETLINK => "netlink",
            LinkType::PPP_HDLC => "ppp_hdlc",
            LinkType::PPP_ETHER => "ppp_ether",
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => "raw",
            LinkType::IEEE802_11 => "ieee802_11",
            LinkType::LOOP => "loop",
            LinkType::LINUX_SLL => "linux_sll",
            LinkType::IEEE802_11_RADIOTAP => "ieee802_11_radiotap",
            LinkType::IPV4 => "ipv4",
            LinkType::IPV6 => "ipv6",
            LinkType::LINUX_SLL2 => "linux_sll2",
            LinkType(other) => return write!(f, "{other}"),
        })
    }
}
