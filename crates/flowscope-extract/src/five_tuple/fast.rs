//! Fast path for common packets: Ethernet or a removed layer, IPv4 without options or IPv6 without extension
//! headers, TCP or UDP, not fragmented, with consistent lengths.
//!
//! Gives the same result as the general path, or none; a property test checks this. The code is optimized by
//! instruction count: each kind of packet has its own straight path, and less common cases are separate
//! functions.

use flowscope_core::{
    Extracted, IpInfo, L4Proto, PacketView, Payload, TcpFlags, TcpInfo, TcpOptions,
};

use crate::addr::{AddrPair, words};
use crate::key::{Directionality, FiveTupleKey};
use crate::walk::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, TCP, UDP, array, ethertype, tcp_options};

/// The flow of the packet at the cursor. `None`: the packet needs the general path.
#[inline(always)]
pub(crate) fn by_value<const ONE_WAY: bool>(
    view: &PacketView<'_>,
) -> Option<Extracted<FiveTupleKey>> {
    five_tuple::<ONE_WAY, false, _>(view, |found| found, |view| with_options::<ONE_WAY>(*view))
}

/// As [`by_value`], written to `found`, which is unchanged if the packet needs the general path.
#[inline(always)]
pub(crate) fn in_place<const ONE_WAY: bool>(
    view: &PacketView<'_>,
    found: &mut Option<Extracted<FiveTupleKey>>,
) -> Option<()> {
    let found = five_tuple::<ONE_WAY, true, _>(view, |new| found.insert(new), |_| None)?;
    if found.tcp.as_ref().is_some_and(|tcp| is_read(tcp.flags)) {
        read_options(view, found);
    }
    Some(())
}

/// A segment whose options are read. Begins anew, so that the caller passes no state; takes the view by value, so that
/// the caller keeps its own in registers.
#[inline(never)]
fn with_options<const ONE_WAY: bool>(view: PacketView<'_>) -> Option<Extracted<FiveTupleKey>> {
    let (ethertype, at) = ethertype(&view)?;
    let ip = if ethertype == ETHERTYPE_IPV4 { v4(&view, at)? } else { v6(&view, at)? };
    let mut found = tcp::<ONE_WAY>(&view, &ip)?;
    // Read apart, so that what is found is made where it is returned.
    let mut options = TcpOptions::default();
    if let Some(bytes) = view.frame().get(ip.at + 20..found.payload.offset as usize) {
        tcp_options(bytes, &mut options);
    }
    found.tcp.as_mut()?.options = options;
    Some(found)
}

