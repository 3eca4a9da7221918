//! A protocol that begins within the connection of another.

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{
    Loss, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope::driver::{Driver, DriverConfig, Protocols, Recognition, SessionEvent};
use flowscope::http::{HttpMessage, Response};
use flowscope::protocols;
use flowscope_testkit::{Dialogue, Rng};
use flowscope_tests::session::{AppRecord, EXTRACTOR, Heard, hear, packets, run, run_in_batches};
use flowscope_tests::traffic;
use flowscope_tests::wire;
use proptest::prelude::*;

/// Names of the protocols that were chosen, and within which.
fn chosen<M>(heard: &Heard<M>) -> Vec<(&'static str, Option<&'static str>)> {
    let chosen = heard.events.iter().filter_map(|event| match event {
        SessionEvent::ParserChosen { detection, .. } => {
            Some((detection.protocol, detection.within))
        }
        _ => None,
    });
    chosen.collect()
}

fn connect(status: &str) -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:3128")
        .handshake()
        .data(Initiator, "CONNECT inside.example:443 HTTP/1.1\r\nHost: inside.example\r\n\r\n")
        .data(Responder, format!("HTTP/1.1 {status}\r\n\r\n"))
}

fn tls_messages(heard: &Heard<AppRecord>) -> usize {
    let is_tls = |event: &&SessionEvent<_, _>| {
        matches!(event, SessionEvent::Application { message: AppRecord::Tls(_), .. })
    };
    heard.events.iter().filter(is_tls).count()
}

/// TLS as it is spoken without anything around it.
fn handshake() -> traffic::Turns {
    traffic::tls(&mut Rng::new(7))
}

fn with_turns(script: Dialogue, turns: &traffic::Turns) -> Dialogue {
    turns.iter().fold(script, |script, (side, bytes)| script.data(*side, bytes))
}

#[test]
fn a_tunnel_s_protocol_is_looked_for() {
    let plain = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:443").handshake();
    let plain = tls_messages(&hear(with_turns(plain, &handshake()).close(Initiator)));
    assert!(plain > 2);
    let heard =
        hear(with_turns(connect("200 Connection established"), &handshake()).close(Initiator));
    assert_eq!(chosen(&heard), [("http", None), ("tls", Some("http"))]);
    assert_eq!(tls_messages(&heard), plain);
}

/// The protocol of a record.
#[derive(Clone, Debug, PartialEq)]
struct Spoken(&'static str);

impl From<protocols::AppRecord> for Spoken {
    fn from(record: protocols::AppRecord) -> Self {
        Spoken(record.protocol())
    }
}

/// TLS begins where a database's client and server agree to it.
#[test]
fn tls_behind_a_database_s_request_is_read() {
    let postgresql = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:5432")
        .handshake()
        .data(Initiator, b"\0\0\0\x08\x04\xd2\x16\x2f")
        .data(Responder, b"S");
    let greeting = b"\x34\0\0\0\x0a8.0.36\0\x07\0\0\0saltsalt\0\xff\xff\xff\x02\0\x07\0\0";
    let request = [&b"\x20\0\0\x01\0\x0a\0\0"[..], &[0; 28]].concat();
    let mysql = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:3306")
        .handshake()
        .data(Responder, [&greeting[..], &[0; 23]].concat())
        .data(Initiator, request);
    for (name, script) in [("postgresql", postgresql), ("mysql", mysql)] {
        let registered = protocols::registered::<Spoken>;
        let make = || Driver::with_config(EXTRACTOR, registered(), DriverConfig::default());
        let script = with_turns(script, &handshake()).close(Initiator);
        let heard = run(make, &packets(script));
        assert_eq!(chosen(&heard), [(name, None), ("tls", Some(name))]);
        let records = heard.events.iter().filter_map(|event| match event {
            SessionEvent::Application { message, .. } => Some(message.0),
            _ => None,
        });
        assert_eq!(records.collect::<Vec<_>>(), [name, "tls"]);
    }
}

#[test]
fn a_connect_that_is_refused_begins_no_tunnel() {
    let script = connect("403 Forbidden\r\nContent-Length: 0")
        .data(Initiator, wire::get("/next"))
        .data(Responder, wire::response(200, "body"));
    let heard = hear(script.close(Initiator));
    assert_eq!(chosen(&heard), [("http", None)]);
    let requests = heard.events.iter().filter(|event| {
        matches!(
            event,
            SessionEvent::Application { message: AppRecord::Http(HttpMessage::Request(_)), .. }
        )
    });
    assert_eq!(requests.count(), 2);
}

#[test]
fn bytes_that_came_with_the_end_of_the_first_protocol_belong_to_the_second() {
    let turns = handshake();
    // The client does not wait for the answer, and the server's answer and its first bytes are one segment.
    let (first, rest) = turns.split_first().expect("a client speaks first");
    assert_eq!(first.0, Initiator);
    let (server, rest) = rest.split_first().expect("then the server");
    assert_eq!(server.0, Responder);
    let answer = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &server.1].concat();
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:3128")
        .handshake()
        .data(Initiator, "CONNECT inside.example:443 HTTP/1.1\r\n\r\n")
        .data(Initiator, &first.1)
        .data(Responder, answer);
    let heard = hear(with_turns(script, &rest.to_vec()).close(Initiator));
    let expected = hear(with_turns(connect("200 OK"), &turns).close(Initiator));
    assert_eq!(chosen(&heard), chosen(&expected));
    assert_eq!(tls_messages(&heard), tls_messages(&expected));
    assert_eq!(heard.bytes.lost(Loss::ParserStopped), expected.bytes.lost(Loss::ParserStopped));
}

