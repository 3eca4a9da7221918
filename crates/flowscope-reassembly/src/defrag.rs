mod buffers;
mod config;
mod datagram;
mod header;
mod key;
mod reassembled;
mod store;
mod table;

use flowscope_core::{Fragment, Ledger, Loss, PacketView, Path, Payload, Timestamp};

pub use config::DefragConfig;
pub use reassembled::ReassembledDatagram;

use buffers::Buffers;
use datagram::{Arrival, Datagram, Place};
use header::{Header, make_whole};
use key::{Family, most_payload};
use table::{Slot, Table};

/// Joins IP fragments, IPv4 and IPv6.
///
/// Pieces belong together by both addresses, identification, the tunnels and tags around them, and
/// in IPv4 the protocol (RFC 791 §3.2, RFC 8200 §4.5). They may come in any order, from any
/// interface. Once a datagram is whole the same identification begins another; so does a copy of a
/// piece that comes after that, as nothing tells it from a first one.
///
/// | what comes | what happens | name in the ledger |
/// |---|---|---|
/// | a piece with the range, position and bytes of one that is held | its bytes are left out, it counts as a frame of the datagram | |
/// | any other overlap | the datagram is dropped, also what comes of it later | [`Loss::FragOverlap`] |
/// | a last piece where others say that there is more, or the other way round | the same | [`Loss::HeaderMalformed`] |
/// | an empty piece; one beyond 65 535 bytes; one before the last that is no multiple of 8 | it is left out | [`Loss::HeaderMalformed`] |
/// | more pieces than [`max_fragments`](DefragConfig::max_fragments) | the datagram is dropped, also what comes of it later | [`Loss::FragCap`] |
/// | no room | the oldest datagram leaves | [`Loss::FragCap`] |
/// | nothing more in time | the datagram leaves | [`Loss::FragIncomplete`] |
///
/// Overlaps end the datagram because hosts disagree on what it would say; RFC 8200 §4.5 asks for
/// that, and Linux does so for IPv4 too. A dropped datagram is remembered until its time is over.
///
/// Lengths are those of the headers. A piece that the snap length cut counts like any other.
///
/// Time is the watermark that callers hand in; one that goes back is not followed. Timeouts are
/// judged as pieces arrive, so that nothing but what is held depends on how often
/// [`expire`](Self::expire) is called. Memory is bounded by
/// [`memory_budget`](DefragConfig::memory_budget); nothing is allocated for a length or an offset
/// that merely stands in a header.
pub struct Defragmenter {
    config: DefragConfig,
    most_datagrams: usize,
    table: Table,
    buffers: Buffers,
    now: Timestamp,
    ledger: Ledger,
    held_frames: u64,
}

/// What became of a fragment.
#[derive(Debug)]
pub enum Defragmented {
    /// It waits for the rest of its datagram.
    Held,
    /// It was the last that was missing.
    ReassembledDatagram(ReassembledDatagram),
    /// It is lost, and counted in [`Defragmenter::ledger`]. So are those of its datagram that were
    /// held, where that was dropped along.
    Dropped(Loss),
}

impl Defragmenter {
    /// An empty pool, which is tiny: memory is taken as pieces come.
    #[must_use]
    pub fn new(config: DefragConfig) -> Self {
        let (most_datagrams, bytes) = config.limits();
        Defragmenter {
            table: Table::new(config.seed),
            buffers: Buffers::new(bytes),
            config,
            most_datagrams,
            now: Timestamp::ZERO,
            ledger: Ledger::default(),
            held_frames: 0,
        }
    }

    /// Takes one piece: `fragment`, `path` and `payload` are what the extractor said of `view`,
    /// `now` is the watermark. A view of a joined datagram is a packet like any other: tunnels may
    /// be fragmented and carry fragments.
    pub fn push(
        &mut self,
        view: &PacketView<'_>,
        fragment: &Fragment,
        path: &Path,
        payload: &Payload,
        now: Timestamp,
    ) -> Defragmented {
        self.now = self.now.max(now);
        match self.join(view, fragment, path, payload) {
            Ok(Some(joined)) => Defragmented::ReassembledDatagram(joined),
            Ok(None) => Defragmented::Held,
            Err(loss) => {
                self.ledger.lose(loss, u64::from(view.frames()));
                Defragmented::Dropped(loss)
            }
        }
    }

    /// Gives up the datagrams whose time is over at `now`, those first that are due first, `most` of
    /// them; returns whether more are due.
    pub fn expire(&mut self, now: Timestamp, most: usize) -> bool {
        self.now = self.now.max(now);
        for _ in 0..most {
            let Some(slot) = self.due() else { return false };
            self.remove(slot, Loss::FragIncomplete);
        }
        self.due().is_some()
    }

