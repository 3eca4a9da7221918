//! Fragments in any order, of any length, that overlap or lie.

use flowscope::core::{Extracted, FlowExtractor, Timestamp};
use flowscope::extract::{FiveTuple, FiveTupleKey};
use flowscope::reassembly::{DefragConfig, Defragmented, Defragmenter};
use flowscope_testkit::frame;

use crate::Input;

/// Memory that the pieces may take, in bytes.
const BUDGET: usize = 1 << 16;

/// Six bytes are a piece: datagram, place, length, and time that passes.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut defragmenter = Defragmenter::new(DefragConfig::default().memory_budget(BUDGET));
    let (mut pushed, mut joined, mut now) = (0, 0, 1000_u64);
    let mut budget_seen = 0;
    while !input.is_empty() && pushed < 500 {
        let (which, place, len, flags) = (input.byte(), input.half(), input.byte(), input.byte());
        now += u64::from(input.byte() % 16) * u64::from(flags >> 6);
        let ident = u32::from(which >> 1 & 3);
        let (offset, more) = (place & 0x1fff, place & 0x8000 != 0);
        let len = if flags & 1 == 0 { usize::from(len) * 8 } else { len.into() };
        // What a byte is follows from its place, unless the flags say that it differs.
        let differs = if flags & 0x30 == 0x30 { 0x55 } else { 0 };
        let fill = |n: usize| (usize::from(offset) * 8 + n) as u8 ^ differs;
        let ip = match which & 1 {
            0 => frame().ethernet().ipv4("10.0.0.1", "10.0.0.2"),
            _ => frame().ethernet().ipv6("2001:db8::1", "2001:db8::2"),
        };
        let piece = ip.fragment(ident, offset.wrapping_mul(8), more).protocol(17);
        let packet = piece.payload((0..len).map(fill).collect::<Vec<_>>()).packet();
        let view = packet.view();
        let Some(found) = FiveTuple::bidirectional().extract(view) else { continue };
        let found: Extracted<FiveTupleKey> = found;
        let Some(fragment) = found.fragment else { continue };
        pushed += 1;
        let time = Timestamp::from_secs(now);
        match defragmenter.push(&view, &fragment, &found.path, &found.payload, time) {
            Defragmented::Complete(whole) => {
                let view = whole.view();
                joined += u64::from(view.frames());
                assert!(view.wire_len() as usize >= view.frame().len());
                assert!(view.frame().len() <= (1 << 16) + 100);
                defragmenter.recycle(whole);
            }
            Defragmented::Held | Defragmented::Dropped(_) => {}
        }
        budget_seen = defragmenter.heap_bytes().max(budget_seen);
        let lost: u64 = defragmenter.ledger().losses().map(|(_, n)| n).sum();
        assert_eq!(pushed, joined + lost + defragmenter.held_frames(), "every frame is somewhere");
    }
    assert!(budget_seen <= BUDGET, "{budget_seen} bytes held");
    defragmenter.finish();
    assert_eq!(defragmenter.held_frames(), 0);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let piece = |which: u8, place: u16, len: u8, flags: u8| {
        let [high, low] = place.to_be_bytes();
        vec![which, high, low, len, flags, 0]
    };
    let more = 0x8000;
    let lists = [
        vec![piece(0, more, 2, 0), piece(0, 2, 2, 0)],
        vec![piece(1, 2, 2, 0), piece(1, more, 2, 0)],
        vec![piece(0, more, 2, 0), piece(0, more | 1, 2, 0x30), piece(0, 3, 1, 1)],
        vec![piece(1, more, 1, 0), piece(1, more | 2, 1, 0), piece(1, 1, 9, 1)],
        (0..60).map(|n| piece(0, more | (n * 2), 1, 0)).collect(),
        (0..30).rev().map(|n| piece(3, if n == 29 { n } else { more | n }, 1, 0)).collect(),
        vec![piece(0, 0x1fff, 200, 0), piece(0, more | 0x1ff0, 255, 0)],
    ];
    lists.iter().map(|pieces| pieces.concat()).collect()
}
