//! Whatever the bytes are, and whatever is said of them.

use flowscope_core::{Fragment, LinkType, PacketView, Path, Payload, Timestamp};
use flowscope_reassembly::{DefragConfig, Defragmented, Defragmenter};
use flowscope_testkit::{Rng, samples};
use proptest::prelude::*;

fn any_fragment() -> impl Strategy<Value = Fragment> {
    let number = || prop_oneof![0..80u32, 65_000..66_000u32, any::<u32>()];
    let offset = prop_oneof![4 => (0..8u32).prop_map(|n| n * 8), 1 => number()];
    (0..2u32, offset, any::<bool>(), prop_oneof![8 => Just(0), 1 => number()])
        .prop_map(|(id, offset, more, header_at)| Fragment { id, offset, more, header_at })
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let number = || prop_oneof![(0..8u32).prop_map(|n| n * 8), 0..80u32, 65_000..66_000u32];
    let offset = prop_oneof![Just(20u32), Just(48), Just(56), 0..100u32, 65_000..66_000u32];
    (offset, number(), number())
        .prop_map(|(offset, captured, wire_len)| Payload::new(offset, captured, wire_len))
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![Just(0x45u8), Just(0x46), Just(0x60), any::<u8>()];
    let next = prop_oneof![Just(44u8), Just(0), Just(51), any::<u8>()];
    (first, next, prop::collection::vec(any::<u8>(), 0..120)).prop_map(
        |(first, next, mut bytes)| {
            bytes.iter_mut().take(1).for_each(|byte| *byte = first);
            bytes.iter_mut().skip(6).take(1).for_each(|byte| *byte = next);
            // Few addresses, so that pieces meet.
            bytes.iter_mut().skip(8).take(32).for_each(|byte| *byte &= 1);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_and_every_frame_is_accounted_for(
        packets in prop::collection::vec((any_bytes(), any_fragment(), any_payload()), 1..40),
    ) {
        let mut defrag = Defragmenter::new(DefragConfig::default());
        let mut joined = 0;
        for (n, (bytes, fragment, payload)) in packets.iter().enumerate() {
            let view = PacketView::new(bytes, LinkType::RAW, Timestamp::ZERO);
            let disposition = defrag.push(&view, fragment, &Path::EMPTY, payload, Timestamp::ZERO);
            if let Defragmented::Complete(whole) = disposition {
                joined += u64::from(whole.view().frames());
                prop_assert!(whole.view().frame().len() <= 65_535 + 40);
                defrag.recycle(whole);
            }
            let accounted = joined + defrag.ledger().seen() + defrag.held_frames();
            prop_assert_eq!(accounted, n as u64 + 1);
        }
    }
}

#[test]
fn damaged_packets_of_every_shape() {
    let mut rng = Rng::new(5);
    let mut defrag = Defragmenter::new(DefragConfig::default());
    for round in 0..2000 {
        for (_, sample) in samples() {
            let packet = sample.damaged(&mut rng);
            let fragment = Fragment {
                id: 1,
                offset: rng.below(4) as u32 * 8,
                more: rng.one_in(2),
                header_at: *rng.pick(&[0, 14, 18, 64]),
            };
            let len = *rng.pick(&[8, 16, 64]);
            let offset = fragment.header_at + *rng.pick(&[20, 40, 48, 56, 72]);
            let payload = Payload::new(offset, len, len);
            let now = Timestamp::from_secs(round);
            if let Defragmented::Complete(whole) =
                defrag.push(&packet.view(), &fragment, &Path::EMPTY, &payload, now)
            {
                defrag.recycle(whole);
            }
        }
    }
}
