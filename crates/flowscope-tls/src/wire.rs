use flowscope_core::{ParseError, Probe};

/// Cuts one side's byte stream into records (RFC 8446 §5.1), without buffering their bodies.
///
/// Holds five bytes whatever is fed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    header: [u8; HEADER],
    have: u8,
    /// Of the record whose body is being read, or was read last.
    record: Record,
    left: u16,
    begun: bool,
}

/// What the header of a record says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) content: Content,
    /// Length of the body.
    pub(crate) len: u16,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Content {
    ChangeCipherSpec,
    Alert,
    Handshake,
    #[default]
    ApplicationData,
    /// RFC 6520.
    Heartbeat,
    /// A ClientHello framed as in SSL 2.0 (RFC 5246 appendix E.2). These are the two bytes of its
    /// version, which the body lacks.
    Sslv2Hello([u8; 2]),
}

#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// A record begins.
    Header(Record),
    /// More of its body, never empty.
    Body(Record, &'a [u8]),
}

impl Records {
    /// The next piece of the stream, taken off `bytes`; `None` once they are used up.
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
    ) -> Result<Option<Piece<'a>>, ParseError> {
        if self.left > 0 {
            let (body, rest) = bytes.split_at(bytes.len().min(usize::from(self.left)));
            *bytes = rest;
            self.left -= body.len() as u16;
            return Ok((!body.is_empty()).then_some(Piece::Body(self.record, body)));
        }
        let room = self.header.get_mut(usize::from(self.have)..).unwrap_or_default();
        let (taken, rest) = bytes.split_at(bytes.len().min(room.len()));
        *bytes = rest;
        for (to, from) in room.iter_mut().zip(taken) {
            *to = *from;
        }
        self.have += taken.len() as u8;
        if usize::from(self.have) < HEADER {
            return Ok(None);
        }
        self.have = 0;
        self.record = match record(self.header) {
            Ok(record) => record,
            Err(_)
                if !self.begun
                    && let Some(hello) = sslv2_hello(self.header) =>
            {
                hello
            }
            Err(ParseError::InvalidField(field)) if self.begun => {
                return Err(ParseError::InvalidField(field));
            }
            Err(error) if is_record(&self.header) => return Err(error),
            Err(_) => return Err(ParseError::NotTheProtocol),
        };
        self.begun = true;
        self.left = match self.record.content {
            Content::Sslv2Hello(_) => self.record.len.saturating_sub(SSLV2_IN_HEADER),
            _ => self.record.len,
        };
        Ok(Some(Piece::Header(self.record)))
    }

    /// Goes over `len` bytes that were never captured, if they all lie in the body of one record:
    /// that one.
    pub(crate) fn skip(&mut self, len: u64) -> Option<Record> {
        self.left = u64::from(self.left).checked_sub(len)? as u16;
        Some(self.record)
    }
}

/// Whether the first bytes of a stream look like TLS.
pub(crate) fn probe(start: &[u8]) -> Probe {
    // A bound on each of the header's bytes; those that are not there yet agree with anything.
    let agrees =
        |at: usize, with: &dyn Fn(u8) -> bool| start.get(at).is_none_or(|byte| with(*byte));
    let Some(first) = start.first() else { return Probe::Maybe };
    if first & 0x80 != 0 {
        return match start.first_chunk::<HEADER>() {
            Some(header) if sslv2_hello(*header).is_some() => Probe::Yes,
            None if agrees(2, &|kind| kind == 1) && agrees(3, &|major| matches!(major, 0 | 3)) => {
                Probe::Maybe
            }
            _ => Probe::No,
        };
    }
    match start.first_chunk::<HEADER>() {
        Some(header) => match (record(*header), start.get(5)) {
            (Ok(Record { content: Content::Handshake, len: 1.. }), Some(1 | 2)) => Probe::Yes,
            (Ok(_), _) => Probe::Maybe,
            (Err(_), _) => Probe::No,
        },
        None if matches!(first, 20..=24)
            && agrees(1, &|major| major == 3)
            && agrees(2, &|minor| minor <= 4) =>
        {
            Probe::Maybe
        }
        None => Probe::No,
    }
}

