//! Messages that nobody should send, through the whole engine: what they cost is shown by counting,
//! and the conversation beside them is read as ever.

use flowscope::dns::{DnsOutcome, DnsTransactions, DnsUdpParser};
use flowscope::driver::{DatagramDriver, Driver, DriverConfig, SessionEvent, StopReason};
use flowscope_tests::session::{EXTRACTOR, protocols, run, run_in_batches};

use super::*;

/// One connection in segments of 1000 bytes, the initiator's side first.
fn connection(port: u16, sides: [&[u8]; 2]) -> Vec<Packet> {
    let mut script = talk_to(port).handshake();
    for (side, bytes) in [(Initiator, sides[0]), (Responder, sides[1])] {
        for piece in bytes.chunks(1000) {
            script = script.data(side, piece);
        }
    }
    timed(packets(script.close(Initiator)))
}

/// Runs one such connection once: its memory never exceeds `heap_bytes`, its events `events`.
#[track_caller]
fn cheap(packets: &[Packet], held: usize, events: usize) -> Vec<String> {
    let run = |packets: &[Packet]| {
        let engine = Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default());
        run_in_batches(64, engine, packets)
    };
    let ordinary = run(&connection(80, [&wire::get("/"), &wire::response(200, "")])).peak;
    let heard = run(packets);
    assert!(heard.peak <= ordinary + held, "{} bytes held", heard.peak - ordinary);
    assert!(heard.events.len() <= events, "{} events", heard.events.len());
    heard.lines()
}

/// So many bytes of a load in a debug build, ten times as many otherwise.
fn load(n: usize) -> usize {
    if cfg!(debug_assertions) { n } else { 10 * n }
}

#[test]
fn heads_that_never_end() {
    let endless = [&b"GET / HTTP/1.1\r\nX: "[..], &vec![b'a'; load(300_000)]].concat();
    let lines = cheap(&connection(80, [&endless, b""]), 128 << 10, 6);
    assert_eq!(lines, ["open", "http Port", "> ! HeadTooLong", "> stopped GaveUp", "closed Fin"]);
    // The bound in bytes is reached before anybody counts lines.
    let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(65_536)].concat();
    let lines = cheap(&connection(80, [&many, b""]), 128 << 10, 6);
    assert_eq!(lines, ["open", "http Port", "> ! HeadTooLong", "> stopped GaveUp", "closed Fin"]);
    let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(300), b"\r\n"].concat();
    let lines = cheap(&connection(80, [&many, b""]), 128 << 10, 6);
    assert_eq!(
        lines,
        ["open", "http Port", "> ! TooManyHeaders", "> stopped GaveUp", "closed Fin"]
    );
    // The other side is read on.
    let lines = cheap(&connection(80, [&endless, &wire::response(400, "no")]), 128 << 10, 8);
    assert_eq!(lines[3..], ["> stopped GaveUp", "< 400 #?", "< end #? 2", "closed Fin"]);
}

