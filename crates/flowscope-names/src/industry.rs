//! Protocols of industrial controllers and buildings.

use crate::answer::Answer::{self, No, OnPort, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, le, sure_if, zero};

/// IEC 60870-5-104: a frame without data that starts, stops or tests the transfer is sure. One with data or an
/// acknowledgement, in the middle of a connection, is plausible.
pub(crate) fn iec104(start: &[u8]) -> Answer {
    let control = [Is(0x68), Is(4), In(&[0x07, 0x0b, 0x13, 0x23, 0x43, 0x83]), Is(0), Is(0), Is(0)];
    let acknowledgement = [Is(0x68), Is(4), Is(1), Is(0), Any, Any];
    let data = [Is(0x68), From(14, 253), Any, Any, Any, Any, From(1, 127)];
    match (header(start, &control, |_| Yes), header(start, &acknowledgement, |_| OnPort)) {
        (No, No) => {
            header(
                start,
                &data,
                |start| {
                    if start[2] & 1 == 0 && start[4] & 1 == 0 { OnPort } else { No }
                },
            )
        }
        (No, answer) | (answer, _) => answer,
    }
}

/// BACnet/IP (ASHRAE 135 annex J): type, function, length, and behind a function that carries a message the version
/// of its network layer.
pub(crate) fn bacnet(bytes: &[u8], len: usize) -> Answer {
    let shape = [Is(0x81), From(0, 12), Any, Any, Any];
    header(bytes, &shape, |bytes| {
        let version = match bytes[1] {
            4 => bytes.get(10),
            9..=11 => bytes.get(4),
            _ => Some(&1),
        };
        sure_if(be(bytes, 2, 2) == len && version == Some(&1))
    })
}

/// EtherNet/IP encapsulation: a command, status 0, no options; a new session has 4 bytes.
pub(crate) fn enip(start: &[u8]) -> Answer {
    let mut shape = [Any; 24];
    shape[0] = In(&[0x04, 0x63, 0x64, 0x65, 0x66, 0x6f, 0x70]);
    shape[1] = Is(0);
    shape[8..12].fill(Is(0));
    shape[20..].fill(Is(0));
    header(start, &shape, |start| match (start[0], le(start, 2, 2)) {
        (0x65, len) => sure_if(len == 4),
        (0x6f | 0x70, len) => sure_if(len >= 6),
        (0x66, len) => sure_if(len == 0),
        // Lists: what a client sends has no data and no session.
        (_, len) => sure_if(len < 1024 && zero(start, 4, 4)),
    })
}

/// The same over UDP.
pub(crate) fn enip_datagram(bytes: &[u8], len: usize) -> Answer {
    if le(bytes, 2, 2) + 24 == len { enip(bytes) } else { No }
}

/// S7: connection request or confirm of ISO transport (RFC 1006, RFC 905 §13.3) with the names of transport
/// access points, then data that begins as S7 does. The connection alone may be of another protocol of automation.
pub(crate) fn s7comm(start: &[u8]) -> Answer {
    const DATA: [crate::shape::Byte; 8] =
        [Is(3), Is(0), Is(0), Any, Is(2), Is(0xf0), Is(0x80), In(&[0x32, 0x72])];
    let connect = [
        Is(3),
        Is(0),
        Is(0),
        Any,
        Any,
        In(&[0xd0, 0xe0]),
        Any,
        Any,
        Any,
        Any,
        Is(0),
        In(&[0xc0, 0xc1, 0xc2]),
        In(&[1, 2]),
    ];
    match header(start, &DATA, |_| Yes) {
        No => header(start, &connect, |start| {
            let len = be(start, 2, 2);
            if len < 18 || len != usize::from(start[4]) + 5 {
                return No;
            }
            header(start.get(len..).unwrap_or_default(), &DATA, |_| Yes)
        }),
        answer => answer,
    }
}
