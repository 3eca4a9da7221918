//! Protocols of Windows networks.

use crate::answer::Answer;
use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, le, sure_if};

/// DCE RPC over TCP (C706 §12.6.3.1): version 5, a packet type, the format of integers.
pub(crate) fn dcerpc(start: &[u8]) -> Answer {
    let shape = [
        Is(5),
        In(&[0, 1]),
        In(&[0, 2, 3, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
        Any,
        In(&[0, 0x10]),
        Is(0),
        Is(0),
        Is(0),
        Any,
        Any,
    ];
    header(start, &shape, |start| {
        let len = if start[4] == 0 { be(start, 8, 2) } else { le(start, 8, 2) };
        sure_if((16..=8192).contains(&len))
    })
}

/// DCE RPC over UDP (C706 §12.5.1): version 4, a packet type, the format of integers, and a body as long as the rest.
pub(crate) fn dcerpc_datagram(bytes: &[u8], len: usize) -> Answer {
    let shape = [Is(4), From(0, 10), Any, Any, In(&[0, 0x10]), Is(0), Is(0)];
    header(bytes, &shape, |bytes| {
        let body = if bytes[4] == 0 { be(bytes, 74, 2) } else { le(bytes, 74, 2) };
        sure_if(bytes.len() >= 80 && 80 + body <= len && len <= 80 + body + 32)
    })
}
