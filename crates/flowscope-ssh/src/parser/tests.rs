use std::time::Duration;

use flowscope_core::{FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::SshParser;
use crate::kex_init::tests::payload;
use crate::{SshHandshake, SshOutcome};

const CLIENT: FlowSide = FlowSide::Initiator;
const SERVER: FlowSide = FlowSide::Responder;

/// A packet around this payload.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4_u8;
    let mut packet = ((payload.len() + 1 + usize::from(padding)) as u32).to_be_bytes().to_vec();
    packet.push(padding);
    packet.extend(payload);
    packet.extend(vec![0; usize::from(padding)]);
    packet
}

/// Both sides of a handshake.
fn handshake() -> Vec<(FlowSide, Vec<u8>)> {
    let client = payload(["curve25519-sha256,dh", "ssh-ed25519", "aes128-ctr", "hmac", "none"]);
    let server = payload(["dh,curve25519-sha256", "ssh-ed25519", "aes128-ctr", "hmac", "none"]);
    vec![
        (CLIENT, b"SSH-2.0-OpenSSH_9.6 Debian\r\n".to_vec()),
        (SERVER, b"welcome\r\nSSH-2.0-dropbear\r\n".to_vec()),
        (CLIENT, packet(&client)),
        (SERVER, packet(&server)),
        (CLIENT, packet(&[30, 1, 2, 3])),
        (SERVER, packet(&[31, 4, 5, 6])),
        (SERVER, packet(&[21])),
        (CLIENT, packet(&[21])),
        (CLIENT, b"encrypted".to_vec()),
    ]
}

fn read(parts: &[(FlowSide, Vec<u8>)], cut: usize) -> (Vec<SshHandshake>, ParserStatus) {
    let mut parser = SshParser::new();
    let (mut out, mut status) = (Vec::new(), ParserStatus::Continue);
    'parts: for (at, (side, bytes)) in parts.iter().enumerate() {
        let ts = Timestamp::from_secs(1) + Duration::from_millis(at as u64);
        for bytes in bytes.chunks(cut) {
            status = parser.feed_into(StreamChunk::new(*side, ts, 0, bytes), &mut out);
            if status != ParserStatus::Continue {
                break 'parts;
            }
        }
    }
    parser.end(&mut out);
    (out, status)
}

#[test]
fn a_handshake_is_read_however_it_is_cut() {
    let (whole, status) = read(&handshake(), 10_000);
    assert_eq!(status, ParserStatus::Done);
    let [ssh] = &whole[..] else { panic!("{whole:?}") };
    let client = ssh.client.identification.as_ref().unwrap();
    assert_eq!((client.version(), client.software()), (&b"2.0"[..], Some(&b"OpenSSH_9.6"[..])));
    assert_eq!(client.as_bytes(), b"SSH-2.0-OpenSSH_9.6 Debian");
    let agreed = ssh.agreed().unwrap();
    assert_eq!((agreed.kex, agreed.encryption), (&b"curve25519-sha256"[..], &b"aes128-ctr"[..]));
    assert_eq!(ssh.outcome, SshOutcome::Encrypted);
    assert_eq!(ssh.duration, Some(Duration::from_millis(7)));
    for cut in 1..40 {
        assert_eq!(read(&handshake(), cut).0, whole, "{cut}");
    }
}

#[test]
fn what_is_not_ssh_is_given_up() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[b'x'; 2000]] {
        let parts = vec![(CLIENT, bytes.to_vec()); 40];
        assert!(matches!(read(&parts, 10_000).1, ParserStatus::Failed(_)));
    }
    let mut parts = handshake();
    parts[2].1[0] = 9;
    let (out, status) = read(&parts, 10_000);
    assert!(matches!(status, ParserStatus::Failed(_)));
    assert!(out[0].client.identification.is_some() && out[0].client.kex_init.is_none());
}

#[test]
fn a_gap_costs_its_side_and_is_reported() {
    let mut parser = SshParser::new();
    let mut out = Vec::new();
    let parts = handshake();
    parser.feed_into(StreamChunk::new(CLIENT, Timestamp::ZERO, 0, &parts[0].1), &mut out);
    assert_eq!(parser.gap(CLIENT, 10, &mut out), ParserStatus::StopSide(CLIENT));
    for (_, bytes) in parts.iter().filter(|(side, _)| *side == SERVER) {
        parser.feed_into(StreamChunk::new(SERVER, Timestamp::ZERO, 0, bytes), &mut out);
    }
    parser.end(&mut out);
    assert_eq!(out[0].outcome, SshOutcome::Cut);
    assert!(out[0].client.kex_init.is_none() && out[0].server.kex_init.is_some());
}

/// Feeds a script in which `None` is a gap, and gives the outcome.
fn outcome(script: &[(FlowSide, Option<&[u8]>)]) -> SshOutcome {
    let (mut parser, mut out) = (SshParser::new(), Vec::new());
    for (side, bytes) in script {
        match bytes {
            Some(bytes) => {
                let chunk = StreamChunk::new(*side, Timestamp::ZERO, 0, bytes);
                parser.feed_into(chunk, &mut out);
            }
            None => assert_eq!(parser.gap(*side, 9, &mut out), ParserStatus::StopSide(*side)),
        }
    }
    parser.end(&mut out);
    assert_eq!(parser.heap_bytes(), 0);
    assert_eq!(out.len(), 1);
    out[0].outcome
}

