use std::ops::Range;

use super::ranges::SegmentRanges;

/// Which copy is delivered where undelivered segments overlap.
///
/// Hosts differ, so what a host read from overlapping segments is known only to one that decides as
/// the host does. The rules are those of J. Novak and S. Sturges, *Target-Based TCP Stream
/// Reassembly* (2007), in the form in which Suricata applies them (`src/stream-tcp-list.c`): a new
/// segment is compared with every segment that waits and overlaps it, as both were sent, and a byte
/// of it is taken where it beats all of those that cover the byte.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OverlapPolicy {
    /// Always the copy received first. Windows since Vista.
    #[default]
    First,
    /// Always the copy received last.
    Last,
    /// The first copy, unless the new segment begins before it. BSD, macOS, IRIX, HP-UX 10.
    Bsd,
    /// The first copy, unless the new segment begins before it, or begins at the same place and ends behind
    /// it. Linux since 2.4.
    Linux,
    /// The first copy, unless the new segment begins before it, or begins at the same place and does not end
    /// before it. Linux before 2.4.
    OldLinux,
    /// Same as [`Bsd`](Self::Bsd). Windows 2000, XP and 2003.
    Windows,
    /// The first copy, unless the new segment covers it entirely, or begins within it and ends behind it.
    /// Solaris, HP-UX 11.
    Solaris,
}

impl OverlapPolicy {
    /// Whether the boundaries of the segments matter, so that neighbors must not be merged.
    pub(super) fn needs_boundaries(self) -> bool {
        !matches!(self, OverlapPolicy::First | OverlapPolicy::Last)
    }

    /// The range in which segment `new` replaces buffered bytes. It is one range: older segments win at its
    /// front for policies that compare starts, at its back for Solaris.
    pub(super) fn wins(self, new: &Range<u64>, ranges: &SegmentRanges) -> Range<u64> {
        // Of the spans that begin before `new`, the last one reaches farthest; see `SegmentRanges`.
        let before = ranges.last_before(new.start).map_or(0, |range| range.end);
        let same = ranges.starting_at(new.start).map_or(0, |range| range.end);
        let from = match self {
            OverlapPolicy::First => new.end,
            OverlapPolicy::Last => new.start,
            OverlapPolicy::Bsd | OverlapPolicy::Windows => before.max(same),
            OverlapPolicy::Linux if same >= new.end => new.end,
            OverlapPolicy::OldLinux if same > new.end => new.end,
            OverlapPolicy::Linux | OverlapPolicy::OldLinux => before,
            OverlapPolicy::Solaris if before >= new.end => new.end,
            OverlapPolicy::Solaris => {
                let to = ranges
                    .within(new.clone())
                    .find(|range| range.end > new.end)
                    .map_or(new.end, |range| range.start);
                return new.start..to;
            }
        };
        from.clamp(new.start, new.end)..new.end
    }
}
