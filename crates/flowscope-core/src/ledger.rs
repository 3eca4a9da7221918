use std::fmt;

/// Why a packet, or bytes of its payload, did not come through.
///
/// The names are stable: [`slug`](Loss::slug) is what records and tools print.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Loss {
    /// The kernel had no room in the capture ring or socket.
    KernelDrop,
    /// The receive ring of AF_XDP was full.
    RingFull,
    /// The fill ring of AF_XDP was empty.
    FillEmpty,
    /// The packet ring was frozen until a block was returned.
    QueueFreeze,
    /// A damaged or cut capture file held the start of this packet only.
    FileTruncated,
    /// The snap length cut it off.
    SnaplenCut,
    /// A link type that the extractor does not decode.
    LinkUnsupported,
    /// A header that contradicts itself or the bytes around it.
    HeaderMalformed,
    /// More tags and tunnels than are followed.
    DepthExceeded,
    /// A fragment whose datagram never became whole.
    FragIncomplete,
    /// A fragment of a datagram dropped because pieces of it overlapped.
    FragOverlap,
    /// A fragment for which the pool had no room.
    FragCap,
    /// The extractor says that this is no flow.
    NotAFlow,
    /// A wrong checksum, where those are excluded.
    BadChecksum,
    /// TCP payload far outside of what the receiver would take.
    OutOfWindow,
    /// TCP payload that was there before.
    Duplicate,
    /// TCP payload out of order, dropped by a reassembler that holds none.
    OooDropped,
    /// No room within the memory budget.
    Memcap,
    /// Counted for its flow by the capture, and not read: see [`Shunted`](crate::Shunted).
    Shunted,
    /// The parser of this flow had stopped.
    ParserStopped,
    /// No parser reads the payload of this flow.
    Unclaimed,
    /// Held for a flow that was evicted.
    FlowEvictedTail,
    /// A subscriber was too slow.
    SubscriberLag,
    /// Output could not be written.
    SinkError,
}

impl Loss {
    /// All of them, in the order they are printed.
    pub const ALL: [Loss; 24] = [
        Loss::KernelDrop,
        Loss::RingFull,
        Loss::FillEmpty,
        Loss::QueueFreeze,
        Loss::FileTruncated,
        Loss::SnaplenCut,
        Loss::LinkUnsupported,
        Loss::HeaderMalformed,
        Loss::DepthExceeded,
        Loss::FragIncomplete,
        Loss::FragOverlap,
        Loss::FragCap,
        Loss::NotAFlow,
        Loss::BadChecksum,
        Loss::OutOfWindow,
        Loss::Duplicate,
        Loss::OooDropped,
        Loss::Memcap,
        Loss::Shunted,
        Loss::ParserStopped,
        Loss::Unclaimed,
        Loss::FlowEvictedTail,
        Loss::SubscriberLag,
        Loss::SinkError,
    ];

    /// The stable name.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Loss::KernelDrop => "kernel_drop",
            Loss::RingFull => "ring_full",
            Loss::FillEmpty => "fill_empty",
            Loss::QueueFreeze => "queue_freeze",
            Loss::FileTruncated => "file_truncated",
            Loss::SnaplenCut => "snaplen_cut",
            Loss::LinkUnsupported => "link_unsupported",
            Loss::HeaderMalformed => "header_malformed",
            Loss::DepthExceeded => "depth_exceeded",
            Loss::FragIncomplete => "frag_incomplete",
            Loss::FragOverlap => "frag_overlap",
            Loss::FragCap => "frag_cap",
            Loss::NotAFlow => "not_a_flow",
            Loss::BadChecksum => "bad_checksum",
            Loss::OutOfWindow => "out_of_window",
            Loss::Duplicate => "duplicate",
            Loss::OooDropped => "ooo_dropped",
            Loss::Memcap => "memcap",
            Loss::Shunted => "shunted",
            Loss::ParserStopped => "parser_stopped",
            Loss::Unclaimed => "unclaimed",
            Loss::FlowEvictedTail => "flow_evicted_tail",
            Loss::SubscriberLag => "subscriber_lag",
            Loss::SinkError => "sink_error",
        }
    }

    /// Whether the loss is for want of room on our side, so that a run that met it is not whole:
    /// what the wire itself got wrong is counted, but is no error.
    #[must_use]
    pub const fn is_for_want_of_room(self) -> bool {
        matches!(
            self,
            Loss::KernelDrop
                | Loss::RingFull
                | Loss::FillEmpty
                | Loss::QueueFreeze
                | Loss::Memcap
                | Loss::SubscriberLag
        )
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// Where everything that was seen went: `seen = delivered + Σ losses`, always.
///
/// One ledger counts packets (delivered means tracked), another payload bytes. `seen` is not
/// stored: it is the sum of the entries so that a ledger
/// cannot fail to balance by forgetting to count; what it is compared with is the source's own count.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    delivered: u64,
    losses: [u64; Loss::ALL.len()],
}

impl Ledger {
    /// Counts `n` as delivered.
    pub fn deliver(&mut self, n: u64) {
        self.delivered += n;
    }

    /// Counts `n` that were delivered as not seen yet: they will be counted once more.
    ///
    /// # Panics
    ///
    /// In debug builds, if fewer were delivered.
    pub fn take_back(&mut self, n: u64) {
        self.delivered -= n;
    }

    /// Counts `n` as lost to `cause`.
    pub fn lose(&mut self, cause: Loss, n: u64) {
        self.losses[cause as usize] += n;
    }

    /// Adds what another ledger counted.
    pub fn merge(&mut self, other: &Ledger) {
        self.delivered += other.delivered;
        for (mine, theirs) in self.losses.iter_mut().zip(other.losses) {
            *mine += theirs;
        }
    }

    /// Everything that was counted.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.delivered + self.losses.iter().sum::<u64>()
    }

    /// What came through.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// What was lost to `cause`.
    #[must_use]
    pub fn lost(&self, cause: Loss) -> u64 {
        self.losses[cause as usize]
    }

    /// The causes that lost anything, in the order of [`Loss::ALL`].
    pub fn losses(&self) -> impl Iterator<Item = (Loss, u64)> + '_ {
        Loss::ALL.into_iter().map(|cause| (cause, self.lost(cause))).filter(|(_, n)| *n > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_cause_at_its_own_place() {
        for (place, cause) in Loss::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place, "{cause}");
        }
    }

    #[test]
    fn seen_is_the_sum_of_the_entries() {
        let mut ledger = Ledger::default();
        ledger.deliver(5);
        ledger.lose(Loss::NotAFlow, 2);
        let mut sum = Ledger::default();
        sum.merge(&ledger);
        sum.merge(&ledger);
        assert_eq!(sum.seen(), 14);
        assert_eq!(sum.losses().collect::<Vec<_>>(), [(Loss::NotAFlow, 4)]);
    }
}
