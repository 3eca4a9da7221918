use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope_core::Conflict;

use super::*;

/// The calls of a sink, one line each.
#[derive(Debug, Default)]
struct Log(Vec<String>);

impl StreamSink for Log {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        self.0.push(format!("{at} {}", String::from_utf8_lossy(bytes)));
    }
    fn gap(&mut self, at: u64, len: u64) {
        self.0.push(format!("{at} gap {len}"));
    }
    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.0.push(format!("{cause} {bytes}"));
    }
    fn conflict(&mut self, Conflict { at, len, kept }: Conflict) {
        self.0.push(format!("conflict {at} {len} {kept:?}"));
    }
}

/// Milliseconds.
fn ms(ms: u64) -> Timestamp {
    Timestamp::from_secs(100) + Duration::from_millis(ms)
}

/// The initial number of the streams here: they wrap soon.
const ISN: u32 = u32::MAX - 4;

fn data(at: i64, payload: &[u8]) -> Segment<'_> {
    let seq = ISN.wrapping_add(1).wrapping_add(at as u32);
    Segment::new(FlowSide::Initiator, ms(0), seq, payload)
}

fn syn() -> Segment<'static> {
    data(0, b"").syn()
}

fn fin(at: i64, payload: &[u8]) -> Segment<'_> {
    data(at, payload).fin()
}

fn cut(at: i64, payload: &[u8], wire_len: u32) -> Segment<'_> {
    data(at, payload).wire_len(wire_len)
}

fn at(millis: u64, segment: Segment<'_>) -> Segment<'_> {
    Segment { ts: ms(millis), ..segment }
}

fn config() -> StreamConfig {
    StreamConfig::default().grace(Duration::from_millis(10))
}

/// A stream and the one it is acknowledged by.
struct Pair {
    own: StreamReassembler,
    peer: StreamReassembler,
    log: Log,
}

impl Pair {
    fn new(config: StreamConfig) -> Self {
        Pair::of(&StreamReassemblerFactory::new(config))
    }

    fn of(factory: &StreamReassemblerFactory) -> Self {
        Pair { own: factory.make(), peer: factory.make(), log: Log::default() }
    }

    fn push(&mut self, segment: Segment<'_>) -> &mut Self {
        self.own.push(segment, &mut self.peer, &mut self.log);
        self
    }

    /// The other side acknowledges everything before an offset.
    fn ack(&mut self, millis: u64, offset: u32) -> &mut Self {
        let ack = Some(ISN.wrapping_add(1).wrapping_add(offset));
        let segment = Segment { side: FlowSide::Responder, ack, ..at(millis, data(0, b"")) };
        self.peer.push(segment, &mut self.own, &mut self.log);
        self
    }

    fn pass(&mut self, millis: u64) -> &mut Self {
        self.own.timeout(ms(millis), &mut self.peer, &mut self.log);
        self
    }

    fn end(&mut self) -> &mut Self {
        self.own.end(&mut self.peer, &mut self.log);
        self
    }

    fn expect(&mut self, lines: &[&str]) -> &mut Self {
        assert_eq!(self.log.0, lines);
        self.log.0.clear();
        self
    }
}

/// The same segments, with each number that begins or ends one as the last before 0, and as they are.
fn moved<'a>(segments: &[Segment<'a>]) -> Vec<Vec<Segment<'a>>> {
    let numbers = segments.iter().flat_map(|it| [it.seq, it.seq.wrapping_add(it.wire_len)]);
    let moved = numbers.chain([u32::MAX]).map(|last| {
        let by = u32::MAX.wrapping_sub(last);
        segments.iter().map(|it| Segment { seq: it.seq.wrapping_add(by), ..*it }).collect()
    });
    moved.collect()
}

