//! A conversation with accidents, as packets.

use flowscope_core::{
    Extracted, IpInfo, L4Proto, LinkType, Orientation, PacketView, Payload, TcpFlags, TcpInfo,
    Timestamp,
};
use proptest::prelude::*;

/// What one side does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Segments with payload, in sequence.
    Data(u8, u16),
    /// An acknowledgement of all that came.
    Ack,
    /// The acknowledgement of before.
    AckAgain,
    /// A segment that is not captured.
    Lost(u16),
    /// The last segment once more.
    Again(u16),
    Window(u16),
    Ttl(u8),
    Fin,
    Rst,
    Urgent,
    Push(u16),
    /// Silence, in milliseconds.
    Wait(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) ts: Timestamp,
    pub(crate) found: Extracted<u8>,
    pub(crate) wire_len: u32,
}

impl Packet {
    pub(crate) fn view(&self) -> PacketView<'static> {
        PacketView::new(&[], LinkType::ETHERNET, self.ts).with_wire_len(self.wire_len)
    }
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<(bool, Act)>> {
    let act = prop_oneof![
        12 => (1..12_u8, 1..1460_u16).prop_map(|(n, len)| Act::Data(n, len)),
        12 => Just(Act::Ack),
        2 => (1..1460_u16).prop_map(Act::Push),
        1 => Just(Act::AckAgain),
        1 => (1..1460_u16).prop_map(Act::Lost),
        1 => (1..1460_u16).prop_map(Act::Again),
        2 => prop_oneof![9 => 1..u16::MAX, 1 => Just(0)].prop_map(Act::Window),
        1 => (60..64_u8).prop_map(Act::Ttl),
        1 => prop_oneof![4 => 0..2000_u32, 1 => 0..30_000_u32].prop_map(Act::Wait),
    ];
    let end = prop_oneof![Just(Act::Fin), Just(Act::Rst), Just(Act::Urgent)];
    let act = prop_oneof![40 => act, 1 => end];
    prop::collection::vec((any::<bool>(), act), 0..120)
}

/// The packets of a connection on `key`, handshake included.
pub(crate) fn play(key: u8, acts: &[(bool, Act)]) -> Vec<Packet> {
    let mut talk = Talk {
        key,
        now: Timestamp::from_secs(10),
        // Across the wrap.
        next: [u32::MAX - 3000, u32::MAX - 100_000],
        ack: [0, 0],
        window: [5000, 6000],
        ttl: [64, 60],
        packets: Vec::new(),
    };
    talk.send(0, TcpFlags::SYN, 0);
    talk.next[0] = talk.next[0].wrapping_add(1);
    talk.ack[1] = talk.next[0];
    talk.send(1, TcpFlags::SYN | TcpFlags::ACK, 0);
    talk.next[1] = talk.next[1].wrapping_add(1);
    talk.ack[0] = talk.next[1];
    talk.send(0, TcpFlags::ACK, 0);
    for (reverse, act) in acts {
        talk.act(usize::from(*reverse), *act);
    }
    talk.packets
}

/// The packets of an exchange of datagrams on `key`.
pub(crate) fn datagrams(key: u8, acts: &[(bool, Act)]) -> Vec<Packet> {
    let mut packets = play(key, acts);
    for packet in &mut packets {
        packet.found.l4 = Some(L4Proto::Udp);
        packet.found.tcp = None;
    }
    packets
}

struct Talk {
    key: u8,
    now: Timestamp,
    next: [u32; 2],
    ack: [u32; 2],
    window: [u16; 2],
    ttl: [u8; 2],
    packets: Vec<Packet>,
}

impl Talk {
    fn act(&mut self, i: usize, act: Act) {
        match act {
            Act::Data(count, len) => (0..count).for_each(|_| self.data(i, TcpFlags::ACK, len)),
            Act::Push(len) => self.data(i, TcpFlags::ACK | TcpFlags::PSH, len),
            Act::Urgent => self.data(i, TcpFlags::ACK | TcpFlags::URG, 1),
            Act::Ack => {
                self.ack[i] = self.next[1 - i];
                self.send(i, TcpFlags::ACK, 0);
            }
            Act::AckAgain => self.send(i, TcpFlags::ACK, 0),
            Act::Lost(len) => self.next[i] = self.next[i].wrapping_add(len.into()),
            Act::Again(len) => {
                self.next[i] = self.next[i].wrapping_sub(len.into());
                self.data(i, TcpFlags::ACK, len);
            }
            Act::Window(window) => self.window[i] = window,
            Act::Ttl(ttl) => self.ttl[i] = ttl,
            Act::Fin => {
                self.send(i, TcpFlags::ACK | TcpFlags::FIN, 0);
                self.next[i] = self.next[i].wrapping_add(1);
            }
            Act::Rst => self.send(i, TcpFlags::RST | TcpFlags::ACK, 0),
            Act::Wait(millis) => {
                self.now = self.now + std::time::Duration::from_millis(millis.into());
            }
        }
    }

    fn data(&mut self, i: usize, flags: TcpFlags, len: u16) {
        self.send(i, flags, len);
        self.next[i] = self.next[i].wrapping_add(len.into());
    }

    fn send(&mut self, i: usize, flags: TcpFlags, len: u16) {
        let orientation = [Orientation::Forward, Orientation::Reverse][i];
        let mut found = Extracted::new(self.key, orientation);
        let len = u32::from(len);
        found.l4 = Some(L4Proto::Tcp);
        found.tcp = Some(TcpInfo {
            seq: self.next[i],
            ack: self.ack[i],
            window: self.window[i],
            flags,
            ..TcpInfo::default()
        });
        found.ip = IpInfo { version: 4, len: 40 + len, ttl: self.ttl[i], ..IpInfo::default() };
        found.payload = Payload { wire_len: len, ..Payload::default() };
        self.packets.push(Packet { ts: self.now, found, wire_len: 54 + len });
        self.now = self.now + std::time::Duration::from_millis(1);
    }
}
