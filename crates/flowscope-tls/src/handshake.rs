use std::borrow::Cow;

use crate::TlsConfig;

/// Puts handshake messages together (RFC 8446 §4) from the bodies of one side's records, however
/// many records a message takes or shares.
///
/// Holds one message at most, and of it no more than has arrived: the bound is the larger one of
/// [`TlsConfig`]'s. What is not read is passed over by its length.
#[derive(Clone, Debug, Default)]
pub(crate) struct Messages {
    state: State,
    hellos_only: bool,
}

#[derive(Clone, Debug)]
enum State {
    Header { bytes: [u8; 4], have: u8 },
    Collect { kind: u8, len: u32, body: Vec<u8> },
    Pass { kind: u8, left: u32, head: Head },
}

/// Values of `HandshakeType` (RFC 8446 §4).
pub(crate) mod kind {
    pub(crate) const CLIENT_HELLO: u8 = 1;
    pub(crate) const SERVER_HELLO: u8 = 2;
    /// A server of DTLS asks for its cookie (RFC 6347 §4.2.1).
    pub(crate) const HELLO_VERIFY_REQUEST: u8 = 3;
    /// A type of its own up to draft 21 of TLS 1.3.
    pub(crate) const HELLO_RETRY_REQUEST: u8 = 6;
    pub(crate) const CERTIFICATE: u8 = 11;
    pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(crate) const SERVER_HELLO_DONE: u8 = 14;
    /// A ClientHello framed as in SSL 2.0. The number is taken by nothing else.
    pub(crate) const SSLV2_HELLO: u8 = 0xff;
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Step<'a> {
    /// A message that is read, whole.
    Message { kind: u8, body: Cow<'a, [u8]> },
    /// A message that is not read was passed over.
    Passed { kind: u8, head: Head },
    /// A message that would be read, but for its length.
    TooLong { kind: u8, len: u32 },
    /// Not a message in the clear.
    Encrypted,
}

/// The first bytes of a message that is passed over, those that were captured before a gap.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Head {
    bytes: [u8; HEAD],
    have: u8,
}

impl Head {
    fn append(&mut self, piece: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.have.into()).zip(piece) {
            *to = *from;
            self.have += 1;
        }
    }

    /// All of them, if the message has so many.
    pub(crate) fn bytes(self) -> Option<[u8; HEAD]> {
        (usize::from(self.have) == HEAD).then_some(self.bytes)
    }
}

/// What a gap does to the messages.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Gap {
    /// Nothing: the message is not read anyway.
    Passed,
    /// This message is lost, the next one is not.
    Lost { kind: u8 },
    /// Where the next message begins is not known.
    Desync,
}

