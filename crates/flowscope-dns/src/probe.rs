//! Whether bytes look like a DNS message.

use flowscope_core::Probe;

use crate::wire::{Unreadable, be16, walk};
use crate::{Class, Header, Opcode, RecordType};

/// Whether a message of `len` bytes with this header is one that a DNS sender, however broken,
/// may have written. What is refused here is no message; all else is one, perhaps with a defect.
///
/// Unless the first question can be read, the records must have room: each question takes at least
/// five bytes, each record eleven. With an opcode that is not assigned (RFC 6895 §2.2) both must hold. A
/// NetBIOS name service message is none.
pub(crate) fn plausible(header: Header, bytes: &[u8], len: u32) -> bool {
    if is_netbios(header, bytes) {
        return false;
    }
    let room = has_room(header, len);
    let readable = || header.counts[0] > 0 && first_question(bytes).is_ok();
    if header.opcode().mnemonic().is_none() { room && readable() } else { room || readable() }
}

/// Whether a message is one of the NetBIOS name service (RFC 1002 §4.2), which has the header of DNS
/// but names and types of its own.
///
/// Its first name, of a question or a record, is sixteen bytes in first-level encoding: 32 letters from
/// A to P (RFC 1001 §14.1). Its type is NB, NBSTAT or NULL.
pub(crate) fn is_netbios(header: Header, bytes: &[u8]) -> bool {
    const ENCODED: usize = 32;
    if header.counts == [0; 4] {
        return false;
    }
    let Some((&[len], name)) = bytes.get(Header::LEN..).and_then(<[u8]>::split_first_chunk) else {
        return false;
    };
    let Some(name) = name.get(..ENCODED).filter(|_| usize::from(len) == ENCODED) else {
        return false;
    };
    let mut steps = 0;
    let rtype = walk(bytes, Header::LEN, &mut steps).ok().and_then(|name| be16(bytes, name.end));
    name.iter().all(|letter| (b'A'..=b'P').contains(letter))
        && matches!(rtype, Some(0x0a | 0x20 | 0x21))
}

/// What the first bytes of a message say, `start` of `len`, or of an unknown number.
///
/// Sure of it is only who sees a whole question of a known class after a header without
/// contradictions.
pub(crate) fn probe(start: &[u8], len: Option<u32>) -> Probe {
    let Some(header) = Header::read(start) else {
        // As much of the counts as is there; the others may be zero.
        let counts = [4, 6, 8, 10].map(|at| be16(start, at).unwrap_or(0));
        let none = len.is_some_and(|len| !have_room(counts, len));
        return if none { Probe::No } else { Probe::Maybe };
    };
    let unassigned = header.opcode().mnemonic().is_none();
    if len.is_some_and(|len| !has_room(header, len)) || unassigned && header.counts[0] == 0 {
        return Probe::No;
    }
    if is_netbios(header, start) {
        return Probe::No;
    }
    if header.counts[0] == 0 {
        return Probe::Maybe;
    }
    match first_question(start) {
        Ok((rtype, class)) => {
            let [questions, answers, authorities, _] = header.counts;
            let is_query = header.flags & 0x8000 == 0;
            let is_plain_query = answers == 0 && authorities == 0 && header.rcode().0 == 0;
            let sure = questions == 1
                && !header.z()
                && header.opcode() == Opcode::QUERY
                && (!is_query || is_plain_query)
                && rtype.mnemonic().is_some()
                && class.without_top_bit().mnemonic().is_some();
            if sure { Probe::Yes } else { Probe::Maybe }
        }
        Err(Unreadable::Short) if len.is_none_or(|len| start.len() < len as usize) => Probe::Maybe,
        Err(_) => Probe::No,
    }
}

/// Whether the records that the header counts fit behind it.
fn has_room(header: Header, len: u32) -> bool {
    have_room(header.counts, len)
}

fn have_room(counts: [u16; 4], len: u32) -> bool {
    let [questions, records @ ..] = counts.map(u32::from);
    Header::LEN as u32 + 5 * questions + 11 * records.iter().sum::<u32>() <= len
}

fn first_question(bytes: &[u8]) -> Result<(RecordType, Class), Unreadable> {
    let end = walk(bytes, Header::LEN, &mut 0)?.end;
    let (rtype, class) = (be16(bytes, end), be16(bytes, end + 2));
    Ok((RecordType(rtype.ok_or(Unreadable::Short)?), Class(class.ok_or(Unreadable::Short)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

    fn check(bytes: &[u8], expected: Probe) {
        assert_eq!(probe(bytes, Some(bytes.len() as u32)), expected, "{bytes:x?}");
    }

    /// The query with bytes of it replaced.
    fn changed(at: usize, with: &[u8]) -> Vec<u8> {
        let mut bytes = QUERY.to_vec();
        bytes.splice(at..at + with.len(), with.iter().copied());
        bytes
    }

    #[test]
    fn whole_messages() {
        check(QUERY, Probe::Yes);
        check(&changed(2, b"\x81\x83"), Probe::Yes);
        // A multicast question that asks for a unicast response, and one of no known class.
        check(&changed(27, b"\x80\x01"), Probe::Yes);
        check(&changed(27, b"\x00\x09"), Probe::Maybe);
        check(&changed(2, b"\x29\x00"), Probe::Maybe);
        // An opcode that is not assigned, with a question and without.
        check(&changed(2, b"\x79\x00"), Probe::Maybe);
        check(&[&changed(2, b"\x79\x00")[..4], &[0; 8]].concat(), Probe::No);
        check(&changed(6, b"\xff\xff"), Probe::No);
        check(&changed(12, b"\x47"), Probe::No);
        check(&changed(12, b"\xc0\x0c"), Probe::No);
        // RFC 1035 §4.1.1: a query has no response code, and Z is zero; nobody asks two questions at once.
        check(&changed(2, b"\x01\x03"), Probe::Maybe);
        check(&changed(2, b"\x01\x40"), Probe::Maybe);
        check(&[&changed(4, b"\0\x02")[..], &QUERY[12..]].concat(), Probe::Maybe);
        check(&QUERY[..28], Probe::No);
        check(&QUERY[..11], Probe::No);
        check(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", Probe::No);
        check(&[0; 64], Probe::Maybe);
        check(&[], Probe::No);
    }

    /// A question has five bytes at least, a record eleven: the root's name is one.
    #[test]
    fn what_is_counted_needs_its_room() {
        let start = |at: usize| {
            let mut start = vec![0; at + 2];
            start[at + 1] = 2;
            start
        };
        for (at, least) in [(4, 12 + 2 * 5), (6, 12 + 2 * 11), (8, 12 + 2 * 11)] {
            assert_eq!(probe(&start(at), Some(least)), Probe::Maybe, "{at}");
            assert_eq!(probe(&start(at), Some(least - 1)), Probe::No, "{at}");
        }
    }

    #[test]
    fn what_is_decided_stays_decided() {
        let inputs = [QUERY.to_vec(), changed(12, b"\x47"), changed(4, b"\0\x05"), vec![0x16; 40]];
        for input in inputs {
            let len = Some(input.len() as u32);
            let mut last = Probe::Maybe;
            for end in 0..=input.len() {
                let now = probe(&input[..end], len);
                assert!(last == Probe::Maybe || last == now, "{last:?} became {now:?} at {end}");
                last = now;
            }
            assert_ne!(last, Probe::Maybe);
        }
    }
}
