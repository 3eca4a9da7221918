//! Fragments of the application from the segments that frames carry (IEEE 1815 §8.2).

/// Bytes of a fragment that are kept: control, function, indications and the first objects.
const MAX_KEPT: usize = 256;
/// Bytes of a fragment that are taken in: twice what a device has to take (§4.2.2).
const MAX_FRAGMENT: u32 = 4096;

const FIN: u8 = 0x80;
const FIR: u8 = 0x40;
const SEQUENCE: u8 = 0x3f;

/// The fragment of one side that is being received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reassembly {
    /// Who sends it to whom.
    addresses: (u16, u16),
    /// The next segment; none where no fragment has begun.
    next: Option<u8>,
    len: u32,
    kept: Vec<u8>,
    /// Bytes of it were not captured: what follows them is not kept.
    is_cut: bool,
}

impl Reassembly {
    /// Adds the user data of a frame, or what was captured of them if it is not whole. When a fragment is complete, shows `each`
    /// its first bytes.
    ///
    /// A first segment begins anew; one out of sequence, or of other addresses, ends the fragment, and so does one too many.
    pub(crate) fn segment<T>(
        &mut self,
        addresses: (u16, u16),
        data: &[u8],
        is_whole: bool,
        each: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let (&header, data) = data.split_first()?;
        let sequence = header & SEQUENCE;
        if header & FIR != 0 {
            self.addresses = addresses;
            self.len = 0;
            self.kept.clear();
            self.is_cut = false;
        } else if self.next != Some(sequence) || self.addresses != addresses {
            // The same once more is none.
            if self.next.map(|next| next.wrapping_sub(1) & SEQUENCE) != Some(sequence) {
                self.next = None;
            }
            return None;
        }
        self.next = Some(sequence.wrapping_add(1) & SEQUENCE);
        self.len += data.len() as u32;
        if self.len > MAX_FRAGMENT {
            self.next = None;
            return None;
        }
        let is_one_piece = header & (FIR | FIN) == FIR | FIN;
        if !is_one_piece && !self.is_cut {
            let room = MAX_KEPT - self.kept.len();
            self.kept.extend_from_slice(&data[..data.len().min(room)]);
        }
        self.is_cut |= !is_whole;
        if header & FIN == 0 {
            return None;
        }
        self.next = None;
        Some(each(if is_one_piece { data } else { &self.kept }))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.kept.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reassembly: &mut Reassembly, source: u16, data: &[u8]) -> Option<Vec<u8>> {
        reassembly.segment((source, 1), data, true, <[u8]>::to_vec)
    }

    #[test]
    fn segments_make_a_fragment_in_sequence() {
        let mut reassembly = Reassembly::default();
        assert_eq!(read(&mut reassembly, 2, b"\xc5one"), Some(b"one".to_vec()));
        assert_eq!(read(&mut reassembly, 2, b"\x7fa"), None);
        assert_eq!(read(&mut reassembly, 2, b"\x00b"), None);
        // Repeated, then the end.
        assert_eq!(read(&mut reassembly, 2, b"\x00b"), None);
        assert_eq!(read(&mut reassembly, 2, b"\x81c"), Some(b"abc".to_vec()));
        assert_eq!(read(&mut reassembly, 2, b"\x82d"), None);
        assert_eq!(read(&mut reassembly, 2, b""), None);
    }

    #[test]
    fn what_is_out_of_sequence_ends_a_fragment() {
        for (source, second) in [(2, &b"\x07x"[..]), (3, &b"\x01x"[..])] {
            let mut reassembly = Reassembly::default();
            read(&mut reassembly, 2, b"\x40a");
            assert_eq!(read(&mut reassembly, source, second), None);
            assert_eq!(read(&mut reassembly, 2, b"\x81b"), None, "{source}");
            assert_eq!(read(&mut reassembly, 2, b"\xc0c"), Some(b"c".to_vec()));
        }
    }

    #[test]
    fn nothing_is_kept_behind_what_was_cut() {
        let mut reassembly = Reassembly::default();
        let mut add =
            |data: &[u8], is_whole| reassembly.segment((2, 1), data, is_whole, <[u8]>::to_vec);
        add(b"\x40ab", true);
        add(b"\x01c", false);
        assert_eq!(add(b"\x82efg", true), Some(b"abc".to_vec()));
        // Another fragment, and one in a single segment.
        add(b"\x43a", true);
        assert_eq!(add(b"\x84b", true), Some(b"ab".to_vec()));
        assert_eq!(add(b"\xc5ab", false), Some(b"ab".to_vec()));
    }

    #[test]
    fn fragments_are_bounded() {
        let segment = |header: u8| [&[header][..], &[7; 249]].concat();
        let mut reassembly = Reassembly::default();
        read(&mut reassembly, 2, &segment(FIR));
        for sequence in 1..10 {
            assert_eq!(read(&mut reassembly, 2, &segment(sequence)), None);
        }
        let kept = read(&mut reassembly, 2, &segment(FIN | 10)).unwrap();
        assert_eq!(kept.len(), MAX_KEPT);
        read(&mut reassembly, 2, &segment(FIR));
        for sequence in 1..40 {
            read(&mut reassembly, 2, &segment(sequence));
        }
        assert_eq!(read(&mut reassembly, 2, &segment(FIN | 40)), None);
        assert!(reassembly.heap_bytes() <= 2 * MAX_KEPT);
    }
}
