use flowscope_core::ParseError;
use flowscope_core::ParserStatus::{Continue, Done, Failed};

use super::*;
use crate::link::checksum;

fn summed(bytes: &[u8]) -> Vec<u8> {
    [bytes, &checksum(bytes).to_le_bytes()].concat()
}

/// A frame with this control, from one address to another.
fn frame(control: u8, source: u8, destination: u8, data: &[u8]) -> Vec<u8> {
    let header = [5, 0x64, 5 + data.len() as u8, control, destination, 0, source, 0];
    let blocks: Vec<u8> = data.chunks(16).flat_map(summed).collect();
    [summed(&header), blocks].concat()
}

/// A fragment of a master, 2, for an outstation, 1, in one segment.
fn request(sequence: u8, function: u8, objects: &[u8]) -> Vec<u8> {
    frame(0xc4, 2, 1, &[&[0xc0, 0xc0 | sequence, function][..], objects].concat())
}

/// A fragment of the outstation: final or not, and unsolicited or not, by the higher bits of its control.
fn response(control: u8, function: u8, indications: [u8; 2]) -> Vec<u8> {
    let [one, two] = indications;
    frame(0x44, 1, 2, &[0xc0, control, function, one, two])
}

/// Functions of request and response, indications, fragments.
fn summaries(exchanges: &[Dnp3Exchange]) -> Vec<(Option<u8>, Option<u8>, u16, u32)> {
    let each = |x: &Dnp3Exchange| {
        let indications = x.indications.map_or(0, |it| it.0);
        (x.request.map(|it| it.0), x.response.map(|it| it.0), indications, x.fragments)
    };
    exchanges.iter().map(each).collect()
}

fn chunk(bytes: &[u8]) -> StreamChunk<'_> {
    StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes)
}

#[test]
fn responses_find_their_requests() {
    let mut parser = Dnp3Parser::default();
    let mut out = Vec::new();
    for (at, (side, bytes)) in [
        (Initiator, [request(1, 1, &[60, 1, 6]), request(2, 3, &[12, 1, 0x17, 1, 4])].concat()),
        // Of another sequence, and one that is not asked for.
        (Responder, [response(0xc9, 129, [0, 0]), response(0xf0, 130, [2, 0])].concat()),
        (Responder, response(0xc2, 129, [0, 4])),
        // In two fragments, the first of which is confirmed.
        (Responder, response(0xa1, 129, [0x80, 0])),
        (Initiator, request(1, 0, &[])),
        (Responder, response(0x42, 129, [0x10, 0])),
        // No response is expected of the first.
        (Initiator, [request(4, 6, &[12, 1, 0x17, 1, 4]), request(5, 13, &[])].concat()),
    ]
    .into_iter()
    .enumerate()
    {
        let chunk = StreamChunk::new(side, Timestamp::from_secs(at as u64), 0, &bytes);
        assert_eq!(parser.feed_into(chunk, &mut out), Continue);
    }
    parser.end(&mut out);
    assert_eq!(
        summaries(&out),
        [
            (None, Some(129), 0, 1),
            (None, Some(130), 0x200, 1),
            (Some(3), Some(129), 4, 1),
            (Some(1), Some(129), 0x9000, 2),
            (Some(6), None, 0, 0),
            (Some(13), None, 0, 0),
        ]
    );
    assert_eq!((out[2].master, out[2].outstation, out[0].side), (2, 1, Initiator));
    assert_eq!((out[3].objects[0].group, out[3].latency.unwrap().as_secs()), (60, 3));
}

#[test]
fn a_sequence_number_that_comes_again_ends_what_waits_for_it() {
    let mut parser = Dnp3Parser::default();
    let mut out = Vec::new();
    // A request without a response, and 15 that have one.
    out.extend(parser.feed_initiator(&request(3, 2, &[])));
    for at in 4..20 {
        out.extend(parser.feed_initiator(&request(at & 15, 1, &[])));
        if at < 19 {
            out.extend(parser.feed_responder(&response(0xc0 | at & 15, 129, [0, 0])));
        }
    }
    // The last has the sequence number of the first, which is over.
    assert_eq!(summaries(&out[15..]), [(Some(2), None, 0, 0)]);
    out.extend(parser.feed_responder(&response(0xc3, 129, [0, 1])));
    assert_eq!(summaries(&out[16..]), [(Some(1), Some(129), 1, 1)]);
    parser.end(&mut out);
    assert_eq!(out.len(), 17);
}

