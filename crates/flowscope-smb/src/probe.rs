//! What first bytes say.

use flowscope_core::Probe::{self, Maybe, No, Yes};

use crate::frame::{LENGTH, PROTOCOL_ID};

/// Sure of a frame with a message of any version, and of a session of NetBIOS that is asked for.
pub(crate) fn probe(start: &[u8]) -> Probe {
    match start.first() {
        Some(0x81) => request(start),
        // A session is granted: what follows is no frame of its own side yet (RFC 1002 §4.3.3).
        Some(0x82) => match begins(start, b"\x82\0\0\0") {
            Yes => match &start[LENGTH..] {
                [] => Maybe,
                rest => message(rest),
            },
            answer => answer,
        },
        _ => message(start),
    }
}

/// A length, and the name of a version; the longest is that of SMB 2.1 and later ([MS-SMB2] §2.1).
fn message(start: &[u8]) -> Probe {
    if start.first().is_some_and(|&kind| kind != 0) {
        return No;
    }
    let Some((length, id)) = start.split_at_checked(LENGTH) else { return Maybe };
    let id = &id[..id.len().min(PROTOCOL_ID)];
    let is_version = id.first().is_none_or(|version| matches!(version, 0xfc..=0xff));
    if length[1..] < [0, 0, 32][..] || !is_version {
        return No;
    }
    match id {
        [] => Maybe,
        [_, rest @ ..] => begins(rest, b"SMB"),
    }
}

/// A session is asked for, with the name of a server, encoded, and that of a client (RFC 1002 §4.3.2, RFC 1001 §14.1).
fn request(start: &[u8]) -> Probe {
    const NAME: usize = 32;
    if start.get(1).is_some_and(|&flags| flags > 1) || start.get(2).is_some_and(|&len| len != 0) {
        return No;
    }
    let Some(name) = start.get(LENGTH..) else { return Maybe };
    let Some((&len, name)) = name.split_first() else { return Maybe };
    let name = &name[..name.len().min(NAME)];
    if usize::from(len) != NAME || !name.iter().all(|byte| matches!(byte, b'A'..=b'P')) {
        return No;
    }
    if name.len() == NAME { Yes } else { Maybe }
}

/// Whether the bytes begin so, as far as they are there.
fn begins(bytes: &[u8], expected: &[u8]) -> Probe {
    let len = bytes.len().min(expected.len());
    match (bytes[..len] == expected[..len], len == expected.len()) {
        (false, _) => No,
        (true, false) => Maybe,
        (true, true) => Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_known_by_their_version() {
        for version in 0xfc..=0xff {
            let frame = [0, 1, 0, 0x45, version, b'S', b'M', b'B', 0x72];
            for len in 0..8 {
                assert_eq!(probe(&frame[..len]), Maybe, "{len}");
                // A response may follow the grant of a session.
                assert_eq!(probe(&[b"\x82\0\0\0", &frame[..len]].concat()), Maybe, "{len}");
            }
            assert_eq!(probe(&frame), Yes);
            assert_eq!(probe(&[&b"\x82\0\0\0"[..], &frame].concat()), Yes);
        }
    }

    #[test]
    fn sessions_are_known_by_an_encoded_name() {
        let request = [&b"\x81\0\0\x44\x20"[..], &[b'C'; 32], b"\0"].concat();
        for len in 0..37 {
            assert_eq!(probe(&request[..len]), Maybe, "{len}");
        }
        assert_eq!(probe(&request), Yes);
        for (at, byte) in [(1, 2), (2, 1), (4, 31), (5, b'Q'), (36, b'@')] {
            let mut request = request.clone();
            request[at] = byte;
            assert_eq!(probe(&request), No, "{at}");
        }
    }

    #[test]
    fn what_contradicts_is_no_frame() {
        for bytes in [
            &b"\x01"[..],
            b"\0\0\0\x1f\xfe",
            b"\0\0\0\x45\xfb",
            b"\0\0\0\x45\xfeSMC",
            b"\x82\0\0\x01",
            b"\x82\0\0\0\x81",
            b"GET / HTTP/1.1",
            b"\x16\x03\x01",
        ] {
            assert_eq!(probe(bytes), No, "{bytes:?}");
        }
    }
}
