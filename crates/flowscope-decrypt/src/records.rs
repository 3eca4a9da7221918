/// Cuts the byte stream of one side into records (RFC 8446 §5.1), and keeps those that are protected until they are
/// whole.
///
/// Holds one record at most, and of it no more than has arrived. Between records it keeps room for a small one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// The start of a record.
    held: Vec<u8>,
    /// It was whole, and was lent.
    lent: bool,
    /// Bytes to go of a record that is not kept.
    skip: usize,
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Step<'a> {
    /// A record begins that is not kept, of this content type, with a body of this length.
    Clear { kind: u8, len: usize },
    /// A whole record that is protected.
    Protected { header: [u8; 5], body: &'a [u8] },
    /// The bytes are no record, or it is too long.
    Invalid,
}

/// Where bytes were lost.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Lost {
    /// Within a record in the clear.
    Clear,
    /// Within one record that is protected, with a body of this length.
    Protected { len: usize },
    /// Where the next record begins is not known. With what was held of a record, so many bytes are lost.
    Boundary { bytes: u64 },
}

impl Records {
    /// The next step, taken off `bytes`; `None` once they are used up. `protects` says whether a record with this type
    /// in its header is protected.
    pub(crate) fn next<'a, 'b: 'a>(
        &'a mut self,
        bytes: &mut &'b [u8],
        protects: impl Fn(u8) -> bool,
    ) -> Option<Step<'a>> {
        self.drop_lent();
        self.skip -= take(bytes, self.skip).len();
        let header = match bytes.first_chunk::<HEADER>() {
            Some(header) if self.held.is_empty() => *header,
            _ => {
                let missing = HEADER.saturating_sub(self.held.len());
                self.held.extend_from_slice(take(bytes, missing));
                *self.held.first_chunk::<HEADER>()?
            }
        };
        let [kind, major, _, high, low] = header;
        let len = usize::from(u16::from_be_bytes([high, low]));
        let is_protected = protects(kind);
        let max = if is_protected { MAX_PROTECTED } else { MAX_CLEAR };
        if !matches!(kind, 20..=24) || major != 3 || len > max {
            return Some(Step::Invalid);
        }
        if !is_protected {
            if self.held.is_empty() {
                take(bytes, HEADER);
            }
            self.held.clear();
            self.skip = len;
            return Some(Step::Clear { kind, len });
        }
        if self.held.is_empty()
            && let Some((record, rest)) = bytes.split_at_checked(HEADER + len)
        {
            *bytes = rest;
            return Some(Step::Protected { header, body: &record[HEADER..] });
        }
        let missing = HEADER + len - self.held.len();
        self.held.extend_from_slice(take(bytes, missing));
        self.lent = self.held.len() == HEADER + len;
        self.lent.then(|| Step::Protected { header, body: &self.held[HEADER..] })
    }

    /// Goes over `len` bytes that were never captured.
    pub(crate) fn gap(&mut self, len: u64) -> Lost {
        self.drop_lent();
        let (held, skip) = (self.held.len(), std::mem::take(&mut self.skip));
        let body = self.held.first_chunk::<HEADER>().map(|&[.., high, low]| [high, low]);
        let body = body.map(|len| usize::from(u16::from_be_bytes(len)));
        self.held.clear();
        let left = body.map_or(skip, |body| HEADER + body - held);
        match (usize::try_from(len).ok().and_then(|len| left.checked_sub(len)), body) {
            (Some(left), Some(len)) => {
                self.skip = left;
                Lost::Protected { len }
            }
            (Some(left), None) if skip > 0 => {
                self.skip = left;
                Lost::Clear
            }
            _ => Lost::Boundary { bytes: len.saturating_add((held + skip) as u64) },
        }
    }

    /// Drops a record that was lent.
    fn drop_lent(&mut self) {
        if std::mem::take(&mut self.lent) {
            self.held.clear();
            self.held.shrink_to(MAX_KEPT);
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.held.capacity()
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(bytes.len().min(len));
    *bytes = rest;
    taken
}

const HEADER: usize = 5;
/// "The length MUST NOT exceed 2^14 + 256 bytes" (RFC 8446 §5.2). TLS 1.2 allows more, which no suite here makes use of.
const MAX_PROTECTED: usize = (1 << 14) + 256;
const MAX_CLEAR: usize = (1 << 14) + 2048;
/// Room that is kept between records, in bytes.
const MAX_KEPT: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Eq, PartialEq)]
    enum Seen {
        Clear(u8),
        Protected(Vec<u8>),
        Invalid,
    }

    fn feed(records: &mut Records, mut bytes: &[u8], seen: &mut Vec<Seen>) {
        while let Some(step) = records.next(&mut bytes, |kind| kind == 23) {
            seen.push(match step {
                Step::Clear { kind, .. } => Seen::Clear(kind),
                Step::Protected { body, .. } => Seen::Protected(body.to_vec()),
                Step::Invalid => return seen.push(Seen::Invalid),
            });
        }
    }

    #[test]
    fn records_are_whole_however_they_are_cut() {
        let stream = b"\x16\x03\x01\0\x03abc\x17\x03\x03\0\x04wxyz\x14\x03\x03\0\0\x17\x03\x03\0\0";
        for size in 1..=stream.len() {
            let (mut records, mut seen) = (Records::default(), Vec::new());
            stream.chunks(size).for_each(|piece| feed(&mut records, piece, &mut seen));
            let expected = [
                Seen::Clear(22),
                Seen::Protected(b"wxyz".to_vec()),
                Seen::Clear(20),
                Seen::Protected(vec![]),
            ];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_record_is_invalid() {
        let longest =
            |kind: u8, len: usize| [&[kind, 3, 3][..], &(len as u16).to_be_bytes()].concat();
        for invalid in [&b"GET / HTTP"[..], &[23, 2, 0, 0, 1], &longest(23, MAX_PROTECTED + 1)] {
            let (mut records, mut seen) = (Records::default(), Vec::new());
            feed(&mut records, invalid, &mut seen);
            assert_eq!(seen, [Seen::Invalid], "{invalid:?}");
        }
        for valid in [longest(23, MAX_PROTECTED), longest(22, MAX_CLEAR)] {
            let (mut records, mut seen) = (Records::default(), Vec::new());
            feed(&mut records, &valid, &mut seen);
            assert!(!seen.contains(&Seen::Invalid), "{valid:?}");
        }
    }

    #[test]
    fn no_more_is_held_than_has_arrived() {
        let (mut records, mut seen) = (Records::default(), Vec::new());
        feed(&mut records, &[23, 3, 3, 0x40, 0, 1], &mut seen);
        assert!(records.heap_bytes() < 64);
        feed(&mut records, &[0; 8000], &mut seen);
        assert!(records.heap_bytes() < 2 * 8006 + 64);
        feed(&mut records, &[0; 0x4000 - 8001], &mut seen);
        assert_eq!(seen, [Seen::Protected([vec![1], vec![0; 0x4000 - 1]].concat())]);
        assert!(records.heap_bytes() <= MAX_KEPT);
    }

    #[test]
    fn a_gap_within_a_record_costs_that_record() {
        let (mut records, mut seen) = (Records::default(), Vec::new());
        feed(&mut records, b"\x17\x03\x03\0\x04w", &mut seen);
        assert_eq!(records.gap(2), Lost::Protected { len: 4 });
        feed(&mut records, b"z\x17\x03\x03\0\x01!\x16\x03\x03\0\x04", &mut seen);
        assert_eq!(records.gap(4), Lost::Clear);
        feed(&mut records, b"\x17\x03\x03\0\x01?", &mut seen);
        let expected =
            [Seen::Protected(b"!".to_vec()), Seen::Clear(22), Seen::Protected(b"?".to_vec())];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_gap_beyond_a_record_hides_where_the_next_one_begins() {
        for (start, len, bytes) in [
            (&b""[..], 3, 3),
            (b"\x17\x03", 1, 3),
            (b"\x17\x03\x03\0\x04w", 4, 10),
            (b"\x16\x03\x03\0\x04w", 4, 7),
            (b"\x17\x03\x03\0\x01w", 1, 1),
            (b"", u64::MAX - 8, u64::MAX - 8),
            (b"\x17\x03", u64::MAX, u64::MAX),
        ] {
            let (mut records, mut seen) = (Records::default(), Vec::new());
            feed(&mut records, start, &mut seen);
            assert_eq!(records.gap(len), Lost::Boundary { bytes }, "{start:?} {len}");
        }
    }
}
