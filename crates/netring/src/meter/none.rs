//! Without the feature `metrics`, nothing is measured.

use std::task::Context;

use tokio::time::Instant;

use crate::Stats;

#[derive(Debug)]
pub(crate) struct Meter;

impl Meter {
    pub(crate) fn off() -> Self {
        Meter
    }

    #[inline]
    pub(crate) fn begin(&self) -> Option<Instant> {
        None
    }

    #[inline]
    pub(crate) fn batch(&self, _begun: Option<Instant>) {}

    #[inline]
    pub(crate) fn is_due(&mut self, _cx: &mut Context<'_>, _waits: bool) -> bool {
        false
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn publish(&self, _stats: &Stats) {}
}
