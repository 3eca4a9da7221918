use etherparse::TcpHeaderSlice;
use flowscope_core::{IcmpInfo, L4Proto, Payload, Refusal, TcpFlags, TcpInfo, TcpOptions};

use super::bytes::Bytes;
use crate::icmp::Family;

/// The fields of a transport header, as far as they are known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Transport {
    pub(crate) proto: L4Proto,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) tcp: Option<TcpInfo>,
    pub(crate) icmp: Option<IcmpInfo>,
    pub(crate) payload: Payload,
}

/// The transport header at `at` of a packet that `bytes` end with.
///
/// Ports, or ICMP type and identifier, are required. If any other part is missing or wrong, it stays empty
/// and the packet still has a flow.
pub(super) fn read(bytes: Bytes<'_>, proto: u8, at: usize) -> Result<Transport, Refusal> {
    let mut found = without_header(bytes, proto, at);
    match found.proto {
        L4Proto::Tcp => {
            found.ports = Some(ports(bytes, at)?);
            (found.tcp, found.payload) = tcp(bytes, at);
        }
        L4Proto::Udp => {
            found.ports = Some(ports(bytes, at)?);
            found.payload = udp_payload(bytes, at);
        }
        L4Proto::Sctp => {
            found.ports = Some(ports(bytes, at)?);
            found.payload = bytes.payload(at + 12);
        }
        L4Proto::Icmp => (found.icmp, found.payload) = icmp(bytes, Family::V4, at)?,
        L4Proto::Icmpv6 => (found.icmp, found.payload) = icmp(bytes, Family::V6, at)?,
        _ => {}
    }
    Ok(found)
}

/// A packet whose transport header is not read: everything is payload.
pub(super) fn without_header(bytes: Bytes<'_>, proto: u8, at: usize) -> Transport {
    Transport {
        proto: L4Proto::from_number(proto),
        ports: None,
        tcp: None,
        icmp: None,
        payload: bytes.payload(at),
    }
}

/// The ICMP family of a protocol.
#[inline(always)]
pub(crate) const fn icmp_family(proto: L4Proto) -> Option<Family> {
    match proto {
        L4Proto::Icmp => Some(Family::V4),
        L4Proto::Icmpv6 => Some(Family::V6),
        _ => None,
    }
}

fn ports(bytes: Bytes<'_>, at: usize) -> Result<(u16, u16), Refusal> {
    let [a, b, c, d] = *bytes.array::<4>(at)?;
    Ok((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// The header, if its fixed part was captured and its length is valid, and its payload.
fn tcp(bytes: Bytes<'_>, at: usize) -> (Option<TcpInfo>, Payload) {
    // The options may be cut, so only the fixed part is read, as a header without options.
    let Ok(mut fixed) = bytes.array::<20>(at).copied() else {
        return (None, empty_payload(at));
    };
    let len = usize::from(fixed[12] >> 4) * 4;
    fixed[12] = 0x50;
    let (Ok(header), true) =
        (TcpHeaderSlice::from_slice(&fixed), at + len <= bytes.wire && len >= 20)
    else {
        return (None, empty_payload(at));
    };
    let flags = TcpFlags(fixed[13]);
    let mut options = TcpOptions::default();
    if flags.intersects(TcpFlags::SYN | TcpFlags::RST) {
        let all = bytes.until(at + len).from(at + 20);
        // A cut option list would give incomplete parameters.
        if all.len() == len - 20 {
            tcp_options(all, &mut options);
        }
    }
    let info = TcpInfo {
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        window: header.window_size(),
        urgent: header.urgent_pointer(),
        flags,
        options,
    };
    (Some(info), bytes.payload(at + len))
}

/// Without a known header length there is no payload.
fn empty_payload(at: usize) -> Payload {
    Payload::new(at as u32, 0, 0)
}

/// Reads options to the end of the list or to the first invalid length (RFC 9293 §3.1). Other kinds are
/// skipped by their length. Writes in place, so that they are not put together first.
#[inline]
pub(crate) fn tcp_options(mut list: &[u8], found: &mut TcpOptions) {
    while let [kind, ref rest @ ..] = *list {
        if kind == 1 {
            list = rest;
            continue;
        }
        let &[_, len, ..] = list else { return };
        if kind == 0 || len < 2 {
            return;
        }
        let Some((option, after)) = list.split_at_checked(usize::from(len)) else { return };
        match (kind, option) {
            (2, &[_, _, hi, lo]) => found.mss = Some(u16::from_be_bytes([hi, lo])),
            (3, &[_, _, shift]) => found.window_scale = Some(shift),
            (4, [_, _]) => found.sack_permitted = true,
            (19 | 29, _) => found.signed = true,
            _ => {}
        }
        list = after;
    }
}

/// The payload by the length field of the datagram, which cannot exceed the packet (RFC 768). Length 0 marks
/// a jumbogram (RFC 2675 §4).
fn udp_payload(bytes: Bytes<'_>, at: usize) -> Payload {
    let declared = match bytes.array::<2>(at + 4) {
        Ok(&declared) => usize::from(u16::from_be_bytes(declared)),
        Err(_) => 0,
    };
    let end = if declared == 0 { bytes.wire } else { at + declared.max(8) };
    bytes.until(end).payload(at + 8)
}

fn icmp(
    bytes: Bytes<'_>,
    family: Family,
    at: usize,
) -> Result<(Option<IcmpInfo>, Payload), Refusal> {
    let [kind, code] = *bytes.array::<2>(at)?;
    let id =
        if family.has_id(kind) { Some(u16::from_be_bytes(*bytes.array(at + 4)?)) } else { None };
    let body = at + 8;
    let quoted = family.quotes(kind) && bytes.captured.len() > body;
    let quoted_at = quoted.then_some(body as u32);
    Ok((Some(IcmpInfo { kind, code, id, quoted_at }), bytes.payload(body)))
}
