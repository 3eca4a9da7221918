//! Every attack of the testkit through the whole driver with all protocols, between ordinary flows.

#![allow(clippy::print_stdout, reason = "tests that print their figures, for `cargo xtask trust`")]

use std::collections::HashMap;
use std::time::Duration;

use flowscope::core::{PacketSource, Timestamp};
use flowscope::driver::SessionEvent;
use flowscope::pcap::CaptureReader;
use flowscope::track::{EndReason, FlowEvent};
use flowscope_fuzz_targets::attack::{self, Event};
use flowscope_testkit::attacks::{Attack, Bystanders, capture, files, interleave, list, timed};

/// Packets of an attack.
const PACKETS: usize = if cfg!(debug_assertions) { 300 } else { 50_000 };

/// Memory that the driver may take, in bytes: enough for the flows of all attacks, and too little for all that
/// they would have it keep.
const BUDGET: usize = 64 << 20;

/// Packets and bytes of flows, by their ends.
type Counted = HashMap<[std::net::SocketAddr; 2], ([u64; 2], [u64; 2], Vec<EndReason>)>;

fn count(event: &Event, counted: &mut Counted) {
    let SessionEvent::Closed { flow, reason, stats, .. } = event else { return };
    let (a, b) = flow.key.endpoints(stats.orientation);
    if !Bystanders::has(a.addr) {
        return;
    }
    let ends = [a, b].map(|end| std::net::SocketAddr::new(end.addr, end.port.unwrap_or(0)));
    let sides = [&stats.initiator, &stats.responder].map(|side| side.counters);
    let flow = counted.entry(ends).or_default();
    for (n, side) in sides.iter().enumerate() {
        flow.0[n] += side.packets;
        flow.1[n] += side.wire_bytes;
    }
    flow.2.push(*reason);
}

#[test]
fn ordinary_flows_are_counted_as_if_there_were_no_attack() {
    let bystanders = Bystanders::new(6);
    let start = Timestamp::from_secs(1_700_000_000);
    let (mut attacks, mut sent) = (0, 0_u64);
    for Attack { name, packets, .. } in list(PACKETS) {
        let step = Duration::from_micros(10);
        attacks += 1;
        let packets = packets.take(2 * PACKETS).inspect(|_| sent += 1);
        let wire = interleave(packets, bystanders.packets(), 10, start, step);
        let mut counted = Counted::new();
        let driver = attack::driver(BUDGET);
        let sums = attack::run(driver, wire, 64, |event| count(event, &mut counted));
        assert!(sums.peak <= BUDGET + (4 << 20), "{name}: {} bytes", sums.peak);
        for sent in bystanders.flows() {
            let same = counted.get(&sent.ends).is_some_and(|(packets, bytes, ends)| {
                let end = if sent.protocol == 6 { EndReason::Fin } else { EndReason::EndOfInput };
                (packets, bytes) == (&sent.packets, &sent.bytes) && *ends == [end]
            });
            assert!(same, "{name}: {sent:?}: {:?}", counted.get(&sent.ends));
        }
    }
    println!("figure: {attacks} attacks, {sent} packets of attacks");
}

/// Events are a measure of work that no clock is needed for: twice the packets are no more than about twice the
/// events.
#[test]
fn twice_the_packets_are_no_more_than_twice_the_events() {
    let events = |volume: usize| {
        let mut all = Vec::new();
        for Attack { name, packets, .. } in timed(volume) {
            let (mut events, mut sent) = (0_u64, 0_u64);
            let packets = packets.take(4 * volume).inspect(|_| sent += 1);
            attack::run(attack::driver(BUDGET), packets, 64, |event| {
                events += 1;
                let late = matches!(event, SessionEvent::Flow(FlowEvent::Late { .. }));
                events += u64::from(late);
            });
            all.push((name, sent, events));
        }
        all
    };
    let (once, twice) = (events(PACKETS / 4), events(PACKETS / 2));
    for ((name, sent, events), (_, sent2, events2)) in once.into_iter().zip(twice) {
        let most = events * sent2 / sent;
        assert!(
            events2 <= most + most / 5 + 50,
            "{name}: {events} of {sent}, {events2} of {sent2}"
        );
    }
}

