//! Records of flows that the kernel counts equal those of flows that are read.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::Pin;
use std::time::{Duration, Instant};

use flowscope_core::{L4Proto, Loss, ShuntKey, TcpFlags};
use flowscope_driver::FlowDriver;
use flowscope_extract::FiveTupleKey;
use flowscope_testkit::frame;
use flowscope_testkit::namespace::in_namespace;
use flowscope_track::{Counters, FlowEvent, FlowStats, History};
use futures_core::Stream;
use netring::ring::{AfPacket, AfPacketConfig, Capture, ShuntMap};
use netring::{
    AsyncCapture, EndReason, Error, Filter, Live, Sharded, ShuntRefusal, Shunting, Stats,
};
use tokio::time::timeout;

use crate::world::{block_on, builder, extractor, send, sender};

const ACK: TcpFlags = TcpFlags::ACK;

/// What is sent before the reader has to have read all that was sent before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The handshake, and the first frames of each kind. The flow is in the map as soon as the handshake is read,
    /// although no side has sent data: it comes back for the first data that comes then.
    Opening,
    /// A round of ordinary packets: the flow comes back, and is in the map for good after it.
    Settling,
    /// Another, from which the kernel learns where each side stands. It passes these on.
    Learning,
    /// Nothing but ordinary packets.
    Before,
    /// A segment that was lost, and is sent again: the flow comes back.
    Loss,
    /// A round of ordinary packets, as when it settled: the flow is in the map again when the segment has come.
    Again,
    /// Nothing but ordinary packets.
    After,
    /// FINs.
    Closing,
}

const PHASES: [Phase; 8] = [
    Phase::Opening,
    Phase::Settling,
    Phase::Learning,
    Phase::Before,
    Phase::Loss,
    Phase::Again,
    Phase::After,
    Phase::Closing,
];

/// Rounds of three packets in the phases with nothing but ordinary packets.
const ROUNDS: u16 = 200;

fn flows() -> NonZeroU32 {
    NonZeroU32::new(64).unwrap()
}

/// Frames of a connection, in phases.
struct Talk {
    port: u16,
    next: [u32; 2],
    phases: [Vec<Vec<u8>>; PHASES.len()],
    phase: usize,
}

impl Talk {
    fn say(&mut self, server: bool, flags: TcpFlags, window: u16, len: usize) {
        let (i, peer) = (usize::from(server), usize::from(!server));
        let link = frame().ethernet();
        let segment = if server {
            link.ip("10.0.0.2", "10.0.0.1").tcp(443, self.port)
        } else {
            link.ip("10.0.0.1", "10.0.0.2").tcp(self.port, 443)
        };
        let segment = segment.seq(self.next[i]).ack(self.next[peer]);
        let segment = segment.flags(flags).window(window).payload(vec![b'x'; len]);
        self.phases[self.phase].push(segment.build());
        let occupied = u32::from(flags.syn()) + u32::from(flags.fin()) + len as u32;
        self.next[i] = self.next[i].wrapping_add(occupied);
    }

    fn round(&mut self, round: u16) {
        self.say(true, ACK, 9000, 1000);
        self.say(true, ACK | TcpFlags::PSH, 9000, 400);
        self.say(false, ACK, 7000 + round % 7, 0);
    }

    /// A download with a lost segment and one sent again.
    fn download(port: u16) -> Self {
        let next = [7, u32::MAX - 90_000];
        let mut talk = Talk { port, next, phases: Default::default(), phase: 0 };
        for (phase, name) in PHASES.into_iter().enumerate() {
            talk.phase = phase;
            match name {
                Phase::Opening => {
                    talk.say(false, TcpFlags::SYN, 8000, 0);
                    talk.say(true, TcpFlags::SYN | ACK, 9000, 0);
                    talk.say(false, ACK, 8000, 0);
                    talk.say(false, ACK | TcpFlags::PSH, 8000, 90);
                    talk.say(true, ACK, 9000, 0);
                    talk.round(0);
                }
                Phase::Before | Phase::After => (0..ROUNDS).for_each(|round| talk.round(round)),
                Phase::Loss => {
                    talk.next[1] = talk.next[1].wrapping_add(1000);
                    talk.say(true, ACK, 9000, 50);
                    let end = talk.next[1];
                    talk.next[1] = end.wrapping_sub(1050);
                    talk.say(true, ACK, 9000, 1000);
                    talk.next[1] = end;
                }
                Phase::Settling | Phase::Learning | Phase::Again => talk.round(0),
                Phase::Closing => {
                    talk.say(true, ACK | TcpFlags::FIN, 9000, 0);
                    talk.say(false, ACK, 8000, 0);
                    talk.say(false, ACK | TcpFlags::FIN, 8000, 0);
                    talk.say(true, ACK, 9000, 0);
                }
            }
        }
        talk
    }

