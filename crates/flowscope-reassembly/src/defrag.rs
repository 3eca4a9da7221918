mod buffers;
mod config;
mod datagram;
mod header;
mod key;
mod reassembled;
mod store;
mod table;

use flowscope_core::{Fragment, Ledger, Loss, PacketView, Path, Payload, Progress, Timestamp};

pub use config::DefragConfig;
pub use reassembled::ReassembledDatagram;

use buffers::Buffers;
use datagram::{Datagram, IncomingFragment, Placement};
use header::{Header, make_whole};
use key::{Family, max_payload};
use table::{Slot, Table};

/// Reassembles fragmented IPv4 and IPv6 datagrams.
///
/// Fragments of a datagram have equal addresses, identification, surrounding tunnels and tags, and in IPv4
/// the protocol (RFC 791 §3.2, RFC 8200 §4.5). They may arrive in any order and from any interface. After a
/// datagram is complete, a fragment with the same identification starts a new datagram. This includes late
/// duplicates, which cannot be distinguished from new fragments.
///
/// | input | effect | cause in the ledger |
/// |---|---|---|
/// | exact duplicate of a buffered fragment | its bytes are ignored, it counts as a frame of the datagram | |
/// | any other overlap | the datagram is dropped, and its later fragments too | [`Loss::FragOverlap`] |
/// | contradicting ends (more-fragments flag, offsets) | the same | [`Loss::HeaderMalformed`] |
/// | empty fragment; fragment beyond 65 535 bytes; fragment before the last whose length is no multiple of 8 | the fragment is dropped | [`Loss::HeaderMalformed`] |
/// | more fragments than [`max_fragments`](DefragConfig::max_fragments) | the datagram is dropped, and its later fragments too | [`Loss::FragCap`] |
/// | memory or table full | the oldest datagram is evicted | [`Loss::FragCap`] |
/// | timeout | the datagram is dropped | [`Loss::FragIncomplete`] |
///
/// Overlaps drop the datagram because hosts resolve them differently. RFC 8200 §4.5 requires it, and Linux
/// does the same for IPv4. A dropped datagram is remembered until its timeout.
///
/// Lengths are those of the headers, so a fragment cut by the snap length counts in full.
///
/// Time is the watermark passed by the caller and never goes back. Timeouts are checked when fragments
/// arrive, so results do not depend on how often [`expire`](Self::expire) is called; only the memory held
/// does. Memory is bounded by [`memory_budget`](DefragConfig::memory_budget); allocations follow received
/// bytes, never a length or offset in a header.
pub struct Defragmenter {
    config: DefragConfig,
    max_datagrams: usize,
    table: Table,
    buffers: Buffers,
    now: Timestamp,
    ledger: Ledger,
    held_frames: u64,
}

/// Result of [`Defragmenter::push`].
#[derive(Debug)]
pub enum Defragmented {
    /// The fragment is buffered until its datagram is complete.
    Held,
    /// The fragment completed this datagram.
    Complete(ReassembledDatagram),
    /// The fragment is lost and counted in [`Defragmenter::ledger`]. If the whole datagram was dropped, so
    /// are its buffered fragments.
    Dropped(Loss),
}

impl Defragmenter {
    /// Creates an empty defragmenter. Memory is allocated as fragments arrive.
    #[must_use]
    pub fn new(config: DefragConfig) -> Self {
        let (max_datagrams, bytes) = config.limits();
        Defragmenter {
            table: Table::new(config.seed),
            buffers: Buffers::new(bytes),
            config,
            max_datagrams,
            now: Timestamp::ZERO,
            ledger: Ledger::default(),
            held_frames: 0,
        }
    }

