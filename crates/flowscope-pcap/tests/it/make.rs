//! Capture files, byte by byte. Independent of the crate's writer on purpose.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    Little,
    Big,
}

pub(crate) const ORDERS: [Order; 2] = [Order::Little, Order::Big];

pub(crate) const MICROS: u32 = 0xa1b2_c3d4;
pub(crate) const NANOS: u32 = 0xa1b2_3c4d;
pub(crate) const MODIFIED: u32 = 0xa1b2_cd34;

impl Order {
    pub(crate) fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    pub(crate) fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    pub(crate) fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }
}

/// Bytes that differ from packet to packet.
pub(crate) fn frame(number: u64, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i as u64 * 7 + number * 13) as u8).collect()
}

/// The header of a pcap file.
pub(crate) fn pcap(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let words = [0, 0, 262_144, link];
    let mut file = order.u32(magic).to_vec();
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    file.extend(words.iter().flat_map(|word| order.u32(*word)));
    file
}

/// A record of a pcap file.
pub(crate) fn record(order: Order, secs: u32, fraction: u32, frame: &[u8], wire: u32) -> Vec<u8> {
    let words = [secs, fraction, frame.len() as u32, wire];
    let mut record: Vec<u8> = words.iter().flat_map(|word| order.u32(*word)).collect();
    record.extend(frame);
    record
}

/// A pcapng block: the body is padded and framed by its length.
pub(crate) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = order.u32(padded as u32 + 12);
    let mut block = order.u32(kind).to_vec();
    block.extend(len);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(len);
    block
}

pub(crate) fn options(order: Order, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, value) in options {
        bytes.extend(order.u16(*code));
        bytes.extend(order.u16(value.len() as u16));
        bytes.extend(*value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    if !options.is_empty() {
        bytes.extend([0; 4]);
    }
    bytes
}

pub(crate) fn section(order: Order) -> Vec<u8> {
    let mut body = order.u32(0x1a2b_3c4d).to_vec();
    body.extend(order.u16(1));
    body.extend(order.u16(0));
    body.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &body)
}

pub(crate) fn interface(order: Order, link: u16, snaplen: u32, opts: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = order.u16(link).to_vec();
    body.extend([0; 2]);
    body.extend(order.u32(snaplen));
    body.extend(options(order, opts));
    block(order, 1, &body)
}

/// The fixed part and the packet of an enhanced or obsolete packet block, padded.
fn packet_body(order: Order, first: [u8; 4], ticks: u64, frame: &[u8], wire: u32) -> Vec<u8> {
    let words = [(ticks >> 32) as u32, ticks as u32, frame.len() as u32, wire];
    let mut body = first.to_vec();
    body.extend(words.iter().flat_map(|word| order.u32(*word)));
    body.extend(frame);
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

pub(crate) fn enhanced(
    order: Order,
    interface: u32,
    ticks: u64,
    frame: &[u8],
    wire: u32,
    opts: &[(u16, &[u8])],
) -> Vec<u8> {
    let mut body = packet_body(order, order.u32(interface), ticks, frame, wire);
    body.extend(options(order, opts));
    block(order, 6, &body)
}

pub(crate) fn obsolete(
    order: Order,
    interface: u16,
    ticks: u64,
    frame: &[u8],
    wire: u32,
) -> Vec<u8> {
    let [i0, i1] = order.u16(interface);
    let [d0, d1] = order.u16(77);
    block(order, 2, &packet_body(order, [i0, i1, d0, d1], ticks, frame, wire))
}

pub(crate) fn simple(order: Order, frame: &[u8], wire: u32) -> Vec<u8> {
    let mut body = order.u32(wire).to_vec();
    body.extend(frame);
    block(order, 3, &body)
}

pub(crate) fn statistics(order: Order, interface: u32, opts: &[(u16, u64)]) -> Vec<u8> {
    let mut body = order.u32(interface).to_vec();
    body.extend([0; 8]);
    let values: Vec<_> = opts.iter().map(|(code, value)| (*code, order.u64(*value))).collect();
    let opts: Vec<_> = values.iter().map(|(code, value)| (*code, &value[..])).collect();
    body.extend(options(order, &opts));
    block(order, 5, &body)
}

/// A file in pieces: what a reader that is cut between two of them sees whole.
pub(crate) struct Pieces {
    pub(crate) bytes: Vec<u8>,
    /// Where each piece ends, and how long the part of its start is that tells of a packet, if it
    /// holds one.
    pub(crate) ends: Vec<(usize, Option<usize>)>,
}

impl Pieces {
    pub(crate) fn new() -> Pieces {
        Pieces { bytes: Vec::new(), ends: Vec::new() }
    }

    pub(crate) fn other(&mut self, piece: Vec<u8>) {
        self.bytes.extend(piece);
        self.ends.push((self.bytes.len(), None));
    }

    pub(crate) fn packet(&mut self, head: usize, piece: Vec<u8>) {
        self.bytes.extend(piece);
        self.ends.push((self.bytes.len(), Some(head)));
    }
}

/// A pcap file of packets of many lengths, 0 among them.
pub(crate) fn sample_pcap(order: Order, magic: u32, packets: u64) -> Pieces {
    let mut file = Pieces::new();
    file.other(pcap(order, magic, 1));
    for number in 0..packets {
        let frame = frame(number, (number as usize * 37) % 300);
        let wire = frame.len() as u32 + (number as u32 % 3) * 100;
        let mut record = record(order, 1_700_000_000 + number as u32, 5, &frame, wire);
        if magic == MODIFIED {
            record.splice(16..16, [9; 8]);
            file.packet(24, record);
        } else {
            file.packet(16, record);
        }
    }
    file
}

/// A pcapng file of two sections in different byte orders, with every kind of block.
pub(crate) fn sample_pcapng(packets: u64) -> Pieces {
    let mut file = Pieces::new();
    for order in ORDERS {
        file.other(section(order));
        file.other(interface(order, 1, 100, &[(2, b"eth0"), (9, &[9])]));
        file.other(block(order, 0xbad, b"\0\0\0\0custom"));
        file.other(interface(order, 101, 0, &[(3, b"a tunnel"), (14, &order.u64(3600))]));
        for number in 0..packets {
            let frame = frame(number, (number as usize * 37) % 100);
            let wire = frame.len() as u32 + (number as u32 % 3) * 100;
            let ticks = 1_700_000_000_000_000 + number;
            let interface = number as u32 % 2;
            match number % 4 {
                0 => file.packet(12, simple(order, &frame, frame.len() as u32)),
                1 => file.packet(28, obsolete(order, interface as u16, ticks, &frame, wire)),
                2 => file.packet(28, enhanced(order, interface, ticks, &frame, wire, &[])),
                _ => {
                    let opts: &[(u16, &[u8])] = &[(1, b"comment"), (2, &[0; 4])];
                    file.packet(28, enhanced(order, interface, ticks, &frame, wire, opts));
                }
            }
        }
        file.other(statistics(order, 0, &[(4, 1000), (5, 3), (7, 4)]));
        file.other(block(order, 4, &[0; 8]));
    }
    file
}

/// Pseudo-random numbers (xorshift): the same ones in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
