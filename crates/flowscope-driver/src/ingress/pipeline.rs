use flowscope_core::{FlowExtractor, Ledger, PacketView, Timestamp};
use flowscope_track::{Clock, EndReason, FlowSink, FlowTable, Prepared};

use crate::ingress::Ingress;

/// From packets to a flow table, which is what all drivers have in common.
pub(crate) struct Pipeline<E: FlowExtractor, S> {
    pub(crate) extractor: E,
    pub(crate) ingress: Ingress,
    pub(crate) clock: Clock,
    pub(crate) table: FlowTable<E::Key, S>,
    prepared: Vec<Prepared<E::Key>>,
}

/// Steps of expiry in one call of `handle_timeout`.
const STEPS: usize = 64;

/// Headers of as many packets are read ahead.
const AHEAD: usize = 32;

/// Reads where the headers of these packets lie, so that they come from memory all at once and not one
/// after the other.
#[inline]
fn fetch_headers(packets: &[PacketView<'_>]) {
    let byte = |packet: &PacketView<'_>, at: usize| packet.frame().get(at).copied().unwrap_or(0);
    // The first cache line, and the one that the transport header of an everyday frame ends in.
    let read = packets.iter().fold(0, |read, packet| read ^ byte(packet, 12) ^ byte(packet, 53));
    // Keeps the reads, which are there for the cache alone.
    std::hint::black_box(read);
}

impl<E: FlowExtractor, S> Pipeline<E, S> {
    pub(crate) fn new(
        extractor: E,
        ingress: Ingress,
        clock: Clock,
        table: FlowTable<E::Key, S>,
    ) -> Self {
        Pipeline { extractor, ingress, clock, table, prepared: Vec::new() }
    }

    /// Takes packets; `out` is lent what the table has to say.
    pub(crate) fn take(&mut self, packets: &[PacketView<'_>], out: &mut impl FlowSink<E::Key, S>) {
        let Pipeline { extractor, ingress, clock, table, prepared } = self;
        for (i, packet) in packets.iter().enumerate() {
            if i % AHEAD == 0 {
                fetch_headers(&packets[i..packets.len().min(i + AHEAD)]);
            }
            let moment = clock.observe(packet.ts());
            ingress.expire(moment.watermark);
            let mut tracked = false;
            ingress.resolve(extractor, *packet, moment.watermark, |view, found| {
                tracked = true;
                let errs = found.icmp.is_some_and(|icmp| icmp.quoted_at.is_some());
                if view.frames() == 1 && !errs {
                    prepared.push(Prepared::new(i, found.clone(), moment));
                    return;
                }
                table.track_prepared(packets, prepared, out);
                table.track(view, found, moment, out);
                let quote = found.quoted(&view).and_then(|quoted| extractor.extract(quoted));
                if let (Some(icmp), Some(quote)) = (found.icmp, quote) {
                    table.quote(&quote.key, quote.orientation, icmp, moment, view.ts(), out);
                }
            });
            if !tracked {
                table.track_prepared(packets, prepared, out);
                table.sweep(moment, out);
            }
        }
        table.track_prepared(packets, prepared, out);
    }

    /// When something is due if no packet comes before.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let fragments = self.ingress.next_deadline();
        self.table.next_deadline().into_iter().chain(fragments).min()
    }

    /// Packet time has reached `now` without a packet: does some of what is due, and says whether
    /// more is.
    pub(crate) fn pass(&mut self, now: Timestamp, out: &mut impl FlowSink<E::Key, S>) -> bool {
        let moment = self.clock.advance(now);
        self.ingress.expire(moment.watermark);
        self.table.expire(moment, STEPS, out)
    }

    /// Ends every flow and lets waiting fragments go.
    pub(crate) fn finish(&mut self, reason: EndReason, out: &mut impl FlowSink<E::Key, S>) {
        self.ingress.finish();
        self.table.finish(reason, self.clock.now(), out);
    }

    /// Ends some flows, and lets waiting fragments go; says whether there are more.
    pub(crate) fn finish_some(
        &mut self,
        reason: EndReason,
        most: usize,
        out: &mut impl FlowSink<E::Key, S>,
    ) -> bool {
        self.ingress.finish();
        self.table.finish_some(reason, self.clock.now(), most, out)
    }

    /// Where every packet went.
    pub(crate) fn packets(&self) -> Ledger {
        let mut all = self.ingress.refused();
        all.merge(self.table.ledger());
        all
    }

    /// Bytes of memory held, by capacity: flow table and fragments.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.ingress.heap_bytes()
    }
}
