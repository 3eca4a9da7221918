use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;

/// Digests of recently delivered data, to detect retransmissions with different bytes.
///
/// Stores a digest of each of the last chunks, and the last 64 bytes themselves. It detects a difference in a
/// chunk that a retransmission covers whole, and any difference in the last 64 bytes. A chunk is a segment as
/// it was delivered (what waited behind a hole: up to 1 KiB of it); neighbors of fewer than 64 bytes each are
/// one chunk of up to 256. It does not detect a difference in a retransmission that covers a part of each
/// chunk only.
#[derive(Debug)]
pub(super) struct History {
    chunks: [Chunk; History::LARGEST as usize],
    /// How many of them are in use.
    len: u8,
    /// Where the next one goes.
    next: u8,
    /// The last bytes, the newest at the end.
    tail: [u8; TAIL],
    tail_len: u8,
    /// Offset behind the last byte remembered.
    end: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Chunk {
    /// Its offset's low bits: none lies 4 GiB back.
    at: u32,
    /// In bytes; with [`SMALL`] set if it is made of small segments.
    len: u32,
    digest: u32,
}

/// Marks a chunk whose digest can be extended: slow, so for small segments only.
const SMALL: u32 = 1 << 31;

impl Chunk {
    /// Stream offset of the chunk, computed from `end`, which lies behind it.
    fn offset(&self, end: u64) -> u64 {
        end.saturating_sub(u64::from((end as u32).wrapping_sub(self.at)))
    }

    fn len(&self) -> u32 {
        self.len & !SMALL
    }

    fn digest_of(&self, bytes: &[u8], seed: u64) -> u32 {
        if self.len & SMALL == 0 { digest(bytes, seed) } else { extend(basis(seed), bytes) }
    }
}

/// Number of last bytes stored; also the minimum length of a segment that is a chunk of its own.
const TAIL: usize = 64;

/// A gap behind which nothing before it is remembered: 16 smaller ones are less than 4 GiB.
const FAR: u64 = 1 << 27;

/// Largest chunk of small segments.
const MERGED: usize = 256;

impl History {
    /// How many chunks can be remembered.
    pub(super) const LARGEST: u8 = 16;

    pub(super) fn new() -> Self {
        History {
            chunks: [Chunk::default(); History::LARGEST as usize],
            len: 0,
            next: 0,
            tail: [0; TAIL],
            tail_len: 0,
            end: 0,
        }
    }

    /// Stores the bytes delivered at `at`, in at most `limit` chunks.
    pub(super) fn remember(&mut self, at: u64, bytes: &[u8], limit: u8, seed: u64) {
        let neighbor = at == self.end && self.len > 0;
        if at != self.end {
            self.tail_len = 0;
            if at - self.end > FAR {
                (self.len, self.next) = (0, 0);
            }
        }
        self.end = at + bytes.len() as u64;
        self.keep_tail(bytes);
        let small = bytes.len() < TAIL;
        if neighbor && small && self.extend_last(at, bytes) {
            return;
        }
        let len = (bytes.len() as u32 & !SMALL) | if small { SMALL } else { 0 };
        let mut new = Chunk { at: at as u32, len, digest: 0 };
        new.digest = new.digest_of(bytes, seed);
        let limit = limit.clamp(1, History::LARGEST);
        let place = self.next % limit;
        if let Some(chunk) = self.chunks.get_mut(usize::from(place)) {
            *chunk = new;
        }
        self.next = (place + 1) % limit;
        self.len = (self.len + 1).min(limit);
    }

    /// Where a second copy of bytes at `at` is known to differ: in whole chunks, or in bytes.
    pub(super) fn differs(&self, at: u64, bytes: &[u8], seed: u64) -> Option<Range<u64>> {
        let mut found: Option<Range<u64>> = None;
        let mut add = |part: Range<u64>| {
            found = Some(match found.take() {
                Some(old) => old.start.min(part.start)..old.end.max(part.end),
                None => part,
            });
        };
        let tail_at = self.end - u64::from(self.tail_len);
        for chunk in self.chunks.iter().take(usize::from(self.len)) {
            let start = chunk.offset(self.end);
            // A chunk within the last bytes is compared there.
            if start >= tail_at {
                continue;
            }
            let copy = start.checked_sub(at).and_then(|skip| {
                let skip = usize::try_from(skip).ok()?;
                bytes.get(skip..skip.checked_add(chunk.len() as usize)?)
            });
            if copy.is_some_and(|copy| chunk.digest_of(copy, seed) != chunk.digest) {
                add(start..start + u64::from(chunk.len()));
            }
        }
        let tail = self.tail.iter().skip(TAIL - usize::from(self.tail_len));
        let old = (tail_at..self.end).zip(tail).skip(at.saturating_sub(tail_at) as usize);
        let new = bytes.iter().skip(tail_at.saturating_sub(at) as usize);
        for ((place, _), _) in old.zip(new).filter(|((_, old), new)| old != new) {
            add(place..place + 1);
        }
        found
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        if let Some((_, last)) = bytes.split_last_chunk::<TAIL>() {
            self.tail = *last;
            self.tail_len = TAIL as u8;
        } else {
            self.tail.copy_within(bytes.len().., 0);
            let from = TAIL - bytes.len();
            if let Some(end) = self.tail.get_mut(from..) {
                end.copy_from_slice(bytes);
            }
            self.tail_len = (usize::from(self.tail_len) + bytes.len()).min(TAIL) as u8;
        }
    }

