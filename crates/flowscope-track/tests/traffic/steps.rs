//! Small descriptions of random traffic, which shrink well.

use std::time::Duration;

use flowscope_track::{Eviction, ResetRule};
use proptest::prelude::*;

use crate::model::Settings;

/// One thing that happens. Numbers are relative to what the two hosts have said so far.
#[derive(Clone, Debug)]
pub struct Step {
    /// 0 to 3 are TCP, 4 UDP, 5 ICMP, 6 neither, 7 whatever comes.
    pub key: u8,
    pub reverse: bool,
    pub gap: Gap,
    pub shape: Shape,
    pub fate: Fate,
}

/// Time since the packet before.
#[derive(Clone, Copy, Debug)]
pub enum Gap {
    Nanos(u32),
    Millis(u32),
    Back(u32),
    /// To where this timeout of the key's flow ends, give or take nanoseconds.
    To(Timeout, i8),
    /// The same, rounded up to a tick.
    ToTick(Timeout, i8),
    Hours(u8),
}

#[derive(Clone, Copy, Debug)]
pub enum Timeout {
    Idle,
    Linger,
    Reuse,
    Active,
}

#[derive(Clone, Debug)]
pub enum Shape {
    /// What the host would do next, were it sane.
    Sane(u8),
    Tcp {
        flags: u8,
        seq: Seq,
        ack: Ack,
        len: u16,
        window: Option<u16>,
    },
    /// The packet of this key so many before, again.
    Again(u8),
    /// No TCP header.
    Plain(u16),
    Refused,
    Fragment,
    /// No packet, time passes.
    Expire,
    /// No packet, the caller ends the flow.
    End,
}

#[derive(Clone, Copy, Debug)]
pub enum Seq {
    Next(i32),
    Isn(i32),
    PeerAck(i32),
    /// Where the segment before ended.
    Last(i32),
    /// A number never used.
    Fresh,
    /// The one made up last.
    Made(i32),
    /// One made up so many before.
    Older(u8, i32),
}

#[derive(Clone, Copy, Debug)]
pub enum Ack {
    PeerNext(i32),
    Own(i32),
    PeerIsn(i32),
    /// What the peer made up last.
    PeerMade(i32),
    /// What it made up so many before.
    PeerOlder(u8, i32),
}

#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Captured,
    Lost,
    Twice,
    /// Captured so many steps later.
    Delayed(u8),
    /// Cut by the snap length.
    Cut,
    /// With a wrong checksum.
    Corrupt,
    /// In three fragments, joined.
    InPieces,
}

fn distance() -> impl Strategy<Value = i32> {
    prop_oneof![
        8 => Just(0),
        4 => -2..=2_i32,
        3 => 1..400_i32,
        2 => -400..0_i32,
        1 => prop::sample::select(vec![
            1 << 20, (1 << 20) - 1, (1 << 20) + 1, (1 << 20) + 3, 3 << 20, 1 << 25,
            -(1 << 20), -(1 << 30), -(1 << 30) - 1, -(1 << 30) + 1, 1 << 30, i32::MAX, i32::MIN,
        ]),
    ]
}

fn flags() -> impl Strategy<Value = u8> {
    let sane = [0x02, 0x12, 0x10, 0x18, 0x11, 0x19, 0x04, 0x14, 0x01, 0x00, 0x08];
    let odd = [0x03, 0x06, 0x13, 0x16, 0x05, 0x15, 0x07, 0x17, 0x30, 0x38];
    prop_oneof![
        12 => prop::sample::select(sane.to_vec()),
        2 => prop::sample::select(odd.to_vec()),
        1 => any::<u8>(),
    ]
}

fn seq() -> impl Strategy<Value = Seq> {
    prop_oneof![
        8 => distance().prop_map(Seq::Next),
        2 => distance().prop_map(Seq::Isn),
        2 => distance().prop_map(Seq::PeerAck),
        2 => distance().prop_map(Seq::Last),
        1 => Just(Seq::Fresh),
        2 => (-1..=2_i32).prop_map(Seq::Made),
    ]
}

