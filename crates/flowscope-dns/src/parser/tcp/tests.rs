use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};
use flowscope_testkit::{pieces, splits};
use proptest::prelude::*;

use crate::fixture::{Wire, any_bytes, framed, samples};
use crate::{DnsDefect, DnsMessage, DnsTcpParser};

const SIDE: FlowSide = FlowSide::Initiator;

fn feed(bytes: &[u8]) -> StreamChunk<'_> {
    StreamChunk::new(SIDE, Timestamp::from_secs(7), 0, bytes)
}

/// What a stream gives that ends after it came in these pieces.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<DnsMessage> {
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    for piece in pieces {
        parser.feed_into(feed(piece), &mut out);
    }
    parser.end(&mut out);
    out
}

fn ids(messages: &[DnsMessage]) -> Vec<u16> {
    messages.iter().map(DnsMessage::id).collect()
}

fn query(id: u16) -> Vec<u8> {
    Wire::query(id, "example.com", 1).framed()
}

#[test]
fn messages_do_not_depend_on_segmentation() {
    let stream: Vec<u8> = samples().iter().flat_map(|sample| framed(sample)).collect();
    let whole = run([&stream[..]]);
    assert_eq!(whole.len(), samples().len());
    for cuts in splits(stream.len(), 1) {
        assert_eq!(run(pieces(&stream, &cuts)), whole, "{cuts:?}");
    }
}

#[test]
fn a_garbage_body_behind_a_valid_length_prefix_costs_that_message_only() {
    let bodies: [&[u8]; 6] =
        [b"", b"\0", &[0xff; 11], &[0xff; 600], b"GET / HTTP/1.1\r\n", &[0; 12]];
    for body in bodies {
        // Before the first good one, between two, and in pieces.
        let stream = [framed(body), query(1), framed(body), query(2)].concat();
        for cuts in splits(stream.len(), 2) {
            let mut messages = run(pieces(&stream, &cuts));
            messages.retain(|message| !message.questions().is_empty());
            assert_eq!(ids(&messages), [1, 2], "{body:x?} {cuts:?}");
            assert!(messages.iter().all(|message| message.defect.is_none()));
        }
    }
}

#[test]
fn lengths_of_both_extremes() {
    let longest = Wire::query(2, "a", 1).raw(&[0; 65_535 - 12 - 7]).framed();
    let stream = [&b"\0\0"[..], &query(1), b"\0\0\0\0", &longest, &query(3)].concat();
    for size in [1, 1460, stream.len()] {
        let messages = run(stream.chunks(size));
        assert_eq!(ids(&messages), [1, 2, 3]);
        assert_eq!(messages[1].len, 65_535);
    }
}

#[test]
fn memory_grows_as_bytes_come() {
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    parser.feed_into(feed(&[0xff, 0xff, 0, 1, 1, 0, 0, 1]), &mut out);
    assert!(parser.heap_bytes() <= 64);
    for _ in 0..100 {
        parser.feed_into(feed(&[0; 1460]), &mut out);
        assert!(parser.heap_bytes() <= 2 * 65_535);
    }
    // Between messages there is nothing to keep.
    let (mut parser, split) = (DnsTcpParser::default(), query(1));
    parser.feed_into(feed(&split[..9]), &mut out);
    assert!(parser.heap_bytes() >= 7);
    parser.feed_into(feed(&split[9..]), &mut out);
    assert_eq!(parser.heap_bytes(), 0);
}

/// A gap of `len` bytes at `at` of three queries: what is read, and what is said of the side.
fn check_gap(at: usize, len: usize, expected: &[u16], status: ParserStatus) {
    let stream: Vec<u8> = (1..=3).flat_map(query).collect();
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    parser.feed_into(feed(&stream[..at]), &mut out);
    parser.gap(SIDE, len as u64, &mut out);
    assert_eq!(parser.feed_into(feed(&stream[at + len..]), &mut out), status, "{at} {len}");
    parser.end(&mut out);
    out.retain(|message| message.defect.is_none());
    assert_eq!(ids(&out), expected, "{at} {len}");
}

#[test]
fn a_gap_within_a_body_costs_that_message_only() {
    let len = query(1).len();
    let (on, stop) = (ParserStatus::Continue, ParserStatus::StopSide(SIDE));
    // Within the second body: from its first byte, its middle, up to its last.
    check_gap(len + 2, 1, &[1, 3], on);
    check_gap(len + 2, len - 2, &[1, 3], on);
    check_gap(len + 20, 5, &[1, 3], on);
    check_gap(2 * len - 1, 1, &[1, 3], on);
    // A length is missing, in part or whole.
    check_gap(len, 2, &[1], stop);
    check_gap(len + 1, 1, &[1], stop);
    check_gap(2 * len - 1, 2, &[1], stop);
    check_gap(0, 5, &[], stop);
    // Whole messages are missing, or the end of one.
    check_gap(len, len, &[1, 3], on);
    check_gap(0, 2 * len, &[3], on);
    check_gap(len + 5, len - 5, &[1, 3], on);
    check_gap(5, 2 * len - 5, &[3], on);
}