fn check(config: StreamConfig, segments: &[Segment<'_>], lines: &[&str]) {
    let factory = StreamReassemblerFactory::new(config);
    for segments in moved(segments) {
        let mut pair = Pair::of(&factory);
        for segment in &segments {
            pair.push(*segment);
        }
        assert_eq!(pair.log.0, lines, "{segments:?}");
    }
}

#[test]
fn the_state_is_small() {
    // Debug builds count on top of it.
    assert_eq!(size_of::<StreamReassembler>() - size_of::<Accounting>(), 40);
    // Of every side with data.
    assert!(size_of::<ColdState>() <= 296, "{}", size_of::<ColdState>());
}

#[test]
fn in_order() {
    check(
        config(),
        &[syn(), data(0, b"ab"), data(2, b"cdefgh"), data(8, b"i")],
        &["0 ab", "2 cdefgh", "8 i"],
    );
    // Data on the SYN, and a SYN that is sent again.
    let open = data(0, b"ab").syn();
    check(config(), &[open, data(2, b"cd"), syn()], &["0 ab", "2 cd"]);
    check(config(), &[open, open, data(2, b"cd")], &["0 ab", "duplicate 2", "2 cd"]);
}

#[test]
fn missing_bytes_that_arrive_late() {
    check(
        config(),
        &[syn(), data(2, b"cd"), data(5, b"f"), data(0, b"ab"), data(4, b"e")],
        &["0 ab", "2 cd", "4 e", "5 f"],
    );
    check(config(), &[syn(), data(2, b"cd"), data(0, b"abcdef")], &["duplicate 2", "0 abcdef"]);
    check(config(), &[syn(), data(2, b"cd"), data(0, b"abc")], &["duplicate 1", "0 abcd"]);
    check(config(), &[syn(), data(0, b"ab"), data(1, b"bcd")], &["0 ab", "duplicate 1", "2 cd"]);
}

#[test]
fn conflicts() {
    let out_of_order = |policy, bytes, line| {
        let segments = [syn(), data(2, b"cdef"), data(3, b"xex"), data(0, b"ab")];
        check(config().overlap(policy), &segments, &[line, "duplicate 3", "0 ab", bytes]);
    };
    out_of_order(OverlapPolicy::First, "2 cdef", "conflict 3 3 First");
    out_of_order(OverlapPolicy::Last, "2 cxex", "conflict 3 3 Last");
    // With what was delivered.
    check(
        config(),
        &[syn(), data(0, b"abcdef"), data(2, b"cxe")],
        &["0 abcdef", "conflict 3 1 First", "duplicate 3"],
    );
    check(
        config().history(0),
        &[syn(), data(0, b"abcdef"), data(2, b"cxe")],
        &["0 abcdef", "duplicate 3"],
    );
    // A keep-alive is not one.
    check(config(), &[syn(), data(0, b"abcdef"), data(5, b"\0")], &["0 abcdef", "duplicate 1"]);
    check(
        config(),
        &[syn(), data(0, b"abcdef"), data(4, b"\0")],
        &["0 abcdef", "conflict 4 1 First", "duplicate 1"],
    );
}

#[test]
fn an_acknowledged_hole_is_a_gap_after_the_grace() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(3, b"de")).ack(1, 5).expect(&[]);
    assert_eq!(pair.own.deadline(), Some(ms(11)));
    pair.pass(10).expect(&[]).pass(11).expect(&["0 gap 3", "3 de"]);
    assert_eq!((pair.own.deadline(), pair.own.position()), (None, 5));
    // What comes then is too late; what comes within the grace is not.
    pair.push(at(12, data(0, b"abcd"))).expect(&["ooo_dropped 3", "duplicate 1"]);
    pair.push(at(20, data(6, b"g"))).ack(20, 7).push(at(29, data(5, b"f"))).expect(&["5 f", "6 g"]);
}

#[test]
fn an_acknowledged_tail_is_a_gap_after_the_grace() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).ack(0, 10).ack(5, 12).expect(&["0 ab"]);
    pair.pass(10).expect(&["2 gap 8"]).pass(14).expect(&[]).pass(15).expect(&["10 gap 2"]);
    // One number more is a FIN's, unless something comes behind it.
    pair.ack(20, 13).pass(50).end().expect(&[]);
    let mut pair = Pair::new(config());
    pair.push(syn())
        .ack(0, 1)
        .pass(50)
        .push(at(50, data(1, b"b")))
        .pass(60)
        .expect(&["0 gap 1", "1 b"]);
    // A part of a hole.
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(5, b"f")).ack(0, 2).pass(10).expect(&["0 gap 2"]);
    pair.push(at(11, data(2, b"cde"))).expect(&["2 cde", "5 f"]);
}

