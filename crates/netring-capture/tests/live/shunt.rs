//! Flows that the kernel counts, over AF_PACKET and AF_XDP.

use std::time::Duration;

use flowscope_core::{
    L4Proto, Orientation, ReturnedPacket, ShuntKey, ShuntSide, ShuntStart, Shunted, TcpFlags,
    Timestamp,
};
use flowscope_testkit::{Frame, frame};
use netring_capture::{AfPacket, Capture, CaptureError, Program, ShuntError, ShuntMap};

use crate::world::{self, in_namespace, positive, read, send};

const ACK: TcpFlags = TcpFlags::ACK;
/// Where the client and the server stand.
const CLIENT: u32 = 5000;
const SERVER: u32 = u32::MAX - 20;

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    Timestamp::from_nanos(since.as_nanos() as u64)
}

pub(crate) fn key(v6: bool, proto: L4Proto) -> ShuntKey {
    let (a, b) =
        if v6 { ("[fd00::1]:40000", "[fd00::2]:443") } else { ("10.0.0.1:40000", "10.0.0.2:443") };
    ShuntKey { proto, a: a.parse().unwrap(), b: b.parse().unwrap() }
}

fn start() -> ShuntStart {
    let side = |next, ack| ShuntSide { next, ack, ttl: 64, data: true, acks: true };
    ShuntStart {
        sides: [side(CLIENT, SERVER), side(SERVER, CLIENT)],
        last_seen: now(),
        idle: Duration::from_secs(300),
        until: None,
    }
}

/// A segment of the client or the server.
fn segment(v6: bool, from_server: bool, seq: u32, ack: u32, payload: usize) -> Frame {
    behind(frame().ethernet(), 64, v6, from_server).seq(seq).ack(ack).payload(vec![b'x'; payload])
}

/// The headers of a segment, behind others.
fn behind(link: Frame, ttl: u8, v6: bool, from_server: bool) -> Frame {
    let (a, b) = if v6 { ("fd00::1", "fd00::2") } else { ("10.0.0.1", "10.0.0.2") };
    let (src, dst) = if from_server { (b, a) } else { (a, b) };
    let ports = if from_server { (443, 40000) } else { (40000, 443) };
    link.ip(src, dst).ttl(ttl).tcp(ports.0, ports.1).flags(ACK).window(1000)
}

fn bytes(frames: &[Frame]) -> Vec<Vec<u8>> {
    frames.iter().map(Frame::build).collect()
}

/// Sends frames, and returns those that the capture receives.
fn through(
    from: &mut AfPacket,
    to: &mut impl Capture,
    frames: &[Frame],
    come: usize,
) -> Vec<Vec<u8>> {
    for frame in bytes(frames) {
        send(from, &frame);
    }
    read(to, come).into_iter().map(|seen| seen.bytes).collect()
}

fn map(of: &impl Capture) -> ShuntMap {
    of.shunt_map().expect("it was asked for").clone()
}

/// Both sides show where they stand; neither segment is counted.
fn learn(from: &mut AfPacket, to: &mut impl Capture, v6: bool) {
    let shown = [segment(v6, false, CLIENT, SERVER, 10), segment(v6, true, SERVER, CLIENT + 10, 0)];
    assert_eq!(through(from, to, &shown, 2), bytes(&shown));
}