    fn key(&self) -> ShuntKey {
        let end = |last, port| ([10, 0, 0, last], port).into();
        ShuntKey { proto: L4Proto::Tcp, a: end(1, self.port), b: end(2, 443) }
    }
}

/// All that a record says but for ids, times, and what was shunted.
#[derive(Debug, PartialEq)]
struct Record {
    reason: EndReason,
    stats: FlowStats,
    history: History,
}

/// What one run says of a flow.
#[derive(Debug)]
struct Ended {
    record: Record,
    shunted: Counters,
}

/// What is captured of some downloads, by port.
#[derive(Default)]
struct Run {
    ended: BTreeMap<u16, Ended>,
    /// Packets that were tracked.
    seen: u64,
    /// Packets that the kernel had counted after each phase.
    counted: Vec<u64>,
}

impl Run {
    fn take(&mut self, event: FlowEvent<FiveTupleKey>) {
        match event {
            FlowEvent::Packet { .. } => self.seen += 1,
            FlowEvent::Ended { flow, reason, stats, history, .. } => {
                let mut stats = *stats;
                let mut shunted = Counters::default();
                for side in [&mut stats.initiator, &mut stats.responder] {
                    shunted.packets += side.shunted.packets;
                    shunted.payload_bytes += side.shunted.payload_bytes;
                    side.shunted = Counters::default();
                }
                (stats.first_seen, stats.last_seen) = Default::default();
                stats.closed = stats.closed.map(|_| Default::default());
                (stats.syn_rtt, stats.ack_rtt) = (None, None);
                let ports = [flow.key.a(), flow.key.b()].map(|end| end.port.expect("it is TCP"));
                let port = ports.into_iter().find(|port| *port != 443).expect("the client's");
                let record = Record { reason, stats, history };
                assert!(self.ended.insert(port, Ended { record, shunted }).is_none());
            }
            _ => {}
        }
    }

    /// Counts of flows that the kernel has counted, all together.
    fn shunted(&self) -> Counters {
        self.ended.values().fold(Counters::default(), |mut sum, ended| {
            sum.packets += ended.shunted.packets;
            sum.payload_bytes += ended.shunted.payload_bytes;
            sum
        })
    }
}

/// Sends downloads through an interface while they are captured with these maps, phase by phase.
async fn run<S>(stream: &mut S, interface: &str, maps: &[ShuntMap], downloads: &[Talk]) -> Run
where
    S: Stream<Item = Result<FlowEvent<FiveTupleKey>, Error>> + Unpin,
{
    let mut from = sender(interface);
    let mut run = Run::default();
    let counted = || maps.iter().map(ShuntMap::packets).sum::<u64>();
    let is_known = |talk: &Talk| {
        let found = |map: &ShuntMap| map.peek(&talk.key()).expect("it can be read");
        maps.is_empty() || maps.iter().filter_map(found).any(|it| it.returned.is_none())
    };
    let mut sent = 0;
    for (at, phase) in PHASES.into_iter().enumerate() {
        let longest = downloads.iter().map(|talk| talk.phases[at].len()).max().unwrap_or(0);
        // Flows alternate.
        for frames in
            (0..longest).map(|n| downloads.iter().filter_map(move |t| t.phases[at].get(n)))
        {
            for frame in frames {
                send(&mut from, frame);
                sent += 1;
            }
        }
        let start = Instant::now();
        let is_over = |run: &Run| match phase {
            Phase::Opening | Phase::Settling | Phase::Again => downloads.iter().all(is_known),
            Phase::Closing => run.ended.len() == downloads.len(),
            _ => true,
        };
        while run.seen + counted() < sent || !is_over(&run) {
            // What the kernel counts wakes nobody.
            let next = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
            match timeout(Duration::from_millis(2), next).await {
                Ok(event) => run.take(event.expect("it goes on").expect("no error")),
                Err(_) => {
                    let (seen, counted) = (run.seen, counted());
                    let why = format!("{phase:?}: {seen} seen, {counted} counted of {sent}");
                    assert!(start.elapsed() < Duration::from_secs(10), "{why}");
                }
            }
        }
        assert_eq!(run.seen + counted(), sent, "each packet is read or counted, not both");
        run.counted.push(counted());
    }
    run
}