fn ack() -> impl Strategy<Value = Ack> {
    prop_oneof![
        8 => distance().prop_map(Ack::PeerNext),
        2 => distance().prop_map(Ack::Own),
        2 => distance().prop_map(Ack::PeerIsn),
        2 => (-1..=3_i32).prop_map(Ack::PeerMade),
    ]
}

fn len() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(0_u16), 2 => Just(1), 1 => Just(2), 4 => 3..300_u16, 1 => Just(1448)]
}

fn shape() -> impl Strategy<Value = Shape> {
    let window = prop_oneof![
        6 => Just(None),
        1 => prop::sample::select(vec![0, 1, 200, 65535]).prop_map(Some),
    ];
    prop_oneof![
        20 => any::<u8>().prop_map(Shape::Sane),
        20 => (flags(), seq(), ack(), len(), window).prop_map(|(flags, seq, ack, len, window)| {
            Shape::Tcp { flags, seq, ack, len, window }
        }),
        2 => (0..6_u8).prop_map(Shape::Again),
        1 => len().prop_map(Shape::Plain),
        1 => Just(Shape::Refused),
        1 => Just(Shape::Fragment),
        1 => Just(Shape::Expire),
        1 => Just(Shape::End),
    ]
}

fn gap() -> impl Strategy<Value = Gap> {
    let timeout =
        prop::sample::select(vec![Timeout::Idle, Timeout::Linger, Timeout::Reuse, Timeout::Active]);
    let near = prop::sample::select(vec![-1, 0, 1_i8]);
    prop_oneof![
        10 => (0..3000_u32).prop_map(Gap::Nanos),
        10 => (0..2000_u32).prop_map(Gap::Millis),
        1 => (0..5000_u32).prop_map(Gap::Back),
        2 => (timeout.clone(), near.clone()).prop_map(|(timeout, by)| Gap::To(timeout, by)),
        2 => (timeout, near).prop_map(|(timeout, by)| Gap::ToTick(timeout, by)),
        1 => (0..4_u8).prop_map(Gap::Hours),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        16 => Just(Fate::Captured),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        2 => (1..6_u8).prop_map(Fate::Delayed),
        1 => Just(Fate::Cut),
        1 => Just(Fate::Corrupt),
        1 => Just(Fate::InPieces),
    ]
}

/// Up to `most` steps on few keys.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let key = prop_oneof![10 => Just(0_u8), 4 => 0..4_u8, 3 => 4..8_u8];
    let step = (key, any::<bool>(), gap(), shape(), fate())
        .prop_map(|(key, reverse, gap, shape, fate)| Step { key, reverse, gap, shape, fate });
    prop::collection::vec(step, 1..most)
}

/// Up to `most` segments of one connection, after its handshake: holes, strays, FINs, resets.
pub fn busy_steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let flags = prop_oneof![
        30 => Just(0x10_u8),
        3 => Just(0x11),
        1 => Just(0x00),
        1 => Just(0x04),
        1 => Just(0x02),
        1 => Just(0x12),
    ];
    let seq = prop_oneof![
        6 => Just(Seq::Next(0)),
        6 => (1..60_i32).prop_map(Seq::Next),
        6 => (-600..0_i32).prop_map(Seq::Next),
        1 => distance().prop_map(Seq::Next),
        1 => distance().prop_map(Seq::PeerAck),
    ];
    let ack = prop_oneof![
        8 => Just(Ack::PeerNext(0)),
        2 => Just(Ack::Own(0)),
        1 => distance().prop_map(Ack::PeerNext),
    ];
    let window = prop_oneof![9 => Just(None), 1 => prop::sample::select(vec![Some(0), Some(9)])];
    let shape = (flags, seq, ack, prop_oneof![Just(0), 0..50_u16], window)
        .prop_map(|(flags, seq, ack, len, window)| Shape::Tcp { flags, seq, ack, len, window });
    let gap = prop_oneof![
        20 => (0..3_000_000_u32).prop_map(Gap::Nanos),
        1 => Just(Gap::To(Timeout::Linger, 1)),
        1 => Just(Gap::Back(2)),
    ];
    let side = prop_oneof![3 => Just(false), 1 => Just(true)];
    let step = (side, gap, shape, fate()).prop_map(|(reverse, gap, shape, fate)| Step {
        key: 0,
        reverse,
        gap,
        shape,
        fate,
    });
    prop::collection::vec(step, 1..most).prop_map(after_a_handshake)
}

