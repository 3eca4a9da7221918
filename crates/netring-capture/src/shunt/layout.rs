//! Keys and values of the map of shunted flows, in the byte order of this machine but for addresses and ports.

use std::net::{IpAddr, SocketAddr};

use flowscope_core::{
    L4Proto, Orientation, ReturnedPacket, ShuntKey, ShuntSide, ShuntedSide, TcpFlags,
};

/// Two addresses of 16 bytes, two ports, protocol, IP version.
pub(super) const KEY: usize = 40;

/// Offsets in a value, where each of the two sides has `SIDE` bytes.
pub(super) const SIDE: i16 = 64;
pub(super) const STATE: i16 = 128;
pub(super) const LAST: i16 = 136;
pub(super) const IDLE: i16 = 144;
pub(super) const UNTIL: i16 = 152;
pub(super) const BACK_SEQ: i16 = 160;
pub(super) const BACK_ACK: i16 = 164;
pub(super) const BACK_WINDOW: i16 = 168;
pub(super) const BACK_FLAGS: i16 = 170;
pub(super) const BACK_SIDE: i16 = 171;
pub(super) const BACK_LEN: i16 = 172;
pub(super) const VALUE: usize = 176;

/// Offsets in a side.
pub(super) const PACKETS: i16 = 0;
pub(super) const WIRE: i16 = 8;
pub(super) const IP: i16 = 16;
pub(super) const PAYLOAD: i16 = 24;
pub(super) const NEXT: i16 = 32;
pub(super) const ACK: i16 = 36;
pub(super) const BASE_SEQ: i16 = 40;
pub(super) const BASE_ACK: i16 = 44;
pub(super) const WINDOW: i16 = 48;
pub(super) const MIN_WINDOW: i16 = 50;
pub(super) const MAX_WINDOW: i16 = 52;
pub(super) const TTL: i16 = 54;
pub(super) const MAY: i16 = 55;
pub(super) const LEARNED: i16 = 56;
pub(super) const FLAGS: i16 = 57;
pub(super) const DUPLICATES: i16 = 60;

/// Bits of `MAY`.
pub(super) const MAY_DATA: u8 = 1;
pub(super) const MAY_ACK: u8 = 2;

/// A five-tuple as it stands in the map.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key {
    pub(super) bytes: [u8; KEY],
    /// The first end in the map is the second one of the five-tuple.
    pub(super) swapped: bool,
}

