//! Puts handshake messages together from their fragments (RFC 6347 §4.2.3).

use super::wire::Fragment;
use crate::handshake::kind;
use crate::message::TlsAnomalyKind;
use crate::{Fragments, TlsConfig};

/// The messages of one side that are not complete.
///
/// Fragments come in any order, more than once and cut anew each time they are repeated. Holds
/// [`MAX_PARTIAL`] messages at most, each within the bounds of [`TlsConfig`] and of [`Fragments`], and as
/// much of each as has arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Messages {
    partial: Vec<Partial>,
    /// Numbers of the messages that are done with, one bit each.
    done: u64,
}

#[derive(Clone, Debug)]
struct Partial {
    seq: u16,
    kind: u8,
    len: u32,
    fragments: Fragments,
}

/// What a fragment brings.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Step {
    Nothing,
    /// A message is complete. One that is not read has no body.
    Message {
        kind: u8,
        body: Vec<u8>,
    },
    /// A message is given up.
    GivenUp {
        kind: u8,
        why: TlsAnomalyKind,
    },
}

impl Messages {
    /// Takes a fragment.
    pub(super) fn fragment(&mut self, fragment: Fragment<'_>, config: &TlsConfig) -> Step {
        let Fragment { kind, len, seq, offset, bytes } = fragment;
        // No handshake has more messages.
        let bit = 1_u64.checked_shl(seq.into()).unwrap_or(0);
        if bit == 0 || self.done & bit != 0 {
            return Step::Nothing;
        }
        let limit = match kind {
            // The curve stands at the beginning, and the message is short.
            kind::SERVER_KEY_EXCHANGE => Some(Fragments::MAX_BYTES as u32),
            kind => config.limit(kind),
        };
        let Some(limit) = limit else {
            self.close(seq, bit);
            return Step::Message { kind, body: Vec::new() };
        };
        if len > limit.min(Fragments::MAX_BYTES as u32) {
            self.close(seq, bit);
            return Step::GivenUp { kind, why: TlsAnomalyKind::TooLong(len) };
        }
        if len as usize == bytes.len() {
            self.close(seq, bit);
            return Step::Message { kind, body: bytes.to_vec() };
        }
        let at = match self.partial.iter().position(|partial| partial.seq == seq) {
            Some(at) => at,
            None if self.partial.len() == MAX_PARTIAL => {
                self.done |= bit;
                return Step::GivenUp { kind, why: TlsAnomalyKind::Lost };
            }
            None => {
                self.partial.push(Partial { seq, kind, len, fragments: Fragments::default() });
                self.partial.len() - 1
            }
        };
        let partial = &mut self.partial[at];
        if (partial.kind, partial.len) != (kind, len) {
            self.close(seq, bit);
            return Step::GivenUp { kind, why: TlsAnomalyKind::Malformed };
        }
        // What was not kept is sent again.
        partial.fragments.insert(offset.into(), bytes);
        if partial.fragments.ready().len() < len as usize {
            return Step::Nothing;
        }
        let body = partial.fragments.ready().to_vec();
        self.close(seq, bit);
        Step::Message { kind, body }
    }

    /// The kinds of messages that are not complete, in the order of their numbers.
    pub(super) fn incomplete(&mut self) -> Vec<u8> {
        let mut partial = std::mem::take(&mut self.partial);
        partial.sort_by_key(|partial| partial.seq);
        partial.iter().map(|partial| partial.kind).collect()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let fragments = self.partial.iter().map(|partial| partial.fragments.heap_bytes());
        self.partial.capacity() * size_of::<Partial>() + fragments.sum::<usize>()
    }

    fn close(&mut self, seq: u16, bit: u64) {
        self.done |= bit;
        self.partial.retain(|partial| partial.seq != seq);
    }
}

/// A flight has one long message, or two.
const MAX_PARTIAL: usize = 3;

#[cfg(test)]
mod tests {
    use flowscope_testkit::Rng;

    use super::*;

