//! Whether bytes look like a DNS message.

use flowscope_core::Probe;

use crate::wire::{Unreadable, be16, walk};
use crate::{Class, Header, Opcode, RecordType};

/// Whether a message of `len` bytes with this header is one that a DNS sender, however broken,
/// may have written. What is refused here is no message; all else is one, perhaps with a defect.
///
/// The opcode must exist, and unless the first question can be read, the records must have room:
/// each question takes at least five bytes, each record eleven.
pub(crate) fn plausible(header: Header, bytes: &[u8], len: u32) -> bool {
    if header.opcode().mnemonic().is_none() {
        return false;
    }
    has_room(header, len) || header.counts[0] > 0 && first_question(bytes).is_ok()
}

/// What the first bytes of a message say, `start` of `len`, or of an unknown number.
///
/// Sure of it is only who sees a whole question of a known class after a header without
/// contradictions.
pub(crate) fn probe(start: &[u8], len: Option<u32>) -> Probe {
    let Some(header) = Header::read(start) else {
        let opcode = start.get(2).map(|byte| Opcode(byte >> 3 & 0x0f));
        return match (opcode, len) {
            (_, Some(len)) if (len as usize) < Header::LEN => Probe::No,
            (Some(opcode), _) if opcode.mnemonic().is_none() => Probe::No,
            _ => Probe::Maybe,
        };
    };
    if header.opcode().mnemonic().is_none() || len.is_some_and(|len| !has_room(header, len)) {
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
    let [questions, records @ ..] = header.counts.map(u32::from);
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
        check(&changed(2, b"\x79\x00"), Probe::No);
        check(&changed(6, b"\xff\xff"), Probe::No);
        check(&changed(12, b"\x47"), Probe::No);
        check(&changed(12, b"\xc0\x0c"), Probe::No);
        check(&QUERY[..28], Probe::No);
        check(&QUERY[..11], Probe::No);
        check(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", Probe::No);
        check(&[0; 64], Probe::Maybe);
        check(&[], Probe::No);
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
