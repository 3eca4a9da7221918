//! Hostile input.

use proptest::prelude::*;

use crate::connection::{Beginning, CLIENT, Ends, Reading, SERVER, TLS12, TLS13, conversation};

/// The bound on what is held of one connection: a record of each side, by the growth of a buffer twice as much, what
/// waits for the handshake, and the handshake itself.
const MOST_HEAP: usize = 4 * 16_645 + (1 << 16) + (1 << 17);

proptest! {
    /// Damage, loss, and any bytes behind them neither panic nor take memory, and what was read before them stays.
    #[test]
    fn any_damage_is_survived(
        suite in 0_usize..6,
        damage in prop::collection::vec((any::<usize>(), any::<u8>(), 0_u8..4), 0..8),
        behind in prop::collection::vec(any::<u8>(), 0..600),
        size in 1_usize..400,
    ) {
        let cipher = TLS12.into_iter().chain(TLS13).nth(suite).unwrap();
        let said = [b'a'; 500];
        let (ends, mut turns) = conversation(cipher, [&said, &said], 90);
        turns.push((CLIENT, behind.clone()));
        turns.push((SERVER, behind));
        let mut reading = Reading::new(ends.log(""));
        for (number, (side, bytes)) in turns.iter_mut().enumerate() {
            for (at, byte, kind) in &damage {
                if at % 7 == number && !bytes.is_empty() && *kind < 2 {
                    let at = at % bytes.len();
                    bytes[at] ^= byte;
                }
            }
            for piece in bytes.chunks(size) {
                reading.feed(*side, piece);
            }
            for (at, byte, kind) in &damage {
                if at % 7 == number && *kind >= 2 {
                    reading.gap(*side, if *kind == 2 { u64::from(*byte) } else { *at as u64 });
                }
            }
            prop_assert!(reading.most_heap < MOST_HEAP);
        }
        for stream in reading.end().carried {
            prop_assert!(stream.iter().all(|(_, bytes)| bytes.iter().all(|byte| *byte == b'a')));
        }
    }
}

#[test]
fn the_longest_records_are_held_and_no_more() {
    for cipher in [TLS12[0], TLS13[0]] {
        let (mut ends, mut turns) = Ends::new(cipher, Beginning::default());
        turns.push((CLIENT, ends.client.data(&[b'a'; 100_000], 1 << 14)));
        turns.push((SERVER, ends.server.data(&[b'b'; 100_000], 1 << 14)));
        let mut reading = Reading::new(ends.log(""));
        for (side, bytes) in &turns {
            bytes.chunks(1460).for_each(|piece| reading.feed(*side, piece));
        }
        assert!(reading.most_heap < MOST_HEAP, "{}", reading.most_heap);
        let expected = [(0, vec![b'a'; 100_000])];
        assert_eq!(reading.end().carried[0], expected);
    }
}

/// What waits for the handshake is in small pieces, each behind a gap, and in records that are mostly padding.
#[test]
fn pieces_that_wait_are_held_to_the_bound() {
    for (padding, pieces) in [(3, 8_000), (12_000, 200)] {
        let (mut ends, mut turns) = Ends::new(TLS13[0], Beginning::default());
        let finished = turns.pop();
        assert!(finished.is_some_and(|(side, _)| side == CLIENT));
        let mut reading = Reading::new(ends.log(""));
        turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
        ends.server.padding = padding;
        for _ in 0..pieces {
            let lost = ends.server.data(b"-", 1);
            reading.gap(SERVER, lost.len() as u64);
            reading.feed(SERVER, &ends.server.data(b"+", 1));
        }
        assert!(reading.most_heap < MOST_HEAP, "{padding}: {}", reading.most_heap);
        assert_eq!(reading.stopped, [false; 2], "{padding}");
    }
}

/// Records that begin and never end: what they declare is not held.
#[test]
fn a_record_that_is_too_long_ends_its_side() {
    for (cipher, len) in [(TLS12[0], 0x4101_u16), (TLS13[0], 0x4101), (TLS13[0], 0xffff)] {
        let (ends, turns) = Ends::new(cipher, Beginning::default());
        let mut reading = Reading::new(ends.log(""));
        turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
        let [high, low] = len.to_be_bytes();
        reading.feed(CLIENT, &[23, 3, 3, high, low]);
        assert_eq!(reading.stopped, [true, false], "{cipher:#06x} {len:#x}");
    }
}
