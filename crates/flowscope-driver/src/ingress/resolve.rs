//! What happens to a packet before it reaches a flow table: headers are walked, fragments joined,
//! checksums verified, and what goes no further is counted.

use std::time::Duration;

use flowscope_core::{
    Extracted, FlowExtractor, Ledger, Loss, MAX_DEPTH, PacketView, Progress, Refusal, Timestamp,
    UnreadHeaders,
};
use flowscope_reassembly::{Defragmented, Defragmenter, ReassembledDatagram};

use super::checksum::{Verdict, verify};
use crate::{Checksums, DriverConfig};

/// Not generic over the extractor, which it is handed: a driver lends the same one to its callers.
pub(crate) struct Ingress {
    defragmenter: Option<Defragmenter>,
    checksums: Checksums,
    refused: Ledger,
    /// What refused packets were, as far as that is known.
    unread: UnreadHeaders,
    /// Payload of all packets that were tracked: who reads it is seen later.
    payload: Payload,
    sums: ChecksumStats,
}

/// Bytes of payload, by what is known of them before a parser reads them.
#[derive(Clone, Copy, Debug, Default)]
struct Payload {
    sound: u64,
    corrupt: u64,
    cut: u64,
}

/// What became of payload that parsers read: of all that was tracked, what remains is unclaimed.
#[derive(Clone, Debug, Default)]
pub struct PayloadCounts {
    pub(crate) ledger: Ledger,
    pub(crate) pending: u64,
    /// Payload that a capture counted in place of the shard.
    pub(crate) shunted: u64,
}

impl PayloadCounts {
    /// Adds the counts of another shard.
    pub fn merge(&mut self, other: &PayloadCounts) {
        self.ledger.merge(&other.ledger);
        self.pending += other.pending;
        self.shunted += other.shunted;
    }
}

/// Incomplete datagrams that one call gives up at most.
const STEPS: usize = 64;

/// Results of checksum verification.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChecksumStats {
    /// Packets with a wrong checksum.
    pub bad: u64,
    /// Packets whose checksum the sender's network card was still to fill in.
    pub offloaded: u64,
}

impl Ingress {
    pub(crate) fn new(config: &DriverConfig) -> Self {
        Ingress {
            defragmenter: config.fragments.clone().map(Defragmenter::new),
            checksums: config.checksums,
            refused: Ledger::default(),
            unread: UnreadHeaders::default(),
            payload: Payload::default(),
            sums: ChecksumStats::default(),
        }
    }

