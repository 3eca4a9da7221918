//! Random traffic: small descriptions that shrink well, and the packets they stand for.

#![allow(dead_code, unreachable_pub)] // each test binary takes what it needs

pub mod compare;
pub mod reach;

use std::sync::Arc;
use std::time::Duration;

use flowscope_core::{
    Extracted, FlowExtractor, Fragment, IcmpInfo, L4Proto, Layer, LinkType, Orientation,
    PacketView, PathLayer, TcpFlags, TcpInfo, TcpOptions, Timestamp,
};
use flowscope_track::{Clock, ClockConfig, Eviction, ResetRule};
use proptest::prelude::*;

use crate::model::{Packet, Settings};

// -- Descriptions --------------------------------------------------------------------------------

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

// -- What they stand for -------------------------------------------------------------------------

/// What is done to a tracker.
#[derive(Clone, Debug)]
pub enum Op {
    Packet(Packet),
    Expire(Timestamp),
    End(u8),
}

/// A host at one end of a key, as it sees itself.
#[derive(Clone, Debug, Default)]
struct Host {
    isn: u32,
    next: u32,
    last: u32,
    ack: u32,
    made: Vec<u32>,
    open: bool,
    finished: bool,
}

struct Wire {
    hosts: [[Host; 2]; 8],
    made: u32,
    clock: Clock,
    now: Timestamp,
    touched: [Timestamp; 8],
    begun: [Timestamp; 8],
    sent: [Vec<Packet>; 8],
    delayed: Vec<(u8, u8, Packet)>,
    ops: Vec<Op>,
}

/// What the steps stand for.
pub fn play(settings: &Settings, steps: &[Step]) -> Vec<Op> {
    let start = Timestamp::from_nanos(1_000_000_000_050_000_007);
    let clock = ClockConfig::default().jump(settings.jump).confirm(settings.confirm);
    let mut wire = Wire {
        hosts: Default::default(),
        made: 0,
        clock: Clock::new(clock),
        now: start,
        touched: [start; 8],
        begun: [start; 8],
        sent: Default::default(),
        delayed: Vec::new(),
        ops: Vec::new(),
    };
    for step in steps {
        wire.step(settings, step);
    }
    wire.ops
}

impl Host {
    /// The number made up so many before the last one.
    fn made(&self, back: u8) -> u32 {
        let at = self.made.len().checked_sub(usize::from(back) + 1);
        at.map_or(0, |at| self.made[at])
    }
}

impl Wire {
    fn step(&mut self, settings: &Settings, step: &Step) {
        self.pass(settings, step);
        let key = step.key;
        match step.shape {
            Shape::Expire => {
                let to = self.now.max(self.clock.now().watermark);
                self.clock.advance(to);
                return self.ops.push(Op::Expire(to));
            }
            Shape::End => return self.ops.push(Op::End(key)),
            _ => {}
        }
        let Some(mut packet) = self.packet(step) else { return };
        match step.fate {
            Fate::Lost => {}
            Fate::Delayed(steps) => self.delayed.push((steps, key, packet)),
            Fate::Twice => {
                self.capture(key, packet.clone());
                self.capture(key, packet);
            }
            Fate::Cut => {
                packet.payload.truncate(2);
                if let Some(found) = &mut packet.found {
                    found.payload.captured = packet.payload.len() as u32;
                }
                self.capture(key, packet);
            }
            Fate::Corrupt => {
                if let Some(found) = &mut packet.found {
                    found.corrupt = true;
                }
                self.capture(key, packet);
            }
            Fate::InPieces => {
                packet.frames = 3;
                packet.wire_len += 2 * 34;
                self.capture(key, packet);
            }
            Fate::Captured => self.capture(key, packet),
        }
        for (left, ..) in &mut self.delayed {
            *left -= 1;
        }
        while let Some(at) = self.delayed.iter().position(|(left, ..)| *left == 0) {
            let (_, key, packet) = self.delayed.remove(at);
            self.capture(key, packet);
        }
    }