#[test]
fn attacks_are_written_as_captures_that_hold_the_same_packets() {
    for n in 0..list(1).len() {
        let packets = || timed(40).swap_remove(n).packets.take(200);
        let mut file = Vec::new();
        let written = capture::write(packets, &mut file).expect("memory takes every write");
        let mut read = 0;
        let mut reader = CaptureReader::new(file.as_slice()).expect("a capture");
        let mut sent = packets();
        let mut compare = |views: &[flowscope::core::PacketView<'_>]| {
            for view in views {
                let packet = sent.next().expect("no more than was written");
                read += 1;
                assert_eq!((view.ts(), view.link()), (packet.ts, packet.link));
                if packet.vlan.is_none() {
                    assert_eq!(view.frame(), packet.bytes);
                }
            }
        };
        while reader.next_batch(&mut compare).expect("sound") > 0 {}
        assert_eq!(read, written);
    }
}

#[test]
fn hostile_files_are_read_to_their_end() {
    for file in files::list(2000) {
        let mut driver = attack::driver(BUDGET);
        let Ok(mut reader) = CaptureReader::new(file.bytes.as_slice()) else { continue };
        let (mut sent, mut errors) = (0, 0);
        loop {
            match reader.next_batch(&mut |views| driver.handle_batch(views)) {
                Ok(0) => break,
                Ok(n) => sent += n as u64,
                Err(_) => errors += 1,
            }
            assert!(errors < 3, "{}", file.name);
            while driver.poll_event().is_some() {}
        }
        driver.finish(EndReason::EndOfInput);
        assert_eq!(driver.packets().seen(), sent, "{}", file.name);
        assert!(
            reader.buffer_capacity() <= 64 << 20,
            "{}: {}",
            file.name,
            reader.buffer_capacity()
        );
    }
}

/// A file that is cut anywhere gives the packets before the cut, and says that it was cut unless the cut is where a
/// record or block ends.
#[test]
fn captures_cut_at_every_byte() {
    let mut cuts = 0;
    for (whole, ends) in files::sound().into_iter().zip([pcap_ends, pcapng_ends]) {
        let ends = ends(&whole);
        assert_eq!(ends.last(), Some(&(whole.len(), 6)), "all of the file");
        for len in 0..=whole.len() {
            let before = ends.iter().rev().find(|(end, _)| *end <= len);
            let (edge, packets) = before.copied().unwrap_or((usize::MAX, 0));
            assert_eq!(read(&whole[..len]), (packets, edge != len), "cut behind {len} bytes");
            cuts += 1;
        }
    }
    println!("figure: {cuts} cuts");
}

/// Packets of a capture, and whether the reader failed.
fn read(bytes: &[u8]) -> (usize, bool) {
    let Ok(mut reader) = CaptureReader::new(bytes) else { return (0, true) };
    let (mut packets, mut failed) = (0, false);
    loop {
        match reader.next_batch(&mut |views| packets += views.len()) {
            Ok(0) => return (packets, failed),
            Ok(_) => {}
            Err(_) => failed = true,
        }
    }
}

/// Where the header and each record of a pcap file end, with the packets up to there.
fn pcap_ends(file: &[u8]) -> Vec<(usize, usize)> {
    let mut ends = vec![(24, 0)];
    while let Some(&(at, packets)) = ends.last().filter(|(at, _)| *at < file.len()) {
        ends.push((at + 16 + word(file, at + 8), packets + 1));
    }
    ends
}

/// Where each block of a pcapng file ends, with the packets up to there.
fn pcapng_ends(file: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut packets, mut ends) = (0, 0, Vec::new());
    while at < file.len() {
        packets += usize::from(word(file, at) == 6);
        at += word(file, at + 4);
        ends.push((at, packets));
    }
    ends
}

/// A length or number of 4 bytes, as the generator writes it: the least significant byte first.
fn word(file: &[u8], at: usize) -> usize {
    u32::from_le_bytes(file[at..at + 4].try_into().expect("4 bytes")) as usize
}