/// Up to `most` segments after a handshake, most of them SYNs and what may answer them.
pub fn reuse_steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let back = 0..7_u8;
    let len = prop_oneof![3 => Just(0_u16), 1 => 1..20_u16];
    let kind = prop_oneof![
        8 => Just((0x02, Seq::Fresh, Ack::Own(0))),
        3 => back.clone().prop_map(|n| (0x02, Seq::Older(n, 0), Ack::Own(0))),
        2 => (back.clone(), 0..3_i32)
            .prop_map(|(n, by)| (0x12, Seq::Fresh, Ack::PeerOlder(n, by))),
        1 => (back.clone(), 0..3_i32)
            .prop_map(|(n, by)| (0x10, Seq::Next(0), Ack::PeerOlder(n, by))),
        1 => (back, 0..3_i32).prop_map(|(n, by)| (0x10, Seq::Older(n, by), Ack::PeerNext(0))),
        2 => Just((0x10, Seq::Next(0), Ack::PeerNext(0))),
        1 => Just((0x14, Seq::Next(0), Ack::PeerNext(0))),
        1 => Just((0x11, Seq::Next(0), Ack::PeerNext(0))),
    ];
    let gap = prop_oneof![
        20 => (0..3_000_000_u32).prop_map(Gap::Nanos),
        1 => Just(Gap::To(Timeout::Reuse, 1)),
        1 => Just(Gap::Back(2)),
    ];
    let side = prop_oneof![4 => Just(false), 1 => Just(true)];
    let step = (side, gap, kind, len, fate()).prop_map(|(reverse, gap, kind, len, fate)| {
        let (flags, seq, ack) = kind;
        let shape = Shape::Tcp { flags, seq, ack, len, window: None };
        Step { key: 0, reverse, gap, shape, fate }
    });
    prop::collection::vec(step, 1..most).prop_map(after_a_handshake)
}

fn after_a_handshake(steps: Vec<Step>) -> Vec<Step> {
    let mut all: Vec<Step> = [false, true, false]
        .map(|reverse| Step {
            key: 0,
            reverse,
            gap: Gap::Nanos(1000),
            shape: Shape::Sane(6),
            fate: Fate::Captured,
        })
        .into();
    all.extend(steps);
    all
}

/// Small tables, short times.
pub fn settings() -> impl Strategy<Value = Settings> {
    let secs = |list: &[u64]| {
        prop::sample::select(list.iter().map(|s| Duration::from_millis(*s)).collect::<Vec<_>>())
    };
    let idle = (secs(&[300_000, 20_000, 2_050]), secs(&[60_000, 1_000]), secs(&[30_000, 500]));
    let others = (secs(&[5_000, 0, 730, 400_000]), secs(&[60_000, 0, 1_500]));
    let active = prop::option::weighted(0.4, secs(&[1_000, 333, 20_000]));
    let policies = (
        prop::sample::select(vec![Eviction::OldestLastSeen, Eviction::HalfOpenFirst]),
        prop::sample::select(vec![ResetRule::InSequence, ResetRule::InSequence, ResetRule::Any]),
    );
    let ports = prop::sample::select(vec![vec![], vec![80], vec![80, 40_000], vec![53, 40_000]]);
    let clock = prop::sample::select(vec![(3600, 16), (3600, 3), (60, 2), (7200, 0)]);
    (prop_oneof![1..7_usize, Just(100)], idle, others, active, policies, 0..6_u32, ports, clock)
        .prop_map(|(max_flows, idle, others, active, policies, packets, listening, clock)| {
            Settings {
                max_flows,
                tcp_idle: idle.0,
                udp_idle: idle.1,
                other_idle: idle.2,
                linger: others.0,
                reuse_after: others.1,
                active,
                eviction: policies.0,
                resets: policies.1,
                mid_stream_packets: packets,
                listening,
                jump: Duration::from_secs(clock.0),
                confirm: clock.1,
            }
        })
}
