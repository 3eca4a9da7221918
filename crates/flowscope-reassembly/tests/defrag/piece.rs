//! Pieces as tests speak of them, and the packets that carry them.

use flowscope_core::{
    Fragment, Layer, LinkType, Loss, PacketView, Path, PathLayer, Payload, Timestamp,
};
use flowscope_reassembly::{Defragmented, Defragmenter, ReassembledDatagram};
use flowscope_testkit::frame;

/// One piece of a datagram. Datagrams of different `name` differ in what tells them apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Piece {
    pub(crate) name: usize,
    pub(crate) start: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) more: bool,
    /// Bytes that the snap length cut off its end.
    pub(crate) cut: usize,
}

/// Time in milliseconds.
pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + ms * 1_000_000)
}

/// `len` bytes from `start` on of a payload that depends on `name` alone.
pub(crate) fn content(name: usize, start: u32, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (name * 101 + (start as usize + i) * 7 + (start as usize + i) / 256) as u8)
        .collect()
}

pub(crate) fn piece(name: usize, start: u32, len: usize, more: bool) -> Piece {
    Piece { name, start, bytes: content(name, start, len), more, cut: 0 }
}

/// The pieces of a whole payload of `len` bytes cut at `cuts`.
pub(crate) fn pieces(name: usize, len: usize, cuts: &[usize]) -> Vec<Piece> {
    let mut ends = cuts.to_vec();
    ends.push(len);
    let mut start = 0;
    ends.into_iter()
        .map(|end| {
            let cut_out = piece(name, start as u32, end - start, end < len);
            start = end;
            cut_out
        })
        .collect()
}

/// Even names are IPv4, odd ones IPv6; beyond the family, names differ in id, then in an address,
/// then in the protocol or another address.
pub(crate) fn is_v4(name: usize) -> bool {
    name.is_multiple_of(2)
}

fn id(name: usize) -> u32 {
    7 + (name as u32 >> 1 & 1)
}

fn header(name: usize) -> flowscope_testkit::Frame {
    let host = 1 + (name >> 2) % 250;
    let net = (name >> 2) / 250;
    if is_v4(name) {
        frame().ipv4(format!("10.0.{net}.{host}"), "10.255.0.2").protocol(17)
    } else {
        frame().ipv6(format!("2001:db8::{net:x}:{host:x}"), "2001:db8::ffff").protocol(17)
    }
}

/// The IP packet of a piece, captured whole.
pub(crate) fn packet(piece: &Piece) -> Vec<u8> {
    let start = piece.start as u16;
    header(piece.name).fragment(id(piece.name), start, piece.more).payload(&piece.bytes).build()
}

/// What the joined datagram must be.
pub(crate) fn whole(name: usize, payload: &[u8], captured: usize) -> Vec<u8> {
    let mut frame = header(name);
    if is_v4(name) {
        // The builder sets "don't fragment" and another id unless told.
        frame = frame.fragment(id(name), 0, false);
    }
    let mut bytes = frame.payload(payload).build();
    bytes.truncate(bytes.len() - payload.len() + captured);
    bytes
}

/// What an extractor says of a piece.
pub(crate) fn said(piece: &Piece) -> (Fragment, Payload) {
    let head = if is_v4(piece.name) { 20 } else { 48 };
    let len = piece.bytes.len() as u32;
    (
        Fragment { id: id(piece.name), offset: piece.start, more: piece.more, header_at: 0 },
        Payload::new(head, len - piece.cut as u32, len),
    )
}

/// What became of a piece, in a form that compares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Disposition {
    Held,
    ReassembledDatagram {
        bytes: Vec<u8>,
        frames: u32,
        wire_len: u32,
        first_ts: Timestamp,
        ts: Timestamp,
    },
    Dropped(Loss),
}

impl Disposition {
    pub(crate) fn of(joined: &ReassembledDatagram) -> Disposition {
        let view = joined.view();
        Disposition::ReassembledDatagram {
            bytes: view.frame().to_vec(),
            frames: view.frames(),
            wire_len: view.wire_len(),
            first_ts: view.first_ts(),
            ts: view.ts(),
        }
    }
}

pub(crate) fn push(defrag: &mut Defragmenter, piece: &Piece, now: Timestamp) -> Disposition {
    push_in(defrag, piece, now, &Path::EMPTY)
}

/// A piece whose own time is not the watermark.
pub(crate) fn push_seen_at(
    defrag: &mut Defragmenter,
    piece: &Piece,
    ts: Timestamp,
    now: Timestamp,
) -> Disposition {
    push_view(defrag, piece, ts, now, &Path::EMPTY)
}

pub(crate) fn push_in(
    defrag: &mut Defragmenter,
    piece: &Piece,
    now: Timestamp,
    path: &Path,
) -> Disposition {
    push_view(defrag, piece, now, now, path)
}

fn push_view(
    defrag: &mut Defragmenter,
    piece: &Piece,
    ts: Timestamp,
    now: Timestamp,
    path: &Path,
) -> Disposition {
    let mut bytes = packet(piece);
    let wire_len = bytes.len() as u32;
    bytes.truncate(bytes.len() - piece.cut);
    let (fragment, payload) = said(piece);
    let view = PacketView::new(&bytes, LinkType::RAW, ts).with_wire_len(wire_len);
    match defrag.push(&view, &fragment, path, &payload, now) {
        Defragmented::Held => Disposition::Held,
        Defragmented::Dropped(loss) => Disposition::Dropped(loss),
        Defragmented::Complete(joined) => {
            let disposition = Disposition::of(&joined);
            defrag.recycle(joined);
            disposition
        }
    }
}

pub(crate) fn tunnel(vni: u32) -> Path {
    let mut path = Path::EMPTY;
    path.push(PathLayer { layer: Layer::Vxlan, id: vni }).expect("room for a layer");
    path
}
