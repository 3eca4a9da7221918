//! Protocols of routers.

use crate::answer::Answer::{self, No, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, sure_if, zero};

/// BGP (RFC 4271 §4.1): sixteen bytes of ones, a length, a type.
pub(crate) fn bgp(start: &[u8]) -> Answer {
    let mut shape = [Is(0xff); 19];
    shape[16..].copy_from_slice(&[From(0, 16), Any, From(1, 5)]);
    header(start, &shape, |start| sure_if((19..=4096).contains(&be(start, 16, 2))))
}

/// BFD (RFC 5880 §4.1): version 1, a known diagnostic, the length of the datagram, and a discriminator.
pub(crate) fn bfd(bytes: &[u8], len: usize) -> Answer {
    let shape = [From(0x20, 0x29), Any, From(1, 255), From(24, 52), Any, Any, Any, Any];
    header(bytes, &shape, |bytes| sure_if(usize::from(bytes[3]) == len && !zero(bytes, 4, 4)))
}

/// HSRP (RFC 2281 §5.1): version 0 with its 20 bytes and a password of text; version 2 with its first element.
pub(crate) fn hsrp(bytes: &[u8], len: usize) -> Answer {
    let v0 =
        [Is(0), From(0, 2), In(&[0, 1, 2, 4, 8, 16]), Any, Any, Any, Any, Is(0), From(b' ', b'~')];
    let v2 = [Is(1), Is(0x28), Is(2), From(0, 2), From(0, 6), In(&[4, 6])];
    match header(bytes, &v0, |_| sure_if(len == 20)) {
        No => header(bytes, &v2, |_| Yes),
        answer => answer,
    }
}