#[test]
fn a_hole_that_is_not_acknowledged_is_a_gap_after_its_timeout() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(at(2000, data(3, b"d"))).push(at(3000, data(5, b"f"))).expect(&[]);
    pair.push(at(4000, data(1, b"b")));
    assert_eq!(pair.own.deadline(), Some(ms(12_000)));
    pair.pass(11_999).expect(&[]).pass(12_000).expect(&["0 gap 1", "1 b", "2 gap 1", "3 d"]);
    // Each hole has a clock of its own: that of the data right behind it.
    assert_eq!(pair.own.deadline(), Some(ms(13_000)));
    pair.push(at(13_000, data(4, b"e"))).expect(&["4 gap 1", "5 f", "ooo_dropped 1"]);
}

#[test]
fn fins() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab"));
    assert!(!pair.own.finished());
    pair.push(fin(2, b"cd"));
    assert!(pair.own.finished());
    pair.push(fin(2, b"cd")).push(data(4, b"e")).push(data(40, b"e")).push(fin(9, b""));
    pair.expect(&["0 ab", "2 cd", "duplicate 2", "out_of_window 1", "out_of_window 1"]);
    // Before what it follows.
    let mut pair = Pair::new(config());
    pair.push(syn()).push(fin(4, b"")).push(data(2, b"cdef")).push(data(0, b"ab"));
    pair.expect(&["out_of_window 2", "0 ab", "2 cd"]);
    assert!(pair.own.finished());
    // Far away, or behind what was delivered.
    let mut pair = Pair::new(config());
    pair.push(syn())
        .push(data(0, b"ab"))
        .push(fin(1, b""))
        .push(fin(1 << 25, b""))
        .push(data(2, b"c"));
    pair.expect(&["0 ab", "2 c"]);
    assert!(!pair.own.finished());
    // Its hole has a timeout.
    let mut pair = Pair::new(config());
    pair.push(syn()).push(at(5, fin(4, b""))).pass(10_004).expect(&[]).pass(10_005);
    pair.expect(&["0 gap 4"]);
    assert!(pair.own.finished());
}

#[test]
fn end_of_flow() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(2, b"cd")).push(data(6, b"g")).push(fin(9, b"")).end();
    pair.expect(&["0 gap 2", "2 cd", "4 gap 2", "6 g", "7 gap 2"]);
    assert!(pair.own.finished());
    pair.push(data(9, b"j")).push(data(0, b"ab")).end();
    pair.expect(&["out_of_window 1", "out_of_window 2"]);
    assert_eq!(pair.own.heap_bytes(), 0);
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).ack(0, 9).end().expect(&["0 ab", "2 gap 7"]);
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(2, b"cd"));
    pair.own.rst();
    pair.push(data(0, b"ab")).expect(&["out_of_window 2"]).end().expect(&["0 gap 2", "2 cd"]);
}

#[test]
fn what_the_snap_length_cut_off_is_a_gap() {
    check(
        config(),
        &[syn(), cut(0, b"ab", 4), cut(4, b"ef", 8), data(12, b"m")],
        &["0 ab", "2 gap 2", "4 ef", "6 gap 6", "12 m"],
    );
    check(
        config(),
        &[syn(), cut(4, b"ef", 8), data(12, b"m"), data(0, b"abcd")],
        &["0 abcd", "4 ef", "6 gap 6", "12 m"],
    );
    // A second copy has some of it.
    check(
        config(),
        &[syn(), cut(2, b"cd", 8), data(6, b"g"), data(0, b"ab")],
        &["0 ab", "2 cd", "4 gap 2", "6 g", "7 gap 3"],
    );
    check(
        config(),
        &[syn(), cut(0, b"", 8), data(4, b"ef"), data(8, b"i")],
        &["0 gap 8", "ooo_dropped 2", "8 i"],
    );
}

