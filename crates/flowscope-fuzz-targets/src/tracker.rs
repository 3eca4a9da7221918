//! TCP packets with any flags and numbers, on a few flows, through the flow table alone.

use std::collections::HashMap;

use flowscope::core::{FlowSide, TcpFlags, Timestamp};
use flowscope::driver::{DriverConfig, FlowDriver};
use flowscope::extract::FiveTuple;
use flowscope::track::{EndReason, FlowEvent, TrackerConfig};
use flowscope_testkit::{Packet, frame};

use crate::Input;

/// Eight bytes are a packet: flow and side, flags, numbers, length, and time that passes.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = input.byte();
    let limit = std::num::NonZeroUsize::new(1 + usize::from(settings & 7))
        .unwrap_or(std::num::NonZeroUsize::MIN);
    let tracker = TrackerConfig::default().max_flows(limit);
    let packets = packets(&mut input);
    let config = DriverConfig::default().tracker(tracker);
    let mut driver = FlowDriver::with_config(FiveTuple::bidirectional(), config.clone());
    let mut events = Vec::new();
    for packet in &packets {
        driver.handle_packet(packet.view());
        events.extend(std::iter::from_fn(|| driver.poll_event()));
    }
    driver.finish(EndReason::EndOfInput);
    events.extend(std::iter::from_fn(|| driver.poll_event()));
    assert_eq!(driver.packets().seen(), packets.len() as u64);
    check(&events, driver.packets().delivered());

    let mut batched = FlowDriver::with_config(FiveTuple::bidirectional(), config);
    let views: Vec<_> = packets.iter().map(Packet::view).collect();
    batched.handle_batch(&views);
    batched.finish(EndReason::EndOfInput);
    let same = std::iter::from_fn(|| batched.poll_event()).collect::<Vec<_>>();
    assert!(same == events, "one batch and one by one");
}

/// Each flow begins once and ends once, and records miss no packet.
fn check<K: std::fmt::Debug>(events: &[FlowEvent<K>], tracked: u64) {
    let (mut open, mut counted) = (HashMap::new(), 0);
    for event in events {
        let id = event.flow().id;
        match event {
            FlowEvent::Started { .. } => assert_eq!(open.insert(id, true), None, "{event:?}"),
            FlowEvent::Ended { stats, .. } => {
                assert_eq!(open.insert(id, false), Some(true), "{event:?}");
                assert!(stats.first_seen <= stats.last_seen);
                let sides = [&stats.initiator, &stats.responder];
                counted += sides.iter().map(|side| side.counters.packets).sum::<u64>();
            }
            FlowEvent::Late { stats, .. } => {
                assert_eq!(open.get(&id), Some(&false), "{event:?}");
                let late = stats.late.map(|late| late.sides).unwrap_or_default();
                counted += late.iter().map(|side| side.packets).sum::<u64>();
            }
            _ => assert_eq!(open.get(&id), Some(&true), "{event:?}"),
        }
    }
    assert!(open.values().all(|open| !open), "a flow has not ended");
    assert_eq!(counted, tracked, "records miss no packet");
}

fn packets(input: &mut Input<'_>) -> Vec<Packet> {
    let (mut packets, mut nanos) = (Vec::new(), 1_700_000_000_000_000_000_u64);
    // Where each side of each flow stands, so that numbers are mostly near.
    let mut next = [[1000_u32, 5000]; 4];
    while !input.is_empty() && packets.len() < 300 {
        let (which, flags, len) = (input.byte(), input.byte(), input.byte());
        let (jump, pause) = (input.half(), input.half());
        let (flow, side) = (usize::from(which & 3), usize::from(which >> 2 & 1));
        let seq = match which >> 3 & 3 {
            0 | 1 => next[flow][side],
            2 => next[flow][side].wrapping_add(jump.into()),
            _ => u32::from(jump) << 16,
        };
        let ack = next[flow][1 - side].wrapping_sub(u32::from(which >> 5) * 10);
        nanos = match pause >> 14 {
            0 | 1 => nanos + u64::from(pause) * 1000,
            2 => nanos + u64::from(pause & 0x3fff) * 1_000_000_000,
            _ => nanos.saturating_sub(u64::from(pause & 0x3fff) * 1_000_000),
        };
        let ip = frame().ethernet();
        let ports = [40_000 + flow as u16, 80];
        let tcp = match side {
            0 => ip.ipv4("10.0.0.1", "10.0.0.2").tcp(ports[0], ports[1]),
            _ => ip.ipv4("10.0.0.2", "10.0.0.1").tcp(ports[1], ports[0]),
        };
        let payload = vec![b'x'; usize::from(len)];
        let tcp = tcp.seq(seq).ack(ack).flags(TcpFlags(flags)).payload(&payload);
        packets.push(Packet { ts: Timestamp::from_nanos(nanos), ..tcp.packet() });
        let ends = u32::from(flags & 1) + u32::from(flags >> 1 & 1);
        next[flow][side] = seq.wrapping_add(u32::from(len)).wrapping_add(ends);
    }
    packets
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let (client, server) =
        (FlowSide::Initiator.index() as u8 * 4, FlowSide::Responder.index() as u8 * 4);
    let step = |which: u8, flags: u8, len: u8| [which, flags, len, 0, 0, 0, 1];
    let open = [step(client, 2, 0), step(server, 0x12, 0), step(client, 0x10, 0)];
    let talk = [step(client, 0x18, 100), step(server, 0x18, 200), step(client, 0x10, 0)];
    let close = [step(client, 0x11, 0), step(server, 0x11, 0), step(client, 0x10, 0)];
    let later = [client, 2, 0, 0, 0, 0xa0, 0];
    let back = [server, 0x10, 0, 0, 9, 0xc0, 9];
    let seed = |lists: &[&[[u8; 7]]]| -> Vec<u8> {
        let steps = lists.iter().flat_map(|steps| steps.iter().flatten().copied());
        std::iter::once(3).chain(steps).collect()
    };
    vec![
        seed(&[&open, &talk, &close]),
        seed(&[&open, &[step(server, 4, 0)], &open, &talk]),
        seed(&[&open, &talk, &close, &[later], &open, &close]),
        seed(&[&talk, &close, &[back], &open]),
        seed(&[&[step(0, 2, 0), step(1, 2, 0), step(2, 2, 0), step(3, 2, 9)], &open, &talk]),
    ]
}
