//! [`StreamReassembler`] against a model of single bytes: random conversations with losses, reordering,
//! retransmissions of the same and of other bytes, cuts, acknowledgements, FINs and strays.

mod model;

use std::collections::BTreeMap;
use std::time::Duration;

use flowscope_core::{Conflict, FlowSide, Loss, Reassembler, Segment, StreamSink, Timestamp};
use flowscope_reassembly::{
    OverlapPolicy, StreamConfig, StreamReassembler, StreamReassemblerFactory,
};
use flowscope_testkit::Rng;
use model::{Differ, GRACE, Given, MAX_AHEAD, Model, Piece, TIMEOUT};

#[derive(Debug, Default)]
struct Sink {
    given: Vec<Given>,
    lost: BTreeMap<Loss, u64>,
    conflicts: Vec<Conflict>,
}

impl StreamSink for Sink {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        self.given.extend((at..).zip(bytes).map(|(at, byte)| Given::Byte(at, *byte)));
    }
    fn gap(&mut self, at: u64, len: u64) {
        assert!(len > 0);
        self.given.extend((at..at + len).map(Given::Gap));
    }
    fn lost(&mut self, cause: Loss, bytes: u64) {
        assert!(bytes > 0);
        *self.lost.entry(cause).or_default() += bytes;
    }
    fn conflict(&mut self, conflict: Conflict) {
        self.conflicts.push(conflict);
    }
}

fn time(ms: u64) -> Timestamp {
    Timestamp::from_secs(1000) + Duration::from_millis(ms)
}

/// The stream, its model, and what they are to agree about.
struct Both {
    stream: StreamReassembler,
    peer: StreamReassembler,
    sink: Sink,
    model: Model,
    isn: u32,
    seen: u64,
    delivered: u64,
    gaps: u64,
    conflicts: u64,
}

impl Both {
    fn new(policy: OverlapPolicy, isn: u32) -> Self {
        let config = StreamConfig::default()
            .overlap(policy)
            .grace(Duration::from_millis(GRACE))
            .hole_timeout(Duration::from_millis(TIMEOUT))
            .max_ahead(MAX_AHEAD as u32);
        let factory = StreamReassemblerFactory::new(config);
        let model = Model::new(policy);
        let sink = Sink::default();
        Both {
            stream: factory.make(),
            peer: factory.make(),
            sink,
            model,
            isn,
            seen: 0,
            delivered: 0,
            gaps: 0,
            conflicts: 0,
        }
    }

    fn segment<'a>(&self, piece: &'a Piece) -> Segment<'a> {
        Segment {
            side: FlowSide::Initiator,
            ts: time(piece.ts),
            seq: self.isn.wrapping_add(piece.at as u32),
            payload: &piece.bytes,
            wire_len: piece.wire_len as u32,
            ack: None,
            syn: piece.syn,
            fin: piece.fin,
            padding: false,
            out_of_window: false,
        }
    }

    fn push(&mut self, piece: &Piece) {
        let segment = self.segment(piece);
        self.stream.push(segment, &mut self.peer, &mut self.sink);
        self.seen += piece.bytes.len() as u64;
        self.model.push(piece.clone());
    }

    fn ack(&mut self, at: i64, ts: u64) {
        let ack = Some(self.isn.wrapping_add(at as u32));
        let empty = Piece { at: 0, bytes: Vec::new(), wire_len: 0, syn: false, fin: false, ts };
        let segment = Segment { ack, side: FlowSide::Responder, ..self.segment(&empty) };
        self.peer.push(segment, &mut self.stream, &mut self.sink);
        self.model.ack(at, ts);
    }

    fn pass(&mut self, ts: u64) {
        self.stream.timeout(time(ts), &mut self.peer, &mut self.sink);
        self.model.pass(ts);
    }

    fn end(&mut self) {
        self.stream.end(&mut self.peer, &mut self.sink);
        self.model.end();
    }

    fn compare(&mut self, step: &dyn std::fmt::Debug) {
        let (sink, model) = (&mut self.sink, &mut self.model);
        assert_eq!(sink.given, model.given, "{step:?}");
        assert_eq!(sink.lost, model.lost, "{step:?}");
        assert_eq!(self.stream.pending(), model.pending(), "{step:?}");
        assert_eq!(self.stream.position(), model.position, "{step:?}");
        assert_eq!(self.stream.finished(), model.finished, "{step:?}");
        assert_eq!(self.stream.deadline(), model.deadline().map(time), "{step:?}");
        for given in sink.given.drain(..) {
            match given {
                Given::Byte(..) => self.delivered += 1,
                Given::Gap(_) => self.gaps += 1,
            }
        }
        model.given.clear();
        let lost: u64 = sink.lost.values().sum();
        assert_eq!(self.seen, self.delivered + lost + self.stream.pending(), "{step:?}");
        assert_eq!(self.delivered + self.gaps, self.stream.position(), "{step:?}");
        self.conflicts += sink.conflicts.len() as u64;
        let mut conflicts = sink.conflicts.drain(..).peekable();
        for differ in model.differ.drain(..) {
            match differ {
                Differ::Waiting(conflict) => {
                    assert_eq!(conflicts.next(), Some(conflict), "{step:?}");
                }
                Differ::Delivered { places, must } => {
                    let hit = |found: &Conflict| {
                        let range = found.at..found.at + found.len;
                        places.iter().any(|place| range.contains(place))
                    };
                    let found = conflicts.next_if(hit);
                    assert!(found.is_some() || !must, "{places:?} {step:?}");
                }
            }
        }
        assert_eq!(conflicts.next(), None, "{step:?}");
    }
}

fn content(at: i64) -> u8 {
    (at.wrapping_mul(0x9e37) >> 5) as u8
}

