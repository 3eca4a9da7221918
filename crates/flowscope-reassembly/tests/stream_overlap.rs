//! Overlap policies: every arrangement of up to three segments against a byte-by-byte oracle.
//!
//! The oracle knows segments and bytes, nothing of spans or pages. Its rules are those of Novak and
//! Sturges, *Target-Based TCP Stream Reassembly* (2007), one comparison per pair of segments.

#![allow(clippy::print_stdout, reason = "a test that prints its figure, for `cargo xtask trust`")]

use std::ops::Range;

use flowscope_core::{
    Conflict, FlowSide, KeptCopy, Loss, Reassembler, Segment, StreamSink, Timestamp,
};
use flowscope_reassembly::{OverlapPolicy, StreamConfig, StreamReassemblerFactory};

/// Whether a new segment's copy replaces that of an original one.
fn beats(policy: OverlapPolicy, new: &Range<usize>, old: &Range<usize>) -> bool {
    match policy {
        OverlapPolicy::First => false,
        OverlapPolicy::Last => true,
        OverlapPolicy::Bsd | OverlapPolicy::Windows => new.start < old.start,
        OverlapPolicy::Linux => {
            new.start < old.start || (new.start == old.start && new.end > old.end)
        }
        OverlapPolicy::OldLinux => {
            new.start < old.start || (new.start == old.start && new.end >= old.end)
        }
        OverlapPolicy::Solaris => {
            (new.start <= old.start && new.end >= old.end)
                || (new.start > old.start && new.end > old.end)
        }
        other => panic!("no oracle for {other:?}"),
    }
}

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    bytes: Vec<Option<u8>>,
    duplicates: u64,
    conflicts: Vec<Conflict>,
}

fn oracle(policy: OverlapPolicy, segments: &[(Range<usize>, u8)], len: usize) -> Outcome {
    let mut outcome = Outcome { bytes: vec![None; len], ..Outcome::default() };
    for (nth, (new, byte)) in segments.iter().enumerate() {
        let (mut differ, mut kept) = (Vec::new(), Vec::new());
        for place in new.clone() {
            let covers = segments[..nth].iter().filter(|(old, _)| old.contains(&place));
            let wins = covers.clone().all(|(old, _)| beats(policy, new, old));
            outcome.duplicates += u64::from(covers.count() > 0);
            if outcome.bytes[place].is_some_and(|old| old != *byte) {
                differ.push(place);
                kept.push(if wins { KeptCopy::Last } else { KeptCopy::First });
            }
            if wins {
                outcome.bytes[place] = Some(*byte);
            }
        }
        if let (Some(first), Some(last)) = (differ.first(), differ.last()) {
            let same = kept.iter().all(|one| *one == kept[0]);
            let kept = if same { kept[0] } else { KeptCopy::Both };
            let (at, len) = (*first as u64, (last - first + 1) as u64);
            outcome.conflicts.push(Conflict { at, len, kept });
        }
    }
    outcome
}

impl StreamSink for Outcome {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        assert_eq!(at, self.bytes.len() as u64);
        self.bytes.extend(bytes.iter().copied().map(Some));
    }
    fn gap(&mut self, at: u64, len: u64) {
        assert_eq!(at, self.bytes.len() as u64);
        self.bytes.extend((0..len).map(|_| None));
    }
    fn lost(&mut self, cause: Loss, bytes: u64) {
        assert_eq!(cause, Loss::Duplicate);
        self.duplicates += bytes;
    }
    fn conflict(&mut self, conflict: Conflict) {
        self.conflicts.push(conflict);
    }
}

/// Gives the segments to a stream whose first byte is missing until they are all there.
fn actual(
    factory: &StreamReassemblerFactory,
    segments: &[(Range<usize>, u8)],
    len: usize,
    isn: u32,
) -> Outcome {
    let (mut own, mut peer) = (factory.make(), factory.make());
    let mut outcome = Outcome::default();
    let mut push = |at: usize, payload: &[u8], syn, out: &mut Outcome| {
        let seq = isn.wrapping_add(at as u32);
        let segment = Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), seq, payload);
        own.push(Segment { syn, ..segment }, &mut peer, out);
    };
    push(0, b"", true, &mut outcome);
    for (range, byte) in segments {
        push(range.start, &vec![*byte; range.len()], false, &mut outcome);
        assert!(outcome.bytes.is_empty());
    }
    push(0, b"0", false, &mut outcome);
    own.end(&mut peer, &mut outcome);
    outcome.bytes.resize(len, None);
    outcome
}

