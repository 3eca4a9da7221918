use crate::message::HttpAnomalyKind;

/// Anomalies of one message: each kind once, at its first place.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadAnomalies {
    list: Vec<(HttpAnomalyKind, usize)>,
    seen: AnomalySet,
}

/// Which kinds of anomaly a message has had.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AnomalySet(u64);

impl HeadAnomalies {
    /// `kind` was found `at` bytes after the start of the head.
    pub(crate) fn add(&mut self, kind: HttpAnomalyKind, at: usize) {
        if self.seen.first(kind) {
            self.list.push((kind, at));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (HttpAnomalyKind, usize)> {
        self.list.iter().copied()
    }
}

impl AnomalySet {
    /// Whether it is the first of its kind, which it is no more afterwards.
    pub(crate) fn first(&mut self, kind: HttpAnomalyKind) -> bool {
        let bit = 1 << (kind as u64 & 63);
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}