    fn pass(&mut self, settings: &Settings, step: &Step) {
        let key = usize::from(step.key);
        let end_of = |timeout| match timeout {
            Timeout::Idle if key < 4 => self.touched[key] + settings.tcp_idle,
            Timeout::Idle if key == 4 => self.touched[key] + settings.udp_idle,
            Timeout::Idle => self.touched[key] + settings.other_idle,
            Timeout::Linger => self.touched[key] + settings.linger,
            Timeout::Reuse => self.touched[key] + settings.reuse_after,
            Timeout::Active => self.begun[key] + settings.active.unwrap_or_default(),
        };
        let near = |time: Timestamp, by: i8| {
            Timestamp::from_nanos(time.as_nanos().saturating_add_signed(i64::from(by)))
        };
        let tick =
            |time: Timestamp| Timestamp::from_nanos(time.as_nanos().next_multiple_of(100_000_000));
        let watermark = self.clock.now().watermark;
        self.now = match step.gap {
            Gap::Nanos(n) => self.now + Duration::from_nanos(n.into()),
            Gap::Millis(n) => self.now + Duration::from_millis(n.into()),
            Gap::Back(n) => {
                Timestamp::from_nanos(self.now.as_nanos().saturating_sub(u64::from(n) * 1_000_000))
            }
            Gap::To(timeout, by) => near(end_of(timeout), by).max(watermark),
            Gap::ToTick(timeout, by) => near(tick(end_of(timeout)), by).max(watermark),
            Gap::Hours(n) => self.now.max(watermark) + Duration::from_secs(u64::from(n) * 3600),
        };
    }

    fn capture(&mut self, key: u8, mut packet: Packet) {
        packet.first_ts =
            if packet.frames > 1 { self.clock.now().watermark.min(self.now) } else { self.now };
        packet.ts = self.now;
        let moment = self.clock.observe(self.now);
        if moment.suspect {
            self.now = moment.watermark;
        }
        let key = usize::from(key);
        if self.touched[key] + Duration::from_secs(1) < moment.watermark {
            self.begun[key] = moment.watermark;
        }
        self.touched[key] = moment.watermark;
        self.ops.push(Op::Packet(packet));
    }

    fn packet(&mut self, step: &Step) -> Option<Packet> {
        let key = usize::from(step.key);
        let x = usize::from(step.reverse);
        let number = self.ops.len() as u32;
        let orientation = if step.reverse { Orientation::Reverse } else { Orientation::Forward };
        let mut found = Extracted::new(step.key, orientation);
        let l4 = match step.key {
            0..4 => Some(L4Proto::Tcp),
            4 => Some(L4Proto::Udp),
            5 => Some(L4Proto::Icmp),
            6 => None,
            _ => [Some(L4Proto::Udp), Some(L4Proto::Tcp), Some(L4Proto::Sctp), None]
                [number as usize % 4],
        };
        found.l4 = l4;
        let (server, client) = if step.key == 4 { (53, 40_001) } else { (80, 40_000) };
        found.ports = match step.key {
            5 | 6 => None,
            _ if step.reverse => Some((server, client)),
            _ => Some((client, server)),
        };
        if step.key == 5 {
            found.icmp =
                Some(IcmpInfo { kind: 8, code: number as u8, id: Some(7), quoted_at: None });
        }
        found.ip.version = [4, 4, 6, 4, 4, 4, 0, 0][key];
        found.ip.ttl = [64, 63, 255, 64, 1, 64, 64, 0][number as usize % 8];
        found.ip.tos = (number % 3) as u8;
        found.ip.flow_label = if key == 2 { number } else { 0 };
        if number % 4 == 3 {
            let _ = found.path.push(PathLayer { layer: Layer::Vlan, id: number });
        }
        let mut len = 0;
        match step.shape {
            Shape::Again(back) => {
                let sent = &self.sent[key];
                let at = sent.len().checked_sub(usize::from(back) + 1)?;
                return Some(sent[at].clone());
            }
            Shape::Refused => return Some(packet(None, 0)),
            Shape::Fragment => {
                found.fragment = Some(Fragment { id: 1, offset: 0, more: true, header_at: 0 });
            }
            Shape::Plain(n) => len = n,
            Shape::Sane(_) | Shape::Tcp { .. } if key >= 4 => {
                len = match step.shape {
                    Shape::Tcp { len, .. } => len,
                    _ => number as u16 % 3,
                };
            }
            Shape::Sane(pick) => {
                let tcp;
                (tcp, len) = self.sane(key, x, pick);
                found.tcp = Some(tcp);
            }
            Shape::Tcp { flags, seq, ack, len: n, window } => {
                let flags = TcpFlags(flags);
                let tcp = TcpInfo {
                    seq: self.seq(key, x, seq),
                    ack: self.ack(key, x, ack),
                    window: window.unwrap_or(512),
                    urgent: 0,
                    flags,
                    options: options(flags, number),
                };
                len = n;
                self.told(key, x, &tcp, len);
                found.tcp = Some(tcp);
            }
            Shape::Expire | Shape::End => return None,
        }
        found.ip.len = 40 + u32::from(len);
        if found.ip.version == 0 {
            found.ip = Default::default();
        }
        let packet = packet(Some(found), len);
        self.sent[key].push(packet.clone());
        Some(packet)
    }

