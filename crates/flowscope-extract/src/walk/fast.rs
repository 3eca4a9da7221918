//! The everyday packet without detours: Ethernet or a peeled layer, IPv4 without options or IPv6
//! without extension headers, TCP or UDP, neither fragmented nor at odds with itself.
//!
//! Answers as the general walk does, or not at all; a property test holds it to that. What it is
//! made of is counted in instructions: each shape of packet has a straight way to the result, fields
//! are read where they are stored, and what is rarer than a plain segment is a function of its own.

use flowscope_core::{
    Extracted, IpInfo, L4Proto, LinkType, NextHeader, PacketView, Payload, TcpFlags, TcpInfo,
    TcpOptions,
};

use super::descent::{Start, has_pending_tag};
use super::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ends, l4, tunnel};
use crate::key::{FiveTupleKey, Sense, words};

type Found = Option<Extracted<FiveTupleKey>>;

/// The flow of the packet at the view's cursor, if it is of the everyday kind.
#[inline(always)]
pub(crate) fn five_tuple<const ONE_WAY: bool>(view: &PacketView<'_>) -> Found {
    let (ethertype, at) = ethertype(view)?;
    match ethertype {
        ETHERTYPE_IPV4 => {
            let ip = v4(view, at)?;
            match ip.proto {
                TCP if is_syn(view, &ip)? => syn::<ONE_WAY>(view),
                TCP => tcp::<ONE_WAY>(view, &ip),
                UDP => udp::<ONE_WAY>(view, &ip),
                _ => None,
            }
        }
        ETHERTYPE_IPV6 => over_v6::<ONE_WAY>(view, at),
        _ => None,
    }
}

#[inline(never)]
fn over_v6<const ONE_WAY: bool>(view: &PacketView<'_>, at: usize) -> Found {
    let ip = v6(view, at)?;
    match ip.proto {
        TCP if is_syn(view, &ip)? => syn::<ONE_WAY>(view),
        TCP => tcp::<ONE_WAY>(view, &ip),
        UDP => udp::<ONE_WAY>(view, &ip),
        _ => None,
    }
}

/// A segment with options to read. Begins anew, so that the caller has nothing to hand over.
#[inline(never)]
fn syn<const ONE_WAY: bool>(view: &PacketView<'_>) -> Found {
    let (ethertype, at) = ethertype(view)?;
    let ip = if ethertype == ETHERTYPE_IPV4 { v4(view, at)? } else { v6(view, at)? };
    let mut found = tcp::<ONE_WAY>(view, &ip)?;
    let options = view.frame().get(ip.at + 20..found.payload.offset as usize)?;
    found.tcp.as_mut()?.options = l4::syn_options(options);
    Some(found)
}

/// What is behind the Ethernet header, and where.
#[inline(always)]
pub(crate) fn start(view: &PacketView<'_>) -> Option<Start> {
    let (ethertype, at) = ethertype(view)?;
    Some(Start { ethertype, at })
}

/// Whether that is TCP, or UDP to a port that no tunnel has, which nothing can be peeled from.
#[inline(always)]
pub(crate) fn is_plain(view: &PacketView<'_>, start: Start) -> bool {
    let at = start.at;
    match start.ethertype {
        ETHERTYPE_IPV4 => array::<24>(view, at).is_some_and(|header| {
            // Behind options the port is elsewhere, and in a fragment it may be none.
            let is_bare =
                header[0] == 0x45 && u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
            let port = u16::from_be_bytes([header[22], header[23]]);
            header[9] == TCP || (header[9] == UDP && is_bare && !tunnel::is_port(port))
        }),
        ETHERTYPE_IPV6 => array::<44>(view, at).is_some_and(|header| {
            let port = u16::from_be_bytes([header[42], header[43]]);
            header[6] == TCP || (header[6] == UDP && !tunnel::is_port(port))
        }),
        _ => false,
    }
}

/// Whether the IP header at `at` says that TCP follows, which carries no tunnel.
#[inline]
pub(super) fn is_tcp(frame: &[u8], next: NextHeader, at: usize) -> bool {
    let proto_at = match next {
        NextHeader::EtherType(ETHERTYPE_IPV4) => at + 9,
        NextHeader::EtherType(ETHERTYPE_IPV6) => at + 6,
        NextHeader::Ip => match frame.get(at) {
            Some(0x40..=0x4f) => at + 9,
            Some(0x60..=0x6f) => at + 6,
            _ => return false,
        },
        _ => return false,
    };
    frame.get(proto_at) == Some(&TCP)
}

/// What the Ethernet header, or the cursor if it is behind one, says comes next, and where.
#[inline(always)]
fn ethertype(view: &PacketView<'_>) -> Option<(u16, usize)> {
    let cursor = view.cursor();
    let at = cursor.offset as usize;
    if usize::from(cursor.stepped) != cursor.path.len() {
        return None;
    }
    if cursor.next == NextHeader::Link(LinkType::ETHERNET) {
        if view.vlan().is_some() && has_pending_tag(view) {
            return None;
        }
        return Some((u16::from_be_bytes(*array(view, at + 12)?), at + 14));
    }
    match cursor.next {
        NextHeader::EtherType(number) => Some((number, at)),
        NextHeader::Ip => match array::<1>(view, at)? {
            [0x40..=0x4f] => Some((ETHERTYPE_IPV4, at)),
            [0x60..=0x6f] => Some((ETHERTYPE_IPV6, at)),
            _ => None,
        },
        _ => None,
    }
}

