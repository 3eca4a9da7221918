//! Numbers that headers carry: Ethertypes, IP protocols, PPP protocols, UDP ports of tunnels.

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const TRANSPARENT_BRIDGING: u16 = 0x6558;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;
pub(super) const MPLS: u16 = 0x8847;
/// Upstream-assigned labels (RFC 5332); once "multicast".
pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
pub(super) const WCCP: u16 = 0x883e;
pub(super) const PPPOE: u16 = 0x8864;
pub(super) const CISCO_METADATA: u16 = 0x8909;
/// VN-Tag (IEEE 802.1Qbh draft).
pub(super) const VN_TAG: u16 = 0x8926;
/// Provider backbone bridging (IEEE 802.1ah).
pub(super) const PBB: u16 = 0x88e7;
/// Network service header (RFC 8300).
pub(super) const NSH: u16 = 0x894f;
pub(super) const ERSPAN_III: u16 = 0x22eb;
pub(super) const ERSPAN: u16 = 0x88be;
/// Smaller values of the type field are a length (IEEE 802.3 §3.2.6).
pub(super) const FIRST_ETHERTYPE: u16 = 0x0600;

pub(super) const ICMP: u8 = 1;
pub(super) const IPV4: u8 = 4;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
pub(super) const ICMPV6: u8 = 58;
pub(super) const SCTP: u8 = 132;

pub(super) const PPP_IPV4: u16 = 0x0021;
pub(super) const PPP_IPV6: u16 = 0x0057;
pub(super) const PPP_MPLS: u16 = 0x0281;

pub(super) const GTP_U_PORT: u16 = 2152;
/// GRE in UDP (RFC 8086); over DTLS it has port 4755 and is encrypted.
pub(super) const GRE_PORT: u16 = 4754;
/// Teredo servers (RFC 4380 §2.7); clients and relays have any port.
pub(super) const TEREDO_PORT: u16 = 3544;
/// The end of an AYIYA tunnel that is no client.
pub(super) const AYIYA_PORT: u16 = 5072;
pub(super) const VXLAN_PORT: u16 = 4789;
pub(super) const VXLAN_GPE_PORT: u16 = 4790;
pub(super) const GENEVE_PORT: u16 = 6081;

/// Whether a tunnel is known by these UDP ports, as they stand in the header: source, destination. Most
/// destination ports are above those of tunnels, or below.
#[inline]
pub(super) const fn is_tunnel([src_hi, src_lo, hi, lo]: [u8; 4]) -> bool {
    let port = u16::from_be_bytes([hi, lo]);
    port >= GTP_U_PORT
        && port <= GENEVE_PORT
        && (matches!(port, GTP_U_PORT | GRE_PORT | VXLAN_PORT | VXLAN_GPE_PORT | GENEVE_PORT)
            || is_either_port(port))
        || is_either_port(u16::from_be_bytes([src_hi, src_lo]))
}

/// Whether a tunnel is known by this UDP port of either side.
#[inline]
pub(super) const fn is_either_port(port: u16) -> bool {
    matches!(port, TEREDO_PORT | AYIYA_PORT)
}
