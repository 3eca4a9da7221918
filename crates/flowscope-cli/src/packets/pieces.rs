//! Which packets are pieces of the datagram that a later packet completes.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use flowscope::core::{L4Proto, LinkType, MAX_DEPTH, PacketView, Path, Timestamp, VlanTag};
use flowscope::extract::{AutoDetectEncap, Extracted, FiveTuple, FiveTupleKey, FlowExtractor};
use flowscope::reassembly::{DefragConfig, Defragmented, Defragmenter, ReassembledDatagram};
use flowscope_filter::Filter;

/// Joins fragments as the driver does, and remembers which packets they were.
pub(super) struct Pieces {
    extractor: AutoDetectEncap<FiveTuple>,
    filter: Option<Filter>,
    defragmenter: Defragmenter,
    waiting: HashMap<Datagram, Incomplete>,
    /// The datagrams that wait, by the order in which they began.
    order: BTreeMap<u64, Datagram>,
    begun: u64,
    /// Memory of the pieces that wait.
    held: usize,
    /// Whether the frames of packets are kept.
    keep: bool,
}

/// A packet that is a piece of a datagram.
#[derive(Debug)]
pub(super) struct Piece {
    /// The number of the packet.
    pub(super) number: u64,
    frame: Box<[u8]>,
    link: LinkType,
    ts: Timestamp,
    wire_len: u32,
    vlan: Option<VlanTag>,
}

/// The pieces of a datagram so far.
struct Incomplete {
    /// Which of all datagrams it is.
    order: u64,
    since: Timestamp,
    pieces: Vec<Piece>,
}

/// What fragments of a datagram have in common: RFC 791 §3.2, RFC 8200 §4.5.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Datagram {
    addrs: (IpAddr, IpAddr),
    id: u32,
    proto: Option<L4Proto>,
    path: Path,
}

/// Memory for frames and numbers of pieces, in bytes. It is more than the driver has for the payload of
/// fragments, so whatever the driver joins is found here, unless most of the frames are headers.
const MEMORY: usize = 64 << 20;

/// What a piece takes besides its frame, in bytes.
const PIECE: usize = size_of::<Piece>() + 2 * size_of::<Datagram>();

impl Pieces {
    /// With the packets that the filter lets pass. With `keep`, frames are kept.
    pub(super) fn new(filter: Option<Filter>, keep: bool) -> Self {
        Pieces {
            extractor: AutoDetectEncap(FiveTuple::bidirectional()),
            filter,
            defragmenter: Defragmenter::new(DefragConfig::default()),
            waiting: HashMap::new(),
            order: BTreeMap::new(),
            begun: 0,
            held: 0,
            keep,
        }
    }

    /// Takes the packet of this number. If it completes a datagram, returns its other pieces. `now` is
    /// the watermark.
    pub(super) fn take(
        &mut self,
        number: u64,
        packet: PacketView<'_>,
        now: Timestamp,
    ) -> Option<Vec<Piece>> {
        let found = self.extractor.extract(packet)?;
        found.fragment?;
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(packet)) {
            return None;
        }
        let mut pieces = vec![self.piece(number, &packet)];
        let mut found = Some(found);
        let mut joined: Option<ReassembledDatagram> = None;
        // A datagram that was joined may itself be a piece of another.
        for _ in 0..=MAX_DEPTH {
            let x = found?;
            let Some(fragment) = x.fragment else {
                pieces.retain(|piece| piece.number != number);
                return Some(pieces);
            };
            let view = joined.as_ref().map_or(packet, ReassembledDatagram::view);
            let datagram = Datagram::of(&x, fragment.id);
            match self.defragmenter.push(&view, &fragment, &x.path, &x.payload, now) {
                Defragmented::Complete(whole) => {
                    let before = self.remove(&datagram).unwrap_or_default();
                    pieces.splice(..0, before);
                    found = self.extractor.extract(whole.view());
                    joined = Some(whole);
                }
                Defragmented::Held => {
                    self.hold(datagram, pieces, now);
                    return None;
                }
                Defragmented::Dropped(_) => return None,
            }
        }
        None
    }

    fn piece(&self, number: u64, packet: &PacketView<'_>) -> Piece {
        let frame = if self.keep { packet.frame().into() } else { Box::default() };
        Piece {
            number,
            frame,
            link: packet.link(),
            ts: packet.ts(),
            wire_len: packet.wire_len(),
            vlan: packet.vlan(),
        }
    }

    fn hold(&mut self, datagram: Datagram, pieces: Vec<Piece>, now: Timestamp) {
        let is_over = |before: &Incomplete| now > before.since + datagram.timeout();
        if self.waiting.get(&datagram).is_some_and(is_over) {
            self.remove(&datagram);
        }
        self.held += pieces.iter().map(Piece::memory).sum::<usize>();
        let waiting = self.waiting.entry(datagram).or_insert_with(|| {
            self.begun += 1;
            self.order.insert(self.begun, datagram);
            Incomplete { order: self.begun, since: now, pieces: Vec::new() }
        });
        waiting.pieces.extend(pieces);
        while self.held > MEMORY
            && let Some(oldest) = self.order.first_key_value().map(|(_, oldest)| *oldest)
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, datagram: &Datagram) -> Option<Vec<Piece>> {
        let Incomplete { order, pieces, .. } = self.waiting.remove(datagram)?;
        self.order.remove(&order);
        self.held -= pieces.iter().map(Piece::memory).sum::<usize>();
        Some(pieces)
    }
}

impl Piece {
    /// The packet, if its frame was kept.
    pub(super) fn view(&self) -> PacketView<'_> {
        let view = PacketView::new(&self.frame, self.link, self.ts).with_wire_len(self.wire_len);
        match self.vlan {
            Some(vlan) => view.with_vlan(vlan),
            None => view,
        }
    }

    fn memory(&self) -> usize {
        self.frame.len() + PIECE
    }
}

impl Datagram {
    fn of(x: &Extracted<FiveTupleKey>, id: u32) -> Self {
        let (from, to) = x.key.endpoints(x.orientation);
        let proto = (!x.key.is_ipv6()).then(|| x.key.proto());
        Datagram { addrs: (from.addr, to.addr), id, proto, path: x.path }
    }

    /// After this long the driver gives a datagram up.
    fn timeout(&self) -> Duration {
        Duration::from_secs(if self.addrs.0.is_ipv4() { 30 } else { 60 })
    }
}
