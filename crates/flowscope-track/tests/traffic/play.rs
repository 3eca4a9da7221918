//! The packets that descriptions stand for.

use std::time::Duration;

use flowscope_core::{
    Extracted, Fragment, IcmpInfo, L4Proto, Layer, Orientation, PathLayer, Payload, TcpFlags,
    TcpInfo, TcpOptions, Timestamp,
};
use flowscope_track::{Clock, ClockConfig};

use crate::model::{Packet, Settings};

use super::steps::{Ack, Fate, Gap, Seq, Shape, Step, Timeout};

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
                    let Payload { offset, wire_len, .. } = found.payload;
                    found.payload = Payload::new(offset, packet.payload.len() as u32, wire_len);
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
    let payload: Vec<u8> = if seq.is_multiple_of(3) {
        vec![0; len.into()]
    } else {
        (0..len).map(|i| seq.wrapping_add(i.into()) as u8).collect()
    };
    if let Some(found) = &mut found {
        found.payload.offset = 4;
        found.payload.captured = len.into();
        found.payload.wire_len = len.into();
    }
    let wire_len = 54 + u32::from(len);
    Packet { ts: Timestamp::ZERO, first_ts: Timestamp::ZERO, frames: 1, wire_len, payload, found }
}
