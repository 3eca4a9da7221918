//! Voice, video, and how their ends find each other.

use crate::answer::Answer::{self, No, OnPort, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, sure_if, zero};
use crate::text::one_of;

/// STUN and TURN (RFC 8489 §5): two bits 0, a length in words, the magic cookie.
pub(crate) fn stun_stream(start: &[u8]) -> Answer {
    let shape = [From(0, 0x3f), Any, Any, Any, Is(0x21), Is(0x12), Is(0xa4), Is(0x42)];
    header(start, &shape, |start| sure_if(start[3] & 3 == 0))
}

/// The same over UDP. Without the cookie (RFC 3489 §11) it is a binding or a shared secret, whose length is that of the
/// datagram.
pub(crate) fn stun(bytes: &[u8], len: usize) -> Answer {
    match stun_stream(bytes) {
        No => {
            let shape = [In(&[0, 1]), In(&[1, 2, 0x11, 0x12]), Any, Any];
            header(bytes, &shape, |bytes| {
                let attribute = bytes.len() <= 20 || be(bytes, 20, 2) <= 0xff;
                sure_if(be(bytes, 2, 2) + 20 == len && attribute && !zero(bytes, 4, 16))
            })
        }
        answer => answer,
    }
}

/// RTP (RFC 3550 §5.1, RFC 3551 §4.5): version 2, a static payload type of audio, and as much of it as such packets
/// have. Any audio and video is plausible.
pub(crate) fn rtp(bytes: &[u8], len: usize) -> Answer {
    let shape = [From(0x80, 0xbf), Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any];
    header(bytes, &shape, |bytes| {
        let audio = len - 12;
        let is_usual = match bytes[1] & 0x7f {
            // PCMU, PCMA, G722: 64 kbit/s, 10 to 60 ms.
            0 | 8 | 9 => matches!(audio, 80 | 160 | 240 | 320 | 480),
            // GSM, G723, G729: frames.
            3 => matches!(audio, 33 | 66),
            4 => matches!(audio, 20 | 24 | 48),
            18 => matches!(audio, 10 | 20 | 30 | 40 | 60),
            _ => false,
        };
        match bytes[1] & 0x7f {
            _ if zero(bytes, 8, 4) => No,
            _ if is_usual && bytes[0] == 0x80 => Yes,
            // 72 to 76 would be RTCP.
            0..=34 | 96..=127 => OnPort,
            _ => No,
        }
    })
}

/// RTCP (RFC 3550 §6.1): packets that fill the datagram, the first of them a report.
pub(crate) fn rtcp(bytes: &[u8], len: usize) -> Answer {
    let shape = [From(0x80, 0xbf), In(&[200, 201]), Is(0), Any, Any, Any, Any, Any];
    header(bytes, &shape, |bytes| {
        let reports = usize::from(bytes[0] & 0x1f) * 6;
        let own = if bytes[1] == 200 { 6 } else { 1 };
        if be(bytes, 2, 2) < own + reports {
            return No;
        }
        let mut at = 0;
        while at + 4 <= bytes.len() {
            if bytes[at] & 0xc0 != 0x80 || !(200..=207).contains(&bytes[at + 1]) {
                return No;
            }
            at += (be(bytes, at + 2, 2) + 1) * 4;
        }
        sure_if(at == len || bytes.len() < len && at <= len)
    })
}

/// RTMP: version 3, a time, four bytes that are 0, then random ones.
pub(crate) fn rtmp(start: &[u8]) -> Answer {
    const RANDOM: std::ops::Range<usize> = 9..41;
    let mut shape = [Any; RANDOM.end];
    shape[0] = Is(3);
    shape[5..RANDOM.start].fill(Is(0));
    header(start, &shape, |start| {
        sure_if(start[RANDOM].iter().filter(|&&byte| byte == 0).count() <= 4)
    })
}

/// RTSP (RFC 7826 §20.2): a method and the scheme of an address, or the version of a response.
pub(crate) fn rtsp(start: &[u8]) -> Answer {
    const METHODS: [&[u8]; 11] = [
        b"OPTIONS ",
        b"DESCRIBE ",
        b"SETUP ",
        b"PLAY ",
        b"PAUSE ",
        b"TEARDOWN ",
        b"ANNOUNCE ",
        b"RECORD ",
        b"GET_PARAMETER ",
        b"SET_PARAMETER ",
        b"REDIRECT ",
    ];
    match one_of(start, &[b"RTSP/1.0 ", b"RTSP/2.0 "]) {
        No => method(start, &METHODS, &[b"rtsp://", b"rtspu://", b"rtsps://", b"* RTSP/"]),
        answer => answer,
    }
}

/// A method, a space, and one of these words.
fn method(start: &[u8], methods: &[&[u8]], words: &[&[u8]]) -> Answer {
    match one_of(start, methods) {
        Yes => {
            let end = start.iter().position(|&byte| byte == b' ').map_or(0, |at| at + 1);
            one_of(&start[end..], words)
        }
        answer => answer,
    }
}