    /// Gives up everything that is held, at the end of input.
    pub fn finish(&mut self) {
        while let Some(slot) = self.table.oldest() {
            self.remove(slot, Loss::FragIncomplete);
        }
    }

    /// Takes the memory of a joined datagram back for the next one.
    pub fn recycle(&mut self, joined: ReassembledDatagram) {
        self.buffers.put_bytes(joined.bytes);
    }

    /// Frames that were pushed and lost, by cause. ReassembledDatagram ones are not in it, they go on as
    /// [`PacketView::frames`]: what was pushed is what was joined, what this says and
    /// [`held_frames`](Self::held_frames), at every moment.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Frames that wait for the rest of their datagrams.
    #[must_use]
    pub fn held_frames(&self) -> u64 {
        self.held_frames
    }

    /// Bytes of memory held, by capacity; never more than the budget.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.buffers.heap_bytes()
    }

    /// The time after which [`expire`](Self::expire) has work.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        [Family::V4, Family::V6].into_iter().filter_map(|family| self.deadline_of(family)).min()
    }

    fn join(
        &mut self,
        view: &PacketView<'_>,
        fragment: &Fragment,
        path: &Path,
        payload: &Payload,
    ) -> Result<Option<ReassembledDatagram>, Loss> {
        let header = Header::read(view, fragment, payload).ok_or(Loss::HeaderMalformed)?;
        let arrival = arrival(view, &header, fragment, payload).ok_or(Loss::HeaderMalformed)?;
        let slot = self.slot(&header, fragment.id, path)?;
        if let Some(loss) = self.table[slot].dropped {
            return Err(loss);
        }
        let head = if arrival.start == 0 { header.bytes.len() } else { 0 };
        let at = match self.table[slot].place(&arrival, head) {
            Place::At(at) if self.table[slot].pieces() < self.config.max_fragments.get() => at,
            Place::At(_) => return Err(self.drop_datagram(slot, Loss::FragCap)),
            Place::Copy => {
                self.count(slot, view);
                return Ok(None);
            }
            Place::Conflict(loss) => return Err(self.drop_datagram(slot, loss)),
        };
        self.make_room(slot, head + arrival.bytes.len())?;

        let datagram = &mut self.table[slot];
        if arrival.start == 0 {
            datagram.header_at = datagram.store.bytes.len() as u32;
            datagram.header_len = head as u32;
            header.append_to(&mut datagram.store.bytes);
        }
        datagram.insert(at, &arrival);
        self.count(slot, view);
        if !self.table[slot].is_whole() {
            return Ok(None);
        }
        Ok(Some(self.take_whole(slot, view)))
    }

    fn count(&mut self, slot: Slot, view: &PacketView<'_>) {
        let datagram = &mut self.table[slot];
        datagram.frames += u64::from(view.frames());
        datagram.wire += u64::from(view.wire_len());
        datagram.first_ts = datagram.first_ts.min(view.first_ts());
        self.held_frames += u64::from(view.frames());
    }

    /// The datagram with this key, a new one if there is none.
    fn slot(&mut self, header: &Header<'_>, id: u32, path: &Path) -> Result<Slot, Loss> {
        let key = header.key(id, path);
        if let Some(slot) = self.table.find(&key) {
            if !self.is_due(key.family, self.since(slot)) {
                return Ok(slot);
            }
            self.remove(slot, Loss::FragIncomplete);
        }
        if self.table.len() >= self.most_datagrams {
            self.evict().ok_or(Loss::FragCap)?;
        }
        Ok(self.table.insert(Datagram::new(key, self.now), self.most_datagrams))
    }

    /// Room for `bytes` more of a datagram. Others leave for that if they are older, and the
    /// datagram itself does if it is the oldest.
    fn make_room(&mut self, slot: Slot, bytes: usize) -> Result<(), Loss> {
        let store = &self.table[slot].store;
        let growth = self.buffers.growth(store, bytes);
        if growth == 0 {
            return Ok(());
        }
        if !self.buffers.could_hold(store.capacity_bytes(), growth) {
            return Err(self.drop_datagram(slot, Loss::FragCap));
        }
        while !self.buffers.has_room(growth) {
            if self.evict().is_none_or(|gone| gone == slot) {
                return Err(Loss::FragCap);
            }
        }
        self.buffers.grow(&mut self.table[slot].store, bytes);
        Ok(())
    }

    /// Takes a datagram that is whole; `last` is the packet that made it so.
    fn take_whole(&mut self, slot: Slot, last: &PacketView<'_>) -> ReassembledDatagram {
        let datagram = &mut self.table[slot];
        let (family, path) = (datagram.key.family, datagram.key.path);
        let (header_len, total) = (datagram.header_len as usize, datagram.total as usize);
        let mut bytes = match datagram.in_order() {
            Some(len) => {
                let mut bytes = self.buffers.put_pieces(std::mem::take(&mut datagram.store));
                bytes.truncate(len);
                bytes
            }
            None => {
                let mut bytes = self.buffers.lend_bytes(header_len + total);
                datagram.assemble(&mut bytes);
                bytes
            }
        };
        make_whole(family, &mut bytes, header_len, total);
        let joined = ReassembledDatagram {
            bytes,
            path,
            link: last.link(),
            interface: last.interface(),
            ts: last.ts(),
            first_ts: datagram.first_ts,
            wire_len: u32::try_from(datagram.wire).unwrap_or(u32::MAX),
            frames: u32::try_from(datagram.frames).unwrap_or(u32::MAX),
        };
        self.release(slot);
        self.table.remove(slot);
        joined
    }

    /// Drops what is held of a datagram and remembers that it was dropped.
    fn drop_datagram(&mut self, slot: Slot, loss: Loss) -> Loss {
        let frames = self.release(slot);
        self.ledger.lose(loss, frames);
        self.table[slot].dropped = Some(loss);
        loss
    }

    fn remove(&mut self, slot: Slot, loss: Loss) {
        let frames = self.release(slot);
        self.ledger.lose(loss, frames);
        self.table.remove(slot);
    }

    /// Frees what a datagram holds; returns how many frames that was.
    fn release(&mut self, slot: Slot) -> u64 {
        let datagram = &mut self.table[slot];
        let frames = std::mem::take(&mut datagram.frames);
        self.held_frames -= frames;
        self.buffers.put(std::mem::take(&mut datagram.store));
        frames
    }

    /// Makes one datagram leave: one that is due, as if it had expired in time, or the oldest.
    fn evict(&mut self) -> Option<Slot> {
        if let Some(slot) = self.due() {
            self.remove(slot, Loss::FragIncomplete);
            return Some(slot);
        }
        let slot = self.table.oldest()?;
        self.remove(slot, Loss::FragCap);
        Some(slot)
    }

    /// A datagram that is due, the one that has been for longest.
    fn due(&self) -> Option<Slot> {
        [Family::V4, Family::V6]
            .into_iter()
            .filter(|family| self.deadline_of(*family).is_some_and(|deadline| self.now > deadline))
            .min_by_key(|family| self.deadline_of(*family))
            .and_then(|family| Some(self.table.front(family)?.0))
    }

    fn is_due(&self, family: Family, since: Timestamp) -> bool {
        self.now > since + self.config.timeout(family)
    }

    fn deadline_of(&self, family: Family) -> Option<Timestamp> {
        let slot = self.table.front(family)?.0;
        Some(self.since(slot) + self.config.timeout(family))
    }

    /// When a datagram began. After a long silence the watermark lags behind the packets until it is
    /// sure of them; once it has caught up, their own time is what counts.
    fn since(&self, slot: Slot) -> Timestamp {
        let Datagram { since, first_ts, .. } = self.table[slot];
        if first_ts <= self.now { since.max(first_ts) } else { since }
    }
}

/// The piece that a packet carries; `None` if no datagram can have such a piece.
fn arrival<'a>(
    view: &PacketView<'a>,
    header: &Header<'_>,
    fragment: &Fragment,
    payload: &Payload,
) -> Option<Arrival<'a>> {
    let len = payload.wire_len;
    let start = u16::try_from(fragment.offset).ok()?;
    let end = u16::try_from(fragment.offset.checked_add(len)?).ok()?;
    // RFC 8200 §4.5: a length that is not a multiple of 8 octets with the M flag set, and one that
    // makes the payload exceed 65,535 octets, are reasons to discard the fragment. So is an empty
    // one, for which there is no use.
    let whole_words = !fragment.more || len.is_multiple_of(8);
    if len == 0
        || !whole_words
        || !start.is_multiple_of(8)
        || usize::from(end) > most_payload(header.family, header.bytes.len())
    {
        return None;
    }
    let captured = payload.of(view);
    let bytes = captured.get(..len as usize).unwrap_or(captured);
    Some(Arrival { start, end, more: fragment.more, bytes })
}