    /// Makes a small segment part of the chunk before it, if that is of small ones too.
    fn extend_last(&mut self, at: u64, bytes: &[u8]) -> bool {
        let last = usize::from(self.next.checked_sub(1).unwrap_or(self.len - 1));
        let Some(chunk) = self.chunks.get_mut(last) else { return false };
        let len = chunk.len() as usize + bytes.len();
        let small = chunk.len & SMALL != 0;
        if !small || len > MERGED || chunk.offset(at).saturating_add(u64::from(chunk.len())) != at {
            return false;
        }
        chunk.digest = extend(chunk.digest, bytes);
        chunk.len = len as u32 | SMALL;
        true
    }
}

/// 32 bits are enough where the seed is secret: a forger has one chance in 2³² per chunk.
fn digest(bytes: &[u8], seed: u64) -> u32 {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(bytes);
    hasher.finish() as u32
}

/// Initial digest of a small chunk.
fn basis(seed: u64) -> u32 {
    (seed ^ (seed >> 32)) as u32
}

/// The digest of a chunk and what follows it, so that it does not depend on how a chunk was cut.
fn extend(digest: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(digest, |digest, byte| {
        (digest ^ u32::from(*byte)).wrapping_mul(0x9e37_79b1).rotate_left(15)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(pieces: &[&[u8]]) -> History {
        let mut history = History::new();
        let mut at = 0;
        for segment in pieces {
            history.remember(at, segment, History::LARGEST, 7);
            at += segment.len() as u64;
        }
        history
    }

    #[test]
    fn a_difference_in_a_whole_chunk_is_found_however_the_copy_is_cut() {
        let bytes: Vec<u8> = (0..4000).map(|n| (n % 251) as u8).collect();
        let history = remembered(&[&bytes[..1000], &bytes[1000..2500], &bytes[2500..]]);
        let mut other = bytes.clone();
        other[1200] ^= 1;
        assert_eq!(history.differs(0, &bytes, 7), None);
        assert_eq!(history.differs(0, &other, 7), Some(1000..2500));
        assert_eq!(history.differs(1000, &other[1000..2500], 7), Some(1000..2500));
        assert_eq!(history.differs(900, &other[900..2600], 7), Some(1000..2500));
        assert_eq!(history.differs(1100, &other[1100..1300], 7), None, "a part of a chunk only");
    }

    #[test]
    fn a_difference_in_the_last_bytes_is_found_to_the_byte() {
        let bytes: Vec<u8> = (0..200).collect();
        let history = remembered(&[&bytes]);
        for at in 136..200 {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            assert_eq!(
                history.differs(at as u64, &other[at..=at], 7),
                Some(at as u64..at as u64 + 1)
            );
            assert_eq!(history.differs(150, &other[150..], 7).is_some(), at >= 150);
        }
    }

    #[test]
    fn small_segments_are_one_chunk() {
        let bytes: Vec<u8> = (0..255).chain(0..255).collect();
        let history = remembered(&bytes.chunks(3).collect::<Vec<_>>());
        assert_eq!(history.len, 2);
        let mut other = bytes.clone();
        other[10] ^= 1;
        assert_eq!(history.differs(0, &bytes, 7), None);
        assert_eq!(history.differs(0, &other[..300], 7), Some(0..255));
    }

    #[test]
    fn nothing_from_before_a_large_gap_is_taken_for_something_behind_it() {
        let mut history = remembered(&[&[1; 300], &[2; 300]]);
        let at = 600 + (1 << 33);
        history.remember(at, &[3; 300], History::LARGEST, 7);
        assert_eq!(history.differs(at - 600, &[9; 600], 7), None);
        assert_eq!(history.differs(at, &[4; 300], 7), Some(at..at + 300));
    }

    #[test]
    fn the_oldest_chunk_is_forgotten() {
        let bytes = [1; 300];
        let pieces = [bytes.as_slice(); 17];
        let history = remembered(&pieces);
        let other = [2; 300];
        assert_eq!(history.differs(0, &other, 7), None);
        assert_eq!(history.differs(300, &other, 7), Some(300..600));
    }
}
