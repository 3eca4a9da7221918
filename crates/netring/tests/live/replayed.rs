//! Captures sent over a cable and captured live give the flows of the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource, PacketView};
use flowscope_driver::FlowDriver;
use flowscope_pcap::CaptureReader;
use flowscope_testkit::namespace::{cable, in_namespace, ip};
use flowscope_track::{EndReason, FlowEvent};

use crate::world::{block_on, builder, extractor, send, sender};

/// How often flows with these counters and this end were there.
type Flows = BTreeMap<String, usize>;

fn note(flows: &mut Flows, event: &FlowEvent<flowscope_extract::FiveTupleKey>) {
    if let FlowEvent::Ended { flow, reason, stats, history } = event {
        // What the file ends, a live capture ends when it is shut down.
        let reason = if *reason == EndReason::EndOfInput { EndReason::Shutdown } else { *reason };
        let [a, b] = [&stats.initiator, &stats.responder].map(|side| side.counters);
        let line = format!("{} {reason:?} {history} {a:?} {b:?}", flow.key);
        *flows.entry(line).or_default() += 1;
    }
}

/// The Ethernet captures of this repository.
fn captures() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
    let mut found: Vec<_> = fs::read_dir(data)
        .expect("the repository has captures")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    found.sort();
    assert!(found.len() > 15);
    found
}

/// Frames of a capture, each with its time from the first one's.
fn frames(path: &Path) -> Vec<(Vec<u8>, Duration)> {
    let mut reader = CaptureReader::open(path).expect("a capture");
    let mut frames = Vec::new();
    let mut first = None;
    let mut take = |packets: &[PacketView<'_>]| {
        for packet in packets {
            assert_eq!(packet.link(), LinkType::ETHERNET);
            assert!(!packet.is_cut());
            let first = *first.get_or_insert(packet.ts());
            frames.push((packet.frame().to_vec(), packet.ts().since(first)));
        }
    };
    while reader.next_batch(&mut take).expect("undamaged") > 0 {}
    frames
}

fn of_the_file(path: &Path) -> Flows {
    let mut reader = CaptureReader::open(path).expect("a capture");
    let mut driver = FlowDriver::with_config(extractor(), netring::default_config());
    while reader.next_batch(&mut |packets| driver.handle_batch(packets)).expect("undamaged") > 0 {}
    driver.finish(EndReason::EndOfInput);
    let mut flows = Flows::new();
    while let Some(event) = driver.poll_event() {
        note(&mut flows, &event);
    }
    flows
}

async fn of_the_cable(path: &Path, [from, to]: &[String; 2]) -> Flows {
    let frames = frames(path);
    let mut stream = builder()
        .ignore_outgoing(true)
        .open(to)
        .expect("the namespace is ours")
        .flow_stream(extractor());
    let count = frames.len() as u64;
    let sends = thread::spawn({
        let mut from = sender(from);
        move || {
            let start = std::time::Instant::now();
            for (frame, at) in frames {
                thread::sleep(at.saturating_sub(start.elapsed()));
                send(&mut from, &frame);
            }
        }
    });
    let mut flows = Flows::new();
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(event) => note(&mut flows, &event.expect("nothing befalls the cable")),
                None => break,
            },
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                if sends.is_finished() {
                    stream.stop();
                }
            }
        }
    }
    sends.join().expect("all was sent");
    let stats = stream.stats().expect("the socket is open");
    assert_eq!(stats.arrived, Some(count), "{}", path.display());
    assert_eq!(stats.packets.seen(), count);
    flows
}

pub(crate) fn captures_replayed_over_a_veth_pair_give_the_flows_of_the_file() {
    let name =
        concat!(module_path!(), "::captures_replayed_over_a_veth_pair_give_the_flows_of_the_file");
    in_namespace(name, || {
        // Most of the time of a capture nothing is sent: several are replayed at the same time.
        let captures = captures();
        thread::scope(|scope| {
            for lane in 0..LANES {
                let ends = [format!("l{lane}"), format!("r{lane}")];
                cable(&ends[0], &ends[1], "");
                // Frames of captures from a host that had its card cut them are longer than a cable's.
                ends.iter().for_each(|end| ip(&format!("link set {end} mtu 65535")));
                let captures = captures.iter().skip(lane).step_by(LANES);
                scope.spawn(move || block_on(replay(captures, &ends)));
            }
        });
    });
}

/// Captures that are replayed at the same time.
const LANES: usize = 6;

async fn replay(captures: impl Iterator<Item = &PathBuf>, ends: &[String; 2]) {
    for path in captures {
        let (file, live) = (of_the_file(path), of_the_cable(path, ends).await);
        assert_eq!(live, file, "{}", path.display());
        assert!(!file.is_empty());
    }
}