#[test]
fn without_a_syn_the_stream_begins_at_the_lowest_number_of_the_grace() {
    let mut pair = Pair::new(config());
    pair.push(data(4, b"ef")).push(at(3, data(0, b"ab"))).push(at(4, data(6, b"gh"))).expect(&[]);
    assert_eq!((pair.own.deadline(), pair.own.pending()), (Some(ms(10)), 6));
    pair.push(at(10, data(2, b"cd"))).expect(&["0 ab", "2 cd", "4 efgh"]);
    pair.push(at(11, data(-2, b"yz"))).expect(&["out_of_window 2"]);
    // Many segments or bytes start it at once, and so does the end.
    let mut pair = Pair::new(config());
    for n in 0..16 {
        pair.expect(&[]).push(data(n, b"x"));
    }
    assert_eq!(pair.own.position(), 16);
    let mut pair = Pair::new(config());
    pair.push(data(0, &[b'x'; 8 << 10]));
    assert_eq!(pair.own.position(), 8 << 10);
    Pair::new(config())
        .push(data(3, b"d"))
        .push(data(0, b"a"))
        .end()
        .expect(&["0 a", "1 gap 2", "3 d"]);
    // A SYN that comes late.
    let mut pair = Pair::new(config());
    pair.push(data(2, b"cd")).push(at(1, syn())).push(at(2, data(0, b"ab")));
    pair.expect(&["0 ab", "2 cd"]);
}

#[test]
fn segments_far_ahead() {
    let far = 1 << 25;
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).push(data(far, b"xy"));
    assert_eq!(pair.own.pending(), 2);
    pair.push(data(2, b"cd")).expect(&["0 ab", "out_of_window 2", "2 cd"]);
    // Continued, it is believed no more than alone.
    pair.push(data(9, b"j")).push(data(far, b"xy")).push(data(far + 2, b"z")).expect(&[]);
    // But when the receiver has it.
    pair.ack(1, 4).ack(2, 5 + far as u32).expect(&[]);
    pair.ack(3, 1 + far as u32);
    assert_eq!(pair.own.deadline(), Some(ms(3)));
    pair.pass(3).expect(&[
        "4 gap 5",
        "9 j",
        &format!("10 gap {}", far - 10),
        &format!("{far} xy"),
        &format!("{} z", far + 2),
    ]);
    // Not backwards.
    pair.push(data(0, b"ab")).push(data(2, b"cd")).expect(&["out_of_window 2", "out_of_window 2"]);
    // One that is far from the one before takes its place.
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(far, b"x")).push(data(2 * far, b"y")).end();
    pair.expect(&["out_of_window 1", "out_of_window 1"]);
}

#[test]
fn many_segments_far_ahead_are_believed_where_nobody_could_acknowledge_them() {
    let far = 1 << 25;
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).expect(&["0 ab"]);
    for n in 0..16 {
        pair.expect(&[]).push(data(far + n, b"x"));
    }
    assert_eq!(pair.own.position(), far as u64 + 16);
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).ack(1, 2).expect(&["0 ab"]);
    for n in 0..40 {
        pair.push(data(far + n, b"x")).expect(&[]);
    }
    pair.end().expect(&["out_of_window 40"]);
}

#[test]
fn segments_far_ahead_are_bounded() {
    let bound = NonZeroUsize::new(8 << 10).unwrap();
    let mut pair = Pair::new(config().max_held(bound));
    pair.push(syn()).ack(0, 0);
    for n in 0..100 {
        pair.push(data((1 << 25) + 1000 * n, &[b'x'; 1000]));
        assert!(pair.own.heap_bytes() < 10 << 10, "{n}: {}", pair.own.heap_bytes());
    }
}

#[test]
fn segments_far_ahead_are_put_in_order() {
    let far = 1 << 25;
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).ack(1, 2).push(data(far + 2, b"zz"));
    pair.push(data(far, b"xy")).ack(2, far as u32 + 4).pass(2).expect(&[
        "0 ab",
        &format!("2 gap {}", far - 2),
        &format!("{far} xy"),
        &format!("{} zz", far + 2),
    ]);
}