#[test]
fn a_stream_joined_in_the_middle_is_read_from_a_message_on() {
    let read = |bytes: &[u8]| {
        let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
        parser.gap(SIDE, 0, &mut out);
        for byte in bytes.chunks(1) {
            parser.feed_into(feed(byte), &mut out);
        }
        ids(&out)
    };
    assert_eq!(read(&[query(1), query(2)].concat()), [1, 2]);
    // A response without a question, as zone transfers have them, is known by its end.
    let bare = Wire::new(7, 0x8400).answer(b"\x01a\0", 1, &[1; 4]).framed();
    assert_eq!(read(&[&bare[..], &query(2)].concat()), [7, 2]);
    assert_eq!(read(&[&query(1)[3..], &query(2)].concat()), []);
    // Neither a defect nor bytes behind the records, without a question that is known.
    let records = || Wire::new(7, 0x8400).answer(b"\x01a\0", 1, &[1; 4]);
    assert_eq!(read(&[records().raw(b"x").framed(), query(2)].concat()), []);
    let odd = records().answer(b"\0", 1, &[1; 3]).framed();
    assert_eq!(read(&[odd, query(2)].concat()), []);
    assert_eq!(read(&[Wire::new(7, 0x8400).framed(), query(2)].concat()), []);
    // The longest message.
    let padding = 65_535 - records().answer(b"\0", 10, b"").build().len();
    let longest = records().answer(b"\0", 10, &vec![0; padding]).framed();
    assert_eq!(longest.len(), 2 + 65_535);
    assert_eq!(read(&[longest, query(2)].concat()), [7, 2]);
}

#[test]
fn gaps_may_follow_each_other() {
    let stream = [query(1), query(2)].concat();
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    parser.feed_into(feed(&stream[..10]), &mut out);
    assert_eq!(parser.gap(SIDE, 3, &mut out), ParserStatus::Continue);
    assert_eq!(parser.gap(SIDE, 2, &mut out), ParserStatus::Continue);
    parser.feed_into(feed(&stream[15..16]), &mut out);
    assert_eq!(parser.gap(SIDE, 0, &mut out), ParserStatus::Continue);
    assert_eq!(parser.gap(SIDE, 1, &mut out), ParserStatus::Continue);
    parser.feed_into(feed(&stream[17..]), &mut out);
    assert_eq!(ids(&out), [2]);
    // The other side knows nothing of it.
    assert_eq!(ids(&parser.feed_responder(&query(9))), [9]);
    // What came between two gaps that hide where messages begin is not put together with what follows.
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    parser.gap(SIDE, 5, &mut out);
    parser.feed_into(feed(&stream[..1]), &mut out);
    parser.gap(SIDE, 5, &mut out);
    parser.feed_into(feed(&stream), &mut out);
    assert_eq!(ids(&out), [1, 2]);
}

/// A gap of no length says that a stream is joined in the middle, which it is not within a length.
#[test]
fn a_gap_of_no_length_within_a_message_is_none() {
    let stream = [query(1), query(2)].concat();
    for at in 1..query(1).len() {
        let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
        parser.feed_into(feed(&stream[..at]), &mut out);
        assert_eq!(parser.gap(SIDE, 0, &mut out), ParserStatus::Continue);
        parser.feed_into(feed(&stream[at..]), &mut out);
        assert_eq!(ids(&out), [1, 2], "{at}");
    }
}

#[test]
fn what_follows_the_end_of_a_side_is_not_read() {
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    parser.fin(SIDE, &mut out);
    assert_eq!(parser.feed_into(feed(&query(1)), &mut out), ParserStatus::StopSide(SIDE));
    assert_eq!(parser.gap(SIDE, 9, &mut out), ParserStatus::StopSide(SIDE));
    assert_eq!(out, []);
}

