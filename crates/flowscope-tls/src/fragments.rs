/// Bytes that come in pieces, put in order: CRYPTO frames of QUIC (RFC 9000 §19.6), fragments of DTLS
/// messages (RFC 6347 §4.2.3).
///
/// Pieces come in any order and overlap. Where they differ the first copy stands, as in the other
/// streams of this library. Holds at most [`MAX_BYTES`](Self::MAX_BYTES) and
/// [`MAX_PIECES`](Self::MAX_PIECES); what exceeds either is not kept.
#[derive(Clone, Debug, Default)]
pub struct Fragments {
    /// Bytes from the start of the stream without a hole.
    ready: Vec<u8>,
    /// Bytes behind a hole: disjoint, in order, none adjacent to `ready`.
    pieces: Vec<(u64, Vec<u8>)>,
    held: usize,
}

impl Fragments {
    /// As many bytes are held. A ClientHello with post-quantum key shares has about 1800 bytes; servers
    /// accept up to 64 KiB.
    pub const MAX_BYTES: usize = 64 << 10;
    /// As many separate pieces may wait for the bytes before them.
    pub const MAX_PIECES: usize = 64;

    /// Takes a piece; says whether all of it was kept or was there already.
    pub fn insert(&mut self, offset: u64, data: &[u8]) -> bool {
        let mut complete = true;
        let end = offset.saturating_add(data.len() as u64);
        let mut at = offset.max(self.ready.len() as u64);
        let mut index =
            self.pieces.partition_point(|(start, bytes)| start + bytes.len() as u64 <= at);
        while at < end {
            // The next stretch that no piece covers.
            let (start, piece_end) = match self.pieces.get(index) {
                Some((start, bytes)) => (*start, start + bytes.len() as u64),
                None => (u64::MAX, u64::MAX),
            };
            if start <= at {
                at = piece_end;
                index += 1;
                continue;
            }
            let stop = end.min(start);
            let bytes = &data[(at - offset) as usize..(stop - offset) as usize];
            let has_room =
                self.held + bytes.len() <= Self::MAX_BYTES && self.pieces.len() < Self::MAX_PIECES;
            if has_room {
                self.held += bytes.len();
                self.pieces.insert(index, (at, bytes.to_vec()));
                index += 1;
            } else {
                complete = false;
            }
            at = stop;
        }
        self.join();
        complete
    }

    /// Moves pieces that no hole precedes any more.
    fn join(&mut self) {
        let mut joined = 0;
        for (start, bytes) in &self.pieces {
            if *start != self.ready.len() as u64 {
                break;
            }
            self.ready.extend_from_slice(bytes);
            joined += 1;
        }
        self.pieces.drain(..joined);
    }

    /// The bytes from the start to the first hole.
    #[must_use]
    pub fn ready(&self) -> &[u8] {
        &self.ready
    }

    /// Bytes of memory held, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|(_, bytes)| bytes.capacity()).sum();
        self.ready.capacity() + pieces + self.pieces.capacity() * size_of::<(u64, Vec<u8>)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_hold_whatever_comes() {
        let mut stream = Fragments::default();
        for n in (0..200_u64).rev() {
            stream.insert(1 + n * 1000, &[7; 900]);
        }
        assert!(
            stream.pieces.len() <= Fragments::MAX_PIECES && stream.held <= Fragments::MAX_BYTES
        );
        assert!(!stream.insert(u64::MAX - 3, &[1; 9]) || stream.ready().is_empty());
        let mut stream = Fragments::default();
        assert!(stream.insert(0, &[1; Fragments::MAX_BYTES]));
        assert!(!stream.insert(Fragments::MAX_BYTES as u64, &[1]));
        assert!(stream.insert(5, &[2; 100]), "known bytes");
        assert_eq!(stream.ready().len(), Fragments::MAX_BYTES);
    }

    proptest! {
        /// Against a map of single bytes: the first copy of each stands.
        #[test]
        fn frames_in_any_order_give_the_stream(
            frames in vec((0_u64..60, vec(any::<u8>(), 0..20)), 0..30),
        ) {
            let mut stream = Fragments::default();
            let mut model = BTreeMap::new();
            for (offset, data) in &frames {
                prop_assert!(stream.insert(*offset, data));
                for (at, byte) in data.iter().enumerate() {
                    model.entry(offset + at as u64).or_insert(*byte);
                }
                let ready: Vec<u8> =
                    (0..).map_while(|at| model.get(&at).copied()).collect();
                prop_assert_eq!(stream.ready(), ready.as_slice());
                prop_assert_eq!(stream.held, model.len());
            }
        }
    }
}
