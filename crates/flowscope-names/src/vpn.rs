//! Private networks and tunnels.

use crate::answer::Answer::{self, Maybe, No, OnPort, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, framed, header, sure_if, zero};

/// WireGuard: a type, three bytes that are 0, and the length of such a message.
pub(crate) fn wireguard(bytes: &[u8], len: usize) -> Answer {
    let shape = [From(1, 4), Is(0), Is(0), Is(0), Any, Any, Any, Any];
    header(bytes, &shape, |bytes| match bytes[0] {
        1 => sure_if(len == 148),
        2 => sure_if(len == 92),
        3 => sure_if(len == 64),
        // Receiver, a counter below 2^40, encrypted blocks. A call of DCE RPC has its integers' format there.
        _ => sure_if(
            len >= 32
                && len.is_multiple_of(16)
                && zero(bytes, 13, 3)
                && be(bytes, 4, 4) != 0x1000_0000,
        ),
    })
}

/// OpenVPN: the reset that opens a session, by a client or a server, whose first packet id is 0, or 1 in the
/// authenticated header. Data is plausible.
pub(crate) fn openvpn(bytes: &[u8], len: usize) -> Answer {
    let Some(&first) = bytes.first() else { return Maybe };
    let opcode = first >> 3;
    if !matches!(opcode, 4..=10) {
        return No;
    }
    if bytes.len() < 14 {
        return Maybe;
    }
    let is_reset = matches!(first, 0x38 | 0x40 | 0x50);
    // Without authentication: no acknowledgement and packet 0, or one acknowledgement of packet 0.
    let plain = len == 14 && zero(bytes, 9, 5) || len == 26 && bytes[9] == 1 && zero(bytes, 10, 4);
    // With `tls-auth` a digest comes before packet 1, with `tls-crypt` packet 1 before the digest.
    // Its higher bits say what a client knows of the extensions of 2.6.
    let id_at = |at: usize| matches!(be(bytes, at, 4), 1 | 0x0f00_0001);
    let authenticated = [20, 32, 64].into_iter().any(|digest| {
        let at = 9 + digest;
        id_at(at) && matches!(len - at.min(len), 13 | 25)
    });
    match first {
        _ if is_reset && plain => Yes,
        _ if is_reset && (id_at(9) && len >= 54 || authenticated) => Yes,
        0x30..=0x37 | 0x48..=0x4f => OnPort,
        _ => No,
    }
}

/// The same over TCP, behind a length.
pub(crate) fn openvpn_stream(start: &[u8]) -> Answer {
    framed(start, 2, |packet, len| {
        let is_known = packet.first().is_some_and(|first| matches!(first >> 3, 4..=10));
        if !is_known || !(14..=1500).contains(&len) {
            No
        } else if packet.len() < len.min(100) {
            Maybe
        } else {
            openvpn(&packet[..packet.len().min(len)], len)
        }
    })
}

/// IKE (RFC 7296 §3.1, RFC 2408 §3.1): a cookie, a version, an exchange, the length of the message; on the port of NAT
/// traversal four bytes that are 0 come first (RFC 3948 §2.2).
pub(crate) fn ike(bytes: &[u8], len: usize) -> Answer {
    let mut message = bytes;
    let mut len = len;
    if zero(bytes, 0, 4) {
        (message, len) = (&bytes[4..], len - 4);
    }
    let mut shape = [Any; 28];
    shape[16..19].copy_from_slice(&[
        Any,
        In(&[0x10, 0x20]),
        In(&[2, 4, 5, 6, 32, 34, 35, 36, 37, 38]),
    ]);
    header(message, &shape, |message| sure_if(be(message, 24, 4) == len && !zero(message, 0, 8)))
}

/// IPsec's ESP in UDP (RFC 3948 §2): an index that is not reserved and a small sequence number, or a keepalive.
pub(crate) fn ipsec(bytes: &[u8], len: usize) -> Answer {
    match bytes {
        [0xff] if len == 1 => OnPort,
        _ if len < 30 || bytes.len() < 8 || be(bytes, 0, 4) < 256 => No,
        _ if be(bytes, 4, 4) < 1 << 24 => OnPort,
        _ => No,
    }
}

/// PPTP (RFC 2637 §2): a length, a control message, the magic cookie.
pub(crate) fn pptp(start: &[u8]) -> Answer {
    let shape = [
        Is(0),
        From(12, 255),
        Is(0),
        Is(1),
        Is(0x1a),
        Is(0x2b),
        Is(0x3c),
        Is(0x4d),
        Is(0),
        From(1, 15),
    ];
    header(start, &shape, |_| Yes)
}

/// L2TP (RFC 2661 §3.1): a control message with its length, which begins with its type or is empty. Data of version 2
/// is plausible.
pub(crate) fn l2tp(bytes: &[u8], len: usize) -> Answer {
    let control = [Is(0xc8), Is(2), Any, Any, Any, Any, Any, Any, Any, Any, Any, Any];
    let data = [In(&[0x00, 0x02, 0x08, 0x40, 0x42, 0x48, 0x4a]), Is(2), Any, Any, Any, Any];
    match header(bytes, &control, |bytes| {
        let is_type = matches!(bytes.get(12..18), Some([0x80, 8, 0, 0, 0, 0]));
        sure_if(be(bytes, 2, 2) == len && (len == 12 || is_type))
    }) {
        No => header(bytes, &data, |_| OnPort),
        answer => answer,
    }
}

/// GTP (3GPP TS 29.060 §6, TS 29.274 §5.1): version 1 or 2 and the length that goes with it.
pub(crate) fn gtp(bytes: &[u8], len: usize) -> Answer {
    let shape = [In(&[0x30, 0x32, 0x40, 0x48, 0x50, 0x58]), From(1, 254), Any, Any];
    header(bytes, &shape, |bytes| {
        let before = if bytes[0] < 0x40 { 8 } else { 4 };
        sure_if(be(bytes, 2, 2) + before == len)
    })
}