fn ordinary_segments_are_counted(from: &mut AfPacket, to: &mut impl Capture, v6: bool) {
    let (map, key) = (map(to), key(v6, L4Proto::Tcp));
    let before = map.packets();
    // Of no flow in the map.
    let other = [segment(v6, false, 1, 1, 3)];
    assert_eq!(through(from, to, &other, 1), bytes(&other));
    assert_eq!(map.peek(&key).unwrap(), None);
    map.start(&key, &start()).expect("there is room");
    assert!(matches!(map.start(&key, &start()), Err(ShuntError::Kernel(_))), "it is there");
    learn(from, to, v6);
    let header = if v6 { 60 } else { 40 };
    let counted = [
        segment(v6, true, SERVER, CLIENT + 10, 100),
        segment(v6, true, SERVER.wrapping_add(100), CLIENT + 10, 1).flags(ACK | TcpFlags::PSH),
        segment(v6, false, CLIENT + 10, SERVER.wrapping_add(101), 0).window(500),
        segment(v6, true, SERVER.wrapping_add(101), CLIENT + 10, 7),
        segment(v6, false, CLIENT + 10, SERVER.wrapping_add(101), 0).window(500),
        segment(v6, false, CLIENT + 10, SERVER.wrapping_add(108), 0).window(3000),
    ];
    assert_eq!(through(from, to, &counted, 0), Vec::<Vec<u8>>::new());
    let Shunted { sides: [client, server], last_seen, returned } = map.peek(&key).unwrap().unwrap();
    assert_eq!(returned, None);
    assert!(last_seen <= now() && now().since(last_seen) < Duration::from_secs(5));
    assert_eq!(
        (client.packets, client.wire_bytes, client.ip_bytes),
        (3, 3 * (14 + header), 3 * header)
    );
    assert_eq!((client.payload_bytes, client.duplicate_acks), (0, 1));
    assert_eq!((client.base_seq, client.base_ack), (CLIENT + 10, SERVER));
    assert_eq!((client.next, client.ack), (CLIENT + 10, SERVER.wrapping_add(108)));
    assert_eq!((client.window, client.min_window, client.max_window), (3000, 500, 3000));
    assert_eq!((server.packets, server.payload_bytes), (3, 108));
    assert_eq!((server.ip_bytes, server.wire_bytes), (3 * header + 108, 3 * (14 + header) + 108));
    assert_eq!((server.base_seq, server.next), (SERVER, SERVER.wrapping_add(108)));
    assert_eq!((server.flags, client.flags), (ACK | TcpFlags::PSH, ACK));
    assert_eq!(map.packets() - before, 6);

    // A FIN comes back, and whatever is behind it.
    let fin =
        segment(v6, true, SERVER.wrapping_add(108), CLIENT + 10, 0).flags(ACK | TcpFlags::FIN);
    let after = segment(v6, false, CLIENT + 10, SERVER.wrapping_add(108), 9);
    assert_eq!(through(from, to, &[fin.clone(), after.clone()], 2), bytes(&[fin, after]));
    let taken = map.take(&key).unwrap().unwrap();
    assert_eq!(taken.sides, [client, server]);
    let expected = ReturnedPacket {
        orientation: Orientation::Reverse,
        ip_len: header as u32,
        seq: SERVER.wrapping_add(108),
        ack: CLIENT + 10,
        window: 1000,
        flags: ACK | TcpFlags::FIN,
    };
    assert_eq!(taken.returned, Some(expected));
    assert_eq!(map.take(&key).unwrap(), None);
    let stats = to.stats().expect("the socket is open");
    assert_eq!(stats.shunted, map.packets());
    assert_eq!(stats.packets, stats.delivered + stats.shunted, "{stats:?}");
}

fn unusual_segments_come_back(from: &mut AfPacket, to: &mut impl Capture) {
    let (map, key) = (map(to), key(false, L4Proto::Tcp));
    let (seq, ack) = (CLIENT + 10, SERVER);
    let plain = || segment(false, false, seq, ack, 4);
    let unusual = [
        plain().flags(ACK | TcpFlags::FIN),
        plain().flags(TcpFlags::RST),
        plain().flags(TcpFlags::SYN),
        plain().flags(ACK | TcpFlags::URG),
        plain().flags(TcpFlags(0)),
        plain().window(0),
        behind(frame().ethernet(), 63, false, false).seq(seq).ack(ack).payload("late"),
        segment(false, false, seq - 1, ack, 4),
        segment(false, false, seq + 1, ack, 4),
        segment(false, false, seq, ack - 1, 4),
        segment(false, false, seq, ack + 1, 4),
    ];
    for unusual in unusual {
        map.start(&key, &start()).expect("there is room");
        learn(from, to, false);
        assert_eq!(through(from, to, &[plain()], 0), Vec::<Vec<u8>>::new());
        // It stands behind the one that was counted, but where it is unusual.
        map.take(&key).unwrap().expect("it is there");
        map.start(&key, &start()).expect("there is room");
        learn(from, to, false);
        let both = [unusual, plain()];
        assert_eq!(through(from, to, &both, 2), bytes(&both));
        let taken = map.take(&key).unwrap().unwrap();
        assert!(taken.returned.is_some() && taken.packets() == 0, "{taken:?}");
    }
    // Those that are not recognised change nothing.
    map.start(&key, &start()).expect("there is room");
    learn(from, to, false);
    let strange = [
        behind(frame().ethernet().vlan(7), 64, false, false).seq(seq).ack(ack).payload("tagged"),
        frame().ethernet().ip("10.0.0.1", "10.0.0.2").udp(40000, 443).payload("x"),
    ];
    read_some(from, to, &strange);
    assert_eq!(map.take(&key).unwrap().unwrap().returned, None);
    // Time is up, or was before.
    for start in [
        ShuntStart { until: Some(now()), ..start() },
        ShuntStart {
            last_seen: Timestamp::from_nanos(now().as_nanos() - 301_000_000_000),
            ..start()
        },
        ShuntStart { sides: [ShuntSide::default(); 2], ..start() },
    ] {
        map.start(&key, &start).expect("there is room");
        assert_eq!(through(from, to, &[plain()], 1), bytes(&[plain()]));
        assert!(map.take(&key).unwrap().unwrap().returned.is_some());
    }
}