impl Messages {
    /// The next step, taken off `bytes`; `None` once they are used up.
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
        config: &TlsConfig,
    ) -> Option<Step<'a>> {
        loop {
            match &mut self.state {
                State::Header { bytes: header, have } => {
                    let room = header.get_mut(usize::from(*have)..).unwrap_or_default();
                    let taken = take(bytes, room.len());
                    for (to, from) in room.iter_mut().zip(taken) {
                        *to = *from;
                    }
                    *have += taken.len() as u8;
                    let (header, have) = (*header, usize::from(*have));
                    if self.hellos_only && !begins_a_hello(header.get(..have).unwrap_or_default()) {
                        return Some(Step::Encrypted);
                    }
                    if have < header.len() {
                        return None;
                    }
                    let [kind, high, mid, low] = header;
                    let len = u32::from_be_bytes([0, high, mid, low]);
                    match config.limit(kind) {
                        Some(limit) if len <= limit => {
                            self.state = State::Collect { kind, len, body: Vec::new() };
                        }
                        limit => {
                            self.state = State::Pass { kind, left: len, head: Head::default() };
                            if limit.is_some() {
                                return Some(Step::TooLong { kind, len });
                            }
                        }
                    }
                }
                State::Pass { kind, left, head } => {
                    let taken = take(bytes, *left as usize);
                    *left -= taken.len() as u32;
                    head.append(taken);
                    if *left > 0 {
                        return None;
                    }
                    let (kind, head) = (*kind, *head);
                    self.state = State::default();
                    return Some(Step::Passed { kind, head });
                }
                State::Collect { kind, len, body } => {
                    let (kind, len) = (*kind, *len as usize);
                    let piece = take(bytes, len - body.len());
                    if self.hellos_only {
                        let mut start = body.iter().chain(piece).zip(&HELLO_VERSION);
                        if len < HELLO_LEAST || start.any(|(byte, wanted)| byte != wanted) {
                            return Some(Step::Encrypted);
                        }
                    }
                    let body = if body.is_empty() && piece.len() == len {
                        Cow::Borrowed(piece)
                    } else {
                        append(body, piece, len);
                        if body.len() < len {
                            return None;
                        }
                        Cow::Owned(std::mem::take(body))
                    };
                    self.state = State::default();
                    return Some(Step::Message { kind, body });
                }
            }
        }
    }

    /// A hello in SSL 2.0 framing begins, `len` bytes from its version on, which is known already.
    /// Says whether it may be that long.
    pub(crate) fn begin_sslv2(&mut self, len: u32, version: [u8; 2], config: &TlsConfig) -> bool {
        let fits = config.limit(kind::CLIENT_HELLO).is_some_and(|limit| len <= limit);
        self.state = if fits {
            State::Collect { kind: kind::SSLV2_HELLO, len, body: version.to_vec() }
        } else {
            let (kind, left) = (kind::SSLV2_HELLO, len.saturating_sub(2));
            State::Pass { kind, left, head: Head::default() }
        };
        fits
    }

    /// From here on, what does not begin like a hello is taken for encrypted.
    ///
    /// In TLS 1.3 a ChangeCipherSpec means nothing, and hellos may follow one in the clear
    /// (RFC 8446 appendix D.4). Before that it means that the rest is encrypted, which by chance
    /// begins like a hello once in some 2^31 times.
    pub(crate) fn expect_hellos_only(&mut self) {
        self.hellos_only = true;
    }

    /// `len` bytes were never captured, all of them in the body of one record.
    pub(crate) fn gap(&mut self, len: u64) -> Gap {
        let (kind, left, read) = match &self.state {
            State::Header { .. } => return Gap::Desync,
            State::Pass { kind, left, .. } => (*kind, *left, false),
            // What may yet turn out to be encrypted has no length to go by.
            State::Collect { body, .. } if self.hellos_only && body.len() < HELLO_VERSION.len() => {
                return Gap::Desync;
            }
            State::Collect { kind, len, body } => (*kind, *len - body.len() as u32, true),
        };
        // What comes behind the gap is not the beginning.
        let head = match &self.state {
            State::Pass { head, .. } => {
                Head { have: if head.bytes().is_some() { head.have } else { LOST }, ..*head }
            }
            _ => Head { have: LOST, ..Head::default() },
        };
        let Some(left) = u64::from(left).checked_sub(len) else { return Gap::Desync };
        self.state = match left {
            0 => State::default(),
            left => State::Pass { kind, left: left as u32, head },
        };
        if read { Gap::Lost { kind } } else { Gap::Passed }
    }

    /// Bytes held, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.state {
            State::Collect { body, .. } => body.capacity(),
            _ => 0,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        State::Header { bytes: [0; 4], have: 0 }
    }
}

/// A hello of a TLS 1.3 peer: its type, a length of less than 64 KiB.
fn begins_a_hello(header: &[u8]) -> bool {
    matches!(
        header,
        [] | [kind::CLIENT_HELLO | kind::SERVER_HELLO]
            | [kind::CLIENT_HELLO | kind::SERVER_HELLO, 0, ..]
    )
}

/// At most `most` bytes from the front.
fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(bytes.len().min(most));
    *bytes = rest;
    taken
}