/// A stream ends with its FIN, whatever lies far behind it.
#[test]
fn nothing_follows_the_fin() {
    let far = 1 << 25;
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).push(data(9, b"j")).push(data(far, b"xy"));
    pair.push(fin(10, b"")).ack(1, far as u32 + 2).pass(1);
    pair.expect(&["0 ab", "2 gap 7", "9 j", "out_of_window 2"]);
    assert!(pair.own.finished());
    assert_eq!(pair.own.position(), 10);
}

/// A FIN behind a part that was not captured ends the stream, once it is acknowledged.
#[test]
fn a_stream_goes_on_behind_a_fin_that_is_retracted() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(fin(0, b"a")).expect(&["0 a"]);
    assert!(pair.own.finished());
    pair.own.retract_fin();
    assert!(!pair.own.finished());
    pair.push(data(1, b"b")).push(fin(2, b"")).expect(&["1 b"]);
    assert!(pair.own.finished());
    // Where it is not reached, or the start is not known.
    let mut pair = Pair::new(config());
    pair.push(syn()).push(fin(2, b""));
    pair.own.retract_fin();
    pair.push(data(0, b"abc")).push(fin(3, b"")).expect(&["0 abc"]);
    assert!(pair.own.finished());
    let mut pair = Pair::new(config());
    pair.push(fin(0, b"a"));
    pair.own.retract_fin();
    pair.push(data(1, b"b")).end().expect(&["0 a", "1 b"]);
    assert!(!pair.own.finished());
    // No longer once the flow has ended.
    let mut pair = Pair::new(config());
    pair.push(syn()).push(fin(0, b"a")).end();
    pair.own.retract_fin();
    pair.push(data(1, b"b")).expect(&["0 a", "out_of_window 1"]);
    assert!(pair.own.finished());
}

#[test]
fn a_fin_far_ahead() {
    let far = 1 << 25;
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(0, b"ab")).push(fin(far, b"")).expect(&["0 ab"]);
    pair.ack(1, far as u32).pass(1).expect(&[]);
    pair.ack(2, far as u32 + 1).pass(2).expect(&[&format!("2 gap {}", far - 2)]);
    assert!(pair.own.finished());
}

#[test]
fn at_the_bound_the_lowest_hole_is_released() {
    let bound = NonZeroUsize::new(8 << 10).unwrap();
    let mut pair = Pair::new(config().max_held(bound));
    pair.push(syn());
    let mut released = 0;
    for n in 1..100 {
        pair.push(data(n * 5000, b"x"));
        assert!(
            pair.own.heap_bytes()
                <= bound.get()
                    + size_of::<ColdState>()
                    + size_of::<Gaps>()
                    + size_of::<OutOfOrder>()
        );
        released += pair.log.0.iter().filter(|line| line.contains("gap")).count();
        assert!(pair.log.0.iter().all(|line| !line.contains("lost")));
        pair.log.0.clear();
    }
    assert!(released > 90, "{released}");
}

#[test]
fn drop_buffered_frees_out_of_order_data() {
    let mut pair = Pair::new(config());
    pair.push(syn()).push(data(2, b"cd")).push(fin(6, b""));
    pair.own.drop_buffered(&mut pair.log);
    assert_eq!(pair.own.pending(), 0);
    pair.push(data(0, b"abcdef")).expect(&["memcap 2", "0 abcdef"]);
    assert!(pair.own.finished());
}

#[test]
fn without_an_engine() {
    let (mut own, mut log) = (StreamReassembler::default(), Log::default());
    own.segment(7, b"cd");
    own.segment(5, b"ab");
    own.segment(11, b"g");
    own.fin();
    own.fin();
    assert_eq!(own.pending(), 5);
    own.drain(&mut log);
    assert_eq!(log.0, ["0 ab", "2 cd"]);
    own.segment(9, b"ef");
    own.rst();
    own.segment(12, b"h");
    own.drain(&mut log);
    assert_eq!(log.0[2..], ["4 ef", "6 g", "out_of_window 1"]);
    assert!(own.finished());
}

/// Writes what the segments of the bytes acknowledge.
#[derive(Default)]
struct Acks(Vec<(u64, Option<u64>)>);

