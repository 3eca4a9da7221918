//! Streams against a per-byte oracle: what is delivered is what was sent at that place.

use std::num::NonZeroUsize;

use flowscope::core::{FlowSide, Loss, Reassembler, Segment, StreamSink, Timestamp};
use flowscope::reassembly::{OverlapPolicy, StreamConfig, StreamReassemblerFactory};

use crate::Input;

/// The byte that was sent at a place of the stream.
fn sent(place: u32) -> u8 {
    (place.wrapping_mul(0x9e37_79b9) >> 24) as u8
}

/// Compares what comes out with what was sent.
#[derive(Default)]
struct Oracle {
    at: u64,
    delivered: u64,
    lost: u64,
    /// Where the stream begins, once that is known.
    start: u32,
    conflicts: bool,
}

impl StreamSink for Oracle {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        assert_eq!(at, self.at, "bytes follow each other");
        if !self.conflicts {
            for (n, byte) in bytes.iter().enumerate() {
                let place = self.start.wrapping_add(at as u32).wrapping_add(n as u32);
                assert_eq!(*byte, sent(place), "offset {}", at + n as u64);
            }
        }
        self.at += bytes.len() as u64;
        self.delivered += bytes.len() as u64;
    }

    fn gap(&mut self, at: u64, len: u64) {
        assert_eq!(at, self.at, "a gap follows what came before");
        assert!(len > 0);
        self.at += len;
    }

    fn lost(&mut self, _: Loss, bytes: u64) {
        self.lost += bytes;
    }
}

/// A byte of settings and four of a first number; then eight bytes are a segment.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = input.byte();
    let policy =
        [OverlapPolicy::First, OverlapPolicy::Last, OverlapPolicy::Linux, OverlapPolicy::Solaris];
    let bound = NonZeroUsize::new(256 << (settings >> 5)).unwrap_or(NonZeroUsize::MIN);
    let config = StreamConfig::default()
        .overlap(policy[usize::from(settings & 3)])
        .history(settings >> 2 & 7)
        .max_held(bound);
    let conflicts = settings & 0x80 != 0;
    let factory = StreamReassemblerFactory::new(config);
    let (mut own, mut peer) = (factory.make(), factory.make());
    let isn = input.word();
    let mut oracle = Oracle { start: isn, conflicts, ..Oracle::default() };
    let syn = Segment::new(FlowSide::Initiator, Timestamp::ZERO, isn, &[]).syn();
    own.push(syn, &mut peer, &mut oracle);
    let (mut pushed, mut now, mut steps) = (0, 0_u64, 0);
    while !input.is_empty() && steps < 300 {
        steps += 1;
        let (kind, at, len) = (input.byte(), input.half(), input.half());
        let (ack, pause, flags) = (input.half(), input.byte(), input.byte());
        now += u64::from(pause) * 1_000_000 * u64::from(flags & 0x0f);
        let ts = Timestamp::from_nanos(now);
        let base = oracle.start;
        let seq = match kind & 3 {
            // From the start; from what was delivered; just before that; anywhere.
            0 => base.wrapping_add(at.into()),
            1 => base.wrapping_add(oracle.at as u32).wrapping_add((at % 64).into()),
            2 => base.wrapping_add(oracle.at as u32).wrapping_sub((at % 64).into()),
            _ => u32::from(at) << 16 | u32::from(ack),
        };
        let differs = if conflicts && kind & 4 != 0 { 0xff } else { 0 };
        let payload: Vec<u8> =
            (0..u32::from(len % 1500)).map(|n| sent(seq.wrapping_add(n)) ^ differs).collect();
        let mut segment = Segment::new(FlowSide::Initiator, ts, seq, &payload);
        if kind & 0x08 != 0 {
            segment = segment.fin();
        }
        if kind & 0x10 != 0 {
            segment = segment.wire_len(payload.len() as u32 + u32::from(ack % 100));
        }
        pushed += payload.len() as u64;
        own.push(segment, &mut peer, &mut oracle);
        match kind >> 5 {
            1 => own.acked(base.wrapping_add(ack.into()), &mut oracle),
            2 => own.timeout(ts, &mut peer, &mut oracle),
            3 => own.drop_buffered(&mut oracle),
            _ => {}
        }
        let law = oracle.delivered + oracle.lost + own.pending();
        assert_eq!(pushed, law, "every byte is somewhere");
        assert!(own.heap_bytes() <= bound.get() + 16 * 1024, "{}", own.heap_bytes());
    }
    own.end(&mut peer, &mut oracle);
    assert_eq!((own.pending(), pushed), (0, oracle.delivered + oracle.lost));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let step = |kind: u8, at: u16, len: u16, ack: u16| {
        let [a, b] = at.to_be_bytes();
        let [c, d] = len.to_be_bytes();
        let [e, f] = ack.to_be_bytes();
        [kind, a, b, c, d, e, f, 1, 1]
    };
    let stream = |settings: u8, isn: u32, steps: &[[u8; 9]]| {
        let steps: Vec<u8> =
            steps.iter().flat_map(|step| [&step[..7], &step[7..]].concat()).collect();
        [&[settings], &isn.to_be_bytes()[..], &steps].concat()
    };
    let order: Vec<_> = (0..20).map(|n| step(0, n * 100, 100, n * 100)).collect();
    let reverse: Vec<_> = (0..20).rev().map(|n| step(0x20, n * 100, 100, n * 90)).collect();
    let holes: Vec<_> = (0..40).map(|n| step(0x40, n * 50 + 25, 25, 0)).collect();
    let overlaps: Vec<_> = (0..30).map(|n| step(4 | (n % 3) as u8, n * 7 % 60, 20, 10)).collect();
    vec![
        stream(0x00, 1000, &order),
        stream(0x41, u32::MAX - 500, &reverse),
        stream(0x22, u32::MAX, &holes),
        stream(0xa3, 5, &overlaps),
        stream(0x80, 1 << 31, &overlaps),
        stream(0x60, 0, &[step(0, 0, 10, 0), step(0x08, 10, 0, 0), step(0, 0, 10, 0)]),
    ]
}