    fn part(seq: u16, body: &[u8], from: usize, to: usize) -> Fragment<'_> {
        let len = body.len() as u32;
        Fragment { kind: 11, len, seq, offset: from as u32, bytes: &body[from..to] }
    }

    #[test]
    fn fragments_may_be_cut_anew_and_come_in_any_order() {
        let (mut rng, config) = (Rng::new(5), TlsConfig::default());
        let body = rng.bytes(2000);
        for _ in 0..200 {
            let mut messages = Messages::default();
            let mut complete = 0;
            for _ in 0..2000 {
                // Often at the beginning.
                let from = rng.below(2200).saturating_sub(200);
                let to = (from + 1 + rng.below(400)).min(2000);
                match messages.fragment(part(3, &body, from, to), &config) {
                    Step::Nothing => {}
                    Step::Message { body: read, .. } => {
                        assert_eq!(read, body);
                        complete += 1;
                    }
                    step => panic!("{step:?}"),
                }
            }
            assert_eq!(complete, 1);
            assert!(messages.incomplete().is_empty());
        }
    }

    #[test]
    fn what_cannot_be_right_is_given_up_once() {
        let config = TlsConfig::default().max_certificates(1000);
        let (short, long) = ([7; 100], [7; 1001]);
        let mut messages = Messages::default();
        let given_up = |why| Step::GivenUp { kind: 11, why };
        let step = messages.fragment(part(1, &long, 0, 500), &config);
        assert_eq!(step, given_up(TlsAnomalyKind::TooLong(1001)));
        assert_eq!(messages.fragment(part(1, &long, 500, 1001), &config), Step::Nothing);
        // Two lengths of one message.
        assert_eq!(messages.fragment(part(2, &short, 0, 50), &config), Step::Nothing);
        let step = messages.fragment(part(2, &short[..99], 50, 99), &config);
        assert_eq!(step, given_up(TlsAnomalyKind::Malformed));
        // More messages at once than a flight has, and numbers that no handshake reaches.
        for seq in 3..6 {
            assert_eq!(messages.fragment(part(seq, &short, 0, 50), &config), Step::Nothing);
        }
        let step = messages.fragment(part(6, &short, 0, 50), &config);
        assert_eq!(step, given_up(TlsAnomalyKind::Lost));
        assert_eq!(messages.fragment(part(64, &short, 0, 100), &config), Step::Nothing);
        assert_eq!(messages.incomplete(), [11, 11, 11]);
    }

    /// 64 KiB are put together at most, whatever the configuration says.
    #[test]
    fn a_message_has_no_more_bytes_than_fragments_hold() {
        let config = TlsConfig::default().max_certificates(1 << 20);
        let body = vec![7; Fragments::MAX_BYTES + 1];
        let longest = &body[1..];
        let mut messages = Messages::default();
        assert_eq!(messages.fragment(part(1, longest, 0, 1000), &config), Step::Nothing);
        let step = messages.fragment(part(1, longest, 1000, longest.len()), &config);
        assert_eq!(step, Step::Message { kind: 11, body: longest.to_vec() });
        let why = TlsAnomalyKind::TooLong(body.len() as u32);
        let step = messages.fragment(part(2, &body, 0, 1000), &config);
        assert_eq!(step, Step::GivenUp { kind: 11, why });
    }

    #[test]
    fn a_number_is_that_of_one_message() {
        let config = TlsConfig::default();
        let body = [7; 100];
        let mut messages = Messages::default();
        assert_eq!(messages.fragment(part(1, &body, 0, 50), &config), Step::Nothing);
        let other = Fragment { kind: kind::SERVER_HELLO, ..part(1, &body, 50, 100) };
        let why = TlsAnomalyKind::Malformed;
        assert_eq!(messages.fragment(other, &config), Step::GivenUp { kind: 2, why });
    }

    #[test]
    fn a_message_that_is_done_keeps_no_fragments() {
        let config = TlsConfig::default().max_certificates(1000);
        let (short, long) = ([7; 100], [7; 1001]);
        let mut messages = Messages::default();
        for seq in 0..40 {
            assert_eq!(messages.fragment(part(seq, &short, 0, 50), &config), Step::Nothing);
            // Another kind, or another length, of the same number.
            let (kind, body) = if seq % 2 == 0 { (20, &short[..]) } else { (11, &long[..]) };
            let other = Fragment { kind, ..part(seq, body, 0, body.len()) };
            assert_ne!(messages.fragment(other, &config), Step::Nothing);
        }
        assert!(messages.incomplete().is_empty());
    }

    #[test]
    fn a_length_is_not_allocated_for() {
        let mut messages = Messages::default();
        let body = [1; 60_000];
        messages.fragment(part(0, &body, 30_000, 30_010), &TlsConfig::default());
        assert!(messages.heap_bytes() < 1000, "{}", messages.heap_bytes());
    }
}