    fn seq(&mut self, key: usize, x: usize, seq: Seq) -> u32 {
        let fresh = self.fresh();
        let peer_ack = self.hosts[key][1 - x].ack;
        let host = &mut self.hosts[key][x];
        let (from, by) = match seq {
            Seq::Next(by) => (host.next, by),
            Seq::Isn(by) => (host.isn, by),
            Seq::PeerAck(by) => (peer_ack, by),
            Seq::Last(by) => (host.last, by),
            Seq::Made(by) => (host.made(0), by),
            Seq::Older(back, by) => (host.made(back), by),
            Seq::Fresh => {
                host.made.push(fresh);
                (fresh, 0)
            }
        };
        from.wrapping_add_signed(by)
    }

    fn ack(&self, key: usize, x: usize, ack: Ack) -> u32 {
        let (own, peer) = (&self.hosts[key][x], &self.hosts[key][1 - x]);
        let (from, by) = match ack {
            Ack::PeerNext(by) => (peer.next, by),
            Ack::Own(by) => (own.ack, by),
            Ack::PeerIsn(by) => (peer.isn, by),
            Ack::PeerMade(by) => (peer.made(0), by),
            Ack::PeerOlder(back, by) => (peer.made(back), by),
        };
        from.wrapping_add_signed(by)
    }

    /// An initial sequence number, often one close to where numbers wrap.
    fn fresh(&mut self) -> u32 {
        self.made += 1;
        let places = [1000_u32, 0xffff_ff80, 0x7fff_ff80, 5_000_000, 0xffff_ffff, 0xfff0_0000];
        places[self.made as usize % places.len()].wrapping_add(self.made / 6 * 777)
    }

    fn told(&mut self, key: usize, x: usize, tcp: &TcpInfo, len: u16) {
        let host = &mut self.hosts[key][x];
        let phantom = u32::from(tcp.flags.syn()) + u32::from(tcp.flags.fin());
        let end = tcp.seq.wrapping_add(len.into()).wrapping_add(phantom);
        if tcp.flags.syn() && host.made.last() != Some(&tcp.seq) {
            host.made.push(tcp.seq);
        }
        host.last = end;
        if !host.open {
            host.isn = tcp.seq;
            host.next = end;
            host.open = true;
        } else if (1..1 << 21).contains(&end.wrapping_sub(host.next)) && !tcp.flags.rst() {
            host.next = end;
        }
        if tcp.flags.ack() {
            host.ack = tcp.ack;
        }
    }

    /// The next segment of a host that follows the protocol.
    fn sane(&mut self, key: usize, x: usize, pick: u8) -> (TcpInfo, u16) {
        let fresh = self.fresh();
        let number = self.ops.len() as u32;
        let [own, peer] = [self.hosts[key][x].clone(), self.hosts[key][1 - x].clone()];
        let window = if pick % 16 == 9 { 0 } else { 4 + u16::from(pick) };
        let mut tcp = TcpInfo { window, ..TcpInfo::default() };
        let mut len = 0;
        if own.finished && peer.finished && pick.is_multiple_of(4) {
            self.hosts[key] = Default::default();
            return self.sane(key, x, pick);
        }
        if !own.open {
            tcp.seq = fresh;
            tcp.flags = TcpFlags::SYN;
            if peer.open {
                tcp.flags |= TcpFlags::ACK;
            }
            if pick % 32 == 7 {
                len = 20;
            }
        } else {
            tcp.seq = own.next;
            tcp.flags = TcpFlags::ACK;
            match pick % 8 {
                _ if own.finished => {}
                0..3 => len = 1 + u16::from(pick),
                3 => tcp.flags |= TcpFlags::FIN,
                4 => {
                    tcp.flags |= TcpFlags::FIN;
                    len = 5;
                }
                5 if pick > 200 => tcp.flags |= TcpFlags::RST,
                _ => {}
            }
        }
        if tcp.flags.ack() {
            tcp.ack = peer.next;
        }
        tcp.options = options(tcp.flags, number);
        self.told(key, x, &tcp, len);
        self.hosts[key][x].finished |= tcp.flags.fin();
        (tcp, len)
    }
}

