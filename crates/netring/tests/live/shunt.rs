//! Records of flows that the kernel counts equal those of flows that are read.

use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_core::{L4Proto, ShuntKey, TcpFlags};
use flowscope_extract::FiveTupleKey;
use flowscope_testkit::namespace::in_namespace;
use flowscope_testkit::{Frame, frame};
use flowscope_track::{Counters, FlowEvent, FlowStats, History};
use netring::ring::{AfPacketConfig, Capture};
use netring::{
    AsyncCapture, AsyncDriver, EndReason, EventStream, Live, ShuntRefusal, Shunting, Stats,
};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::world::{block_on, extractor, send, sender};

const ACK: TcpFlags = TcpFlags::ACK;

/// Frames up to the first of each kind.
const START: usize = 8;

fn flows() -> NonZeroU32 {
    NonZeroU32::new(64).unwrap()
}

/// One side of a connection, or the other.
struct Talk {
    next: [u32; 2],
    frames: Vec<Vec<u8>>,
}

impl Talk {
    fn side(server: bool) -> Frame {
        let link = frame().ethernet();
        if server {
            link.ip("10.0.0.2", "10.0.0.1").tcp(443, 40000)
        } else {
            link.ip("10.0.0.1", "10.0.0.2").tcp(40000, 443)
        }
    }

    fn say(&mut self, server: bool, flags: TcpFlags, window: u16, len: usize) {
        let (i, peer) = (usize::from(server), usize::from(!server));
        let segment = Talk::side(server).seq(self.next[i]).ack(self.next[peer]);
        let segment = segment.flags(flags).window(window).payload(vec![b'x'; len]);
        self.frames.push(segment.build());
        let occupied = u32::from(flags.syn()) + u32::from(flags.fin()) + len as u32;
        self.next[i] = self.next[i].wrapping_add(occupied);
    }
}

/// A download with a lost segment and one sent again.
fn download() -> Vec<Vec<u8>> {
    let mut talk = Talk { next: [7, u32::MAX - 90_000], frames: Vec::new() };
    talk.say(false, TcpFlags::SYN, 8000, 0);
    talk.say(true, TcpFlags::SYN | ACK, 9000, 0);
    talk.say(false, ACK, 8000, 0);
    talk.say(false, ACK | TcpFlags::PSH, 8000, 90);
    talk.say(true, ACK, 9000, 0);
    for round in 0..400_u16 {
        talk.say(true, ACK, 9000, 1000);
        talk.say(true, ACK | TcpFlags::PSH, 9000, 400);
        talk.say(false, ACK, 7000 + round % 7, 0);
        if round == 200 {
            talk.next[1] = talk.next[1].wrapping_add(1000);
            talk.say(true, ACK, 9000, 50);
            let end = talk.next[1];
            talk.next[1] = end.wrapping_sub(1050);
            talk.say(true, ACK, 9000, 1000);
            talk.next[1] = end;
        }
    }
    talk.say(true, ACK | TcpFlags::FIN, 9000, 0);
    talk.say(false, ACK, 8000, 0);
    talk.say(false, ACK | TcpFlags::FIN, 8000, 0);
    talk.say(true, ACK, 9000, 0);
    talk.frames
}

/// All that a record says but for ids, times, and what was shunted.
#[derive(Debug, PartialEq)]
struct Record {
    reason: EndReason,
    stats: FlowStats,
    history: History,
}

struct Run {
    record: Record,
    shunted: Counters,
    stats: Stats,
}

/// Sends the download while it is captured.
async fn run<C: Capture + 'static, D>(mut stream: EventStream<Live<C>, D>) -> Run
where
    D: AsyncDriver<Event = FlowEvent<FiveTupleKey>>,
{
    let mut from = sender("v0");
    let frames = download();
    let (mut ended, mut seen) = (None, 0);
    let known = Notify::new();
    let sends = async {
        // The rest comes when the flow is known.
        frames[..START].iter().for_each(|frame| send(&mut from, frame));
        known.notified().await;
        for frames in frames[START..].chunks(16) {
            frames.iter().for_each(|frame| send(&mut from, frame));
            tokio::task::yield_now().await;
        }
    };
    let reads = async {
        while ended.is_none() {
            let event = timeout(Duration::from_secs(10), stream.next()).await.expect("it ends");
            match event {
                Some(Ok(FlowEvent::Packet { .. })) => seen += 1,
                Some(Ok(FlowEvent::Ended { reason, stats, history, .. })) => {
                    ended = Some((reason, *stats, history));
                }
                _ => {}
            }
            if seen == START {
                known.notify_one();
            }
        }
    };
    tokio::join!(sends, reads);
    let stats = stream.shutdown().await.unwrap();
    let (reason, mut record, history) = ended.expect("it ended");
    let mut shunted = Counters::default();
    for side in [&mut record.initiator, &mut record.responder] {
        shunted.packets += side.shunted.packets;
        shunted.payload_bytes += side.shunted.payload_bytes;
        side.shunted = Counters::default();
    }
    (record.first_seen, record.last_seen) = Default::default();
    record.closed = record.closed.map(|_| Default::default());
    (record.syn_rtt, record.ack_rtt) = (None, None);
    assert_eq!(stats.arrived, Some(stats.packets.seen()), "{stats}");
    assert_eq!(stats.packets.seen(), frames.len() as u64, "{stats}");
    Run { record: Record { reason, stats: record, history }, shunted, stats }
}

