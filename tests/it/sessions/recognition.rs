//! Who reads a flow, and what becomes of those that nobody reads.

use flowscope::core::{FlowSide, ParseError, ParserStatus, SessionParser};
use flowscope::driver::{Contradiction, Driver, SessionDriver, SessionEvent, StopReason};
use flowscope::track::EndReason;
use flowscope_tests::session::{EXTRACTOR, protocols, run};

use super::*;

#[test]
fn http_on_an_odd_port_is_recognised_by_its_bytes() {
    let get = wire::get("/a");
    for size in [1, 3, 100] {
        let start = talk_to(31_337).handshake();
        let script = get.chunks(size).fold(start, |script, piece| script.data(Initiator, piece));
        check(
            script.data(Responder, wire::response(200, "body")).close(Initiator),
            &["open", "http Bytes", "> GET /a #0", "< 200 #0", "< end #0 4", "closed Fin"],
        );
    }
}

#[test]
fn tls_on_an_odd_port_and_on_the_port_of_http() {
    for port in [31_337, 80] {
        let script = talk_to(port)
            .handshake()
            .data(Initiator, wire::client_hello("odd.example", 10))
            .data(Responder, wire::server_hello())
            .data(Initiator, wire::client_finished())
            .close(Initiator);
        let heard = check(
            script,
            &[
                "open",
                "tls Bytes",
                "> hello odd.example",
                "< server TLS 1.3",
                "< encrypted",
                "< stopped GaveUp",
                "> encrypted",
                "stopped Done",
                "closed Fin",
            ],
        );
        assert_eq!(heard.bytes.lost(Loss::ParserStopped), 0);
    }
}

#[test]
fn ssh_on_the_port_of_http_is_left_alone() {
    let script = talk()
        .handshake()
        .data(Responder, b"SSH-2.0-OpenSSH_9.9\r\n")
        .data(Initiator, b"SSH-2.0-libssh\r\n")
        .data(Responder, [7; 500])
        .data(Initiator, [8; 500]);
    let heard = check(script.close(Initiator), &["open", "closed Fin"]);
    assert_eq!((heard.bytes.delivered(), heard.bytes.lost(Loss::Unclaimed)), (0, 21 + 16 + 1000));
}

#[test]
fn dns_and_multicast_dns_by_their_ports() {
    let dns = Dialogue::udp("10.0.0.1:5000", "10.0.0.2:53")
        .datagram(Initiator, wire::query(7, "a.example"))
        .datagram(Responder, wire::answer(7, "a.example"));
    check(
        dns,
        &[
            "open",
            "dns Port",
            "> 7 query QUERY a.example IN A",
            "< 7 response NOERROR a.example IN A",
            "closed EndOfInput",
        ],
    );
    let mdns = Dialogue::udp("10.0.0.1:5353", "224.0.0.251:5353")
        .datagram(Initiator, wire::query(0, "printer.local"));
    check(mdns, &["open", "dns Port", "> 0 query QUERY printer.local IN A", "closed EndOfInput"]);
    let stream = talk_to(53)
        .handshake()
        .data(Initiator, wire::framed(&wire::query(9, "b.example")))
        .data(Responder, &wire::framed(&wire::answer(9, "b.example"))[..5])
        .data(Responder, &wire::framed(&wire::answer(9, "b.example"))[5..]);
    check(
        stream.close(Responder),
        &[
            "open",
            "dns Port",
            "> 9 query QUERY b.example IN A",
            "< 9 response NOERROR b.example IN A",
            "closed Fin",
        ],
    );
}

#[test]
fn garbage_among_datagrams_costs_itself() {
    let script = Dialogue::udp("10.0.0.1:5000", "10.0.0.2:53")
        .datagram(Initiator, wire::query(7, "a.example"))
        .datagram(Responder, [0xff; 40])
        .datagram(Responder, [])
        .datagram(Responder, [1, 2, 3])
        .datagram(Responder, wire::answer(7, "a.example"));
    let heard = hear(script);
    assert_eq!(
        heard.said(),
        ["> 7 query QUERY a.example IN A", "< 7 response NOERROR a.example IN A"]
    );
    let (_, stats) = heard.ended().next().unwrap();
    let counted = [stats.initiator.counters.packets, stats.responder.counters.packets];
    assert_eq!((counted, heard.bytes.seen()), ([1, 4], heard.bytes.delivered()));
}

#[test]
fn datagrams_that_are_nothing_are_unclaimed() {
    let script = Dialogue::udp("10.0.0.1:5000", "10.0.0.2:1900");
    let script = (0..20).fold(script, |script, n| script.datagram(Initiator, [n; 30]));
    let heard = check(script, &["open", "closed EndOfInput"]);
    assert_eq!((heard.bytes.delivered(), heard.bytes.lost(Loss::Unclaimed)), (0, 600));
}

/// Takes ten bytes and gives up.
#[derive(Clone, Default)]
struct Fails {
    left: Option<usize>,
}

impl SessionParser for Fails {
    type Message = usize;

    fn feed_initiator(&mut self, _: &[u8]) -> Vec<usize> {
        Vec::new()
    }