    /// Adds one fragment. `fragment`, `path` and `payload` are the extractor's results for `view`; `now` is
    /// the watermark. The view may be of a reassembled datagram: a fragmented tunnel packet can carry
    /// fragments.
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
            Ok(Some(joined)) => Defragmented::Complete(joined),
            Ok(None) => Defragmented::Held,
            Err(loss) => {
                self.ledger.lose(loss, u64::from(view.frames()));
                Defragmented::Dropped(loss)
            }
        }
    }

    /// Drops at most `most` datagrams whose timeout has passed at `now`, in the order of their deadlines:
    /// [`Progress::More`] if more are due.
    pub fn expire(&mut self, now: Timestamp, most: usize) -> Progress {
        self.now = self.now.max(now);
        for _ in 0..most {
            let Some(slot) = self.due() else { return Progress::Done };
            self.remove(slot, Loss::FragIncomplete);
        }
        Progress::more_if(self.due().is_some())
    }

    /// Drops all incomplete datagrams, at the end of input.
    pub fn finish(&mut self) {
        while let Some(slot) = self.table.oldest() {
            self.remove(slot, Loss::FragIncomplete);
        }
    }

    /// Takes back the buffer of a reassembled datagram for reuse.
    pub fn recycle(&mut self, joined: ReassembledDatagram) {
        self.buffers.put_bytes(joined.bytes);
    }

    /// Lost frames by cause. At every moment the frames pushed are the sum of these, of
    /// [`held_frames`](Self::held_frames), and of [`PacketView::frames`] of the reassembled datagrams.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Number of buffered frames, whose datagrams are incomplete.
    #[must_use]
    pub fn held_frames(&self) -> u64 {
        self.held_frames
    }

    /// Heap memory in bytes, by capacity; never more than the budget.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.buffers.heap_bytes()
    }

    /// The earliest timeout, after which [`expire`](Self::expire) drops a datagram.
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
        let incoming = incoming(view, &header, fragment, payload).ok_or(Loss::HeaderMalformed)?;
        let slot = self.slot(&header, fragment.id, path)?;
        if let Some(loss) = self.table[slot].dropped {
            return Err(loss);
        }
        let head = if incoming.start == 0 { header.bytes.len() } else { 0 };
        let at = match self.table[slot].place(&incoming, head) {
            Placement::Insert(at)
                if self.table[slot].pieces() < self.config.max_fragments.get() =>
            {
                at
            }
            Placement::Insert(_) => return Err(self.drop_datagram(slot, Loss::FragCap)),
            Placement::Duplicate => {
                self.count(slot, view);
                return Ok(None);
            }
            Placement::Conflict(loss) => return Err(self.drop_datagram(slot, loss)),
        };
        self.make_room(slot, head + incoming.bytes.len())?;

        let datagram = &mut self.table[slot];
        if incoming.start == 0 {
            datagram.header_at = datagram.store.bytes.len() as u32;
            datagram.header_len = head as u32;
            header.append_to(&mut datagram.store.bytes);
        }
        datagram.insert(at, &incoming);
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

    /// The slot of the datagram with this key; a new one if there is none.
    fn slot(&mut self, header: &Header<'_>, id: u32, path: &Path) -> Result<Slot, Loss> {
        let key = header.key(id, path);
        if let Some(slot) = self.table.find(&key) {
            if !self.is_due(key.family, self.since(slot)) {
                return Ok(slot);
            }
            self.remove(slot, Loss::FragIncomplete);
        }
        if self.table.len() >= self.max_datagrams {
            self.evict().ok_or(Loss::FragCap)?;
        }
        Ok(self.table.insert(Datagram::new(key, self.now), self.max_datagrams))
    }

    /// Makes room for `bytes` more of a datagram by evicting the oldest datagrams, this one included.
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

    /// Takes a complete datagram out of the table; `last` is the packet that completed it.
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
                let mut bytes = self.buffers.take_bytes(header_len + total);
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
        self.free_store(slot);
        self.table.remove(slot);
        joined
    }

    /// Frees the fragments of a datagram and marks it as dropped.
    fn drop_datagram(&mut self, slot: Slot, loss: Loss) -> Loss {
        let frames = self.free_store(slot);
        self.ledger.lose(loss, frames);
        self.table[slot].dropped = Some(loss);
        loss
    }

    fn remove(&mut self, slot: Slot, loss: Loss) {
        let frames = self.free_store(slot);
        self.ledger.lose(loss, frames);
        self.table.remove(slot);
    }

    /// Frees the fragments of a datagram and returns the number of frames.
    fn free_store(&mut self, slot: Slot) -> u64 {
        let datagram = &mut self.table[slot];
        let frames = std::mem::take(&mut datagram.frames);
        self.held_frames -= frames;
        self.buffers.put(std::mem::take(&mut datagram.store));
        frames
    }

    /// Evicts one datagram: one past its deadline, as if it had expired in time, or the oldest.
    fn evict(&mut self) -> Option<Slot> {
        if let Some(slot) = self.due() {
            self.remove(slot, Loss::FragIncomplete);
            return Some(slot);
        }
        let slot = self.table.oldest()?;
        self.remove(slot, Loss::FragCap);
        Some(slot)
    }

    /// The datagram with the earliest deadline in the past.
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

    /// Start time of a datagram. After a long silence the watermark lags behind the packet times; once it has
    /// caught up, the time of the first packet counts.
    fn since(&self, slot: Slot) -> Timestamp {
        let Datagram { since, first_ts, .. } = self.table[slot];
        if first_ts <= self.now { since.max(first_ts) } else { since }
    }
}

/// The fragment in a packet; `None` if its range is invalid.
fn incoming<'a>(
    view: &PacketView<'a>,
    header: &Header<'_>,
    fragment: &Fragment,
    payload: &Payload,
) -> Option<IncomingFragment<'a>> {
    let len = payload.wire_len;
    let start = u16::try_from(fragment.offset).ok()?;
    let end = u16::try_from(fragment.offset.checked_add(len)?).ok()?;
    // RFC 8200 §4.5: a length that is not a multiple of 8 octets with the M flag set, and one that makes the
    // payload exceed 65,535 octets, are reasons to discard the fragment. An empty fragment is discarded too.
    let whole_words = !fragment.more || len.is_multiple_of(8);
    if len == 0
        || !whole_words
        || !start.is_multiple_of(8)
        || usize::from(end) > max_payload(header.family, header.bytes.len())
    {
        return None;
    }
    let captured = payload.of(view);
    let bytes = captured.get(..len as usize).unwrap_or(captured);
    Some(IncomingFragment { start, end, more: fragment.more, bytes })
}