/// Compares a run with shunting, its counters, and a run without.
fn compare(shunted: &Run, stats: &Stats, whole: &Run, whole_stats: &Stats) {
    let flows = whole.ended.len() as u64;
    assert_eq!(shunted.ended.len() as u64, flows);
    for (port, whole) in &whole.ended {
        assert_eq!(shunted.ended[port].record, whole.record);
        assert_eq!(whole.record.reason, EndReason::Fin);
        assert_eq!(whole.record.stats.responder.out_of_order, 1);
    }
    let mut before = 0;
    for (phase, all) in PHASES.into_iter().zip(&shunted.counted) {
        let counted = all - std::mem::replace(&mut before, *all);
        match phase {
            // All of them: the verdict had taken effect before the first was sent.
            Phase::Before | Phase::After => {
                assert_eq!(counted, 3 * u64::from(ROUNDS) * flows, "{phase:?}");
            }
            // The first packet brings the flow back, and all behind it.
            Phase::Loss | Phase::Closing => assert_eq!(counted, 0, "{phase:?}"),
            // What is counted of them depends on how quick the reader is.
            Phase::Opening | Phase::Settling | Phase::Learning | Phase::Again => {}
        }
    }
    let counters = shunted.shunted();
    assert_eq!(counters.packets, before);
    let cause = Loss::Shunted;
    assert_eq!(stats.packets.lost(cause), counters.packets);
    assert_eq!(stats.bytes.lost(cause), counters.payload_bytes);
    for (stats, shunted) in [(stats, counters), (whole_stats, Counters::default())] {
        assert_eq!(stats.arrived, Some(stats.packets.seen()), "{stats}");
        assert_eq!(stats.packets.seen(), whole.seen, "{stats}");
        assert_eq!(stats.packets.delivered() + shunted.packets, whole.seen, "{stats}");
    }
    assert_eq!(stats.bytes.seen(), whole_stats.bytes.seen());
    assert_eq!(whole.shunted(), Counters::default());
}

fn map(of: &impl Capture) -> ShuntMap {
    of.shunt_map().expect("it was asked for").clone()
}

pub(crate) fn records_over_packet_sockets_are_those_of_whole_flows() {
    let name = concat!(module_path!(), "::records_over_packet_sockets_are_those_of_whole_flows");
    in_namespace(name, || {
        block_on(async {
            let open = |config: AfPacketConfig| {
                let ring = AfPacket::open("v1", &config).unwrap();
                AsyncCapture::new(Live::new(ring).unwrap()).flow_stream(extractor())
            };
            let one = [Talk::download(40_000)];
            let mut stream = open(AfPacketConfig::default());
            let whole = run(&mut stream, "v0", &[], &one).await;
            let whole_stats = stream.shutdown().await.unwrap();
            drop(stream);
            let stream = open(AfPacketConfig::default().shunt(flows()));
            let map = map(stream.capture().source().capture());
            let mut stream = stream.with_shunting(Shunting::Established).unwrap();
            let shunted = run(&mut stream, "v0", &[map], &one).await;
            // Packets that the kernel counted are not waited for.
            let stats = timeout(Duration::from_secs(3), stream.shutdown()).await.expect("it ends");
            compare(&shunted, &stats.unwrap(), &whole, &whole_stats);
            let refused = open(AfPacketConfig::default()).with_shunting(Shunting::Verdict);
            assert!(matches!(refused, Err(ShuntRefusal::NotOffered)));
        });
    });
}

const WORKERS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// Reads downloads by workers with shunting, or without.
async fn by_workers<C: Capture + 'static>(
    sharded: Sharded<C>,
    interface: &str,
    shunt: bool,
    maps: &[ShuntMap],
    downloads: &[Talk],
) -> (Run, Stats) {
    let workers = sharded.workers();
    let driver = || FlowDriver::new(extractor());
    let (run, stats) = if shunt {
        let shunting = sharded.shunting(Shunting::Established).unwrap();
        let mut stream = sharded.stream(|worker| shunting.with(worker, driver()).unwrap()).unwrap();
        let run = run(&mut stream, interface, maps, downloads).await;
        (run, stream.shutdown().await.unwrap())
    } else {
        assert_eq!(sharded.shunting(Shunting::Verdict).err(), Some(ShuntRefusal::NotOffered));
        let mut stream = sharded.stream(|_| driver()).unwrap();
        let run = run(&mut stream, interface, maps, downloads).await;
        (run, stream.shutdown().await.unwrap())
    };
    let mut sum = Stats::default();
    stats.iter().for_each(|worker| sum.merge(worker));
    assert_eq!(stats.len(), workers);
    (run, sum)
}