    fn feed_responder(&mut self, _: &[u8]) -> Vec<usize> {
        Vec::new()
    }

    fn feed_into(
        &mut self,
        feed: flowscope::core::StreamChunk<'_>,
        out: &mut Vec<usize>,
    ) -> ParserStatus {
        let left = self.left.get_or_insert(10);
        out.push(feed.bytes.len());
        if feed.bytes.len() > *left {
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        }
        *left -= feed.bytes.len();
        ParserStatus::Continue
    }
}

#[test]
fn a_parser_that_fails_leaves_its_flow_as_it_is() {
    let script = || {
        talk()
            .handshake()
            .data(Initiator, [1; 4])
            .data(Responder, [2; 6])
            .data(Responder, [3; 100])
            .data(Initiator, [4; 50])
            .segment(Initiator, 1001 + 54 + 10, 5001, ACK, [5; 10])
            .data(Responder, [6; 7])
            .next_seq(Initiator, 1001 + 54 + 20)
            .close(Responder)
    };
    let heard = run(|| SessionDriver::new(EXTRACTOR, Fails::default()), &packets(script()));
    let kinds: Vec<String> = heard
        .events
        .iter()
        .map(|event| match event {
            SessionEvent::Application { side, message, .. } => format!("{side:?} {message}"),
            SessionEvent::ParserStopped { side: None, why, .. } => format!("{why:?}"),
            SessionEvent::Closed { reason, .. } => format!("{reason:?}"),
            SessionEvent::Started { .. } => "Started".to_owned(),
            SessionEvent::ParserChosen { detection, .. } => format!("{:?}", detection.by),
            other => format!("{other:?}"),
        })
        .collect();
    let failed = format!("{:?}", StopReason::Failed(ParseError::NotTheProtocol));
    assert_eq!(
        kinds,
        ["Started", "Only", "Initiator 4", "Responder 6", "Responder 100", &failed, "Fin"]
    );
    // Fed are 110 bytes; the others came to a parser that had stopped.
    assert_eq!(heard.bytes.delivered(), 110);
    assert_eq!(heard.bytes.lost(Loss::ParserStopped), 67);
    // The flow is counted as if nobody had read it.
    let (_, stats) = heard.ended().next().unwrap();
    let all = hear(script());
    let (_, unread) = all.ended().next().unwrap();
    assert_eq!(stats, unread);
    assert_eq!(stats.side(FlowSide::Initiator).counters.payload_bytes, 64);
}

