//! Just enough of the pcap format to count the records of a file and to tag its frames.

use crate::Result;

/// Length of the file header, in bytes.
const FILE_HEADER: usize = 24;

/// Length of the header before each frame, in bytes.
const RECORD_HEADER: usize = 16;

/// Destination and source address of an Ethernet frame, in bytes; tags follow them.
const ADDRESSES: usize = 12;

/// Magic numbers of little-endian files with microseconds and with nanoseconds.
const MAGIC: [[u8; 4]; 2] = [[0xd4, 0xc3, 0xb2, 0xa1], [0x4d, 0x3c, 0xb2, 0xa1]];

/// An 802.1Q or 802.1ad tag: the protocol identifier, then priority and VLAN number.
pub(crate) type Tag = (u16, u16);

/// Number of complete records; what a writer has only begun to write does not count.
pub(crate) fn complete_records(file: &[u8]) -> usize {
    Records::new(file).count()
}

/// A copy of `file` in which each frame carries `tags`, the outermost first.
///
/// # Errors
///
/// When `file` is no little-endian pcap file, or ends inside a record.
pub(crate) fn with_tags(file: &[u8], tags: &[Tag]) -> Result<Vec<u8>> {
    if !file.get(..4).is_some_and(|magic| MAGIC.iter().any(|known| known == magic)) {
        return Err("not a little-endian pcap file".into());
    }
    let inserted: Vec<u8> = tags
        .iter()
        .flat_map(|(id, value)| [id.to_be_bytes(), value.to_be_bytes()])
        .flatten()
        .collect();
    let longer = |length: u32| length + u32::try_from(inserted.len()).unwrap_or(0);
    let mut records = Records::new(file);
    let mut tagged = file.get(..FILE_HEADER).ok_or("a pcap file without a header")?.to_vec();
    for record in &mut records {
        let (addresses, rest) =
            record.frame.split_at_checked(ADDRESSES).ok_or("a frame without addresses")?;
        tagged.extend(record.time);
        tagged.extend(longer(record.captured).to_le_bytes());
        tagged.extend(longer(record.wire).to_le_bytes());
        tagged.extend(addresses);
        tagged.extend(&inserted);
        tagged.extend(rest);
    }
    if records.rest.is_empty() { Ok(tagged) } else { Err("the file ends inside a record".into()) }
}

/// One frame with its header, lengths in bytes.
struct Record<'a> {
    time: &'a [u8],
    captured: u32,
    wire: u32,
    frame: &'a [u8],
}

/// Complete records from the start of a file on.
struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    fn new(file: &'a [u8]) -> Self {
        Self { rest: file.get(FILE_HEADER..).unwrap_or_default() }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (header, rest) = self.rest.split_at_checked(RECORD_HEADER)?;
        let captured = u32::from_le_bytes(header[8..12].try_into().ok()?);
        let wire = u32::from_le_bytes(header[12..16].try_into().ok()?);
        let (frame, rest) = rest.split_at_checked(usize::try_from(captured).ok()?)?;
        self.rest = rest;
        Some(Record { time: &header[..8], captured, wire, frame })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one frame of 60 bytes per number, all its bytes that number.
    fn file(frames: &[u8]) -> Vec<u8> {
        let mut file = MAGIC[0].to_vec();
        file.resize(FILE_HEADER, 0);
        for &byte in frames {
            file.extend([0; 8]);
            file.extend([60_u32.to_le_bytes(), 90_u32.to_le_bytes()].concat());
            file.extend([byte; 60]);
        }
        file
    }

    #[test]
    fn records_begun_do_not_count() {
        let whole = file(&[1, 2, 3]);
        assert_eq!(complete_records(&whole), 3);
        assert_eq!(complete_records(&whole[..whole.len() - 1]), 2);
        assert_eq!(complete_records(&whole[..10]), 0);
    }

    #[test]
    fn tags_follow_the_addresses() {
        let tagged = with_tags(&file(&[7, 8]), &[(0x88a8, 200), (0x8100, 100)]).unwrap();
        assert_eq!(complete_records(&tagged), 2);
        let record = Records::new(&tagged).nth(1).unwrap();
        assert_eq!((record.captured, record.wire, record.frame.len()), (68, 98, 68));
        assert_eq!(record.frame[..12], [8; 12]);
        assert_eq!(record.frame[12..20], [0x88, 0xa8, 0, 200, 0x81, 0, 0, 100]);
        assert_eq!(record.frame[20..], [8; 48]);
    }

    #[test]
    fn what_is_no_whole_pcap_file_is_refused() {
        let whole = file(&[1]);
        assert!(with_tags(&whole[..whole.len() - 1], &[]).is_err());
        assert!(with_tags(b"\x0a\x0d\x0d\x0a", &[]).is_err());
        assert!(with_tags(&[], &[]).is_err());
    }
}