#[test]
fn chunks_of_every_bad_size() {
    let head = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";
    let tiny = wire::chunked(200, &"x".repeat(load(20_000)), 1);
    let lines = cheap(&connection(80, [&wire::get("/a"), &tiny]), 4096, 8);
    assert_eq!(
        lines[2..5],
        ["> GET /a #0".to_owned(), "< 200 #0".to_owned(), format!("< end #0 {}", load(20_000)),]
    );
    let huge = format!("{head}ffffffffffffffff\r\n{}", "x".repeat(5000));
    let lines = cheap(&connection(80, [&wire::get("/a"), huge.as_bytes()]), 4096, 8);
    assert_eq!(lines[3..5], ["< 200 #0", "< end #0 5000 Fin"]);
    let invalid = format!("{head}10000000000000000\r\nabc");
    let lines = cheap(&connection(80, [&wire::get("/a"), invalid.as_bytes()]), 4096, 9);
    assert_eq!(lines[3..6], ["< 200 #0", "< ! InvalidChunkSize", "< end #0 0 Invalid"]);
    let extension = format!("{head}5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(100_000));
    let lines = cheap(&connection(80, [&wire::get("/a"), extension.as_bytes()]), 16 << 10, 9);
    assert!(lines.contains(&"< ! ChunkLineTooLong".to_owned()), "{lines:?}");
}

#[test]
fn a_length_and_chunks_at_once_are_no_silent_choice() {
    let both =
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let lines = cheap(&connection(80, [both, b""]), 4096, 10);
    assert_eq!(
        lines[2..],
        ["> POST / #0", "> ! LengthAndTransferEncoding", "> GET /smuggled #1", "closed Fin"]
    );
}

#[test]
fn thousands_of_pipelined_requests_are_paired() {
    let count = load(1000);
    let requests: Vec<u8> = (0..count).flat_map(|n| wire::get(&format!("/{n}"))).collect();
    let responses: Vec<u8> =
        (0..count).flat_map(|n| wire::response(200 + (n % 300) as u16, "")).collect();
    let lines = cheap(&connection(80, [&requests, &responses]), 64 << 10, 4 * count + 4);
    for n in [0, 1, count / 2, count - 1] {
        assert!(lines.contains(&format!("> GET /{n} #{n}")));
        assert!(lines.contains(&format!("< {} #{n}", 200 + n % 300)));
    }
}

#[test]
fn handshakes_in_tiny_records_and_too_long_ones() {
    let hello = wire::client_hello("tiny.example", 100);
    let tiny: Vec<u8> = hello[5..].iter().flat_map(|byte| wire::record(22, &[*byte])).collect();
    let lines = cheap(&connection(443, [&tiny, &wire::server_hello()]), 8192, 10);
    assert_eq!(lines[2..4], ["> hello tiny.example", "< server TLS 1.3"]);
    let fifty: Vec<u8> = hello[5..]
        .chunks(hello.len().div_ceil(50))
        .flat_map(|piece| wire::record(22, piece))
        .collect();
    let lines = cheap(&connection(443, [&fifty, &wire::server_hello()]), 8192, 10);
    assert_eq!(lines[2..4], ["> hello tiny.example", "< server TLS 1.3"]);
    // A message of 2^24 - 1 bytes, of which some come.
    let body: Vec<u8> = [&[1, 0xff, 0xff, 0xff][..], &vec![3; load(200_000)]].concat();
    let endless: Vec<u8> = body.chunks(16_000).flat_map(|piece| wire::record(22, piece)).collect();
    let lines = cheap(&connection(443, [&endless, b""]), 16 << 10, 8);
    assert_eq!(lines[2], "> ! 1 TooLong(16777215)");
}

#[test]
fn hellos_of_every_bad_shape() {
    let hello = |ciphers: usize, extensions: usize| {
        let ciphers = vec![0x13; 2 * ciphers];
        let extensions: Vec<u8> =
            (0..extensions as u16).flat_map(|kind| [kind.to_be_bytes(), [0, 0]].concat()).collect();
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[0],
            &wire::framed(&ciphers),
            &[1, 0],
            &wire::framed(&extensions),
        ]
        .concat();
        let message = [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
        let records = message.chunks(16_000).flat_map(|piece| wire::record(22, piece));
        records.collect::<Vec<u8>>()
    };
    let lines = cheap(&connection(443, [&hello(3, 4000), b""]), 40 << 10, 8);
    assert_eq!(lines[2..], ["> hello -", "closed Fin"]);
    let lines = cheap(&connection(443, [&hello(32_767, 0), b""]), 16 << 10, 8);
    assert_eq!(lines[2..], ["> ! 1 TooLong(65575)", "closed Fin"]);
    // In the framing of SSL 2.0, with as many ciphers as fit.
    let ciphers = [0, 0, 5].repeat(5000);
    let body = [&[1, 3, 1, 0x3a, 0x98, 0, 0, 0, 16][..], &ciphers, &[9; 16]].concat();
    let record = [&(0x8000 | body.len() as u16).to_be_bytes()[..], &body].concat();
    let lines = cheap(&connection(443, [&record, b""]), 40 << 10, 8);
    assert_eq!(lines[2..], ["> hello -", "closed Fin"]);
}

#[test]
fn responses_that_nobody_asked_for() {
    let count = load(1000);
    let responses: Vec<u8> = (0..count).flat_map(|_| wire::response(200, "body")).collect();
    let lines = cheap(&connection(80, [b"", &responses]), 32 << 10, 2 * count + 3);
    assert_eq!(lines.iter().filter(|line| *line == "< 200 #?").count(), count);
}

#[test]
fn hostile_dns_costs_little() {
    let mut loops = wire::query(1, "a.example");
    loops[12] = 0xc0;
    loops[13] = 12;
    let mut counts = wire::query(2, "b.example");
    counts[4..12].fill(0xff);
    let mut name = wire::query(3, "");
    name.truncate(12);
    name.extend([63; 64].repeat(4));
    let script = Dialogue::udp("10.0.0.1:5000", "10.0.0.2:53")
        .datagram(Initiator, wire::query(0, "ok.example"))
        .datagram(Initiator, &loops)
        .datagram(Initiator, &counts)
        .datagram(Initiator, &name)
        .datagram(Initiator, wire::query(9, "ok.example"));
    let lines = cheap(&packets(script), 4096, 8);
    let whole = lines.iter().filter(|line| line.ends_with("ok.example IN A")).count();
    assert_eq!(whole, 2, "{lines:?}");
    // Over TCP: lengths of nothing and of everything.
    let ok = wire::framed(&wire::query(0, "ok.example"));
    let stream = [&ok[..], &[0, 0, 0, 0], &ok, &[0xff, 0xff], &[0; 60_000]].concat();
    let lines = cheap(&connection(53, [&stream, b""]), 80 << 10, 8);
    let whole = lines.iter().filter(|line| line.ends_with("ok.example IN A")).count();
    assert_eq!(whole, 2, "{lines:?}");
}

#[test]
fn one_identifier_for_every_query_keeps_few_of_them_open() {
    let queries = load(3000);
    let script = (0..queries).fold(Dialogue::udp("10.0.0.1:5000", "10.0.0.2:53"), |script, n| {
        script
            .step(std::time::Duration::from_micros(1))
            .datagram(Initiator, wire::query(7, &format!("n{n}.example")))
    });
    let packets = packets(script);
    let parser = || DnsTransactions::new(DnsUdpParser::default());
    let engine = DatagramDriver::new(EXTRACTOR, parser());
    let idle = engine.heap_bytes();
    let heard = run_in_batches(64, engine, &packets);
    assert!(heard.peak - idle < 2 << 20, "{} bytes held", heard.peak - idle);
    let unanswered = heard
        .messages()
        .filter(|(_, transaction)| matches!(transaction.outcome, DnsOutcome::Unanswered(_)))
        .count();
    assert_eq!(unanswered, queries);
}

#[test]
fn a_conversation_beside_an_attack_is_read() {
    let endless = [&b"GET / HTTP/1.1\r\nX: "[..], &vec![b'a'; 100_000]].concat();
    let attack = connection(80, [&endless, b""]);
    let peaceful = Dialogue::tcp("10.0.0.9:41000", "10.0.0.2:80")
        .handshake()
        .data(Initiator, wire::get("/calm"))
        .data(Responder, wire::response(200, "body"))
        .close(Initiator);
    let both = flowscope_tests::traffic::merged(vec![attack, packets(peaceful)], &mut Rng::new(1));
    let heard = run(|| Driver::new(EXTRACTOR, protocols()), &timed(both));
    let said = heard.said();
    let calm: Vec<&String> = said
        .iter()
        .filter(|line| !line.contains("HeadTooLong") && !line.contains("stopped"))
        .collect();
    assert_eq!(calm, ["> GET /calm #0", "< 200 #0", "< end #0 4"]);
    let stops = heard
        .events
        .iter()
        .filter(|e| matches!(e, SessionEvent::ParserStopped { why: StopReason::GaveUp, .. }));
    assert_eq!(stops.count(), 1);
}
