use flowscope_core::ParseError;
use flowscope_core::ParserStatus::{Continue, Failed};

use super::*;
use crate::pairing::MAX_OPEN;

fn request(method: &str, number: u32) -> String {
    format!(
        "{method} sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK{number}{method}\r\nCall-ID: c\r\n\
         CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn response(code: u16, method: &str, number: u32) -> String {
    format!(
        "SIP/2.0 {code} x\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK{number}{method};rport\r\nCall-ID: c\r\n\
         CSeq:  {number}  {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Feeds turns, `>` of the initiator and `<` of the responder, one second apart.
fn play(parser: &mut SipParser, turns: &[String]) -> (Vec<SipTransaction>, ParserStatus) {
    let mut out = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let side = if turn.starts_with('>') { Initiator } else { Responder };
        let ts = Timestamp::from_secs(at as u64);
        let status =
            parser.feed_into(StreamChunk::new(side, ts, 0, &turn.as_bytes()[1..]), &mut out);
        if status != Continue {
            return (out, status);
        }
    }
    (out, Continue)
}

/// Method and code of transactions, `-` where there is none.
fn summaries(transactions: &[SipTransaction]) -> Vec<String> {
    let text = |x: &SipTransaction| {
        let method =
            x.request.as_ref().map_or("-".into(), |it| String::from_utf8_lossy(&it.method));
        let code = x.response.as_ref().map_or("-".into(), |it| it.code.to_string());
        format!("{method} {code}")
    };
    transactions.iter().map(text).collect()
}

#[test]
fn responses_find_their_request() {
    let turns = [
        format!(">{}{}", request("INVITE", 1), request("OPTIONS", 1)),
        format!("<{}{}", response(180, "INVITE", 1), response(404, "OPTIONS", 1)),
        format!("<{}{}", request("BYE", 1), response(200, "INVITE", 1)),
        format!(">{}{}", request("ACK", 1), response(200, "BYE", 1)),
    ];
    let mut parser = SipParser::default();
    let (out, status) = play(&mut parser, &turns);
    assert_eq!(summaries(&out), ["OPTIONS 404", "INVITE 200", "ACK -", "BYE 200"]);
    assert_eq!(status, Continue);
    assert_eq!((out[1].provisional, out[1].latency.unwrap().as_secs()), (1, 2));
    assert_eq!((out[1].id, out[1].side, out[3].side), (0, Initiator, Responder));
    let mut rest = Vec::new();
    parser.end(&mut rest);
    assert_eq!(rest, []);
}

#[test]
fn repetitions_are_counted_or_left_out() {
    let ask = format!(">{}", request("INVITE", 1));
    let answer = format!("<{}", response(200, "INVITE", 1));
    let turns = [ask.clone(), ask.clone(), answer.clone(), answer.clone(), ask.clone()];
    let (out, _) = play(&mut SipParser::default(), &turns);
    assert_eq!((summaries(&out), out[0].retransmissions), (vec!["INVITE 200".to_owned()], 1));
    // After 64 * T1 it is another one.
    let mut turns = vec![ask.clone(), answer];
    turns.resize(40, ">\r\n".into());
    turns.push(ask);
    let mut parser = SipParser::default();
    let (mut out, _) = play(&mut parser, &turns);
    parser.end(&mut out);
    assert_eq!(summaries(&out), ["INVITE 200", "INVITE -"]);
}

#[test]
fn responses_without_a_request_are_records() {
    let turns = [format!("<{}{}", response(180, "INVITE", 1), response(486, "INVITE", 2))];
    let (out, _) = play(&mut SipParser::default(), &turns);
    assert_eq!(summaries(&out), ["- 180", "- 486"]);
    assert_eq!((out[0].provisional, out[0].side, out[1].id), (1, Initiator, 1));
}

#[test]
fn many_open_requests_are_bounded() {
    let mut parser = SipParser::default();
    let turns: Vec<_> = (0..100).map(|number| format!(">{}", request("INVITE", number))).collect();
    let (mut out, _) = play(&mut parser, &turns);
    assert_eq!(out.len(), 36);
    parser.end(&mut out);
    assert_eq!(out.len(), 100);
    assert!(out.iter().enumerate().all(|(at, x)| x.id as usize == at));
}

#[test]
fn behind_a_gap_the_next_start_line_is_looked_for() {
    let mut parser = SipParser::default();
    let mut out = Vec::new();
    let body = "MESSAGE sip:b SIP/2.0\r\nCSeq: 1 MESSAGE\r\nContent-Length: 100\r\n\r\n0123456789";
    parser.feed_initiator(body.as_bytes());
    // Within a body, its end is known.
    parser.gap(Initiator, 80, &mut out);
    out.extend(parser.feed_initiator(format!("0123456789{}", request("ACK", 1)).as_bytes()));
    assert_eq!(summaries(&out), ["ACK -"]);
    parser.feed_initiator(b"REGISTER sip:b SIP/2.0\r\nCSeq: 1 REG");
    parser.gap(Initiator, 80, &mut out);
    out.extend(parser.feed_initiator(b"gth: 0\r\nx y z\r\n\r\n"));
    out.extend(parser.feed_initiator(request("ACK", 2).as_bytes()));
    parser.end(&mut out);
    assert_eq!(summaries(&out), ["ACK -", "ACK -", "MESSAGE -"]);
}

#[test]
fn what_ends_parsing() {
    let status = |text: &str| play(&mut SipParser::default(), &[format!(">{text}")]).1;
    assert_eq!(status("GET / HTTP/1.1\r\n"), Failed(ParseError::NotTheProtocol));
    let behind = |lines| format!("{}{}", request("ACK", 1), "OPTIONS * RTSP/1.0\r\n".repeat(lines));
    assert_eq!(status(&behind(8)), Continue);
    assert_eq!(status(&behind(9)), Failed(ParseError::InvalidField("Start-Line")));
    let length = "ACK sip:b SIP/2.0\r\nl: many\r\n\r\n";
    assert_eq!(status(length), Failed(ParseError::InvalidField("Content-Length")));
    let head = format!("ACK sip:b SIP/2.0\r\n{}", "x: y\r\n".repeat(20_000));
    assert_eq!(status(&head), Failed(ParseError::TooLong(65_537)));
    let line = format!("ACK sip:{} SIP/2.0\r\n", "b".repeat(3000));
    assert_eq!(status(&line), Failed(ParseError::NotTheProtocol));
}

#[test]
fn a_megabyte_of_body_is_passed_over() {
    let mut parser = SipParser::default();
    let head =
        b"MESSAGE sip:b SIP/2.0\r\nCSeq: 1 MESSAGE\r\nc: application/sdp\r\nl: 1000000\r\n\r\n";
    parser.feed_initiator(head);
    for _ in 0..1000 {
        parser.feed_initiator(&[b'm'; 1000]);
        assert!(parser.heap_bytes() < 8192);
    }
    let out = parser.feed_responder(b"SIP/2.0 200 OK\r\nCSeq: 1 MESSAGE\r\nl: 0\r\n\r\n");
    assert_eq!(out[0].request.as_ref().unwrap().fields.body_len, 1_000_000);
}

#[test]
fn a_datagram_is_a_message_as_far_as_it_was_captured() {
    let text =
        "ACK sip:b SIP/2.0\r\nFrom: <sip:a>\r\nc: application/sdp\r\n\r\nm=audio 7 RTP/AVP 0";
    let read = |len: usize, wire_len: u32| {
        let mut out = Vec::new();
        let datagram = Datagram::new(Initiator, Timestamp::ZERO, &text.as_bytes()[..len]);
        let status = SipDatagrams::default().parse_into(datagram.wire_len(wire_len), &mut out);
        assert_eq!(status, Continue);
        out.pop().and_then(|x| x.request).map(|request| request.fields)
    };
    let whole = read(text.len(), text.len() as u32).unwrap();
    assert_eq!((whole.body_len, whole.media[0].port), (19, 7));
    assert_eq!(read(text.len(), text.len() as u32 + 10).unwrap().body_len, 29);
    let cut = read(30, 100).unwrap();
    assert_eq!((cut.from, cut.body_len), (None, 0));
    assert_eq!(read(35, 100).unwrap().from.unwrap(), b"<sip:a>");
    assert_eq!(read(10, 100), None);
}

#[test]
fn datagrams_that_are_no_messages_end_parsing() {
    let mut parser = SipDatagrams::default();
    let mut out = Vec::new();
    let junk = Datagram::new(Initiator, Timestamp::ZERO, b"\0\0");
    for _ in 0..MessageCheck::MAX_INVALID {
        assert_eq!(parser.parse_into(junk, &mut out), Continue);
    }
    let failed = Failed(ParseError::NotTheProtocol);
    assert_eq!(parser.clone().parse_into(junk, &mut out), failed);
    parser.parse(request("OPTIONS", 1).as_bytes(), Initiator);
    assert_eq!(parser.parse_into(junk, &mut out), Continue);
}

#[test]
fn a_cancel_is_a_transaction_of_its_own() {
    // Long enough that all of them leave no room.
    let vias: String = (0..8)
        .map(|hop| format!("Via: SIP/2.0/UDP h{hop};branch=z9hG4bK{}\r\n", "x".repeat(230)))
        .collect();
    let message = |start: &str, cseq: &str| {
        format!(
            "{start}\r\n{vias}From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\nCSeq: {cseq}\r\nl: 0\r\n\r\n"
        )
    };
    let turns = [
        format!(">{}", message("INVITE sip:b SIP/2.0", "1 INVITE")),
        format!(">{}", message("CANCEL sip:b SIP/2.0", "1 CANCEL")),
        format!("<{}", message("SIP/2.0 200 OK", "1 CANCEL")),
        format!("<{}", message("SIP/2.0 487 Request Terminated", "1 INVITE")),
        format!(">{}", message("ACK sip:b SIP/2.0", "1 ACK")),
    ];
    let (out, _) = play(&mut SipParser::default(), &turns);
    assert_eq!(summaries(&out), ["CANCEL 200", "INVITE 487", "ACK -"]);
    for transaction in &out {
        let fields = transaction.fields().unwrap();
        assert_eq!(fields.call_id.as_deref(), Some(&b"c"[..]));
        assert!(fields.cseq.is_some() && fields.from.is_some() && fields.to.is_some());
    }
    // Of headers that were cut behind the branch, the start line has the method.
    let cut = |start: &str| format!("{start}\r\nVia: SIP/2.0/UDP a;branch=x\r\nCSe");
    let mut parser = SipDatagrams::default();
    for start in ["INVITE sip:b SIP/2.0", "CANCEL sip:b SIP/2.0"] {
        assert_eq!(parser.parse(cut(start).as_bytes(), Initiator), []);
    }
    let out = parser.parse(cut("SIP/2.0 200 OK").as_bytes(), Responder);
    assert_eq!(summaries(&out), ["INVITE 200"]);
}

#[test]
fn what_is_held_is_bounded() {
    let long = |len| "x".repeat(len);
    let message = |start: &str, number: u32, cseq: &str| {
        let names =
            ["From", "To", "Call-ID", "m", "User-Agent", "s", "Date", "Reply-To", "Warning"];
        let fields: String = names.iter().map(|it| format!("{it}: {}\r\n", long(300))).collect();
        let vias = format!("Via: SIP/2.0/UDP a;branch={number}\r\n{}", "Via: x\r\n".repeat(8));
        let media = format!("m={} 7 {}\r\nc=IN IP4 {}\r\n", long(40), long(40), long(80)).repeat(9);
        let body_len = media.len();
        format!(
            "{start}\r\n{vias}{fields}CSeq: {number} {cseq}{}\r\nc: application/sdp\r\nl: {body_len}\r\n\r\n{media}",
            long(300)
        )
    };
    let mut parser = SipParser::default();
    for number in 0..MAX_OPEN as u32 {
        let request = message(&format!("INVITE sip:{} SIP/2.0", long(300)), number, "INVITE");
        assert_eq!(parser.feed_initiator(request.as_bytes()), []);
        let ringing = message(&format!("SIP/2.0 180 {}", long(300)), number, "INVITE");
        assert_eq!(parser.feed_responder(ringing.as_bytes()), []);
    }
    assert!(parser.heap_bytes() <= 768 * 1024, "{}", parser.heap_bytes());
}

#[test]
fn each_callee_that_accepts_is_a_record() {
    let answer = |code: u16, tag: &str| {
        let to = format!("SIP/2.0 {code} x\r\nTo: <sip:b>{tag}\r\n");
        format!(
            "<{}",
            response(code, "INVITE", 1).replacen(&format!("SIP/2.0 {code} x\r\n"), &to, 1)
        )
    };
    let check = |answers: &[String], expected: &[&str]| {
        let turns = [&[format!(">{}", request("INVITE", 1))], answers].concat();
        let (out, _) = play(&mut SipParser::default(), &turns);
        assert_eq!(summaries(&out), expected, "{answers:?}");
        out
    };
    let (a, b) = (|| answer(200, ";tag=a"), || answer(200, ";tag=b"));
    let rings = [answer(180, ";tag=a"), answer(180, ";tag=b")];
    let answers = [&rings[..], &[a(), b(), a(), b(), a()]].concat();
    let out = check(&answers, &["INVITE 200", "- 200"]);
    let fields = &out[1].response.as_ref().unwrap().fields;
    assert_eq!(fields.to.as_deref(), Some(&b"<sip:b>;tag=b"[..]));
    assert_eq!((out[1].id, out[1].side, out[1].latency), (1, Initiator, None));
    // A 2xx behind a failure; failures, and a 2xx whose tag is not known, are repetitions.
    check(&[answer(487, ";tag=a"), b(), b()], &["INVITE 487", "- 200"]);
    check(&[a(), answer(486, ";tag=b"), answer(200, "")], &["INVITE 200"]);
    // Other methods have one response.
    let other = |tag: &str| {
        let to = format!("SIP/2.0 200 x\r\nTo: <sip:b>;tag={tag}\r\n");
        response(200, "OPTIONS", 1).replacen("SIP/2.0 200 x\r\n", &to, 1)
    };
    let turns = [format!(">{}", request("OPTIONS", 1)), format!("<{}{}", other("a"), other("b"))];
    assert_eq!(summaries(&play(&mut SipParser::default(), &turns).0), ["OPTIONS 200"]);
}