/// Each worker of a fanout group has a map of its own.
pub(crate) fn records_of_workers_are_those_of_whole_flows() {
    let name = concat!(module_path!(), "::records_of_workers_are_those_of_whole_flows");
    in_namespace(name, || {
        block_on(async {
            let downloads: Vec<Talk> = (40_000..40_008).map(Talk::download).collect();
            let builder = || builder().ignore_outgoing(true);
            let sharded = builder().open_sharded("v1", 21, WORKERS).unwrap();
            let (whole, whole_stats) = by_workers(sharded, "v0", false, &[], &downloads).await;
            let rings: Vec<AfPacket> = (0..WORKERS.get())
                .map(|_| AfPacket::open("v1", &ring(22).shunt(flows())).unwrap())
                .collect();
            let maps: Vec<ShuntMap> = rings.iter().map(map).collect();
            let (shunted, stats) =
                by_workers(Sharded::new(rings), "v0", true, &maps, &downloads).await;
            compare(&shunted, &stats, &whole, &whole_stats);
            let busy = maps.iter().filter(|map| map.packets() > 0).count();
            assert!(busy > 1, "flows are spread over workers: {busy}");
            // The same by the builder; a filter takes the place of the program that counts.
            let sharded = builder().shunt(flows()).open_sharded("v1", 23, WORKERS).unwrap();
            assert!(sharded.shunting(Shunting::Established).is_ok());
            let filter = Filter::parse("tcp").unwrap();
            let refused = builder().shunt(flows()).filter(filter).open_sharded("v1", 24, WORKERS);
            let refused = refused.expect_err("there is one program only").to_string();
            assert!(refused.contains("leave the filter out"), "{refused}");
        });
    });
}

/// Settings of a member of a fanout group.
fn ring(group: u16) -> AfPacketConfig {
    let (blocks, bytes) = (NonZeroU32::new(256).unwrap(), NonZeroU32::new(1 << 14).unwrap());
    let config = AfPacketConfig::default().blocks(blocks).block_size(bytes);
    config.retire_timeout(Duration::from_millis(5)).ignore_outgoing(true).fanout_group(group)
}

/// Whoever has the map goes on to receive packets of flows that a dropped stream has put into it.
pub(crate) fn a_dropped_stream_leaves_no_flow_in_the_map() {
    let name = concat!(module_path!(), "::a_dropped_stream_leaves_no_flow_in_the_map");
    in_namespace(name, || {
        block_on(async {
            let config = AfPacketConfig::default().shunt(flows());
            let ring = AfPacket::open("v1", &config).unwrap();
            let map = ring.shunt_map().expect("it was asked for").clone();
            let talk = Talk::download(40_000);
            let flow = talk.key();
            let capture = AsyncCapture::new(Live::new(ring).unwrap());
            let stream = capture.flow_stream(extractor());
            let mut stream = stream.with_shunting(Shunting::Established).unwrap();
            let mut from = sender("v0");
            talk.phases[0].iter().for_each(|frame| send(&mut from, frame));
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
            let one = [Talk::download(40_000)];
            let mut stream = open(config()).await;
            let whole = run(&mut stream, "v0", &[], &one).await;
            let whole_stats = stream.shutdown().await.unwrap();
            drop(stream);
            let stream = open(config().shunt(flows())).await;
            let map = map(stream.capture().source().capture());
            let mut stream = stream.with_shunting(Shunting::Established).unwrap();
            let shunted = run(&mut stream, "v0", &[map], &one).await;
            compare(&shunted, &stream.shutdown().await.unwrap(), &whole, &whole_stats);
        });
    });
}

/// The workers of the queues of an interface share a map.
#[cfg(feature = "af-xdp")]
pub(crate) fn records_of_queues_are_those_of_whole_flows() {
    use flowscope_testkit::namespace::cable;
    use netring::ring::{AfXdp, AfXdpConfig, XdpMode};

    let name = concat!(module_path!(), "::records_of_queues_are_those_of_whole_flows");
    in_namespace(name, || {
        cable("w0", "w1", "numtxqueues 2 numrxqueues 2");
        block_on(async {
            let config = || AfXdpConfig::default().mode(XdpMode::Native);
            let downloads: Vec<Talk> = (40_000..40_004).map(Talk::download).collect();
            let sharded = Sharded::new(AfXdp::open_queues("w1", &config()).unwrap());
            let (whole, whole_stats) = by_workers(sharded, "w0", false, &[], &downloads).await;
            let queues = AfXdp::open_queues("w1", &config().shunt(flows())).unwrap();
            assert_eq!(queues.len(), 2);
            let maps = [map(&queues[0])];
            let (shunted, stats) =
                by_workers(Sharded::new(queues), "w0", true, &maps, &downloads).await;
            compare(&shunted, &stats, &whole, &whole_stats);
        });
    });
}
