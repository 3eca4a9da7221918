use flowscope_core::{Extracted, FlowExtractor, Ledger, Loss, PacketView, Progress, Timestamp};
use flowscope_track::{Clock, EndReason, FlowSink, FlowTable, Prepared};

use crate::ingress::{Ingress, PayloadCounts};

/// Ingress, packet clock and flow table: the part that all drivers share.
pub(crate) struct Pipeline<E: FlowExtractor, S> {
    pub(crate) extractor: E,
    pub(crate) ingress: Ingress,
    pub(crate) clock: Clock,
    pub(crate) table: FlowTable<E::Key, S>,
    /// Places for [`AHEAD`] packets.
    prepared: Box<[Prepared<E::Key>]>,
}

/// Steps of expiry in one call of [`Pipeline::handle_timeout`].
const STEPS: usize = 64;

/// Packets whose headers are prefetched together, and that are tracked together.
const AHEAD: usize = 32;

/// Prefetches the headers of these packets, so that their cache misses overlap.
#[inline]
fn fetch_headers(packets: &[PacketView<'_>]) {
    let byte = |packet: &PacketView<'_>, at: usize| packet.frame().get(at).copied().unwrap_or(0);
    // The first cache line, and the one that the transport header of an ordinary frame ends in.
    let read = packets.iter().fold(0, |read, packet| read ^ byte(packet, 12) ^ byte(packet, 53));
    // Keeps the reads, which are there for the cache alone.
    std::hint::black_box(read);
}

/// Whether it is an ICMP error that quotes a packet.
#[inline]
fn is_quoting<K>(found: &Option<Extracted<K>>) -> bool {
    let icmp = found.as_ref().and_then(|found| found.icmp);
    icmp.is_some_and(|icmp| icmp.quoted_at.is_some())
}

impl<E: FlowExtractor, S> Pipeline<E, S> {
    pub(crate) fn new(
        extractor: E,
        ingress: Ingress,
        clock: Clock,
        table: FlowTable<E::Key, S>,
    ) -> Self {
        let prepared = (0..AHEAD).map(|_| Prepared::default()).collect();
        Pipeline { extractor, ingress, clock, table, prepared }
    }

    /// Extracts and tracks packets; `out` is lent the events of the table.
    pub(crate) fn handle_batch(
        &mut self,
        packets: &[PacketView<'_>],
        out: &mut impl FlowSink<E::Key, S>,
    ) {
        let Pipeline { extractor, ingress, clock, table, prepared } = self;
        for packets in packets.chunks(AHEAD) {
            fetch_headers(packets);
            let mut filled = 0;
            for (i, packet) in packets.iter().enumerate() {
                let now = clock.observe(packet.ts());
                // The next packet goes on with what is left.
                let _ = ingress.expire(now.watermark);
                let place = &mut prepared[filled];
                let whole = ingress.extract(extractor, packet, place.extracted());
                if whole && packet.frames() == 1 && !is_quoting(place.extracted()) {
                    place.arrive(i, now);
                    filled += 1;
                    continue;
                }
                let found = place.extracted().take();
                table.track_slice(packets, &mut prepared[..filled], out);
                filled = 0;
                let mut tracked = false;
                let mut track = |view: PacketView<'_>, found: &Extracted<E::Key>| {
                    tracked = true;
                    table.track(view, found, now, out);
                    let quote = found.quoted(&view).and_then(|quoted| extractor.extract(quoted));
                    if let (Some(icmp), Some(quote)) = (found.icmp, quote) {
                        table.quote(&quote.key, quote.orientation, icmp, now, view.ts(), out);
                    }
                };
                match found {
                    Some(found) if whole => track(*packet, &found),
                    found => {
                        ingress.resolve_slowly(extractor, *packet, found, now.watermark, track);
                    }
                }
                if !tracked {
                    table.sweep(now, out);
                }
            }
            table.track_slice(packets, &mut prepared[..filled], out);
        }
    }

    /// The next deadline of a flow or of an incomplete datagram.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let fragments = self.ingress.next_deadline();
        self.table.next_deadline().into_iter().chain(fragments).min()
    }

    /// Handles packet time that has reached `now` without a packet: does at most [`STEPS`] steps of what is due.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Timestamp,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> Progress {
        let now = self.clock.advance(now);
        let fragments = self.ingress.expire(now.watermark);
        let flows = self.table.expire(now, STEPS, out);
        Progress::more_if(fragments == Progress::More || flows == Progress::More)
    }

    /// Gives pending fragments up and ends every flow.
    pub(crate) fn finish(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.ingress.finish();
        self.table.finish(reason, self.clock.now(), out);
    }

    /// Gives pending fragments up and ends at most `most` flows: [`Progress::Done`] if there was
    /// nothing left to end.
    pub(crate) fn finish_some(
        &mut self,
        reason: EndReason,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> Progress {
        self.ingress.finish();
        if self.table.is_empty() {
            return Progress::Done;
        }
        // What this call ends leads to events: there is a next call, which finds the table empty.
        let _ = self.table.finish_some(reason, self.clock.now(), most.max(1), out);
        Progress::More
    }

    /// What became of every packet.
    pub(crate) fn packets(&self) -> Ledger {
        let mut all = self.ingress.refused();
        all.merge(self.table.ledger());
        all.lose(Loss::Shunted, self.table.stats().shunted.packets);
        all
    }

    /// Where the payload of all packets went that were tracked, or counted by the capture.
    pub(crate) fn bytes(&self, claimed: PayloadCounts) -> Ledger {
        let mut bytes = self.ingress.bytes(claimed);
        bytes.lose(Loss::Shunted, self.table.stats().shunted.payload_bytes);
        bytes
    }

    /// Returns the memory held, in bytes, by capacity: flow table and fragments.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.ingress.heap_bytes()
    }
}
