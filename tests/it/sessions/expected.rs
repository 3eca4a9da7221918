//! Flows that the parser of another one expects.

use flowscope::core::FlowSide;
use flowscope::driver::{DetectedBy, Driver, DriverConfig, SessionEvent};
use flowscope::ftp::FtpTransfer;
use flowscope::protocols;
use flowscope_tests::session::{EXTRACTOR, run};

use super::*;

/// A record of a data connection, or the name of another protocol.
#[derive(Clone, Debug, PartialEq)]
enum Spoken {
    Transfer(Box<FtpTransfer>),
    Other(&'static str),
}

impl From<protocols::AppRecord> for Spoken {
    fn from(record: protocols::AppRecord) -> Self {
        match record {
            protocols::AppRecord::FtpData(transfer) => Spoken::Transfer(transfer),
            other => Spoken::Other(other.protocol()),
        }
    }
}

/// What is said of packets by one engine, and which protocols were chosen.
fn read(packets: &[Packet]) -> (Heard<Spoken>, Vec<(&'static str, DetectedBy)>) {
    let make = || {
        Driver::with_config(EXTRACTOR, protocols::registered::<Spoken>(), DriverConfig::default())
    };
    let heard = run(make, packets);
    let chosen = heard.events.iter().filter_map(|event| match event {
        SessionEvent::ParserChosen { detection, .. } => Some((detection.protocol, detection.by)),
        _ => None,
    });
    let chosen = chosen.collect();
    (heard, chosen)
}

fn transfers(heard: &Heard<Spoken>) -> Vec<&FtpTransfer> {
    let messages = heard.events.iter().filter_map(|event| match event {
        SessionEvent::Application { message: Spoken::Transfer(transfer), .. } => Some(&**transfer),
        _ => None,
    });
    messages.collect()
}

/// Control connection and data connection, each line and piece behind the one before.
fn session(
    lines: &[(FlowSide, &str)],
    (from, to): (&str, &str),
    (sender, bytes): (FlowSide, &[u8]),
) -> Vec<Packet> {
    let control = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:21").handshake();
    let control = control.data(Responder, "220 FTP\r\n");
    let control = lines
        .iter()
        .fold(control, |script, (side, line)| script.data(*side, format!("{line}\r\n")));
    let data = Dialogue::tcp(from, to).after(1000).handshake().data(sender, bytes).close(sender);
    let control = control.after(2000).data(Responder, "226 Done\r\n").close(Initiator);
    let mut packets = [control.packets(), data.packets()].concat();
    packets.sort_by_key(|packet| packet.view().ts());
    packets
}

const FTP: (&str, DetectedBy) = ("ftp", DetectedBy::Port);
const DATA: (&str, DetectedBy) = ("ftp-data", DetectedBy::Agreement);

#[test]
fn a_data_connection_is_known_by_its_control_connection() {
    let passive = [
        (Initiator, "PASV"),
        (Responder, "227 Entering Passive Mode (10,0,0,2,195,80)"),
        (Initiator, "RETR a"),
        (Responder, "150 Opening"),
    ];
    let active = [
        (Initiator, "EPRT |1|10.0.0.1|5000|"),
        (Responder, "200 Fine"),
        (Initiator, "RETR a"),
        (Responder, "150 Opening"),
    ];
    // Behind the translation of addresses, the reply names another host than the one that is seen.
    let translated = passive.map(|(side, line)| match line {
        "227 Entering Passive Mode (10,0,0,2,195,80)" => {
            (side, "227 Entering Passive Mode (192,168,0,1,195,80)")
        }
        line => (side, line),
    });
    let to_server = ("10.0.0.1:41000", "10.0.0.2:50000");
    for (lines, ends, sender) in [
        (&passive, to_server, Responder),
        (&active, ("10.0.0.2:20", "10.0.0.1:5000"), Initiator),
        (&translated, to_server, Responder),
        (&translated, ("10.0.0.1:41000", "192.168.0.1:50000"), Responder),
    ] {
        // What it carries may look like another protocol.
        let bytes = b"HTTP/1.1 200 OK\r\n\r\n";
        let (heard, chosen) = read(&session(lines, ends, (sender, bytes)));
        assert_eq!(chosen[1..], [DATA], "{lines:?}");
        assert_eq!(chosen[0].0, FTP.0);
        let all = transfers(&heard);
        let [transfer] = &all[..] else { panic!("{all:?}") };
        assert_eq!(transfer.control_flow, Some(1));
        assert_eq!(transfer.name.as_deref(), Some(&b"a"[..]));
        assert_eq!((transfer.sender, transfer.bytes), (Some(sender), bytes.len() as u64));
        assert!(!transfer.is_cut);
        // All of it was read.
        assert_eq!(heard.bytes.lost(Loss::Unclaimed), 0);
    }
}

#[test]
fn a_connection_that_is_none_of_ftp_loses_the_name() {
    let lines =
        [(Initiator, "EPSV"), (Responder, "229 Entering Extended Passive Mode (|||50000|)")];
    let mut packets = session(&lines, ("10.0.0.9:41000", "10.0.0.2:50000"), (Responder, b"x"));
    let (heard, chosen) = read(&packets);
    assert_eq!((chosen.len(), transfers(&heard).len()), (1, 0));
    packets = session(&lines, ("10.0.0.1:41000", "10.0.0.2:50000"), (Responder, b"x"));
    let both = Dialogue::tcp("10.0.0.1:41000", "10.0.0.2:50000").after(1000).handshake();
    let both = both.data(Initiator, "PING\r\n").data(Responder, "PONG\r\n").close(Initiator);
    packets.retain(|packet| !is_data(packet));
    packets.extend(both.packets());
    packets.sort_by_key(|packet| packet.view().ts());
    let (heard, chosen) = read(&packets);
    assert_eq!((chosen.last(), transfers(&heard).len()), (Some(&DATA), 0));
    let is_contradicted = |event: &SessionEvent<_, _>| {
        matches!(event, SessionEvent::Contradicted { .. } | SessionEvent::Withdrawn { .. })
    };
    assert!(heard.events.iter().any(is_contradicted));
}

/// Whether a packet is of a data connection: the port 50000 is in it.
fn is_data(packet: &Packet) -> bool {
    let frame = packet.view().frame();
    let ports = [&frame[34..36], &frame[36..38]];
    ports.contains(&&50_000_u16.to_be_bytes()[..])
}