fn record(header: [u8; HEADER]) -> Result<Record, ParseError> {
    let [kind, major, minor, high, low] = header;
    let content = match kind {
        20 => Content::ChangeCipherSpec,
        21 => Content::Alert,
        22 => Content::Handshake,
        23 => Content::ApplicationData,
        24 => Content::Heartbeat,
        _ => return Err(ParseError::InvalidField("TLSPlaintext.type")),
    };
    // "legacy_record_version ... MUST be ignored for all purposes" by endpoints, which know that
    // they speak TLS; here it tells TLS from other protocols.
    if major != 3 || minor > 4 {
        return Err(ParseError::InvalidField("TLSPlaintext.legacy_record_version"));
    }
    let len = u16::from_be_bytes([high, low]);
    if len > MAX_CIPHERTEXT {
        return Err(ParseError::InvalidField("TLSCiphertext.length"));
    }
    Ok(Record { content, len })
}

/// Type and version are those of a record, whatever its length.
fn is_record(header: &[u8; HEADER]) -> bool {
    matches!(header, [20..=24, 3, 0..=4, ..])
}

fn sslv2_hello(header: [u8; HEADER]) -> Option<Record> {
    let [high, low, kind, major, minor] = header;
    let len = u16::from_be_bytes([high & 0x7f, low]);
    let known = kind == 1 && matches!((major, minor), (0, 2) | (3, 0..=4));
    (high & 0x80 != 0 && known && len >= SSLV2_LEAST)
        .then_some(Record { content: Content::Sslv2Hello([major, minor]), len })
}