#[test]
fn what_was_seen_of_an_unfinished_message_is_read() {
    type Ending = fn(&mut DnsTcpParser, &mut Vec<DnsMessage>);
    let endings: [Ending; 4] = [
        |parser, out| parser.fin(SIDE, out),
        |parser, out| parser.rst(SIDE, out),
        |parser, out| parser.end(out),
        |parser, out| assert_eq!(parser.gap(SIDE, 1000, out), ParserStatus::Continue),
    ];
    let bytes = Wire::response(5, "example.com", 1).answer(b"\xc0\x0c", 1, &[1; 4]).framed();
    for ending in endings {
        let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
        parser.feed_into(feed(&bytes[..bytes.len() - 1]), &mut out);
        assert_eq!(out, []);
        ending(&mut parser, &mut out);
        ending(&mut parser, &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!((out[0].questions().len(), out[0].defect), (1, Some(DnsDefect::Cut)));
        assert_eq!(out[0].ts, Timestamp::from_secs(7));
        assert_eq!(parser.heap_bytes(), 0);
    }
    // A header is enough to say what was asked for.
    for (len, expected) in [(2 + 11, 0), (2 + 12, 1)] {
        let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
        parser.feed_into(feed(&bytes[..len]), &mut out);
        parser.end(&mut out);
        assert_eq!(out.len(), expected, "{len}");
    }
}

#[test]
fn memory_is_that_of_both_sides() {
    for side in [SIDE, !SIDE] {
        let mut parser = DnsTcpParser::default();
        let chunk = StreamChunk::new(side, Timestamp::ZERO, 0, &[0x40, 0, 1, 2, 3, 4]);
        parser.feed_into(chunk, &mut Vec::new());
        assert!(parser.heap_bytes() >= 4, "{side:?}");
    }
}

#[test]
fn a_stream_of_another_protocol_is_given_up() {
    let tls = [&[0x16, 3, 1, 0, 0xc8, 1, 0, 0][..], &[0xee; 30_000]].concat();
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
    let mut status = ParserStatus::Continue;
    for chunk in tls.repeat(120).chunks(1000) {
        status = parser.feed_into(feed(chunk), &mut out);
    }
    assert_eq!(status, ParserStatus::Failed(ParseError::NotTheProtocol));
    assert_eq!((out.len(), parser.invalid_messages()), (0, 33));
}

#[test]
fn the_first_bytes_tell() {
    let check = |bytes: &[u8], expected| {
        assert_eq!(DnsTcpParser::probe(SIDE, bytes), expected, "{bytes:x?}");
    };
    check(&query(1), Probe::Yes);
    check(&[query(1), query(2)].concat(), Probe::Yes);
    check(&query(1)[..20], Probe::Maybe);
    check(&query(1)[..1], Probe::Maybe);
    check(&[], Probe::Maybe);
    check(b"\0\x05", Probe::No);
    check(b"GET / HTTP/1.1\r\n", Probe::No);
    check(b"SSH-2.0-OpenSSH_9.6\r\n", Probe::No);
    check(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\x11\x22\x33\x44\x55", Probe::No);
}

proptest! {
    #[test]
    fn no_bytes_panic_however_they_are_cut(
        bodies in proptest::collection::vec(any_bytes(), 0..6),
        raw in proptest::collection::vec(any::<u8>(), 0..40),
        cuts in proptest::collection::btree_set(1_usize..600, 0..6),
    ) {
        let mut stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        stream.extend(raw);
        let cuts: Vec<usize> = cuts.into_iter().collect();
        prop_assert_eq!(run(pieces(&stream, &cuts)), run([&stream[..]]));
    }

    /// Wherever bytes are missing, what is read whole was sent, in that order, and nothing is
    /// missing but the messages with the gap, or, where framing is lost, what follows.
    #[test]
    fn gaps_invent_nothing(
        at in any::<prop::sample::Index>(),
        len in 1_usize..80,
        cuts in proptest::collection::btree_set(1_usize..250, 0..6),
    ) {
        let stream: Vec<u8> = (1..=8).flat_map(query).collect();
        let one = query(1).len();
        let at = at.index(stream.len() - len);
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let (mut parser, mut out) = (DnsTcpParser::default(), Vec::new());
        for piece in pieces(&stream[..at], &cuts) {
            parser.feed_into(feed(piece), &mut out);
        }
        let mut status = parser.gap(SIDE, len as u64, &mut out);
        for piece in pieces(&stream[at + len..], &cuts) {
            status = parser.feed_into(feed(piece), &mut out);
        }
        parser.end(&mut out);
        out.retain(|message| message.defect.is_none());
        let (first, within) = ((at / one) as u16, at % one);
        let end = at + len;
        let framed = within >= 2 && within + len <= one || end % one == 0;
        let next = end.div_ceil(one) as u16;
        if framed {
            prop_assert_eq!(status, ParserStatus::Continue);
        }
        let expected: Vec<u16> =
            (1..=8).filter(|id| *id <= first || framed && *id > next).collect();
        prop_assert_eq!(ids(&out), expected);
    }
}