/// The flow of the packet at the cursor, handed to `take` so that it is made where it is kept. With `AS_ANY`, a
/// segment with options is found without them; else it is left to `with_options`.
#[inline(always)]
fn five_tuple<const ONE_WAY: bool, const AS_ANY: bool, R>(
    view: &PacketView<'_>,
    take: impl FnOnce(Extracted<FiveTupleKey>) -> R,
    with_options: impl FnOnce(&PacketView<'_>) -> Option<R>,
) -> Option<R> {
    let (ethertype, at) = ethertype(view)?;
    match ethertype {
        ETHERTYPE_IPV4 => {
            let ip = v4(view, at)?;
            match ip.proto {
                TCP if !AS_ANY && has_options_to_read(view, &ip)? => with_options(view),
                TCP => Some(take(tcp::<ONE_WAY>(view, &ip)?)),
                UDP => Some(take(udp::<ONE_WAY>(view, &ip)?)),
                _ => None,
            }
        }
        ETHERTYPE_IPV6 if AS_ANY => over_v6::<ONE_WAY, AS_ANY, R>(view, at, take, with_options),
        ETHERTYPE_IPV6 => v6_flow::<ONE_WAY, AS_ANY, R>(view, at, take, with_options),
        _ => None,
    }
}

#[inline(never)]
fn over_v6<const ONE_WAY: bool, const AS_ANY: bool, R>(
    view: &PacketView<'_>,
    at: usize,
    take: impl FnOnce(Extracted<FiveTupleKey>) -> R,
    with_options: impl FnOnce(&PacketView<'_>) -> Option<R>,
) -> Option<R> {
    v6_flow::<ONE_WAY, AS_ANY, R>(view, at, take, with_options)
}

#[inline(always)]
fn v6_flow<const ONE_WAY: bool, const AS_ANY: bool, R>(
    view: &PacketView<'_>,
    at: usize,
    take: impl FnOnce(Extracted<FiveTupleKey>) -> R,
    with_options: impl FnOnce(&PacketView<'_>) -> Option<R>,
) -> Option<R> {
    let ip = v6(view, at)?;
    match ip.proto {
        TCP if !AS_ANY && has_options_to_read(view, &ip)? => with_options(view),
        TCP => Some(take(tcp::<ONE_WAY>(view, &ip)?)),
        UDP => Some(take(udp::<ONE_WAY>(view, &ip)?)),
        _ => None,
    }
}

/// Whether the segment has options, which are read.
#[inline(always)]
fn has_options_to_read(view: &PacketView<'_>, ip: &Ip) -> Option<bool> {
    let header = array::<20>(view, ip.at)?;
    Some(is_read(TcpFlags(header[13])) && header[12] >> 4 > 5)
}

/// Whether the options of a segment are read: those of a SYN or a reset.
const fn is_read(flags: TcpFlags) -> bool {
    flags.intersects(TcpFlags(TcpFlags::SYN.0 | TcpFlags::RST.0))
}

/// Adds the options to a segment found by [`five_tuple`].
#[inline(never)]
fn read_options(view: &PacketView<'_>, found: &mut Extracted<FiveTupleKey>) {
    let (from, to) = (found.l4_at as usize + 20, found.payload.offset as usize);
    if let (Some(tcp), Some(options)) = (&mut found.tcp, view.frame().get(from..to)) {
        tcp_options(options, &mut tcp.options);
    }
}

/// An IP header and the place of its payload.
struct Ip {
    addrs: AddrPair,
    info: IpInfo,
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
    // Fragment offset and more-fragments flag.
    if first != 0x45 || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return None;
    }
    let len = u16::from_be_bytes([l0, l1]);
    Some(Ip {
        addrs: AddrPair::V4 {
            src: u32::from_be_bytes([s0, s1, s2, s3]),
            dst: u32::from_be_bytes([d0, d1, d2, d3]),
        },
        info: IpInfo {
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
    let (&[a, b, c, d, l0, l1, proto, ttl], addrs) = array::<40>(view, at)?.split_first_chunk()?;
    let (&src, dst) = addrs.split_first_chunk::<16>()?;
    let &dst = dst.first_chunk::<16>()?;
    let first = u32::from_be_bytes([a, b, c, d]);
    let len = u16::from_be_bytes([l0, l1]);
    if first >> 28 != 6 {
        return None;
    }
    Some(Ip {
        addrs: AddrPair::V6 { src: words(src), dst: words(dst) },
        info: IpInfo {
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
fn tcp<const ONE_WAY: bool>(view: &PacketView<'_>, ip: &Ip) -> Option<Extracted<FiveTupleKey>> {
    let header = array::<20>(view, ip.at)?;
    let len = usize::from(header[12] >> 4) * 4;
    if len < 20 {
        return None;
    }
    let payload = payload(view, ip.at + len, ip.end, ip.end)?;
    let &[_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, _, flags, w0, w1, _, _, u0, u1] = header;
    let tcp = TcpInfo {
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        window: u16::from_be_bytes([w0, w1]),
        urgent: u16::from_be_bytes([u0, u1]),
        flags: TcpFlags(flags),
        options: TcpOptions::default(),
    };
    let mut found = with_ports::<ONE_WAY>(view, ip, header.first_chunk()?);
    found.tcp = Some(tcp);
    found.l4 = Some(L4Proto::Tcp);
    found.payload = payload;
    Some(found)
}

#[inline(always)]
fn udp<const ONE_WAY: bool>(view: &PacketView<'_>, ip: &Ip) -> Option<Extracted<FiveTupleKey>> {
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
    let directionality =
        if ONE_WAY { Directionality::Unidirectional } else { Directionality::Bidirectional };
    let (key, orientation) = FiveTupleKey::from_parts(ip.addrs, ports, ip.proto, directionality);
    let mut found = Extracted::new(key, orientation);
    found.ports = Some(ports);
    found.ip = ip.info;
    found.l4_at = ip.at as u32;
    found.path = view.cursor().path;
    found
}

/// The payload from `at` to `end` in a packet that ends at `limit`. `None` unless all three are on the wire
/// and `at` is captured.
#[inline(always)]
fn payload(view: &PacketView<'_>, at: usize, end: usize, limit: usize) -> Option<Payload> {
    if at > end || end > limit {
        return None;
    }
    let captured = view.frame().len();
    let captured = if limit <= captured {
        end
    } else if view.frames() == 1 && limit <= view.wire_len() as usize && at <= captured {
        // The rest was on the wire but not captured. A cut reassembled datagram needs the general path: its
        // length stands in its header only.
        end.min(captured)
    } else {
        return None;
    };
    Some(Payload::new(at as u32, (captured - at) as u32, (end - at) as u32))
}