const HEADER: usize = 5;
/// "The length MUST NOT exceed 2^14 + 2048" (RFC 5246 §6.2.3); TLS 1.3 allows less.
const MAX_CIPHERTEXT: u16 = (1 << 14) + 2048;
/// Type and version of an SSLv2 hello stand in what is read as the header of a record.
const SSLV2_IN_HEADER: u16 = 3;
/// Type, version, and three lengths.
const SSLV2_LEAST: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_where_their_lengths_say() {
        let stream = [
            &[22, 3, 1, 0, 3, 1, 2, 3][..],
            &[23, 3, 3, 0, 0],
            &[20, 3, 3, 0, 1, 1],
            &[21, 3, 0, 0, 2, 1, 0],
        ]
        .concat();
        for size in 1..=stream.len() {
            let mut records = Records::default();
            let mut seen = Vec::new();
            for mut piece in stream.chunks(size) {
                while let Some(piece) = records.next(&mut piece).unwrap() {
                    match piece {
                        Piece::Header(record) => seen.push((record.content, Vec::new())),
                        Piece::Body(_, body) => seen.last_mut().unwrap().1.extend_from_slice(body),
                    }
                }
            }
            let expected = [
                (Content::Handshake, vec![1, 2, 3]),
                (Content::ApplicationData, vec![]),
                (Content::ChangeCipherSpec, vec![1]),
                (Content::Alert, vec![1, 0]),
            ];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_record_is_named() {
        fn check(bytes: &[u8], expected: ParseError) {
            let (mut records, mut left) = (Records::default(), bytes);
            let error = loop {
                match records.next(&mut left) {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{bytes:?} is fine"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, expected, "{bytes:?}");
        }
        check(b"GET / HTTP/1.1\r\n", ParseError::NotTheProtocol);
        check(&[22, 2, 1, 0, 3], ParseError::NotTheProtocol);
        check(&[22, 3, 5, 0, 3], ParseError::NotTheProtocol);
        check(&[22, 3, 1, 0x48, 1], ParseError::InvalidField("TLSCiphertext.length"));
        let after = |header: [u8; 5]| [&[20, 3, 3, 0, 1, 1][..], &header].concat();
        check(&after([25, 3, 3, 0, 1]), ParseError::InvalidField("TLSPlaintext.type"));
        check(
            &after([22, 4, 3, 0, 1]),
            ParseError::InvalidField("TLSPlaintext.legacy_record_version"),
        );
        check(&after([22, 3, 3, 0xff, 1]), ParseError::InvalidField("TLSCiphertext.length"));
        // An SSLv2 hello comes first or not at all.
        check(&after([0x80, 46, 1, 3, 1]), ParseError::InvalidField("TLSPlaintext.type"));
    }

    /// RFC 5246 §6.2.3: up to 2^14 + 2048 bytes of ciphertext.
    #[test]
    fn the_longest_record_is_read_and_a_longer_one_is_not() {
        for kind in [22, 23] {
            let first = |len: u16| {
                let [high, low] = len.to_be_bytes();
                let mut bytes = &[20, 3, 3, 0, 1, 1, kind, 3, 3, high, low][..];
                let mut records = Records::default();
                let mut lens = Vec::new();
                while let Some(piece) = records.next(&mut bytes)? {
                    if let Piece::Header(record) = piece {
                        lens.push(record.len);
                    }
                }
                Ok(lens)
            };
            assert_eq!(first(18_432), Ok(vec![1, 18_432]));
            assert_eq!(first(18_433), Err(ParseError::InvalidField("TLSCiphertext.length")));
        }
        for (high, low, expected) in [(0x48, 0, Probe::Yes), (0x48, 1, Probe::No)] {
            assert_eq!(probe(&[22, 3, 3, high, low, 1]), expected, "{high:#x} {low:#x}");
        }
    }

    #[test]
    fn a_gap_is_skipped_within_one_record_only() {
        let mut records = Records::default();
        let mut bytes = &[23, 3, 3, 0, 10, 7][..];
        while records.next(&mut bytes).unwrap().is_some() {}
        assert_eq!(records.skip(10), None);
        assert_eq!(records.skip(9).map(|record| record.len), Some(10));
        assert_eq!(records.skip(1), None);
    }

    #[test]
    fn the_first_bytes_tell() {
        fn check(start: &[u8], expected: Probe) {
            assert_eq!(probe(start), expected, "{start:02x?}");
        }
        check(&[], Probe::Maybe);
        check(&[22, 3, 1, 2, 0, 1], Probe::Yes);
        check(&[22, 3, 3, 0, 90, 2], Probe::Yes);
        check(&[22, 3, 3, 0, 90], Probe::Maybe);
        check(&[22, 3, 3, 0, 90, 11], Probe::Maybe);
        check(&[22, 3, 3, 0, 0, 1], Probe::Maybe);
        check(&[22, 3, 3, 0xff, 0, 1], Probe::No);
        check(&[22, 3, 5], Probe::No);
        check(&[22, 2], Probe::No);
        check(&[23, 3, 3, 0, 90, 1], Probe::Maybe);
        check(&[21, 3, 3], Probe::Maybe);
        check(b"G", Probe::No);
        check(&[0x80], Probe::Maybe);
        check(&[0x80, 46, 1, 3, 1], Probe::Yes);
        check(&[0x80, 46, 1, 0, 2, 0], Probe::Yes);
        check(&[0x80, 46, 1, 0], Probe::Maybe);
        check(&[0x80, 46, 2], Probe::No);
        check(&[0x80, 46, 1, 5], Probe::No);
        check(&[0x80, 8, 1, 3, 1], Probe::No);
        // A hello of SSL 2.0 has nine bytes at least: type, version and three lengths.
        check(&[0x80, 9, 1, 3, 1], Probe::Yes);
    }

    #[test]
    fn what_the_probe_has_decided_stays() {
        let mut rng = flowscope_testkit::Rng::new(3);
        for _ in 0..20_000 {
            let likely = [22, 3, 1, 0, 1, 1, 0x80, 2];
            let bytes: Vec<u8> = (0..8)
                .map(|_| if rng.one_in(6) { rng.below(256) as u8 } else { *rng.pick(&likely) })
                .collect();
            let mut last = Probe::Maybe;
            for end in 0..=bytes.len() {
                let now = probe(&bytes[..end]);
                assert!(last == Probe::Maybe || now == last, "{bytes:02x?} at {end}");
                last = now;
            }
        }
    }
}
