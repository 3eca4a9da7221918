//! The router: every packet to the shard of its flow, time to all of them, fragments joined before.

use std::num::NonZeroUsize;

use flowscope_core::{Extracted, IcmpInfo, Loss, Orientation, PacketView, Timestamp};
use flowscope_driver::{DriverConfig, Router, ShardInput};
use flowscope_extract::FiveTupleKey;
use flowscope_testkit::attacks::fragments;
use flowscope_testkit::{Dialogue, Packet, frame};
use flowscope_track::PacketTime;

use super::{EXTRACTOR, at, packets};
use flowscope_core::FlowSide::{Initiator, Responder};

const SHARDS: usize = 4;

/// By the lower port, so that a test can predict the shard of a flow.
fn hash(key: &FiveTupleKey) -> u64 {
    let (a, b) = key.endpoints(Orientation::Forward);
    a.port.into_iter().chain(b.port).min().unwrap_or(0).into()
}

fn router() -> Router<
    flowscope_extract::AutoDetectEncap<flowscope_extract::FiveTuple>,
    fn(&FiveTupleKey) -> u64,
> {
    let shards = NonZeroUsize::new(SHARDS).expect("not zero");
    Router::new(EXTRACTOR, &DriverConfig::default(), shards, hash)
}

/// What the shards were given.
#[derive(Default)]
struct Given {
    packets: Vec<(usize, u64)>,
    quotes: Vec<(usize, Orientation)>,
    ticks: Vec<Option<u64>>,
    frames: u64,
}

impl ShardInput<FiveTupleKey> for Given {
    fn advance(&mut self, now: PacketTime) {
        self.ticks.push(now.tick());
    }

    fn packet(
        &mut self,
        shard: usize,
        view: PacketView<'_>,
        _: &Extracted<FiveTupleKey>,
        now: PacketTime,
    ) {
        self.packets.push((shard, now.packet));
        self.frames += u64::from(view.frames());
    }

    fn quote(
        &mut self,
        shard: usize,
        _: FiveTupleKey,
        from: Orientation,
        _: IcmpInfo,
        _: PacketTime,
        _: Timestamp,
    ) {
        self.quotes.push((shard, from));
    }
}

fn route(
    router: &mut Router<
        impl flowscope_core::FlowExtractor<Key = FiveTupleKey>,
        impl Fn(&FiveTupleKey) -> u64,
    >,
    given: &mut Given,
    packets: impl IntoIterator<Item = Packet>,
) {
    for packet in packets {
        router.route_to(packet.view(), given);
    }
}

#[test]
fn both_directions_and_what_is_quoted_go_to_the_shard_of_the_flow() {
    for port in 80..90 {
        let (mut router, mut given) = (router(), Given::default());
        let ends = ["10.0.0.1:40000".to_owned(), format!("10.0.0.2:{port}")];
        let talk = Dialogue::tcp(&ends[0], &ends[1])
            .handshake()
            .data(Initiator, b"a")
            .data(Responder, b"b");
        let quoted = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(40_000, port).build();
        let error = frame().ethernet().ipv4("10.0.0.9", "10.0.0.1").icmp(3, 1);
        let error = error.payload(&quoted[14..]).packet();
        let talk = packets(talk);
        let sent = talk.len();
        route(&mut router, &mut given, talk.into_iter().chain([at(3, error)]));
        let shard = usize::from(port) % SHARDS;
        assert!(given.packets[..sent].iter().all(|(to, _)| *to == shard), "{:?}", given.packets);
        assert_eq!(given.quotes.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [shard]);
        assert_eq!(given.packets.len(), sent + 1, "the error is a packet of its own flow");
    }
}

#[test]
fn packets_have_their_numbers_and_those_that_a_filter_refused_too() {
    let (mut router, mut given) = (router(), Given::default());
    let all = packets(Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake());
    router.route_to(all[0].view(), &mut given);
    router.skip();
    router.route_to(all[2].view(), &mut given);
    let first = given.packets[0].1;
    assert_eq!(given.packets.iter().map(|(_, n)| n - first).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn all_shards_get_each_tick_once_and_before_its_packet() {
    let (mut router, mut given) = (router(), Given::default());
    let packet = || packets(Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").syn()).remove(0);
    route(&mut router, &mut given, [at(100, packet()), at(100, packet()), at(101, packet())]);
    assert_eq!((given.ticks.len(), given.packets.len()), (2, 3));
    assert!(given.ticks[0] < given.ticks[1]);
    // Shards also get time without packets, even within a tick.
    router.handle_timeout_to(Timestamp::from_secs(101), &mut given);
    assert_eq!(given.ticks.len(), 3);
    assert_eq!(given.ticks[1], given.ticks[2]);
    // A tick that a timeout has passed on is not passed on again by a packet.
    router.handle_timeout_to(Timestamp::from_secs(102), &mut given);
    route(&mut router, &mut given, [at(102, packet())]);
    assert_eq!(given.ticks.len(), 4);
}

#[test]
fn pieces_that_never_become_whole_are_given_up() {
    let pieces = || fragments::never_whole(10, 1).map(|packet| at(1000, packet));
    let later = || at(1100, fragments::atomic(1).next().expect("one"));
    let check = |by: &str, give_up: &dyn Fn(&mut Router<_, _>, &mut Given)| {
        let (mut router, mut given) = (router(), Given::default());
        route(&mut router, &mut given, pieces());
        assert_eq!((router.pending_fragments(), router.refused().seen()), (10, 0));
        give_up(&mut router, &mut given);
        assert_eq!(router.pending_fragments(), 0, "by {by}");
        assert_eq!(router.refused().lost(Loss::FragIncomplete), 10, "by {by}");
    };
    check("a packet", &|router, given| route(router, given, [later()]));
    check("time", &|router, given| {
        router.handle_timeout_to(Timestamp::from_secs(1100), given);
    });
    check("the end", &|router, _| router.finish());
}

#[test]
fn a_joined_datagram_is_one_packet_of_its_frames() {
    let (mut router, mut given) = (router(), Given::default());
    let ip = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2");
    let pieces = ip.udp(40_000, 81).payload([7; 1000]).fragments(1, 400);
    assert_eq!(pieces.len(), 3);
    let packet = |bytes: Vec<u8>| Packet { bytes, ..frame().ethernet().packet() };
    let whole = |bytes: Vec<u8>| Packet { wire_len: bytes.len() as u32, ..packet(bytes) };
    route(&mut router, &mut given, pieces.into_iter().map(|bytes| at(5, whole(bytes))));
    assert_eq!((given.packets.len(), given.frames, given.packets[0].0), (1, 3, 81 % SHARDS));
}