#[test]
fn what_hides_the_rest_of_a_handshake_is_its_outcome() {
    let (line, bye) = (&b"SSH-2.0-x\r\n"[..], &packet(&[1, 0, 0, 0, 2])[..]);
    let new_keys = &packet(&[21])[..];
    let check = |script: &[(FlowSide, Option<&[u8]>)], expected| {
        assert_eq!(outcome(script), expected, "{script:?}");
    };
    check(&[(CLIENT, Some(line)), (SERVER, Some(line))], SshOutcome::Incomplete);
    // Before anything was said, and behind it.
    check(&[(CLIENT, None), (SERVER, Some(line))], SshOutcome::Cut);
    check(&[(SERVER, Some(line)), (CLIENT, None)], SshOutcome::Cut);
    // An end has said that there is no more, whatever is missing of the other.
    let said = [(CLIENT, Some(line)), (CLIENT, Some(bye))];
    check(&said, SshOutcome::Disconnected);
    check(&[&said[..], &[(SERVER, None)]].concat(), SshOutcome::Disconnected);
    check(&[&[(SERVER, None)][..], &said[..]].concat(), SshOutcome::Disconnected);
    // Of what is encrypted nothing is missed.
    let encrypted = [(CLIENT, Some(line)), (CLIENT, Some(new_keys)), (CLIENT, None)];
    check(&encrypted, SshOutcome::Incomplete);
}

/// RFC 4253 §4.2: lines may come before the identification; how many is not said.
#[test]
fn thirty_two_lines_may_come_first() {
    for (lines, expected) in [
        (32, ParserStatus::Continue),
        (33, ParserStatus::Failed(flowscope_core::ParseError::NotTheProtocol)),
    ] {
        assert_eq!(read(&[(SERVER, b"hello\r\n".repeat(lines))], 7).1, expected);
    }
}

/// RFC 4253 §5.1: 1.99 may go on as version 2; 1.5 has packets of another form, which are not read.
#[test]
fn packets_are_read_of_version_2_alone() {
    let proposal = packet(&payload(["a", "b", "c", "d", "e"]));
    for (version, read_packets) in [("2.0", true), ("1.99", true), ("1.5", false)] {
        let parts =
            [(SERVER, format!("SSH-{version}-x\r\n").into_bytes()), (SERVER, proposal.clone())];
        let (out, status) = read(&parts, 100);
        assert_eq!(status, ParserStatus::Continue);
        assert_eq!(out[0].server.kex_init.is_some(), read_packets, "{version}");
        assert_eq!(SshParser::probe(SERVER, &parts[0].1), Probe::Yes);
    }
}

/// Keys may be exchanged again (RFC 4253 §9), which is encrypted: in the clear the first proposal counts.
#[test]
fn the_first_proposal_counts() {
    let proposal = |kex| (CLIENT, packet(&payload([kex, "b", "c", "d", "e"])));
    let parts = [(CLIENT, b"SSH-2.0-x\r\n".to_vec()), proposal("first"), proposal("second")];
    let (out, _) = read(&parts, 100);
    assert_eq!(out[0].client.kex_init.as_ref().unwrap().client_to_server().kex, b"first");
}

#[test]
fn a_parser_that_is_done_stays_so() {
    let (mut parser, mut out) = (SshParser::new(), Vec::new());
    for (side, bytes) in &handshake() {
        parser.feed_into(StreamChunk::new(*side, Timestamp::ZERO, 0, bytes), &mut out);
    }
    let line = StreamChunk::new(CLIENT, Timestamp::ZERO, 0, b"SSH-2.0-again\r\n");
    assert_eq!(parser.feed_into(line, &mut out), ParserStatus::Done);
    parser.end(&mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn probes_need_the_version() {
    let probe = |bytes: &[u8]| SshParser::probe(CLIENT, bytes);
    assert_eq!(probe(b"SSH-2.0-x"), Probe::Yes);
    assert_eq!(probe(b"SSH-"), Probe::Maybe);
    assert_eq!(probe(b"SSH-x"), Probe::No);
    assert_eq!(probe(b"GET "), Probe::No);
}

#[test]
fn an_identification_behind_other_lines_is_sure() {
    let probe = |bytes: &[u8]| SshParser::probe(SERVER, bytes);
    assert_eq!(probe(b"hello\r\n\xc3\xa4\tb\nSSH-2.0-x\r\n\0\0\x01\x0c"), Probe::Yes);
    assert_eq!(probe(b"hello\r\nSSH-1.99-x"), Probe::Yes);
    // Nothing says so yet, and none is in sight.
    assert_eq!(probe(b"hello\r\nSSH-"), Probe::No);
    assert_eq!(probe(b"see SSH-2.0-x\r\n"), Probe::No);
    assert_eq!(probe(b"\0\nSSH-2.0-x\r\n"), Probe::No);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_memory_is_bounded(
        parts in vec((any::<bool>(), vec(any::<u8>(), 0..3000)), 0..30),
        after_the_lines in any::<bool>(),
    ) {
        let mut parser = SshParser::new();
        let mut out = Vec::new();
        if after_the_lines {
            for side in [CLIENT, SERVER] {
                parser.feed_into(StreamChunk::new(side, Timestamp::ZERO, 0, b"SSH-2.0-x\n"), &mut out);
            }
        }
        for (initiator, bytes) in &parts {
            let side = if *initiator { CLIENT } else { SERVER };
            parser.feed_into(StreamChunk::new(side, Timestamp::ZERO, 0, bytes), &mut out);
            prop_assert!(parser.heap_bytes() < 200_000);
        }
        parser.end(&mut out);
        prop_assert!(out.len() <= 1);
    }
}