fn compare(shunted: &Run, whole: &Run) {
    assert_eq!(shunted.record, whole.record);
    assert_eq!(whole.record.reason, EndReason::Fin);
    assert_eq!(whole.record.stats.responder.out_of_order, 1);
    let (packets, bytes) = (shunted.shunted.packets, shunted.shunted.payload_bytes);
    assert!(packets > 100, "{packets}: {}", shunted.stats);
    assert_eq!(whole.shunted.packets, 0);
    let cause = flowscope_core::Loss::Shunted;
    assert_eq!(shunted.stats.packets.lost(cause), packets);
    assert_eq!(shunted.stats.bytes.lost(cause), bytes);
    assert_eq!(shunted.stats.bytes.seen(), whole.stats.bytes.seen());
}

pub(crate) fn records_over_packet_sockets_are_those_of_whole_flows() {
    let name = concat!(module_path!(), "::records_over_packet_sockets_are_those_of_whole_flows");
    in_namespace(name, || {
        block_on(async {
            let open = |config: AfPacketConfig| {
                let ring = netring::ring::AfPacket::open("v1", &config).unwrap();
                AsyncCapture::new(Live::new(ring).unwrap()).flow_stream(extractor())
            };
            let whole = run(open(AfPacketConfig::default())).await;
            let stream = open(AfPacketConfig::default().shunt(flows()));
            let stream = stream.with_shunting(Shunting::Established).unwrap();
            compare(&run(stream).await, &whole);
            let refused = open(AfPacketConfig::default()).with_shunting(Shunting::Verdict);
            assert!(matches!(refused, Err(ShuntRefusal::NotOffered)));
        });
    });
}

/// Whoever has the map goes on to receive packets of flows that a dropped stream has put into it.
pub(crate) fn a_dropped_stream_leaves_no_flow_in_the_map() {
    let name = concat!(module_path!(), "::a_dropped_stream_leaves_no_flow_in_the_map");
    in_namespace(name, || {
        block_on(async {
            let config = AfPacketConfig::default().shunt(flows());
            let ring = netring::ring::AfPacket::open("v1", &config).unwrap();
            let map = ring.shunt_map().expect("it was asked for").clone();
            let flow = ShuntKey {
                proto: L4Proto::Tcp,
                a: ([10, 0, 0, 1], 40000).into(),
                b: ([10, 0, 0, 2], 443).into(),
            };
            let capture = AsyncCapture::new(Live::new(ring).unwrap());
            let stream = capture.flow_stream(extractor());
            let mut stream = stream.with_shunting(Shunting::Established).unwrap();
            let mut from = sender("v0");
            download()[..START].iter().for_each(|frame| send(&mut from, frame));
            while map.peek(&flow).unwrap().is_none() {
                let event = timeout(Duration::from_secs(10), stream.next()).await;
                event.expect("it is established").expect("it goes on").unwrap();
            }
            drop(stream);
            assert_eq!(map.peek(&flow).unwrap(), None);
        });
    });
}

#[cfg(feature = "af-xdp")]
pub(crate) fn records_over_xdp_are_those_of_whole_flows() {
    use netring::ring::{AfXdp, AfXdpConfig, XdpMode};

    let name = concat!(module_path!(), "::records_over_xdp_are_those_of_whole_flows");
    in_namespace(name, || {
        block_on(async {
            let config = || AfXdpConfig::default().mode(XdpMode::Native);
            let open = async |config: AfXdpConfig| {
                let capture = AsyncCapture::<Live<AfXdp>>::open_xdp("v1", &config).await.unwrap();
                capture.flow_stream(extractor())
            };
            let whole = run(open(config()).await).await;
            let stream = open(config().shunt(flows())).await;
            let stream = stream.with_shunting(Shunting::Established).unwrap();
            compare(&run(stream).await, &whole);
        });
    });
}