#[test]
fn what_a_proxy_passes_on_is_read() {
    let hear_of = |script: Dialogue| {
        let registered = protocols::registered::<protocols::AppRecord>();
        let driver = Driver::with_config(EXTRACTOR, registered, DriverConfig::default());
        run_in_batches(1, driver, &packets(script.close(Initiator)))
    };
    let socks = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999")
        .handshake()
        .data(Initiator, b"\x05\x01\0")
        .data(Responder, b"\x05\0")
        .data(Initiator, b"\x05\x01\0\x03\x0bexample.org\0\x50")
        .data(Responder, b"\x05\0\0\x01\0\0\0\0\0\0")
        .data(Initiator, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        .data(Responder, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(chosen(&hear_of(socks)), [("socks", None), ("http", Some("socks"))]);
    let header = "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\r\n";
    let proxy = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999").handshake();
    let proxy = with_turns(proxy.data(Initiator, header), &handshake());
    assert_eq!(chosen(&hear_of(proxy)), [("proxy", None), ("tls", Some("proxy"))]);
}

#[test]
fn tls_is_read_behind_the_commands_that_begin_it() {
    for (protocol, greeting, command, reply) in [
        ("ftp", "220 FTP server ready\r\n", "AUTH TLS\r\n", "234 Proceed\r\n"),
        ("pop3", "+OK ready\r\n", "STLS\r\n", "+OK begin\r\n"),
        ("imap", "* OK ready\r\n", "a1 STARTTLS\r\n", "a1 OK begin\r\n"),
    ] {
        let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:2121")
            .handshake()
            .data(Responder, greeting)
            .data(Initiator, command)
            .data(Responder, reply);
        let registered = protocols::registered::<protocols::AppRecord>();
        let driver = Driver::with_config(EXTRACTOR, registered, DriverConfig::default());
        let script = with_turns(script, &handshake()).close(Initiator);
        let heard = run_in_batches(1, driver, &packets(script));
        assert_eq!(chosen(&heard), [(protocol, None), ("tls", Some(protocol))]);
        let records = heard.events.iter().filter_map(|event| match event {
            SessionEvent::Application { message, .. } => Some(message.protocol()),
            _ => None,
        });
        assert_eq!(records.collect::<Vec<_>>(), [protocol, protocol, "tls"]);
    }
}

#[test]
fn tls_is_read_behind_the_messages_that_agree_on_it() {
    let rdp: [&[u8]; 2] = [
        b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
        b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\0\x08\0\x01\0\0\0",
    ];
    let ldap: [&[u8]; 2] = [
        b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
        b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0",
    ];
    for (protocol, [request, answer]) in [("rdp", rdp), ("ldap", ldap)] {
        let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999")
            .handshake()
            .data(Initiator, request)
            .data(Responder, answer);
        let registered = protocols::registered::<protocols::AppRecord>();
        let driver = Driver::with_config(EXTRACTOR, registered, DriverConfig::default());
        let script = with_turns(script, &handshake()).close(Initiator);
        let heard = run_in_batches(1, driver, &packets(script));
        assert_eq!(chosen(&heard), [(protocol, None), ("tls", Some(protocol))]);
        let records = heard.events.iter().filter_map(|event| match event {
            SessionEvent::Application { message, .. } => Some(message.protocol()),
            _ => None,
        });
        assert_eq!(records.collect::<Vec<_>>(), [protocol, "tls"]);
    }
}

#[test]
fn what_nobody_reads_within_a_tunnel_is_unclaimed() {
    let heard = hear(
        connect("200 OK")
            .data(Initiator, [0xff; 600])
            .data(Responder, [0xfe; 600])
            .close(Initiator),
    );
    assert_eq!(chosen(&heard), [("http", None)]);
    assert_eq!(heard.bytes.lost(Loss::Unclaimed), 1200);
}

/// Counts bytes, and gives way to the next protocol at each `!`.
#[derive(Clone, Default)]
struct Relay {
    left: [Option<Remainder>; 2],
}

impl SessionParser for Relay {
    type Message = (FlowSide, Vec<u8>);

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        let end = chunk.bytes.iter().position(|&byte| byte == b'!');
        let (own, left) = chunk.bytes.split_at(end.map_or(chunk.bytes.len(), |at| at + 1));
        out.push((chunk.side, own.to_vec()));
        if end.is_none() {
            return ParserStatus::Continue;
        }
        let offset = chunk.offset + own.len() as u64;
        let remainder = Remainder { offset, bytes: left.to_vec() };
        self.left[chunk.side.index()] = (!left.is_empty()).then_some(remainder);
        ParserStatus::Upgrade
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.left[side.index()].take()
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 500 } else { 5_000 }))]

    /// However often the protocol changes, each byte is read once, in order, by one of the parsers, until there
    /// were five of them; what comes then is unclaimed. The checks of any run hold.
    #[test]
    fn each_byte_is_read_once(turns in prop::collection::vec((any::<bool>(), "[a-c!]{1,12}"), 1..12)) {
        let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake();
        let script = turns.iter().fold(script, |script, (responder, text)| {
            script.data(if *responder { Responder } else { Initiator }, text)
        });
        let protocols = || {
            Protocols::new().stream("relay", Relay::default(), Recognition::by_bytes(), |message| message)
        };
        let make = || Driver::with_config(EXTRACTOR, protocols(), DriverConfig::default());
        let heard = run(make, &packets(script.close(Initiator)));

        let mut read = [Vec::new(), Vec::new()];
        for event in &heard.events {
            if let SessionEvent::Application { message: (side, bytes), .. } = event {
                read[side.index()].extend_from_slice(bytes);
            }
        }
        let mut expected = [Vec::new(), Vec::new()];
        let mut protocols = 1;
        for (responder, text) in &turns {
            for byte in text.bytes() {
                if protocols <= 5 {
                    expected[usize::from(*responder)].push(byte);
                    protocols += u32::from(byte == b'!');
                }
            }
        }
        prop_assert_eq!(&read, &expected);
        let all: usize = turns.iter().map(|(_, text)| text.len()).sum();
        let read: usize = expected.iter().map(Vec::len).sum();
        prop_assert_eq!(heard.bytes.delivered() as usize >= read, true);
        prop_assert_eq!(heard.bytes.seen() as usize, all);
    }
}