#[test]
fn a_protocol_that_turns_out_to_be_another_leaves_the_flow_alive() {
    // A tunnel: the parser gives way to that of what is in it, the flow goes on.
    let script = talk()
        .handshake()
        .data(Initiator, b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example\r\n\r\n")
        .data(Responder, b"HTTP/1.1 200 X\r\n\r\n")
        .data(Initiator, wire::client_hello("far.example", 0))
        .data(Responder, wire::server_hello());
    let heard = hear(script.close(Initiator));
    assert_eq!(
        heard.lines(),
        [
            "open",
            "http Port",
            "> CONNECT far.example:443 #0",
            "< 200 #0",
            "< end #0 0",
            "tls Bytes",
            "> hello far.example",
            "< server TLS 1.3",
            "< encrypted",
            "< stopped GaveUp",
            "closed Fin"
        ]
    );
    assert_eq!(heard.bytes.lost(Loss::Unclaimed), 0);
}

#[test]
fn sure_bytes_outweigh_a_port_from_mid_stream_too() {
    let script =
        talk_to(443).data(Initiator, wire::get("/a")).data(Responder, wire::response(200, ""));
    let lines = hear(script).lines();
    assert_eq!(lines[1], "http Bytes");
    assert!(lines.iter().any(|line| line.contains("GET /a")), "{lines:?}");
}

#[test]
fn an_unreadable_request_does_not_hide_its_answer() {
    let bad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let script = talk_to(80).handshake().data(Initiator, "\x01\x02\x03").data(Responder, bad);
    let lines = hear(script.close(Initiator)).lines();
    assert!(lines.iter().any(|line| line.contains("< 400")), "{lines:?}");
}

#[test]
fn a_port_claims_nothing_that_bytes_contradict() {
    let script =
        talk_to(8080).handshake().data(Initiator, "AAAA BBBB\r\n").data(Responder, "CCCC DDDD\r\n");
    assert_eq!(hear(script.close(Initiator)).lines(), ["open", "closed Fin"]);
    let rtsp = "OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    let script = talk_to(554).handshake().data(Initiator, rtsp);
    assert_eq!(hear(script.close(Initiator)).lines(), ["open", "closed Fin"]);
}

#[test]
fn a_protocol_that_bytes_contradict_is_withdrawn() {
    // The server speaks HTTP to a client that speaks TLS.
    let plain = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let hello = wire::client_hello("far.example", 0);
    let script = || talk_to(443).handshake().data(Initiator, &hello).data(Responder, plain);
    let lines = hear(script().close(Initiator)).lines();
    let end = ["not tls", "stopped Failed(NotTheProtocol)", "closed Fin"];
    assert_eq!(lines[lines.len() - 3..], end, "{lines:?}");
    // Where flows are recognised and no more, the first bytes of the other side are asked too.
    let recognised = |script: Dialogue| {
        let make = || Driver::new(EXTRACTOR, protocols().recognise_only());
        run(make, &packets(script)).lines()
    };
    assert_eq!(recognised(script()), ["open", "tls Port", "not tls", "closed EndOfInput"]);
    let sound = script().next_seq(Responder, 5001).data(Responder, "late");
    assert_eq!(recognised(sound).iter().filter(|line| *line == "not tls").count(), 1);
    let answered =
        talk_to(443).handshake().data(Initiator, &hello).data(Responder, wire::server_hello());
    assert_eq!(recognised(answered), ["open", "tls Port", "closed EndOfInput"]);
    // Bytes from the middle of a stream rule nothing out; the first ones may come behind them.
    let middle = talk_to(443).handshake().data(Initiator, &hello).next_seq(Responder, 6001);
    let middle = middle.data(Responder, plain);
    assert_eq!(recognised(middle.clone()), ["open", "tls Port", "closed EndOfInput"]);
    let late = middle.next_seq(Responder, 5001).data(Responder, plain);
    assert_eq!(recognised(late), ["open", "tls Port", "not tls", "closed EndOfInput"]);
}

/// What the events say of each side: which one speaks the protocol for sure, and which something else.
#[test]
fn detections_name_the_side_that_contradicts() {
    let plain = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let hello = wire::client_hello("far.example", 0);
    let sides = |script: Dialogue, recognise_only: bool| -> Vec<_> {
        let make = || {
            let protocols = protocols();
            let own = if recognise_only { protocols.recognise_only() } else { protocols };
            Driver::new(EXTRACTOR, own)
        };
        let heard = run(make, &packets(script));
        let of = |event: &SessionEvent<_, _>| match event {
            SessionEvent::ParserChosen { detection, .. }
            | SessionEvent::Contradicted { detection, .. }
            | SessionEvent::Withdrawn { detection, .. } => Some(*detection),
            _ => None,
        };
        let found = heard.events.iter().filter_map(of);
        found.map(|it| (it.protocol, it.sure, it.contradicted)).collect()
    };
    let not = |side, protocol| Some(Contradiction { side, protocol });
    let talk = || talk_to(443).handshake();
    // The bytes of the client decided; those of the server came later.
    let client = talk().data(Initiator, &hello).data(Responder, plain);
    let chosen = ("tls", Some(Initiator), None);
    let refuted = ("tls", Some(Initiator), not(Responder, Some("http")));
    assert_eq!(sides(client.clone(), false), [chosen, refuted]);
    assert_eq!(sides(client, true), [chosen, refuted]);
    // The bytes of both sides were there when it was decided.
    let server = talk().data(Initiator, [0xf7; 40]).data(Responder, plain);
    let chosen = ("http", Some(Responder), not(Initiator, None));
    assert_eq!(sides(server.clone(), false), [chosen]);
    assert_eq!(sides(server, true), [chosen]);
    // Bytes from the middle of a stream contradict nothing.
    let answer = |talk: Dialogue| talk.data(Initiator, wire::get("/")).data(Responder, [0xf7; 40]);
    let chosen = ("http", Some(Initiator), None);
    assert_eq!(sides(answer(talk_to(80)), false), [chosen]);
    let refuted = ("http", Some(Initiator), not(Responder, None));
    assert_eq!(sides(answer(talk_to(80).handshake()), false), [chosen, refuted]);
}

#[test]
fn what_waits_for_the_protocol_to_be_found_keeps_its_time() {
    // A side alone does not show the protocol before the end.
    let script = talk_to(21).at(100).handshake().at(101).data(Initiator, "USER a\r\n");
    let script = script.at(105).data(Initiator, "PASS b\r\n").at(109).close(Initiator);
    assert_eq!(times_of_ftp(script, true), [101, 105]);
}

#[test]
fn a_port_decides_once_both_sides_have_spoken() {
    let greeting = talk_to(21).at(100).handshake().data(Responder, "220 welcome\r\n");
    let answered = greeting.at(103).data(Initiator, "USER a\r\n");
    assert_eq!(
        times_of_ftp(answered.at(107).data(Responder, "331 password\r\n"), false),
        [100, 103]
    );
    let typed = talk_to(21).at(100).handshake().data(Responder, "220 welcome\r\n");
    assert_eq!(times_of_ftp(typed.at(103).data(Initiator, "U"), false), [0; 0]);
}

/// Seconds of the records of FTP in a script, at its end or before it.
fn times_of_ftp(script: Dialogue, ends: bool) -> Vec<u64> {
    use flowscope::protocols::{self, AppRecord};

    let mut driver = Driver::new(EXTRACTOR, protocols::registered::<AppRecord>());
    for packet in script.packets() {
        driver.handle_packet(packet.view());
    }
    if ends {
        driver.finish(EndReason::EndOfInput);
    }
    let mut times = Vec::new();
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { message: AppRecord::Ftp(exchange), .. } = event {
            times.push(exchange.ts.as_nanos() / 1_000_000_000);
        }
    }
    times
}