#[test]
fn a_first_fragment_belongs_to_its_request_alone() {
    let mut parser = Dnp3Parser::default();
    let mut out = Vec::new();
    parser.feed_initiator(&[request(1, 1, &[]), request(2, 3, &[])].concat());
    // The response to the first has more to come, whose sequence number is that of the second request.
    for (control, indication) in [(0x81, 1), (0xc2, 2), (0x42, 4)] {
        out.extend(parser.feed_responder(&response(control, 129, [0, indication])));
    }
    assert_eq!(summaries(&out), [(Some(3), Some(129), 2, 1), (Some(1), Some(129), 5, 2)]);
    // A fragment that is not the first answers no request alone.
    out.extend(parser.feed_initiator(&request(5, 1, &[])));
    out.extend(parser.feed_responder(&response(0x45, 129, [0, 0])));
    assert_eq!(summaries(&out[2..]), [(None, Some(129), 0, 1)]);
    // A response that begins once more is the same one.
    for control in [0x85, 0x85, 0x46] {
        out.extend(parser.feed_responder(&response(control, 129, [0, 0])));
    }
    assert_eq!(summaries(&out[3..]), [(Some(1), Some(129), 0, 2)]);
}

#[test]
fn nothing_answers_a_request_for_all() {
    let mut parser = Dnp3Parser::default();
    for destination in [0xfd, 0xff] {
        // The same as `frame`, with both bytes of the destination.
        let header = [5, 0x64, 5 + 3, 0xc4, destination, 0xff, 2, 0];
        let bytes = [summed(&header), summed(&[0xc0, 0xc1, 13])].concat();
        assert_eq!(summaries(&parser.feed_initiator(&bytes)), [(Some(13), None, 0, 0)]);
    }
    assert_eq!(parser.heap_bytes(), 0);
}

#[test]
fn fragments_may_have_several_frames() {
    let data: Vec<u8> = [&[0xc1, 1][..], &[60, 2, 6, 60, 3, 6]].concat();
    let mut bytes = Vec::new();
    for (at, piece) in data.chunks(3).enumerate() {
        let ends = [0x40, 0, 0x80][at];
        bytes.extend(frame(0xc4, 2, 1, &[&[ends | at as u8][..], piece].concat()));
    }
    // The link asks for its state in between.
    bytes.extend(frame(0xc9, 2, 1, &[]));
    let mut parser = Dnp3Parser::default();
    parser.feed_initiator(&bytes);
    let mut out = Vec::new();
    parser.end(&mut out);
    let objects: Vec<_> = out[0].objects.iter().map(|it| (it.group, it.variation)).collect();
    assert_eq!((out.len(), objects), (1, vec![(60, 2), (60, 3)]));
}

#[test]
fn many_requests_without_a_response_are_bounded() {
    let mut parser = Dnp3Parser::default();
    let mut out = Vec::new();
    for at in 0..100 {
        // Of many outstations, since a request ends an earlier one with its sequence number.
        let fragment = [&[0xc0, 0xc0, 1][..], &[60, 1, 6].repeat(20)].concat();
        out.extend(parser.feed_initiator(&frame(0xc4, 2, at, &fragment)));
        assert!(parser.heap_bytes() <= 16 * 1024);
    }
    assert_eq!(out.len(), 68);
    parser.end(&mut out);
    assert_eq!(out.len(), 100);
}