impl Key {
    /// `None` if the ends are of different IP versions, or the protocol is neither TCP nor UDP.
    pub(super) fn new(key: &ShuntKey) -> Option<Self> {
        let version = match (key.a, key.b) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) => 4,
            (SocketAddr::V6(_), SocketAddr::V6(_)) => 6,
            _ => return None,
        };
        if !matches!(key.proto, L4Proto::Tcp | L4Proto::Udp) {
            return None;
        }
        // The program compares them as numbers in memory.
        let end = |end: SocketAddr| {
            let address = octets(end.ip());
            let (high, low) = address.split_at(8);
            let word = |bytes: &[u8]| u64::from_ne_bytes(*bytes.first_chunk().expect("8 bytes"));
            let port = end.port().to_be_bytes();
            ((word(high), word(low), u16::from_ne_bytes(port)), address, port)
        };
        let (a, b) = (end(key.a), end(key.b));
        let swapped = a.0 > b.0;
        let (first, second) = if swapped { (b, a) } else { (a, b) };
        let mut bytes = [0; KEY];
        bytes[..16].copy_from_slice(&first.1);
        bytes[16..32].copy_from_slice(&second.1);
        bytes[32..34].copy_from_slice(&first.2);
        bytes[34..36].copy_from_slice(&second.2);
        bytes[36] = key.proto.number();
        bytes[37] = version;
        Some(Key { bytes, swapped })
    }

    /// The place in the map of the side that sends in an orientation.
    pub(super) fn place(self, orientation: Orientation) -> usize {
        usize::from((orientation == Orientation::Reverse) != self.swapped)
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// A value.
#[derive(Clone, Copy)]
pub(super) struct Value(pub(super) [u8; VALUE]);

impl Value {
    pub(super) fn put<const N: usize>(&mut self, at: i16, bytes: [u8; N]) {
        let at = at.cast_unsigned() as usize;
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    fn get<const N: usize>(&self, at: i16) -> [u8; N] {
        let at = at.cast_unsigned() as usize;
        *self.0[at..].first_chunk().expect("within the value")
    }

    pub(super) fn long(&self, at: i16) -> u64 {
        u64::from_ne_bytes(self.get(at))
    }

    fn int(&self, at: i16) -> u32 {
        u32::from_ne_bytes(self.get(at))
    }

    fn short(&self, at: i16) -> u16 {
        u16::from_ne_bytes(self.get(at))
    }

    fn byte(&self, at: i16) -> u8 {
        self.get::<1>(at)[0]
    }

    pub(super) fn start_side(&mut self, place: usize, side: &ShuntSide) {
        let at = SIDE * place as i16;
        self.put(at + NEXT, side.next.to_ne_bytes());
        self.put(at + ACK, side.ack.to_ne_bytes());
        self.put(at + MIN_WINDOW, u16::MAX.to_ne_bytes());
        self.put(at + TTL, [side.ttl]);
        let (data, acks) = (u8::from(side.data) * MAY_DATA, u8::from(side.acks) * MAY_ACK);
        self.put(at + MAY, [data | acks]);
    }

    pub(super) fn side(&self, place: usize) -> ShuntedSide {
        let at = SIDE * place as i16;
        ShuntedSide {
            packets: self.long(at + PACKETS),
            wire_bytes: self.long(at + WIRE),
            ip_bytes: self.long(at + IP),
            payload_bytes: self.long(at + PAYLOAD),
            learned: self.byte(at + LEARNED) != 0,
            base_seq: self.int(at + BASE_SEQ),
            base_ack: self.int(at + BASE_ACK),
            next: self.int(at + NEXT),
            ack: self.int(at + ACK),
            window: self.short(at + WINDOW),
            min_window: self.short(at + MIN_WINDOW),
            max_window: self.short(at + MAX_WINDOW),
            duplicate_acks: self.int(at + DUPLICATES),
            flags: TcpFlags(self.byte(at + FLAGS)),
        }
    }

    pub(super) fn returned(&self, key: Key) -> Option<ReturnedPacket> {
        (self.int(STATE) != 0).then(|| ReturnedPacket {
            orientation: if (self.byte(BACK_SIDE) != 0) == key.swapped {
                Orientation::Forward
            } else {
                Orientation::Reverse
            },
            ip_len: self.int(BACK_LEN),
            seq: self.int(BACK_SEQ),
            ack: self.int(BACK_ACK),
            window: self.short(BACK_WINDOW),
            flags: TcpFlags(self.byte(BACK_FLAGS)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(a: &str, b: &str) -> ShuntKey {
        ShuntKey { proto: L4Proto::Tcp, a: a.parse().unwrap(), b: b.parse().unwrap() }
    }

    #[test]
    fn both_directions_have_one_key() {
        for (a, b) in [
            ("10.0.0.1:1", "10.0.0.2:2"),
            ("1.0.0.10:1", "2.0.0.1:2"),
            ("10.0.0.1:256", "10.0.0.1:1"),
            ("[fe80::1]:7", "[2001:db8::1]:7"),
            ("[::1:0]:7", "[::1]:7"),
        ] {
            let (one, other) = (Key::new(&key(a, b)).unwrap(), Key::new(&key(b, a)).unwrap());
            assert_eq!(one.bytes, other.bytes, "{a} {b}");
            assert_ne!(one.swapped, other.swapped);
            assert_ne!(one.place(Orientation::Forward), one.place(Orientation::Reverse));
            assert_eq!(one.place(Orientation::Forward), other.place(Orientation::Reverse));
        }
        assert_eq!(Key::new(&key("10.0.0.1:1", "[::1]:1")), None);
        let icmp = ShuntKey { proto: L4Proto::Icmp, ..key("10.0.0.1:1", "10.0.0.2:2") };
        assert_eq!(Key::new(&icmp), None);
    }
}