/// An IP header, and what is behind it.
struct Ip {
    ends: Ends,
    facts: IpInfo,
    proto: u8,
    /// Where the transport header begins.
    at: usize,
    /// Where the packet ends, by its own length.
    end: usize,
}

#[inline(always)]
fn v4(view: &PacketView<'_>, at: usize) -> Option<Ip> {
    let header = array::<20>(view, at)?;
    let [first, tos, l0, l1, _, _, f0, f1, ttl, proto, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        *header;
    // The offset and the flag that more fragments follow.
    if first != 0x45 || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return None;
    }
    let len = u16::from_be_bytes([l0, l1]);
    Some(Ip {
        ends: Ends::V4 {
            src: u32::from_be_bytes([s0, s1, s2, s3]),
            dst: u32::from_be_bytes([d0, d1, d2, d3]),
        },
        facts: IpInfo {
            header_at: at as u32,
            len: u32::from(len),
            version: 4,
            ttl,
            tos,
            flow_label: 0,
        },
        proto,
        at: at + 20,
        end: at + usize::from(len),
    })
}

#[inline(always)]
fn v6(view: &PacketView<'_>, at: usize) -> Option<Ip> {
    let (&[a, b, c, d, l0, l1, proto, ttl], ends) = array::<40>(view, at)?.split_first_chunk()?;
    let (&src, dst) = ends.split_first_chunk::<16>()?;
    let &dst = dst.first_chunk::<16>()?;
    let first = u32::from_be_bytes([a, b, c, d]);
    let len = u16::from_be_bytes([l0, l1]);
    if first >> 28 != 6 {
        return None;
    }
    Some(Ip {
        ends: Ends::V6 { src: words(src), dst: words(dst) },
        facts: IpInfo {
            header_at: at as u32,
            len: 40 + u32::from(len),
            version: 6,
            ttl,
            tos: (first >> 20) as u8,
            flow_label: first & 0xf_ffff,
        },
        proto,
        at: at + 40,
        end: at + 40 + usize::from(len),
    })
}

#[inline(always)]
fn is_syn(view: &PacketView<'_>, ip: &Ip) -> Option<bool> {
    Some(TcpFlags(array::<20>(view, ip.at)?[13]).syn())
}

#[inline(always)]
fn tcp<const ONE_WAY: bool>(view: &PacketView<'_>, ip: &Ip) -> Found {
    let header = array::<20>(view, ip.at)?;
    let len = usize::from(header[12] >> 4) * 4;
    if len < 20 {
        return None;
    }
    let payload = payload(view, ip.at + len, ip.end, ip.end)?;
    let mut found = with_ports::<ONE_WAY>(view, ip, header.first_chunk()?);
    let &[_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, _, flags, w0, w1, _, _, u0, u1] = header;
    found.tcp = Some(TcpInfo {
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        window: u16::from_be_bytes([w0, w1]),
        urgent: u16::from_be_bytes([u0, u1]),
        flags: TcpFlags(flags),
        options: TcpOptions::default(),
    });
    found.l4 = Some(L4Proto::Tcp);
    found.payload = payload;
    Some(found)
}

#[inline(always)]
fn udp<const ONE_WAY: bool>(view: &PacketView<'_>, ip: &Ip) -> Found {
    let header = array::<8>(view, ip.at)?;
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if len < 8 {
        return None;
    }
    let payload = payload(view, ip.at + 8, ip.at + len, ip.end)?;
    let mut found = with_ports::<ONE_WAY>(view, ip, header.first_chunk()?);
    found.l4 = Some(L4Proto::Udp);
    found.payload = payload;
    Some(found)
}

#[inline(always)]
fn with_ports<const ONE_WAY: bool>(
    view: &PacketView<'_>,
    ip: &Ip,
    &[a, b, c, d]: &[u8; 4],
) -> Extracted<FiveTupleKey> {
    let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let sense = if ONE_WAY { Sense::One } else { Sense::Both };
    let (key, orientation) = FiveTupleKey::of(ip.ends, ports, ip.proto, sense);
    let mut found = Extracted::new(key, orientation);
    found.ports = Some(ports);
    found.ip = ip.facts;
    found.l4_at = ip.at as u32;
    found.path = view.cursor().path;
    found
}

/// What lies from `at` to `end` of a packet that ends at `limit`, all of them on the wire and `at`
/// in the capture too.
#[inline(always)]
fn payload(view: &PacketView<'_>, at: usize, end: usize, limit: usize) -> Option<Payload> {
    if at > end || end > limit {
        return None;
    }
    let captured = view.frame().len();
    let captured = if limit <= captured {
        end
    } else if view.frames() == 1 && limit <= view.wire_len() as usize && at <= captured {
        // Beyond the capture lies the wire. How long a joined datagram was, its header tells; such a
        // one, where it was cut, is left to the general walk.
        end.min(captured)
    } else {
        return None;
    };
    Some(Payload {
        offset: at as u32,
        captured: (captured - at) as u32,
        wire_len: (end - at) as u32,
    })
}

/// The `N` bytes at `at`, with one comparison.
#[inline(always)]
fn array<'a, const N: usize>(view: &PacketView<'a>, at: usize) -> Option<&'a [u8; N]> {
    view.frame().get(at..at + N)?.first_chunk()
}

const TCP: u8 = 6;
const UDP: u8 = 17;
