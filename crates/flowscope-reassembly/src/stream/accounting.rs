/// Byte accounting of one side, asserted in debug builds; empty in others.
///
/// Every payload byte seen was delivered, lost or is pending; the position is what was delivered
/// and what was a gap.
#[derive(Debug, Default)]
pub(super) struct Accounting {
    #[cfg(debug_assertions)]
    seen: u64,
    #[cfg(debug_assertions)]
    delivered: u64,
    #[cfg(debug_assertions)]
    lost: u64,
    #[cfg(debug_assertions)]
    gap: u64,
}

#[cfg(debug_assertions)]
impl Accounting {
    pub(super) fn see(&mut self, bytes: u64) {
        self.seen += bytes;
    }

    pub(super) fn deliver(&mut self, bytes: u64) {
        self.delivered += bytes;
    }

    pub(super) fn lose(&mut self, bytes: u64) {
        self.lost += bytes;
    }

    pub(super) fn skip(&mut self, bytes: u64) {
        self.gap += bytes;
    }

    pub(super) fn assert(&self, position: u64, pending: u64) {
        debug_assert_eq!(self.seen, self.delivered + self.lost + pending, "{self:?}");
        debug_assert_eq!(position, self.delivered + self.gap, "{self:?}");
    }
}

#[cfg(not(debug_assertions))]
#[allow(clippy::unused_self)]
impl Accounting {
    pub(super) fn see(&mut self, _: u64) {}
    pub(super) fn deliver(&mut self, _: u64) {}
    pub(super) fn lose(&mut self, _: u64) {}
    pub(super) fn skip(&mut self, _: u64) {}
    pub(super) fn assert(&self, _: u64, _: u64) {}
}