/// Grows with what arrives, at most twofold, and ends at exactly `len`.
fn append(body: &mut Vec<u8>, piece: &[u8], len: usize) {
    let needed = body.len() + piece.len();
    if needed > body.capacity() {
        let capacity = needed.max(2 * body.capacity()).max(LEAST_CAPACITY).min(len);
        body.reserve_exact(capacity - body.len());
    }
    body.extend_from_slice(piece);
}

/// Length of a head whose end is lost: more than any.
const LOST: u8 = u8::MAX;
/// Enough for the curve of a ServerKeyExchange (RFC 8422 §5.4).
const HEAD: usize = 3;
const LEAST_CAPACITY: usize = 256;
/// Legacy version of every hello that may follow a ChangeCipherSpec.
const HELLO_VERSION: [u8; 2] = [3, 3];
/// Version, random, and the lengths of what may be empty.
const HELLO_LEAST: usize = 38;

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(kind: u8, start: &[u8]) -> Step<'static> {
        let mut head = Head::default();
        head.append(start);
        Step::Passed { kind, head }
    }

    fn message(kind: u8, len: u32, body: &[u8]) -> Vec<u8> {
        let [_, high, mid, low] = len.to_be_bytes();
        [&[kind, high, mid, low], body].concat()
    }

    /// All steps, the bytes coming in pieces of `size`.
    fn steps(messages: &mut Messages, bytes: &[u8], size: usize) -> Vec<Step<'static>> {
        let config = TlsConfig::default().max_hello(1000);
        let mut steps = Vec::new();
        for mut piece in bytes.chunks(size) {
            while let Some(step) = messages.next(&mut piece, &config) {
                let encrypted = step == Step::Encrypted;
                steps.push(match step {
                    Step::Message { kind, body } => {
                        Step::Message { kind, body: body.into_owned().into() }
                    }
                    Step::Passed { kind, head } => Step::Passed { kind, head },
                    Step::TooLong { kind, len } => Step::TooLong { kind, len },
                    Step::Encrypted => Step::Encrypted,
                });
                if encrypted {
                    return steps;
                }
            }
        }
        steps
    }

    #[test]
    fn messages_come_whole_whatever_the_pieces() {
        let hello = [7; 300];
        let stream = [
            message(1, 300, &hello),
            message(12, 3, b"xyz"),
            message(14, 0, b""),
            message(2, 1001, &[0; 1001]),
            message(2, 0, b""),
            message(11, 2, b"ab"),
        ]
        .concat();
        let expected = [
            Step::Message { kind: 1, body: hello.to_vec().into() },
            passed(12, b"xyz"),
            passed(14, &[]),
            Step::TooLong { kind: 2, len: 1001 },
            passed(2, &[0; 3]),
            Step::Message { kind: 2, body: vec![].into() },
            Step::Message { kind: 11, body: b"ab"[..].into() },
        ];
        for size in 1..=stream.len() {
            assert_eq!(steps(&mut Messages::default(), &stream, size), expected, "{size}");
        }
    }

    /// The bound of a hello is 1000 bytes here, also where it is framed as in SSL 2.0.
    #[test]
    fn a_message_as_long_as_the_bound_is_read() {
        let (fits, too_long) = ([7; 1000], [7; 1001]);
        let mut messages = Messages::default();
        let step = Step::Message { kind: 1, body: fits.to_vec().into() };
        assert_eq!(steps(&mut messages, &message(1, 1000, &fits), 2000), [step]);
        let step = Step::TooLong { kind: 1, len: 1001 };
        assert_eq!(steps(&mut messages, &message(1, 1001, &too_long), 2000)[0], step);
        let config = TlsConfig::default().max_hello(1000);
        assert!(Messages::default().begin_sslv2(1000, [3, 1], &config));
        assert!(!Messages::default().begin_sslv2(1001, [3, 1], &config));
    }

    #[test]
    fn memory_for_a_message_is_at_most_its_length() {
        for len in [5, 100, 255, 256, 257, 300, 1000] {
            let mut messages = Messages::default();
            let start = message(1, len, &vec![9; len as usize - 1]);
            for byte in start.chunks(1) {
                assert!(messages.next(&mut &byte[..], &TlsConfig::default()).is_none());
            }
            assert!(messages.heap_bytes() <= len as usize, "{} of {len}", messages.heap_bytes());
        }
    }

    #[test]
    fn a_length_is_not_allocated_for() {
        let mut messages = Messages::default();
        let config = TlsConfig::default();
        let start = message(1, 65_536, &[9; 100]);
        assert!(messages.next(&mut &start[..], &config).is_none());
        assert_eq!(messages.heap_bytes(), 256);
        assert!(messages.next(&mut &[9; 60_000][..], &config).is_none());
        assert!(messages.heap_bytes() <= 65_536);
        let mut messages = Messages::default();
        let start = message(1, 0xff_ffff, &[9; 100]);
        let step = messages.next(&mut &start[..], &config);
        assert_eq!(step, Some(Step::TooLong { kind: 1, len: 0xff_ffff }));
        assert_eq!(messages.heap_bytes(), 0);
    }

    #[test]
    fn after_a_change_of_cipher_only_hellos_are_clear() {
        fn check(bytes: &[u8], expected: &[Step<'static>]) {
            for size in 1..=bytes.len() {
                let mut messages = Messages::default();
                messages.expect_hellos_only();
                assert_eq!(steps(&mut messages, bytes, size), expected, "{bytes:?} by {size}");
            }
        }
        let body = [&[3, 3][..], &[0; 40]].concat();
        let clear = [Step::Message { kind: 1, body: body.clone().into() }];
        check(&message(1, 42, &body), &clear);
        check(&message(1, 42, &[&[3, 4][..], &[0; 40]].concat()), &[Step::Encrypted]);
        check(&message(1, 0x1_0000, b"xyz"), &[Step::Encrypted]);
        check(&message(1, 3, &[3, 3, 0]), &[Step::Encrypted]);
        check(&message(20, 12, &[1; 12]), &[Step::Encrypted]);
        check(&message(11, 12, &[1; 12]), &[Step::Encrypted]);
        check(&message(1, 42, &body)[..20], &[]);
    }

    #[test]
    fn gaps_cost_the_message_they_are_in() {
        fn check(start: &[u8], gap: u64, expected: &Gap) {
            let mut messages = Messages::default();
            assert!(steps(&mut messages, start, 1).is_empty());
            assert_eq!(messages.gap(gap), *expected, "{start:?}");
            if *expected != Gap::Desync {
                let rest = [vec![0; 20 - 5 - gap as usize], message(14, 0, b"")].concat();
                let last = steps(&mut messages, &rest, 1).pop();
                assert_eq!(last, Some(passed(14, &[])));
            }
        }
        check(&message(1, 20, &[3; 5]), 10, &Gap::Lost { kind: 1 });
        check(&message(1, 20, &[3; 5]), 15, &Gap::Lost { kind: 1 });
        check(&message(1, 20, &[3; 5]), 16, &Gap::Desync);
        check(&message(12, 20, &[3; 5]), 15, &Gap::Passed);
        check(&message(12, 20, &[3; 5]), 3, &Gap::Passed);
        check(&message(12, 20, &[3; 5]), 16, &Gap::Desync);
        check(&[1, 0], 1, &Gap::Desync);
        check(&[], 1, &Gap::Desync);
        // Whether the length is one is not known before the version.
        let mut messages = Messages::default();
        messages.expect_hellos_only();
        assert!(steps(&mut messages, &message(1, 100, &[3]), 1).is_empty());
        assert_eq!(messages.gap(10), Gap::Desync);
        assert!(steps(&mut messages, &[3], 1).is_empty());
        assert_eq!(messages.gap(10), Gap::Lost { kind: 1 });
    }
}