fn piece(at: i64, len: usize, ts: u64) -> Piece {
    let bytes = (at..at + len as i64).map(content).collect();
    Piece { at, bytes, wire_len: len, syn: false, fin: false, ts }
}

/// What kind of conversation a seed gives.
struct Kind {
    most: usize,
    reorder: usize,
    lose: usize,
    retransmit: usize,
    cut: usize,
    change: usize,
    stray: usize,
    ack: usize,
    syn: bool,
    step: usize,
}

fn converse(seed: u64) -> Both {
    let rng = &mut Rng::new(seed);
    let policies =
        [OverlapPolicy::First, OverlapPolicy::Last, OverlapPolicy::Bsd, OverlapPolicy::Linux];
    let kind = Kind {
        most: *rng.pick(&[3, 20, 200, 1500]),
        reorder: *rng.pick(&[0, 2, 10]),
        lose: *rng.pick(&[0, 3, 20]),
        retransmit: *rng.pick(&[0, 2, 10]),
        cut: *rng.pick(&[0, 0, 4]),
        change: *rng.pick(&[0, 3]),
        stray: *rng.pick(&[0, 0, 20]),
        ack: *rng.pick(&[0, 2, 8]),
        syn: !rng.one_in(3),
        step: *rng.pick(&[0, 2, 8, 3000]),
    };
    let happens = |rng: &mut Rng, n: usize| n > 0 && rng.one_in(n);
    let mut both = Both::new(*rng.pick(&policies), *rng.pick(&[0, 1000, u32::MAX - 500, 1 << 31]));
    let (mut now, mut next, mut late) = (0, 0_i64, Vec::<Piece>::new());
    if kind.syn {
        let syn = Piece { syn: true, ..piece(0, rng.below(2) * 5, now) };
        next = syn.bytes.len() as i64;
        both.push(&syn);
        both.compare(&syn);
    }
    let steps = 20 + rng.below(60);
    for step in 0..steps {
        now += rng.below(kind.step + 1) as u64;
        let len = 1 + rng.below(kind.most);
        let mut sent = if happens(rng, kind.retransmit) {
            let back = rng.below(3 * kind.most + 2) as i64;
            piece(next - back, len, now)
        } else {
            let new = piece(next, len, now);
            next += len as i64;
            new
        };
        if rng.one_in(20) {
            // A keep-alive.
            sent = Piece { bytes: vec![0], ..piece(next - 1, 1, now) };
        }
        if happens(rng, kind.cut) {
            let captured = rng.below(sent.bytes.len() + 1);
            sent.bytes.truncate(captured);
        }
        if happens(rng, kind.change) && !sent.bytes.is_empty() {
            let at = rng.below(sent.bytes.len());
            sent.bytes[at] ^= 0x55;
        }
        if happens(rng, kind.stray) {
            sent.at += *rng.pick(&[-2, 1, 1, 1, 2]) * (MAX_AHEAD + 1 + rng.below(500) as i64);
            if rng.one_in(2) {
                let following = piece(sent.at + sent.wire_len as i64, 3, now);
                both.push(&sent);
                both.compare(&(seed, step, &sent));
                sent = following;
                next = next.max(sent.at + 3);
            }
            if rng.one_in(3) {
                // The receiver has them, or something else that far away.
                let at = sent.at + rng.below(4) as i64;
                both.ack(at, now);
                both.compare(&(seed, step, "far ack", at));
            }
        }
        sent.fin = step + 5 > steps && rng.one_in(4);
        sent.syn = kind.syn && rng.one_in(40) && sent.at == 0;
        if happens(rng, kind.lose) {
            continue;
        }
        if happens(rng, kind.reorder) {
            late.push(sent);
        } else {
            both.push(&sent);
            both.compare(&(seed, step, &sent));
        }
        if !late.is_empty() && rng.one_in(3) {
            let mut sent = late.swap_remove(rng.below(late.len()));
            sent.ts = now;
            both.push(&sent);
            both.compare(&(seed, step, &sent));
        }
        if happens(rng, kind.ack) {
            let at = next - rng.below(2 * kind.most) as i64 + i64::from(rng.one_in(4));
            both.ack(at, now);
            both.compare(&(seed, step, "ack", at));
        }
        if rng.one_in(6) {
            now += rng.below(2 * GRACE as usize) as u64;
            both.pass(now);
            both.compare(&(seed, step, "pass", now));
        }
    }
    both.end();
    both.compare(&(seed, "end"));
    assert_eq!((both.stream.pending(), both.stream.heap_bytes()), (0, 0));
    both.push(&piece(next, 3, now));
    both.compare(&(seed, "behind the end"));
    both
}

#[test]
fn random_conversations() {
    // Other ones: STREAM_SEEDS=100000..200000.
    let seeds = std::env::var("STREAM_SEEDS").ok().and_then(|range| {
        let (from, to) = range.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let (mut lost, mut gaps, mut conflicts, mut finished) = (BTreeMap::new(), 0, 0, 0);
    for seed in seeds.unwrap_or(0..150) {
        let both = converse(seed);
        for (cause, bytes) in both.sink.lost {
            *lost.entry(cause).or_insert(0) += bytes;
        }
        gaps += u64::from(both.gaps > 0);
        conflicts += both.conflicts;
        finished += u64::from(both.model.finished);
    }
    // The conversations are about something.
    let causes: Vec<_> = lost.keys().copied().collect();
    assert_eq!(causes, [Loss::OutOfWindow, Loss::Duplicate, Loss::OooDropped]);
    assert!(gaps > 100 && conflicts > 100 && finished > 30, "{gaps} {conflicts} {finished}");
}
