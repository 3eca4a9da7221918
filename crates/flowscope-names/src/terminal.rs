//! Terminals and screens.

use crate::answer::Answer::{self, No, OnPort, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header};
use crate::text::{is_text, one_of};

/// Telnet (RFC 854): two commands that negotiate options, one behind the other. Text, and one command, are plausible.
pub(crate) fn telnet(start: &[u8]) -> Answer {
    let negotiation = [Is(0xff), From(0xfb, 0xfe), From(0, 50), Is(0xff), From(0xfa, 0xfe)];
    let is_plausible = |byte: u8| is_text(byte) || matches!(byte, 0 | 0x07 | 0x08 | 0x1b);
    match header(start, &negotiation, |_| Yes) {
        No if start[0] == 0xff => header(start, &negotiation[..3], |_| OnPort),
        // Text up to the first command.
        No if start.iter().take_while(|&&byte| byte != 0xff).all(|&byte| is_plausible(byte)) => {
            OnPort
        }
        answer => answer,
    }
}

/// RDP ([MS-RDPBCGR] §2.2.1.1): a connection request of ISO transport with a cookie or the protocols that a client asks
/// for, or the answer to it. One without either is plausible.
pub(crate) fn rdp(start: &[u8]) -> Answer {
    let connect = [Is(3), Is(0), Is(0), Any, Any, In(&[0xd0, 0xe0]), Any, Any, Any, Any, Is(0)];
    header(start, &connect, |start| {
        let (len, rest) = (be(start, 2, 2), &start[11..]);
        match start[5] {
            _ if len != usize::from(start[4]) + 5 => No,
            0xe0 if len == 11 => OnPort,
            0xe0 => match one_of(rest, &[b"Cookie: mstshash=", b"Cookie: msts=", b"mstshash="]) {
                // What the client can do, with its flags.
                No => header(rest, &[Is(1), From(0, 15), Is(8), Is(0)], |_| Yes),
                answer => answer,
            },
            0xd0 if len == 11 => OnPort,
            0xd0 if len == 19 => header(rest, &[From(2, 3), Any, Is(8), Is(0)], |_| Yes),
            _ => No,
        }
    })
}