fn options(flags: TcpFlags, number: u32) -> TcpOptions {
    let signed = number.is_multiple_of(5);
    if !flags.syn() {
        return TcpOptions { signed: signed && flags.rst(), ..TcpOptions::default() };
    }
    TcpOptions {
        signed,
        mss: (!number.is_multiple_of(3)).then_some(1460 - number as u16),
        window_scale: (!number.is_multiple_of(4)).then_some((number % 17) as u8),
        sack_permitted: number.is_multiple_of(2),
    }
}

fn packet(mut found: Option<Extracted<u8>>, len: u16) -> Packet {
    let seq = found.and_then(|found| found.tcp).map_or(0, |tcp| tcp.seq);
    let payload: Vec<u8> = (0..len).map(|i| seq.wrapping_add(i.into()) as u8).collect();
    if let Some(found) = &mut found {
        found.payload.offset = 4;
        found.payload.captured = len.into();
        found.payload.wire_len = len.into();
    }
    let wire_len = 54 + u32::from(len);
    Packet { ts: Timestamp::ZERO, first_ts: Timestamp::ZERO, frames: 1, wire_len, payload, found }
}

// -- As a tracker wants them ---------------------------------------------------------------------

/// Gives each frame what was prepared for it: the frame begins with its number.
#[derive(Clone)]
pub struct Prepared(pub Arc<Vec<Option<Extracted<u8>>>>);

impl FlowExtractor for Prepared {
    type Key = u8;

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u8>> {
        let number = u32::from_le_bytes(*view.frame().first_chunk()?);
        *self.0.get(number as usize)?
    }
}

/// Packets, their frames and the extractor that knows them.
pub struct Input {
    pub ops: Vec<Op>,
    frames: Vec<Vec<u8>>,
    pub extractor: Prepared,
}

impl Input {
    pub fn new(ops: Vec<Op>) -> Self {
        let mut frames = Vec::new();
        let mut found = Vec::new();
        for op in &ops {
            let Op::Packet(packet) = op else {
                frames.push(Vec::new());
                found.push(None);
                continue;
            };
            let mut frame = (frames.len() as u32).to_le_bytes().to_vec();
            frame.extend(&packet.payload);
            frames.push(frame);
            found.push(packet.found);
        }
        Input { ops, frames, extractor: Prepared(Arc::new(found)) }
    }

    /// The packet that operation `at` is, if it is one.
    pub fn view(&self, at: usize) -> Option<PacketView<'_>> {
        let Op::Packet(packet) = &self.ops[at] else { return None };
        let view = PacketView::new(&self.frames[at], LinkType::RAW, packet.ts);
        Some(view.with_joined(packet.frames, packet.wire_len, packet.first_ts))
    }

    pub fn views(&self) -> Vec<PacketView<'_>> {
        (0..self.ops.len()).filter_map(|at| self.view(at)).collect()
    }
}

/// A packet of a flood with random keys: a SYN, or anything at all that takes memory.
pub fn flood_packet(rng: &mut flowscope_testkit::Rng, odd: bool) -> Extracted<u64> {
    let key = if odd { rng.next_u64() % 5000 } else { rng.next_u64() };
    let orientation =
        if odd && rng.one_in(2) { Orientation::Reverse } else { Orientation::Forward };
    let mut found = Extracted::new(key, orientation);
    found.l4 = Some(L4Proto::Tcp);
    let mut tcp = TcpInfo { seq: rng.next_u64() as u32, window: 100, ..TcpInfo::default() };
    tcp.flags = TcpFlags::SYN;
    if odd {
        tcp.flags = TcpFlags(*rng.pick(&[0x02, 0x12, 0x10, 0x30, 0x11, 0x10]));
        tcp.seq = (rng.next_u64() % 100_000) as u32;
        tcp.ack = (rng.next_u64() % 100_000) as u32;
        found.payload.wire_len = (rng.next_u64() % 20) as u32;
        if rng.one_in(4) {
            let _ = found.path.push(PathLayer { layer: Layer::Vlan, id: key as u32 });
        }
    }
    found.tcp = Some(tcp);
    found
}
