//! Frames of the data link (IEEE 1815 §9.2): a header with its check sum, and blocks of 16 bytes with theirs.

use flowscope_core::{ParseError, Probe};
use flowscope_lengths::Head;

use crate::Dnp3Control;

/// Bytes of the header: start, length, control, addresses and a check sum.
pub(crate) const HEADER: usize = 10;
/// Bytes of a block, and of the check sum behind it.
const BLOCK: usize = 16;
const SUM: usize = 2;
/// Control and addresses are counted by the length.
const COUNTED: u8 = 5;
/// User data of the longest frame, and what it takes on the wire.
pub(crate) const MAX_DATA: usize = 250;
pub(crate) const MAX_BODY: usize = MAX_DATA + MAX_DATA.div_ceil(BLOCK) * SUM;

/// The header of a frame.
///
/// # Errors
///
/// Other start bytes, a length that is none, and a check sum that is not that of the header: then no length is known.
pub(crate) fn head(start: &[u8]) -> Result<Option<Head>, ParseError> {
    let is_start = start.iter().zip(b"\x05\x64").all(|(byte, expected)| byte == expected);
    if !is_start {
        return Err(ParseError::InvalidField("start"));
    }
    if start.get(2).is_some_and(|&len| len < COUNTED) {
        return Err(ParseError::InvalidField("length"));
    }
    let Some(header) = start.first_chunk::<HEADER>() else { return Ok(None) };
    if !is_intact(header) {
        return Err(ParseError::InvalidField("CRC"));
    }
    let data = usize::from(header[2] - COUNTED);
    Ok(Some(Head { len: HEADER, body: (data + data.div_ceil(BLOCK) * SUM) as u32 }))
}

/// A frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) control: Dnp3Control,
    pub(crate) destination: u16,
    pub(crate) source: u16,
}

impl Frame {
    /// What this header says.
    pub(crate) fn new(header: &[u8]) -> Option<Frame> {
        let &[_, _, _, control, a, b, c, d, ..] = header else { return None };
        Some(Frame {
            control: Dnp3Control(control),
            destination: u16::from_le_bytes([a, b]),
            source: u16::from_le_bytes([c, d]),
        })
    }
}

/// User data, without check sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    bytes: [u8; MAX_DATA],
    len: usize,
}

impl Data {
    /// The user data in a body: of one that was cut the blocks that are whole. `None` if a check sum is wrong.
    pub(crate) fn new(body: &[u8], is_whole: bool) -> Option<Data> {
        let mut data = Data { bytes: [0; MAX_DATA], len: 0 };
        for block in body.chunks(BLOCK + SUM) {
            if !is_whole && block.len() < BLOCK + SUM {
                break;
            }
            let at = data.len;
            let bytes = block.get(..block.len().checked_sub(SUM)?)?;
            if !is_intact(block) {
                return None;
            }
            data.bytes.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
            data.len += bytes.len();
        }
        Some(data)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Whether the last two bytes are the check sum of those before them.
fn is_intact(bytes: &[u8]) -> bool {
    let Some((bytes, sum)) = bytes.split_last_chunk::<SUM>() else { return false };
    checksum(bytes) == u16::from_le_bytes(*sum)
}

/// The cyclic redundancy check (§9.2): polynomial 0x3d65, bits reversed, result inverted.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let add = |crc: u16, byte: &u8| crc >> 8 ^ REMAINDERS[usize::from(crc as u8 ^ byte)];
    !bytes.iter().fold(0, add)
}

/// What each byte alone leaves.
static REMAINDERS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = byte as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xa6bc };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Sure of a header whose check sum is right.
pub(crate) fn probe(start: &[u8]) -> Probe {
    match head(start) {
        Ok(Some(_)) => Probe::Yes,
        Ok(None) => Probe::Maybe,
        Err(_) => Probe::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &[u8] = b"\x05\x64\x0b\xc4\x01\0\x02\0\x69\x9e\xc0\xc0\x01\x3c\x01\x06\xff\x50";

    #[test]
    fn a_header_has_a_check_sum() {
        assert_eq!(checksum(&READ[..HEADER - SUM]), 0x9e69);
        assert_eq!(head(READ), Ok(Some(Head { len: HEADER, body: 8 })));
        for len in 0..HEADER {
            assert_eq!((head(&READ[..len]), probe(&READ[..len])), (Ok(None), Probe::Maybe));
        }
        for at in 0..HEADER {
            let mut bytes = READ.to_vec();
            bytes[at] ^= 1;
            assert_eq!(probe(&bytes), Probe::No, "{at}");
        }
        assert_eq!(head(b"\x05\x64\x04"), Err(ParseError::InvalidField("length")));
    }

    #[test]
    fn blocks_have_check_sums() {
        let block = |bytes: &[u8]| [bytes, &checksum(bytes).to_le_bytes()].concat();
        let body = [block(&[1; BLOCK]), block(&[2; 3])].concat();
        let read = |body: &[u8], is_whole| Data::new(body, is_whole).map(|it| it.bytes().to_vec());
        assert_eq!(read(&body, true), Some([&[1; BLOCK][..], &[2; 3]].concat()));
        // Of what was cut, the blocks that are whole.
        assert_eq!(read(&body[..20], false), Some(vec![1; BLOCK]));
        assert_eq!((read(&body[..20], true), read(&body[..19], true)), (None, None));
        assert_eq!(read(&[], true), Some(Vec::new()));
        for at in 0..body.len() {
            let mut wrong = body.clone();
            wrong[at] ^= 0x10;
            assert_eq!(read(&wrong, true), None, "{at}");
        }
        let longest = block(&[7; BLOCK]).repeat(15);
        assert_eq!(read(&[longest, block(&[7; 10])].concat(), true).unwrap().len(), MAX_DATA);
    }
}
