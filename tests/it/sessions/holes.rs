//! One segment of a conversation was not captured: what is whole is said, what is missing is named,
//! and no response is given to a request that it does not answer.

use std::ops::Range;

use flowscope::http::HttpMessage;

use super::*;

/// A message of the conversation, and the segments that its head lies in.
struct Sent {
    tag: String,
    head: Range<usize>,
}

/// Two exchanges on one connection, five segments each: requests in two, responses in three.
fn ten(bodies: [&str; 4]) -> (Vec<Packet>, Vec<Sent>, Vec<usize>) {
    let messages = [
        (Initiator, wire::post("/0", bodies[0]), 2),
        (Responder, wire::response(200, bodies[1]), 3),
        (Initiator, wire::post("/1", bodies[2]), 2),
        (Responder, wire::response(201, bodies[3]), 3),
    ];
    let (mut script, mut sent, mut lens) = (talk().handshake(), Vec::new(), Vec::new());
    for (n, (side, bytes, parts)) in messages.into_iter().enumerate() {
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let size = bytes.len().div_ceil(parts);
        let first = lens.len();
        sent.push(Sent {
            tag: [["/0", "200"], ["/1", "201"]][n / 2][n % 2].to_owned(),
            head: first..first + head.div_ceil(size),
        });
        for piece in bytes.chunks(size) {
            script = script.data(side, piece);
            lens.push(piece.len());
        }
        script = script.ack_from(!side).after(20);
    }
    assert_eq!(lens.len(), 10);
    (packets(script.close(Initiator)), sent, lens)
}

/// Loses each of the ten segments in turn.
fn lose_each(bodies: [&str; 4]) {
    let (all, sent, lens) = ten(bodies);
    let data: Vec<usize> = (0..all.len()).filter(|at| all[*at].bytes.len() > 54).collect();
    assert_eq!(data.len(), 10);
    let whole = hear_packets(&all);
    assert_eq!(whole.messages().count(), 8);
    for lost in 0..10 {
        let heard = hear_packets(&without(&all, &[data[lost]]));
        let said = heard.said();
        // The gap is named, once, with its length.
        let gaps: Vec<&String> = said.iter().filter(|line| line.contains(" gap ")).collect();
        assert_eq!(gaps.len(), 1, "segment {lost}: {said:?}");
        assert!(gaps[0].ends_with(&format!("+{}", lens[lost])), "segment {lost}: {gaps:?}");
        // Heads that were captured whole are reported, others are not.
        let (mut heads, mut exchanges) = (Vec::new(), [[None; 2]; 2]);
        for (_, message) in heard.messages() {
            let AppRecord::Http(message) = message else { panic!("{message:?}") };
            let (tag, exchange) = match message {
                HttpMessage::Request(head) => {
                    (String::from_utf8_lossy(head.target()).into_owned(), head.exchange)
                }
                HttpMessage::Response(head) => (head.status().to_string(), head.exchange),
                _ => continue,
            };
            let place = sent.iter().position(|sent| sent.tag == tag).unwrap();
            exchanges[place / 2][place % 2] = exchange;
            heads.push(tag);
        }
        let expected: Vec<&str> = sent
            .iter()
            .filter(|sent| !sent.head.contains(&lost))
            .map(|sent| sent.tag.as_str())
            .collect();
        assert_eq!(heads, expected, "segment {lost} is lost: {said:?}");
        // A response is given to its own request or to none.
        for (n, [_, response]) in exchanges.iter().enumerate() {
            if response.is_some() {
                let own = exchanges[n][0];
                let other = exchanges[1 - n][0];
                assert!(*response == own || *response != other, "segment {lost}: {said:?}");
            }
        }
    }
}

#[test]
fn a_hole_at_each_of_ten_segments() {
    let bodies = ["a", "b", "c", "d"].map(|letter| format!("{}\n", letter.repeat(120)));
    lose_each([&bodies[0], &bodies[1], &bodies[2], &bodies[3]]);
}

#[test]
fn a_hole_at_each_of_ten_segments_where_bodies_end_in_no_line_end() {
    let bodies = ["a", "b", "c", "d"].map(|letter| letter.repeat(121));
    lose_each([&bodies[0], &bodies[1], &bodies[2], &bodies[3]]);
}

#[test]
fn a_gap_within_a_body_costs_nothing_else() {
    let body = "x".repeat(900);
    let response = wire::response(200, &body);
    let mut script = talk().handshake().data(Initiator, wire::get("/a"));
    for piece in response.chunks(300) {
        script = script.data(Responder, piece);
    }
    let script = script.ack().after(20).data(Initiator, wire::get("/b"));
    let all = packets(script.data(Responder, wire::response(404, "no")).close(Initiator));
    check_packets(
        &without(&all, &[5]),
        &[
            "open",
            "http Port",
            "> GET /a #0",
            "< 200 #0",
            "< gap 300+300",
            "< end #0 600 missing 300 Gap",
            "> GET /b #1",
            "< 404 #1",
            "< end #1 2",
            "closed Fin",
        ],
    );
}

#[test]
fn what_the_snap_length_cuts_off_is_a_gap() {
    let body = "x".repeat(900);
    let all = packets(
        talk()
            .handshake()
            .data(Initiator, wire::get("/a"))
            .data(Responder, wire::response(200, &body))
            .data(Initiator, wire::get("/b"))
            .data(Responder, wire::response(404, "no"))
            .close(Initiator),
    );
    let cut: Vec<Packet> = all.iter().map(|packet| packet.cut(154)).collect();
    let response = wire::response(200, &body).len();
    let head = response - 900;
    let heard = check_packets(
        &cut,
        &[
            "open",
            "http Port",
            "> GET /a #0",
            "< 200 #0",
            &format!("< gap 100+{}", response - 100),
            &format!("< end #0 {} missing {} Gap", 100 - head, response - 100),
            "> GET /b #1",
            "< 404 #1",
            "< end #1 2",
            "closed Fin",
        ],
    );
    assert_eq!(heard.bytes.lost(Loss::SnaplenCut), (response - 100) as u64);
}
