//! Segments out of order, missing, and sent again.

use flowscope::driver::{Driver, DriverConfig};
use flowscope::reassembly::{OverlapPolicy, StreamConfig};
use flowscope::tls::TlsMessage;
use flowscope_testkit::attacks::segments;
use flowscope_tests::session::{EXTRACTOR, protocols, run};

use super::*;

const WHOLE: [&str; 4] = ["> POST /a #0", "> end #0 300", "< 200 #0", "< end #0 3000"];

fn sides() -> [Vec<u8>; 2] {
    [wire::post("/a", &"q".repeat(300)), wire::response(200, &"r".repeat(3000))]
}

#[test]
fn the_order_of_segments_makes_no_difference() {
    let sides = sides();
    let sides = [&sides[0][..], &sides[1][..]];
    for size in [1, 2, 97, 1000] {
        for packets in [segments::in_order(sides, size), segments::reversed(sides, size)] {
            let heard = hear_packets(&timed(packets));
            assert_eq!(heard.said(), WHOLE, "segments of {size}");
            assert_eq!(heard.bytes.losses().count(), 0);
        }
    }
}

#[test]
fn of_every_second_segment_missing_the_rest_is_read_and_the_holes_are_named() {
    let sides = sides();
    let packets = segments::every_second_missing([&sides[0], &sides[1]], 100);
    let heard = hear_packets(&timed(packets));
    let said = heard.said();
    let of = |from: char, what: &str| {
        said.iter().filter(|line| line.starts_with(from) && line.contains(what)).count()
    };
    // The heads lie in the first segments; of both bodies every second hundred bytes are missing.
    assert_eq!((of('>', "POST /a #0"), of('<', "200 #0")), (1, 1));
    let missing =
        |side: &[u8]| side.chunks(100).skip(1).step_by(2).map(<[u8]>::len).collect::<Vec<_>>();
    assert_eq!(of('>', "gap"), missing(&sides[0]).len());
    assert_eq!(of('<', "gap"), missing(&sides[1]).len());
    assert!(
        said.contains(&format!(
            "< end #0 {} missing {} Gap",
            3000 - missing(&sides[1]).iter().sum::<usize>(),
            missing(&sides[1]).iter().sum::<usize>()
        )),
        "{said:?}"
    );
}