    /// Finds the flow that `packet` belongs to and hands both to `take`; or keeps it as a piece of a
    /// datagram; or refuses it. `now` is the watermark.
    #[inline]
    pub(crate) fn resolve<E: FlowExtractor>(
        &mut self,
        extractor: &E,
        packet: PacketView<'_>,
        now: Timestamp,
        take: impl FnOnce(PacketView<'_>, &Extracted<E::Key>),
    ) {
        match extractor.extract(packet) {
            // Lent on, for it is large and was only just written.
            Some(mut found) if found.fragment.is_none() => {
                self.account(&packet, &mut found);
                take(packet, &found);
            }
            found => self.resolve_slowly(extractor, packet, found, now, take),
        }
    }

    /// Finds the flow that `packet` belongs to, where the caller keeps it. `false`: that is not the end of it,
    /// and [`resolve_slowly`](Self::resolve_slowly) goes on.
    #[inline]
    pub(crate) fn extract<E: FlowExtractor>(
        &mut self,
        extractor: &E,
        packet: &PacketView<'_>,
        found: &mut Option<Extracted<E::Key>>,
    ) -> bool {
        extractor.extract_into(packet, found);
        match found {
            Some(found) if found.fragment.is_none() => {
                self.account(packet, found);
                true
            }
            _ => false,
        }
    }

    /// Verifies a packet that is tracked, and counts its payload.
    #[inline]
    fn account<K>(&mut self, view: &PacketView<'_>, found: &mut Extracted<K>) {
        if self.checksums != Checksums::Off {
            self.check(view, found);
        }
        let (captured, wire) = (found.payload.captured, found.payload.wire_len);
        let Payload { sound, corrupt, cut } = &mut self.payload;
        *(if found.corrupt { corrupt } else { sound }) += u64::from(captured);
        *cut += u64::from(wire.saturating_sub(captured));
    }

    #[cold]
    fn check<K>(&mut self, view: &PacketView<'_>, found: &mut Extracted<K>) {
        match verify(view, found) {
            Verdict::Sound => {}
            Verdict::Offloaded => self.sums.offloaded += 1,
            Verdict::Bad => {
                self.sums.bad += 1;
                found.corrupt = self.checksums == Checksums::Exclude;
            }
        }
    }

    /// A datagram that was joined may itself be a piece of another, or hold one in a tunnel.
    #[inline(never)]
    pub(crate) fn resolve_slowly<E: FlowExtractor>(
        &mut self,
        extractor: &E,
        packet: PacketView<'_>,
        mut found: Option<Extracted<E::Key>>,
        now: Timestamp,
        take: impl FnOnce(PacketView<'_>, &Extracted<E::Key>),
    ) {
        let mut joined: Option<ReassembledDatagram> = None;
        for turn in 0.. {
            let view = joined.as_ref().map_or(packet, ReassembledDatagram::view);
            let Some(mut x) = found else {
                let cause = extractor.explain(view);
                self.refused.lose(cause.into(), view.frames().into());
                if let Refusal::NotAFlow | Refusal::LinkUnsupported = cause
                    && let Some(header) = extractor.unread(view)
                {
                    self.unread.add(header, view.frames().into());
                }
                break;
            };
            let Some(fragment) = x.fragment else {
                self.account(&view, &mut x);
                take(view, &x);
                break;
            };
            if turn > MAX_DEPTH {
                self.refused.lose(Loss::DepthExceeded, view.frames().into());
                break;
            }
            let Some(defragmenter) = &mut self.defragmenter else {
                self.refused.lose(Loss::FragIncomplete, view.frames().into());
                break;
            };
            let Defragmented::Complete(whole) =
                defragmenter.push(&view, &fragment, &x.path, &x.payload, now)
            else {
                break;
            };
            found = extractor.extract(whole.view());
            if let Some(used) = joined.replace(whole) {
                defragmenter.recycle(used);
            }
        }
        if let (Some(used), Some(defragmenter)) = (joined, &mut self.defragmenter) {
            defragmenter.recycle(used);
        }
    }

    /// Gives up to [`STEPS`] incomplete datagrams up that are due at `now`.
    #[inline]
    pub(crate) fn expire(&mut self, now: Timestamp) -> Progress {
        match &mut self.defragmenter {
            Some(defragmenter) => defragmenter.expire(now, STEPS),
            None => Progress::Done,
        }
    }

    /// Gives all incomplete datagrams up.
    pub(crate) fn finish(&mut self) {
        if let Some(defragmenter) = &mut self.defragmenter {
            defragmenter.finish();
        }
    }

    /// Packets that reached no flow table, by cause. Fragments that wait are not among them.
    pub(crate) fn refused(&self) -> Ledger {
        let mut all = self.refused.clone();
        if let Some(defragmenter) = &self.defragmenter {
            all.merge(defragmenter.ledger());
        }
        all
    }

    /// What the packets were that are no flow, or of an unknown link type.
    pub(crate) fn unread(&self) -> &UnreadHeaders {
        &self.unread
    }

    /// Where the payload of all packets went that were tracked.
    pub(crate) fn bytes(&self, claimed: PayloadCounts) -> Ledger {
        let Payload { sound, corrupt, cut } = self.payload;
        let PayloadCounts { mut ledger, pending, shunted } = claimed;
        debug_assert!(ledger.seen() + pending <= sound, "more was read than there was");
        ledger.lose(Loss::Unclaimed, sound.saturating_sub(ledger.seen() + pending));
        ledger.lose(Loss::BadChecksum, corrupt);
        ledger.lose(Loss::SnaplenCut, cut);
        ledger.lose(Loss::Shunted, shunted);
        ledger
    }

    /// What wrong checksums lead to.
    pub(crate) fn policy(&self) -> Checksums {
        self.checksums
    }

    /// Returns the number of fragments that wait for the rest of their datagram.
    pub(crate) fn pending_fragments(&self) -> u64 {
        self.defragmenter.as_ref().map_or(0, Defragmenter::held_frames)
    }

    /// The first time at which waiting fragments are given up: the one after their deadline.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let deadline = self.defragmenter.as_ref().and_then(Defragmenter::deadline)?;
        Some(deadline.saturating_add(Duration::from_nanos(1)))
    }

    pub(crate) fn checksums(&self) -> ChecksumStats {
        self.sums
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.defragmenter.as_ref().map_or(0, Defragmenter::heap_bytes)
    }
}
