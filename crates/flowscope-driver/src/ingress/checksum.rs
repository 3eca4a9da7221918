//! Internet checksums of what an extractor found (RFC 1071; pseudo-headers of RFC 9293 §3.1, RFC 768,
//! RFC 8200 §8.1).

use flowscope_core::{Extracted, L4Proto, PacketView};

/// Result of the verification of a packet's checksums.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Correct, or not verifiable: the capture holds only part of the packet, the protocol has no
    /// checksum, or the sender left it out (UDP).
    Sound,
    /// Left to the network card of the sending host, and captured before the card filled it in.
    Offloaded,
    /// Wrong: the receiver drops the packet.
    Bad,
}

/// Verifies the IPv4 header and the TCP, UDP, ICMP or ICMPv6 checksum of the innermost packet.
pub(crate) fn verify<K>(view: &PacketView<'_>, x: &Extracted<K>) -> Verdict {
    let frame = view.frame();
    let header = frame.get(x.ip.header_at as usize..).unwrap_or_default();
    let (addresses, of_header) = match x.ip.version {
        4 if header.len() >= 20 => (&header[12..20], ipv4_header(header)),
        6 if header.len() >= 40 => (&header[8..40], Verdict::Sound),
        _ => return Verdict::Sound,
    };
    // The header of a reassembled datagram was written anew.
    let of_header = if view.frames() == 1 { of_header } else { Verdict::Sound };
    match (of_header, transport(frame, addresses, x)) {
        (Verdict::Bad, _) | (_, Verdict::Bad) => Verdict::Bad,
        (Verdict::Offloaded, _) | (_, Verdict::Offloaded) => Verdict::Offloaded,
        (Verdict::Sound, Verdict::Sound) => Verdict::Sound,
    }
}

fn ipv4_header(header: &[u8]) -> Verdict {
    let length = usize::from(header[0] & 0xf) * 4;
    match header.get(..length).map(|header| folded(sum(header))) {
        None | Some(0xffff) => Verdict::Sound,
        // Left to the network card.
        Some(_) if header[10..12] == [0, 0] => Verdict::Offloaded,
        Some(_) => Verdict::Bad,
    }
}

fn transport<K>(frame: &[u8], addresses: &[u8], x: &Extracted<K>) -> Verdict {
    let Some(l4) = x.l4 else { return Verdict::Sound };
    let at = match l4 {
        L4Proto::Tcp => 16,
        L4Proto::Udp => 6,
        L4Proto::Icmp | L4Proto::Icmpv6 => 2,
        _ => return Verdict::Sound,
    };
    if x.l4_at == 0 || x.payload.captured < x.payload.wire_len || x.payload.offset < x.l4_at {
        return Verdict::Sound;
    }
    let end = (x.payload.offset + x.payload.captured) as usize;
    let Some(segment) = frame.get(x.l4_at as usize..end) else { return Verdict::Sound };
    let Some(stored) = segment.get(at..at + 2) else { return Verdict::Sound };
    if l4 == L4Proto::Udp && stored == [0, 0] {
        return Verdict::Sound;
    }
    let pseudo = match l4 {
        L4Proto::Icmp => 0,
        _ => sum(addresses) + u64::from(l4.number()) + segment.len() as u64,
    };
    if folded(pseudo + sum(segment)) == 0xffff {
        return Verdict::Sound;
    }
    // With offload the field holds the sum of the pseudo-header alone, not complemented (Linux), or 0
    // (Windows, VMware). ICMP over IPv4 has no pseudo-header, and 0 there is a checksum like any other.
    let stored = u16::from_be_bytes([stored[0], stored[1]]);
    if l4 != L4Proto::Icmp && (stored == folded(pseudo) || stored == 0) {
        return Verdict::Offloaded;
    }
    Verdict::Bad
}

/// Sum of big-endian words, an odd byte at the end padded.
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(2);
    let odd = words.remainder().first().map_or(0, |byte| u64::from(*byte) << 8);
    words.map(|word| u64::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u64>() + odd
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}
