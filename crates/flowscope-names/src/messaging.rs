//! Messages between people and between things.

use crate::answer::Answer::{self, Maybe, No, Yes};

use crate::shape::Byte::{Any, From};
use crate::shape::{be, header, sure_if};
use crate::text::{is_word, one_of};

/// XMPP (RFC 6120 §4.2): the opening tag of a stream, behind an XML declaration or not.
pub(crate) fn jabber(start: &[u8]) -> Answer {
    const TAG: &[u8] = b"<stream:stream";
    match one_of(start, &[b"<?xml "]) {
        Yes => {
            let Some(end) = start.windows(2).position(|window| window == b"?>") else {
                return if start.iter().all(u8::is_ascii) { Maybe } else { No };
            };
            let rest = start[end + 2..].trim_ascii_start();
            one_of(rest, &[TAG])
        }
        No => one_of(start, &[TAG]),
        answer => answer,
    }
}

/// CoAP (RFC 7252 §3): a request with a token of at most 8 bytes whose options are sound, in order and name a path.
pub(crate) fn coap(bytes: &[u8], len: usize) -> Answer {
    // Version 1, confirmable or not.
    let shape = [From(0x40, 0x58), From(1, 7), Any, Any];
    header(bytes, &shape, |bytes| {
        let token = usize::from(bytes[0] & 15);
        sure_if(token <= 8 && bytes.len() == len && coap_options(&bytes[4..], token))
    })
}

fn coap_options(bytes: &[u8], token: usize) -> bool {
    let (mut at, mut number, mut path) = (token, 0, false);
    while at < bytes.len() && bytes[at] != 0xff {
        let (delta, size) = (usize::from(bytes[at] >> 4), usize::from(bytes[at] & 15));
        at += 1;
        let mut extended = |value| match value {
            13 => {
                at += 1;
                be(bytes, at - 1, 1) + 13
            }
            14 => {
                at += 2;
                be(bytes, at - 2, 2) + 269
            }
            _ => value,
        };
        if delta == 15 || size == 15 {
            return false;
        }
        number += extended(delta);
        let size = extended(size);
        let Some(value) = bytes.get(at..at + size) else { return false };
        match number {
            // Uri-Host, Uri-Path, Uri-Query are text.
            3 | 11 | 15 if !is_word(value) => return false,
            11 => path = true,
            // As many as are assigned.
            65_001.. => return false,
            _ => {}
        }
        at += size;
    }
    path && at <= bytes.len()
}
