//! Anything may be pushed, in any state: nothing panics, bytes and gaps follow each other, every
//! byte is accounted for, and memory stays within its bound. Debug builds also check the law from
//! within.

use std::num::NonZeroUsize;

use flowscope_core::{FlowSide, Loss, Reassembler, Segment, StreamSink, Timestamp};
use flowscope_reassembly::{
    BufferedReassembler, OverlapPolicy, StreamConfig, StreamReassembler, StreamReassemblerFactory,
};
use proptest::prelude::*;

/// What a side has given out.
#[derive(Debug, Default)]
struct Account {
    position: u64,
    delivered: u64,
    lost: u64,
}

impl StreamSink for Account {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        assert_eq!(at, self.position);
        self.position += bytes.len() as u64;
        self.delivered += bytes.len() as u64;
    }
    fn gap(&mut self, at: u64, len: u64) {
        assert_eq!(at, self.position);
        assert!(len > 0);
        self.position += len;
    }
    fn lost(&mut self, _: Loss, bytes: u64) {
        self.lost += bytes;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push { near: bool, seq: u32, len: usize, cut: u32, ack: Option<u32>, syn: bool, fin: bool },
    Segment { seq: u32, len: usize },
    Timeout,
    Drain,
    Shed,
    Fin,
    Rst,
    End,
}

fn steps() -> impl Strategy<Value = Vec<(bool, u64, Step)>> {
    let number = || prop_oneof![6 => 0_u32..4000, 1 => any::<u32>(), 1 => (u32::MAX - 4000)..];
    let cut = prop_oneof![6 => Just(0_u32), 1 => 1_u32..100, 1 => any::<u32>()];
    let push = (number(), 0_usize..1600, cut, prop::option::of(number()), 0_u8..40, any::<bool>())
        .prop_map(|(seq, len, cut, ack, flags, near)| Step::Push {
            near,
            seq,
            len,
            cut,
            ack,
            syn: flags < 2,
            fin: flags == 3,
        });
    let step = prop_oneof![
        60 => push,
        4 => (number(), 0_usize..1600).prop_map(|(seq, len)| Step::Segment { seq, len }),
        4 => Just(Step::Timeout),
        2 => Just(Step::Drain),
        1 => Just(Step::Shed),
        1 => Just(Step::Fin),
        1 => Just(Step::Rst),
        1 => Just(Step::End),
    ];
    let ts = prop_oneof![8 => 0_u64..100_000_000, 1 => any::<u64>()];
    prop::collection::vec((any::<bool>(), ts, step), 1..60)
}

const ZEROS: [u8; 1600] = [0; 1600];

fn run<R: Reassembler>(
    mut sides: [R; 2],
    steps: &[(bool, u64, Step)],
    position: impl Fn(&R) -> u64,
    most_held: usize,
) {
    let mut accounts = [Account::default(), Account::default()];
    let mut seen = [0; 2];
    for (responder, ts, step) in steps {
        let nth = usize::from(*responder);
        let [a, b] = &mut sides;
        let (own, peer) = if *responder { (b, a) } else { (a, b) };
        let out = &mut accounts[nth];
        let ts = Timestamp::from_nanos(*ts);
        match *step {
            Step::Push { near, seq, len, cut, ack, syn, fin } => {
                let seq = if near { seq.wrapping_add(position(own) as u32) } else { seq };
                let wire_len = (len as u32).saturating_add(cut);
                let side = if *responder { FlowSide::Responder } else { FlowSide::Initiator };
                let payload = &ZEROS[..len];
                let segment = Segment::new(side, ts, seq, payload);
                own.push(Segment { wire_len, ack, syn, fin, ..segment }, peer, out);
                seen[nth] += len as u64;
            }
            Step::Segment { seq, len } => {
                own.segment(seq, &ZEROS[..len]);
                seen[nth] += len as u64;
            }
            Step::Timeout => own.timeout(ts, peer, out),
            Step::Drain => own.drain(out),
            Step::Shed => own.drop_buffered(out),
            Step::Fin => own.fin(),
            Step::Rst => own.rst(),
            Step::End => own.end(peer, out),
        }
        assert_eq!(position(own), out.position + own.pending() * u64::from(most_held == 0));
        assert!(own.heap_bytes() <= most_held || most_held == 0, "{}", own.heap_bytes());
    }
    for nth in 0..2 {
        let [a, b] = &mut sides;
        let (own, peer) = if nth == 1 { (b, a) } else { (a, b) };
        let out = &mut accounts[nth];
        own.end(peer, out);
        own.drain(out);
        assert_eq!(seen[nth], out.delivered + out.lost);
        assert_eq!(own.pending(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn hole_filling(steps in steps(), policy in 0_usize..4, history in 0_u8..20, bound in 1_usize..40_000) {
        let policies = [
            OverlapPolicy::First,
            OverlapPolicy::Last,
            OverlapPolicy::Linux,
            OverlapPolicy::Solaris,
        ];
        let config = StreamConfig::default()
            .overlap(policies[policy])
            .history(history)
            .max_held(NonZeroUsize::new(bound).unwrap());
        let factory = StreamReassemblerFactory::new(config);
        // What waits in order to be put in order is bounded too: 8 KiB of a beginning, a stray.
        let most_held = bound + 16 * 1024;
        run([factory.make(), factory.make()], &steps, StreamReassembler::position, most_held);
    }

    #[test]
    fn buffered(steps in steps()) {
        let make = || BufferedReassembler::new(NonZeroUsize::new(3000).unwrap());
        run([make(), make()], &steps, BufferedReassembler::position, 0);
    }
}