/// Three exchanges, one after the other.
fn three(mut script: Dialogue) -> Dialogue {
    for path in ["/0", "/1", "/2"] {
        script = script.data(Initiator, wire::get(path)).ack_from(Responder);
        script = script.data(Responder, wire::response(200, &path[1..])).ack();
    }
    script.close(Initiator)
}

/// A parser that begins behind another does not know what of the other side was read before.
#[test]
fn http_behind_another_protocol_pairs_what_belongs_together() {
    let heard = hear(three(connect("200 OK")));
    let expected = ["/0", "/1", "/2"].iter().enumerate().flat_map(|(n, path)| {
        [format!("> GET {path} #{n}"), format!("< 200 #{n}"), format!("< end #{n} 1")]
    });
    let said = heard.said();
    let from = said.iter().position(|line| line.contains("GET")).expect("a request");
    assert_eq!(said[from..from + 9], expected.collect::<Vec<_>>(), "{said:?}");

    let socks = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:1080")
        .handshake()
        .data(Initiator, b"\x05\x01\0")
        .data(Responder, b"\x05\0")
        .data(Initiator, b"\x05\x01\0\x01\x0a\0\0\x03\0\x50")
        .data(Responder, b"\x05\0\0\x01\x0a\0\0\x03\x9c\x40");
    let registered = protocols::registered::<Paired>;
    let make = || Driver::with_config(EXTRACTOR, registered(), DriverConfig::default());
    let heard = run(make, &packets(three(socks)));
    assert_eq!(chosen(&heard), [("socks", None), ("http", Some("socks"))]);
    let pairs = heard.events.iter().filter_map(|event| match event {
        SessionEvent::Application { message: Paired(Some(target), status), .. } => {
            Some((target.clone(), *status))
        }
        _ => None,
    });
    let expected = ["/0", "/1", "/2"].map(|path| (path.to_owned(), Some(200)));
    assert_eq!(pairs.collect::<Vec<_>>(), expected);
}

/// The target of a request and the status of its response, of records of HTTP.
#[derive(Clone, Debug, PartialEq)]
struct Paired(Option<String>, Option<u16>);

impl From<protocols::AppRecord> for Paired {
    fn from(record: protocols::AppRecord) -> Self {
        let protocols::AppRecord::Http(exchange) = record else { return Paired(None, None) };
        let request = exchange.request.as_ref();
        let target = request.map(|request| String::from_utf8_lossy(request.target()).into_owned());
        Paired(target, exchange.response.as_ref().map(Response::status))
    }
}