#[test]
fn a_retransmission_with_other_bytes_is_a_conflict() {
    let response = wire::response(200, "good");
    let forged = wire::response(200, "evil");
    let after = response.len() - 4;
    let start = || talk().handshake().data(Initiator, wire::get("/a"));
    let expected = |conflict: &str| {
        let mut lines = vec!["> GET /a #0", "< 200 #0", "< end #0 4"];
        if !conflict.is_empty() {
            lines.push(conflict);
        }
        lines.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // After delivery, the whole segment.
    let sent = start().data(Responder, &response).next_seq(Responder, 5001);
    let heard = hear(sent.data(Responder, &forged).close(Initiator));
    let said = heard.said();
    assert_eq!(said[..3], expected("")[..]);
    assert!(said[3].starts_with("< conflict ") && said[3].ends_with(" First"), "{said:?}");
    assert_eq!((said.len(), heard.bytes.lost(Loss::Duplicate)), (4, response.len() as u64));
    // The same bytes again are none.
    let sent = start().data(Responder, &response).next_seq(Responder, 5001);
    let heard = hear(sent.data(Responder, &response).close(Initiator));
    assert_eq!(heard.said(), expected(""));
    // Before delivery: the tail first, then another tail, then what comes before both.
    let at = 5001 + after as u32;
    let ack = 1001 + wire::get("/a").len() as u32;
    let heard = hear(
        start()
            .segment(Responder, at, ack, ACK, b"good")
            .segment(Responder, at, ack, ACK, b"evil")
            .data(Responder, &response[..after])
            .next_seq(Responder, at + 4)
            .close(Initiator),
    );
    assert_eq!(
        heard.said(),
        ["> GET /a #0", &format!("< conflict {after}+4 First"), "< 200 #0", "< end #0 4"]
    );
    assert_eq!(heard.bytes.lost(Loss::Duplicate), 4);
    // One byte in the middle differs.
    let heard = hear(
        start()
            .segment(Responder, at, ack, ACK, b"good")
            .segment(Responder, at, ack, ACK, b"goad")
            .data(Responder, &response[..after])
            .next_seq(Responder, at + 4)
            .close(Initiator),
    );
    assert_eq!(heard.said()[1], format!("< conflict {}+1 First", after + 2));
}

#[test]
fn a_setting_decides_which_copy_is_read() {
    let run = |policy| {
        let (start, rest) = (b"GET /", b" HTTP/1.1\r\nHost: h\r\n\r\n");
        let tail = |word: &[u8]| [word, &rest[..]].concat();
        let script = talk()
            .handshake()
            .segment(Initiator, 1006, 5001, ACK, tail(b"good"))
            .segment(Initiator, 1006, 5001, ACK, tail(b"evil"))
            .segment(Initiator, 1001, 5001, ACK, start);
        let streams = StreamConfig::default().overlap(policy);
        let config = DriverConfig::default().streams(streams);
        run(|| Driver::with_config(EXTRACTOR, protocols(), config.clone()), &packets(script)).said()
    };
    assert_eq!(run(OverlapPolicy::First), ["> conflict 5+4 First", "> GET /good #0"]);
    assert_eq!(run(OverlapPolicy::Last), ["> conflict 5+4 Last", "> GET /evil #0"]);
}

#[test]
fn both_copies_of_everything_conflict_and_the_first_is_read() {
    let sides = sides();
    for late in [false, true] {
        let packets = segments::same_place_other_bytes([&sides[0], &sides[1]], 100, late);
        let heard = hear_packets(&timed(packets));
        let said = heard.said();
        let (conflicts, rest): (Vec<String>, Vec<String>) =
            said.into_iter().partition(|line| line.contains("conflict"));
        assert_eq!(rest, WHOLE);
        assert!(conflicts.iter().all(|line| line.ends_with("First")));
        let all = sides.iter().map(|side| side.chunks(100).count()).sum::<usize>();
        // The last chunks of each side are remembered; sent twice at once, all are.
        let least = if late { 15 } else { all };
        assert!((least..=all).contains(&conflicts.len()), "{} of {all}", conflicts.len());
        let sent: usize = sides.iter().map(Vec::len).sum();
        assert_eq!(heard.bytes.lost(Loss::Duplicate), sent as u64);
    }
}

#[test]
fn a_client_hello_is_the_same_in_any_order_of_its_bytes() {
    let hello = wire::client_hello("shuffled.example", 300);
    let read = |heard: &Heard<AppRecord>| {
        let hellos = heard.messages().filter_map(|(_, said)| match said {
            AppRecord::Tls(TlsMessage::ClientHello(hello)) => {
                Some((hello.server_name().map(<[u8]>::to_vec), hello.ja3(), hello.ja4()))
            }
            _ => None,
        });
        hellos.collect::<Vec<_>>()
    };
    let run = |order: &[usize], size: usize| {
        let start = talk_to(443).handshake();
        let pieces: Vec<&[u8]> = hello.chunks(size).collect();
        let script = order.iter().fold(start, |script, at| {
            script.segment(Initiator, 1001 + (at * size) as u32, 5001, ACK, pieces[*at])
        });
        let script = script.step(std::time::Duration::from_micros(10));
        let end = script.next_seq(Initiator, 1001 + hello.len() as u32);
        hear(end.data(Responder, wire::server_hello()).close(Initiator))
    };
    let whole = run(&[0], hello.len());
    let expected = read(&whole);
    assert_eq!(expected.len(), 1);
    assert_eq!(expected[0].0.as_deref(), Some(&b"shuffled.example"[..]));
    assert!(expected[0].1.is_some());
    for size in [1, 7, 100] {
        let mut order: Vec<usize> = (0..hello.len().div_ceil(size)).collect();
        for seed in 0..4 {
            let heard = run(&order, size);
            assert_eq!(read(&heard), expected, "segments of {size}, seed {seed}");
            assert_eq!(heard.said(), whole.said());
            assert_eq!(heard.bytes.losses().count(), 0);
            Rng::new(seed).shuffle(&mut order);
        }
    }
}

#[test]
fn stray_segments_far_ahead_are_not_believed() {
    let ack = 5001;
    let heard = hear(
        talk()
            .handshake()
            .data(Initiator, &wire::get("/a")[..10])
            .segment(Initiator, 1011 + (100 << 20), ack, ACK, b"stray")
            .data(Initiator, &wire::get("/a")[10..])
            .data(Responder, wire::response(200, "body"))
            .close(Initiator),
    );
    let said: Vec<String> =
        heard.said().into_iter().filter(|line| line != "> OutOfWindow").collect();
    assert_eq!(said, ["> GET /a #0", "< 200 #0", "< end #0 4"]);
    assert_eq!(heard.bytes.lost(Loss::OutOfWindow), 5);
}
