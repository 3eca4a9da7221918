use std::ops::Range;

use super::spans::Spans;

/// Which copy is delivered where segments that were not delivered yet overlap.
///
/// Hosts differ, so what a host read from overlapping segments is known only to one that decides as
/// the host does. The rules are those of J. Novak and S. Sturges, *Target-Based TCP Stream
/// Reassembly* (2007), in the form in which Suricata applies them (`src/stream-tcp-list.c`): a new
/// segment is compared with every segment that waits and overlaps it, as both were sent, and a byte
/// of it is taken where it beats all of those that cover the byte.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OverlapPolicy {
    /// The copy that came first, always. Also Windows from Vista on.
    #[default]
    First,
    /// The copy that came last, always.
    Last,
    /// The first, unless the new segment begins before it. BSD, macOS, IRIX, HP-UX 10.
    Bsd,
    /// The first, unless the new segment begins before it, or begins where it does and ends behind
    /// it. Linux from 2.4 on.
    Linux,
    /// The first, unless the new segment begins before it, or begins where it does and does not end
    /// before it. Linux before 2.4.
    OldLinux,
    /// As [`Bsd`](Self::Bsd). Windows 2000, XP and 2003.
    Windows,
    /// The first, unless the new segment covers it whole, or begins within it and ends behind it.
    /// Solaris, HP-UX 11.
    Solaris,
}

impl OverlapPolicy {
    /// Whether the boundaries of the segments matter, so that neighbors must not be merged.
    pub(super) fn needs_boundaries(self) -> bool {
        !matches!(self, OverlapPolicy::First | OverlapPolicy::Last)
    }

    /// Where a new segment `new` beats everything that waits. It is one range: what beats it lies
    /// at its front for those policies that look at beginnings, at its back for Solaris.
    pub(super) fn wins(self, new: &Range<u64>, spans: &Spans) -> Range<u64> {
        // Of the spans that begin before `new`, the last one reaches farthest; see `Spans`.
        let before = spans.last_before(new.start).map_or(0, |span| span.end);
        let same = spans.starting_at(new.start).map_or(0, |span| span.end);
        let from = match self {
            OverlapPolicy::First => new.end,
            OverlapPolicy::Last => new.start,
            OverlapPolicy::Bsd | OverlapPolicy::Windows => before.max(same),
            OverlapPolicy::Linux if same >= new.end => new.end,
            OverlapPolicy::OldLinux if same > new.end => new.end,
            OverlapPolicy::Linux | OverlapPolicy::OldLinux => before,
            OverlapPolicy::Solaris if before >= new.end => new.end,
            OverlapPolicy::Solaris => {
                let to = spans
                    .within(new.clone())
                    .find(|span| span.end > new.end)
                    .map_or(new.end, |span| span.start);
                return new.start..to;
            }
        };
        from.clamp(new.start, new.end)..new.end
    }
}
