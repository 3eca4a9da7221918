//! A flow on a protocol's own port is not given up for a message that cannot be read.

mod held;

use std::fs;
use std::path::{Path, PathBuf};

use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::protocols::{self, AppRecord, ProtocolInfo};
use flowscope::track::EndReason;
use flowscope_conformance::{Conversation, Sample, Transport, Turn};

use held::held;

/// What of a stream can still be read behind a message that cannot.
enum Framing {
    /// Lines: those that cannot be read are passed over, and the server answers those of the client so.
    Lines { refusal: &'static [u8] },
    /// Messages with their length in front: such a one is passed over.
    Lengths { unreadable: &'static [u8] },
    /// What is read is one exchange at the start of the connection, whose messages mean what their place says, or
    /// all that follows is encrypted.
    Handshake,
    /// Whoever gets a message that it cannot read closes the connection (MQTT 5.0 §4.13,
    /// RFC 4511 §4.1.1, RFC 9113 §5.4.1, RFC 6455 §7.1.7).
    Closes,
}

/// The framing of each stream protocol of the registry.
fn framing(protocol: &str) -> Framing {
    match protocol {
        "http" => {
            Framing::Lines { refusal: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" }
        }
        "smtp" => Framing::Lines { refusal: b"500 what\r\n" },
        "ftp" => Framing::Lines { refusal: b"500 what\r\n" },
        "pop3" => Framing::Lines { refusal: b"-ERR what\r\n" },
        "imap" => Framing::Lines { refusal: b"* BAD what\r\n" },
        "sip" => {
            Framing::Lines { refusal: b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n" }
        }
        "redis" => Framing::Lines { refusal: b"-ERR what\r\n" },
        "mqtt" | "ldap" | "http2" | "websocket" => Framing::Closes,
        "dns" | "llmnr" => Framing::Lengths { unreadable: b"\0\x05AAAAA" },
        "krb5" => Framing::Lengths { unreadable: b"\0\0\0\x01\x6a" },
        "smb" => Framing::Lengths { unreadable: b"\0\0\0\x20\xfeSMBAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
        "dnp3" => Framing::Lengths { unreadable: b"\x05\x64\x08\xc4\x0a\0\x01\0\xfc\x42AAAXX" },
        "modbus" => Framing::Lengths { unreadable: b"\0\x09\0\0\0\x04\x01\x83\x02\0" },
        "tls" | "ssh" | "postgresql" | "mysql" | "socks" | "proxy" | "rdp" => Framing::Handshake,
        other => panic!("{other} is new: how is it read behind what cannot be read?"),
    }
}

/// The samples of each protocol of the registry, and where they are said: on its first port.
fn samples(transport: Transport) -> Vec<(&'static ProtocolInfo, Sample)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(crates).expect("the crates").flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut samples = Vec::new();
    for protocol in held() {
        let ports = match transport {
            Transport::Tcp => protocol.ports.tcp,
            Transport::Udp => protocol.ports.udp,
        };
        let Some(&port) = ports.first() else { continue };
        for folder in &folders {
            let own = Sample::in_folder(&folder.join("samples").join(protocol.name));
            let of_it = |sample: &Sample| sample.conversation.transport == transport;
            for Sample { name, path, conversation } in own.into_iter().filter(of_it) {
                let conversation = Conversation { port, ..conversation };
                samples.push((protocol, Sample { name, path, conversation }));
            }
        }
    }
    samples
}

/// How many records of the protocol a driver makes of a conversation.
fn records(conversation: &Conversation, protocol: &ProtocolInfo) -> usize {
    let registered = protocols::registered::<AppRecord>();
    let mut driver = Driver::new(FiveTuple::bidirectional(), registered);
    for packet in conversation.packets() {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let is_its = |event: &SessionEvent<_, AppRecord>| {
        let SessionEvent::Application { message, .. } = event else { return false };
        message.protocol() == protocol.name
    };
    std::iter::from_fn(|| driver.poll_event()).filter(is_its).count()
}

/// Nothing that was recorded is missing where these turns stand at `at`.
#[track_caller]
fn check(protocol: &ProtocolInfo, sample: &Sample, at: usize, inserted: &[Turn]) {
    let conversation = &sample.conversation;
    let mut turns = conversation.turns.clone();
    turns.splice(at..at, inserted.iter().cloned());
    let with = Conversation { turns, ..conversation.clone() };
    let (without, with) = (records(conversation, protocol), records(&with, protocol));
    let name = &sample.name;
    assert!(
        with >= without,
        "{}/{name}: {with} of {without} with {inserted:?} at {at}",
        protocol.name
    );
}

#[test]
fn datagrams_that_cannot_be_read_hide_no_others() {
    let unreadable = [vec![0xff], b"AAAABBBB\r\n".to_vec(), vec![0; 200], vec![0xff; 200]];
    let mut checked = 0;
    for (protocol, sample) in samples(Transport::Udp) {
        for bytes in &unreadable {
            for side in [Initiator, Responder] {
                let one = Turn { side, bytes: bytes.clone() };
                for at in 0..=sample.conversation.turns.len() {
                    check(protocol, &sample, at, std::slice::from_ref(&one));
                }
                check(protocol, &sample, 0, &vec![one; 8]);
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn messages_of_a_stream_that_cannot_be_read_hide_no_others() {
    let mut checked = 0;
    for (protocol, sample) in samples(Transport::Tcp) {
        let turns = &sample.conversation.turns;
        match framing(protocol.name) {
            Framing::Lines { refusal } => {
                // A message or a literal takes the line in, and credentials are not read.
                let command = |turn: &Turn| turn.side == Initiator && turn.bytes.ends_with(b"\r\n");
                let answered = |at: usize| turns[at - 1].side == Responder && command(&turns[at]);
                for at in (1..turns.len()).filter(|at| answered(*at)) {
                    let asked = Turn { side: Initiator, bytes: b"?AAAA BBBB\r\n".to_vec() };
                    let refused = Turn { side: Responder, bytes: refusal.to_vec() };
                    check(protocol, &sample, at, &[asked, refused]);
                    checked += 1;
                }
            }
            Framing::Lengths { unreadable } => {
                for side in [Initiator, Responder] {
                    for at in 0..=turns.len() {
                        check(protocol, &sample, at, &[Turn { side, bytes: unreadable.to_vec() }]);
                        checked += 1;
                    }
                }
            }
            Framing::Handshake | Framing::Closes => {}
        }
    }
    assert!(checked > 100, "{checked}");
}
