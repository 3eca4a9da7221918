use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flowscope::core::{Extracted, FlowExtractor, Ledger, Loss, PacketView, Refusal};

/// An extractor that also adds up the payload of the packets that are tracked.
///
/// Only one thread extracts; the counters are atomic because extractors are shared by nature.
pub(crate) struct Metered<E> {
    pub(crate) inner: E,
    pub(crate) meter: Arc<Meter>,
}

/// Bytes of transport payload: captured, and cut off by the snap length.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    captured: AtomicU64,
    cut: AtomicU64,
}

impl Meter {
    fn count(&self, captured: u32, wire: u32) {
        // One writer, so no read-modify-write is needed.
        let add = |to: &AtomicU64, n: u32| to.store(to.load(Relaxed) + u64::from(n), Relaxed);
        add(&self.captured, captured);
        add(&self.cut, wire - captured.min(wire));
    }

    /// Where the payload went: nowhere, since nothing here reads it.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.lose(Loss::Unclaimed, self.captured.load(Relaxed));
        ledger.lose(Loss::SnaplenCut, self.cut.load(Relaxed));
        ledger
    }
}

impl<E: FlowExtractor> FlowExtractor for Metered<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        let found = self.inner.extract(view)?;
        if found.fragment.is_none() {
            self.meter.count(found.payload.captured, found.payload.wire_len);
        }
        Some(found)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.inner.explain(view)
    }
}