const POLICIES: [OverlapPolicy; 7] = [
    OverlapPolicy::First,
    OverlapPolicy::Last,
    OverlapPolicy::Bsd,
    OverlapPolicy::Linux,
    OverlapPolicy::OldLinux,
    OverlapPolicy::Windows,
    OverlapPolicy::Solaris,
];

/// Ranges within `1..=places`: offset 0 is the byte that comes last.
fn ranges(places: usize) -> Vec<Range<usize>> {
    (1..=places).flat_map(|start| (start + 1..=places + 1).map(move |end| start..end)).collect()
}

fn check(
    policy: OverlapPolicy,
    factory: &StreamReassemblerFactory,
    segments: &[(Range<usize>, u8)],
) {
    let len = segments.iter().map(|(range, _)| range.end).max().unwrap_or(0);
    let mut expected = oracle(policy, segments, len);
    expected.bytes[0] = Some(b'0');
    let isn = u32::MAX - 2;
    assert_eq!(actual(factory, segments, len, isn), expected, "{policy:?}: {segments:?}");
}

fn factory(policy: OverlapPolicy) -> StreamReassemblerFactory {
    StreamReassemblerFactory::new(StreamConfig::default().overlap(policy))
}

#[test]
fn every_arrangement_of_up_to_three_segments() {
    // Six places are enough for any order of the six boundaries.
    let ranges = ranges(6);
    for policy in POLICIES {
        let factory = factory(policy);
        for a in &ranges {
            check(policy, &factory, &[(a.clone(), b'a')]);
            for b in &ranges {
                check(policy, &factory, &[(a.clone(), b'a'), (b.clone(), b'b')]);
                for c in &ranges {
                    let segments = [(a.clone(), b'a'), (b.clone(), b'b'), (c.clone(), b'c')];
                    check(policy, &factory, &segments);
                }
            }
        }
    }
    let n = ranges.len();
    println!("figure: {} policies, {} arrangements", POLICIES.len(), n + n * n + n * n * n);
}

#[test]
fn many_segments_over_many_pages() {
    let mut rng = flowscope_testkit::Rng::new(5);
    for policy in POLICIES {
        let factory = factory(policy);
        for round in 0..60 {
            let scale = [4, 40, 700][round % 3];
            let segments: Vec<_> = (0..2 + rng.below(12))
                .map(|nth| {
                    let start = 1 + rng.below(6 * scale);
                    (start..start + 1 + rng.below(2 * scale), b'a' + (nth % 3) as u8)
                })
                .collect();
            check(policy, &factory, &segments);
        }
    }
}

/// What the paper's figure of overlaps, as hosts are probed with, comes to: one row per policy.
#[test]
fn policies_differ() {
    // An original, and new segments before, at, within and behind it.
    let cases: [(&str, [Range<usize>; 2]); 7] = [
        ("begins before, ends within", [3..6, 1..5]),
        ("begins before, ends behind", [3..5, 1..7]),
        ("begins with it, ends before", [2..6, 2..4]),
        ("begins and ends with it", [2..6, 2..6]),
        ("begins with it, ends behind", [2..4, 2..6]),
        ("begins within, ends with it", [1..6, 3..6]),
        ("begins within, ends behind", [1..5, 3..7]),
    ];
    let rows = [
        (OverlapPolicy::First, ".......".to_string()),
        (OverlapPolicy::Last, "nnnnnnn".to_string()),
        (OverlapPolicy::Bsd, "nn.....".to_string()),
        (OverlapPolicy::Windows, "nn.....".to_string()),
        (OverlapPolicy::Linux, "nn..n..".to_string()),
        (OverlapPolicy::OldLinux, "nn.nn..".to_string()),
        (OverlapPolicy::Solaris, ".n.nn.n".to_string()),
    ];
    for (policy, expected) in rows {
        let new_wins = cases.iter().map(|(_, [old, new])| {
            let segments = [(old.clone(), b'o'), (new.clone(), b'n')];
            let shared = old.start.max(new.start);
            let outcome = actual(&factory(policy), &segments, 9, 1);
            if outcome.bytes[shared] == Some(b'n') { 'n' } else { '.' }
        });
        assert_eq!(new_wins.collect::<String>(), expected, "{policy:?}");
    }
}