fn read_some(from: &mut AfPacket, to: &mut impl Capture, frames: &[Frame]) {
    let come = through(from, to, frames, frames.len());
    assert_eq!(come.len(), frames.len());
}

fn datagrams_are_counted(from: &mut AfPacket, to: &mut impl Capture) {
    let (map, key) = (map(to), key(false, L4Proto::Udp));
    let datagram = |server: bool, len: usize| {
        let ends = if server { ("10.0.0.2", "10.0.0.1") } else { ("10.0.0.1", "10.0.0.2") };
        let ports = if server { (443, 40000) } else { (40000, 443) };
        frame().ethernet().ip(ends.0, ends.1).udp(ports.0, ports.1).payload(vec![0; len])
    };
    let only_client = ShuntSide { data: false, ..start().sides[1] };
    map.start(&key, &ShuntStart { sides: [start().sides[0], only_client], ..start() })
        .expect("there is room");
    let sent = [datagram(false, 0), datagram(false, 40), datagram(true, 5), datagram(false, 6)];
    assert_eq!(through(from, to, &sent, 2), bytes(&sent[2..]));
    let taken = map.take(&key).unwrap().unwrap();
    let client = taken.sides[0];
    assert_eq!((client.packets, client.payload_bytes), (2, 40));
    assert_eq!((client.wire_bytes, client.ip_bytes), (2 * 42 + 40, 2 * 28 + 40));
    assert_eq!(taken.returned.map(|it| it.orientation), Some(Orientation::Reverse));
}

fn the_map_is_bounded(to: &impl Capture) {
    let map = map(to);
    let of = |port: u16| ShuntKey { a: ([10, 0, 0, 1], port).into(), ..key(false, L4Proto::Tcp) };
    (1..=16).for_each(|port| map.start(&of(port), &start()).expect("there is room"));
    // The kernel may keep some room per core beyond that.
    let refused = (17..2000).find_map(|port| map.start(&of(port), &start()).err());
    assert!(matches!(refused, Some(ShuntError::Full)), "{refused:?}");
    for port in 1..2000 {
        let _ = map.take(&of(port));
    }
    map.start(&of(1), &start()).expect("there is room again");
    assert!(map.take(&of(1)).unwrap().is_some());
}

fn all(to: &mut impl Capture) {
    let mut from = world::open("v0", &world::config());
    for v6 in [false, true] {
        ordinary_segments_are_counted(&mut from, to, v6);
    }
    unusual_segments_come_back(&mut from, to);
    datagrams_are_counted(&mut from, to);
    the_map_is_bounded(to);
}

pub(crate) fn packet_sockets_count_flows() {
    in_namespace(name!(packet_sockets_count_flows), || {
        let config = world::config().shunt(positive(16));
        all(&mut world::open("v1", &config));
        // With the bound on bytes of what is passed on.
        let mut cut = world::open("v1", &config.clone().snap_len(positive(50)));
        let mut from = world::open("v0", &world::config());
        let frame = segment(false, false, 1, 1, 30);
        assert_eq!(
            through(&mut from, &mut cut, std::slice::from_ref(&frame), 1)[0],
            frame.build()[..50]
        );
        let refused = AfPacket::open("v1", &config.filter(Program::everything(100)));
        assert!(matches!(refused, Err(CaptureError::NoShunt { .. })), "{refused:?}");
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("leave the filter out"), "{refused}");
        let plain = world::open("v1", &world::config());
        assert!(plain.shunt_map().is_none());
    });
}

#[cfg(feature = "af-xdp")]
pub(crate) fn xdp_programs_count_flows() {
    use netring_capture::{AfXdp, AfXdpConfig, XdpMode};

    in_namespace(name!(xdp_programs_count_flows), || {
        for mode in [XdpMode::Native, XdpMode::Generic] {
            for multi_buffer in [false, true] {
                let config = AfXdpConfig::default().mode(mode).multi_buffer(multi_buffer);
                let mut to = AfXdp::open("v1", &config.shunt(positive(16))).expect("it is ours");
                assert_eq!(to.mode(), Some(mode));
                all(&mut to);

                // Nothing is counted after a stop.
                let (map, key) = (map(&to), key(false, L4Proto::Tcp));
                map.start(&key, &start()).expect("there is room");
                let mut from = world::open("v0", &world::config());
                learn(&mut from, &mut to, false);
                to.stop().expect("the socket is open");
                let before = map.packets();
                let late = [segment(false, true, SERVER, CLIENT + 10, 100)];
                assert_eq!(through(&mut from, &mut to, &late, 0), Vec::<Vec<u8>>::new());
                assert_eq!(map.packets(), before);
            }
        }
    });
}