impl StreamSink for Acks {
    fn bytes(&mut self, _: u64, _: &[u8]) {}
    fn bytes_acking(&mut self, at: u64, _: &[u8], acked: Option<u64>, _: Option<Timestamp>) {
        self.0.push((at, acked));
    }
    fn gap(&mut self, _: u64, _: u64) {}
}

/// Bytes that waited come with what their own segment acknowledges, not with the latest.
#[test]
fn bytes_come_with_the_acknowledgement_of_their_segment() {
    let factory = StreamReassemblerFactory::default();
    let (mut own, mut peer, mut acks) = (factory.make(), factory.make(), Acks::default());
    let ack = |offset: u32| ISN.wrapping_add(1).wrapping_add(offset);
    own.push(at(0, data(0, b"ab")).ack(ack(0)), &mut peer, &mut acks);
    assert_eq!(acks.0.pop(), None, "the start of the stream is not known");
    peer.push(Segment { side: FlowSide::Responder, ..at(1, syn()) }, &mut own, &mut acks);
    own.push(at(2, syn()), &mut peer, &mut acks);
    own.push(at(3, data(6, b"gh")).ack(ack(7)), &mut peer, &mut acks);
    own.push(at(4, data(4, b"ef")).ack(ack(5)), &mut peer, &mut acks);
    own.push(at(5, data(2, b"cd")).ack(ack(9)), &mut peer, &mut acks);
    own.push(at(6, data(8, b"ij")), &mut peer, &mut acks);
    let expected = [(0, Some(0)), (2, Some(9)), (4, Some(5)), (6, Some(7)), (8, None)];
    assert_eq!(acks.0, expected);
}

/// The farthest segment that is accepted alone, in bytes from the position.
const MOST: u32 = 100;

/// What becomes of segments at the end of the flow.
fn check_at_end(segments: &[Segment<'_>], lines: &[&str]) {
    for segments in moved(segments) {
        let mut pair = Pair::new(config().max_ahead(MOST));
        for segment in &segments {
            pair.push(*segment);
        }
        pair.end().expect(lines);
    }
}

#[test]
fn a_segment_may_be_as_far_ahead_as_the_setting_says() {
    check_at_end(&[syn(), data(0, b"a"), data(101, b"x")], &["0 a", "1 gap 100", "101 x"]);
    check_at_end(&[syn(), data(0, b"a"), data(102, b"x")], &["0 a", "out_of_window 1"]);
}

#[test]
fn a_segment_may_be_as_far_behind_as_the_setting_says() {
    let all = [b'a'; 101];
    check(
        config().max_ahead(MOST),
        &[syn(), data(0, &all), data(1, b"a"), data(0, b"a")],
        &[&format!("0 {}", "a".repeat(101)), "duplicate 1", "out_of_window 1"],
    );
}

#[test]
fn an_acknowledgement_may_be_as_far_ahead_as_the_setting_says() {
    for (offset, lines) in [(101, &["0 a", "1 gap 100"][..]), (102, &["0 a"])] {
        let mut pair = Pair::new(config().max_ahead(MOST));
        pair.push(syn()).push(data(0, b"a")).ack(0, offset).pass(10).expect(lines);
    }
}

/// Segments far ahead that are not near to each other are not of one stream: the last may be.
#[test]
fn segments_far_ahead_are_kept_within_the_same_distance() {
    let most = config().max_ahead(MOST);
    check(most.clone(), &[syn(), data(1000, b"x"), data(1100, b"y")], &[]);
    check(most.clone(), &[syn(), data(1100, b"x"), data(1000, b"y")], &[]);
    check(most, &[syn(), data(1000, b"x"), data(1101, b"y")], &["out_of_window 1"]);
}

/// A stream without a SYN begins at the lowest segment near the first.
#[test]
fn the_start_may_be_as_far_before_the_first_segment_as_the_setting_says() {
    check_at_end(&[data(100, b"x"), data(0, b"a")], &["0 a", "1 gap 99", "100 x"]);
    check_at_end(&[data(101, b"x"), data(0, b"a")], &["0 x", "out_of_window 1"]);
}