#[test]
fn wrong_check_sums_are_not_read() {
    let mut damaged = request(1, 1, &[60, 1, 6]);
    damaged[12] ^= 1;
    let mut parser = Dnp3Parser::default();
    parser.feed_initiator(&[&damaged[..], &request(2, 2, &[])].concat());
    let mut out = Vec::new();
    parser.end(&mut out);
    assert_eq!(summaries(&out), [(Some(2), None, 0, 0)]);
    damaged[4] ^= 1;
    assert_eq!(
        parser.feed_into(chunk(&damaged), &mut out),
        Failed(ParseError::InvalidField("CRC"))
    );
    let failed = Failed(ParseError::NotTheProtocol);
    assert_eq!(Dnp3Parser::default().feed_into(chunk(b"GET /"), &mut out), failed);
    damaged[4] ^= 1;
    let mut parser = Dnp3Parser::default();
    let most = damaged.repeat(MessageCheck::MAX_INVALID as usize);
    assert_eq!(parser.feed_into(chunk(&most), &mut out), Continue);
    assert_eq!(parser.feed_into(chunk(&damaged), &mut out), failed);
}

#[test]
fn a_gap_within_a_frame_is_passed_over() {
    let mut parser = Dnp3Parser::default();
    let mut out = Vec::new();
    parser.feed_initiator(&request(1, 1, &[60, 1, 6]));
    // The first block of the response is there, a later one is not.
    let answer = frame(0x44, 1, 2, &[&[0xc0, 0xc1, 129, 0, 0][..], &[7; 60]].concat());
    parser.feed_responder(&answer[..30]);
    assert_eq!(parser.gap(Responder, 20, &mut out), Continue);
    out.extend(parser.feed_responder(&answer[50..]));
    assert_eq!(summaries(&out), [(Some(1), Some(129), 0, 1)]);
    // Up to the end of a frame.
    parser.feed_initiator(&request(2, 1, &[60, 1, 6]));
    let answer = frame(0x44, 1, 2, &[&[0xc0, 0xc2, 129, 0, 0][..], &[7; 60]].concat());
    parser.feed_responder(&answer[..30]);
    assert_eq!(parser.gap(Responder, answer.len() as u64 - 30, &mut out), Continue);
    assert_eq!(summaries(&out[1..]), [(Some(1), Some(129), 0, 1)]);
    assert_eq!(parser.gap(Responder, 1, &mut out), Done);
}

#[test]
fn what_follows_a_frame_that_was_cut_is_not_read_as_its_rest() {
    let mut parser = Dnp3Parser::default();
    let mut out = Vec::new();
    // Objects of one byte that stand behind each other in two frames, some of which are missing.
    let fragment = [&[0xc1, 1][..], &[60, 2, 6].repeat(14)].concat();
    let first = frame(0xc4, 2, 1, &[&[0x40][..], &fragment[..38]].concat());
    let second = frame(0xc4, 2, 1, &[&[0x81][..], &[1, 0, 6, 60, 3, 6]].concat());
    parser.feed_initiator(&first[..30]);
    assert_eq!(parser.gap(Initiator, 6, &mut out), Continue);
    parser.feed_initiator(&[&first[36..], &second[..]].concat());
    parser.end(&mut out);
    // The first block has 16 bytes: control of the transport and of the application, a function, and 13 bytes of objects.
    let objects: Vec<_> = out[0].objects.iter().map(|it| (it.group, it.variation)).collect();
    assert_eq!(objects, [(60, 2); 4]);
}

#[test]
fn datagrams_may_hold_several_frames() {
    let mut parser = Dnp3Datagrams::default();
    parser.parse(&[request(1, 1, &[]), request(2, 2, &[])].concat(), Initiator);
    let both = [response(0xc1, 129, [0, 0]), response(0xc2, 129, [0, 1])].concat();
    let out = parser.parse(&both, Responder);
    assert_eq!(summaries(&out), [(Some(1), Some(129), 0, 1), (Some(2), Some(129), 1, 1)]);
    let mut parser = Dnp3Datagrams::default();
    let mut out = Vec::new();
    let junk = Datagram::new(Initiator, Timestamp::ZERO, b"\x05\x64");
    for _ in 0..MessageCheck::MAX_INVALID {
        assert_eq!(parser.parse_into(junk, &mut out), Continue);
    }
    assert_eq!(parser.parse_into(junk, &mut out), Failed(ParseError::NotTheProtocol));
}
