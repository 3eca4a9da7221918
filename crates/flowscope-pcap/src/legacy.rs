use flowscope_core::{LinkType, PacketView, Timestamp};
use pcap_parser::PcapError;
use pcap_parser::nom::{Err, IResult, Needed};
use pcap_parser::pcap::{
    LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

use crate::clock::Clock;
use crate::step::{Short, Stop};
use crate::{Expected, Interface};

/// Reader of pcap records (draft-ietf-opsawg-pcap).
pub(crate) struct Legacy {
    parse: ParseRecord,
    /// Bytes of a record before its packet.
    head: usize,
    /// Nanoseconds per unit of a record's fraction of a second.
    scale: u64,
    link: LinkType,
}

type ParseRecord =
    for<'a> fn(&'a [u8]) -> IResult<&'a [u8], LegacyPcapBlock<'a>, PcapError<&'a [u8]>>;

impl Legacy {
    /// Whether this is the magic number of a pcap file.
    pub(crate) fn recognizes(magic: [u8; 4]) -> bool {
        // The parser is asked with a header whose other fields are zero.
        let mut header = [0; FILE_HEADER];
        header[..4].copy_from_slice(&magic);
        parse_pcap_header(&header).is_ok()
    }

    /// Reads the header of a file, once all of its [`FILE_HEADER`] bytes are there.
    ///
    /// The field for the time zone is ignored, as every tool does. The upper half of the link type
    /// says how long a frame check sequence is, if there is one; only the lower half is the type.
    pub(crate) fn open(data: &[u8]) -> Result<(Legacy, Interface), Stop> {
        let header = match parse_pcap_header(data) {
            Ok((_, header)) => header,
            Err(Err::Incomplete(_)) => {
                let record = "pcap file header";
                return Err(Short { record, need: FILE_HEADER, packet: false }.into());
            }
            Err(_) => return Err(Expected::WellFormed("a pcap file header").into()),
        };
        // Versions before 2 have another layout; there has been none after it.
        if header.version_major != 2 {
            let found = (header.version_major, header.version_minor);
            return Err(Expected::Version { expected: 2, found }.into());
        }
        let nanos = header.is_nanosecond_precision();
        let (parse, head) = parser(&header);
        let link = LinkType((header.network.0.cast_unsigned() & 0xffff) as u16);
        let legacy = Legacy { parse, head, scale: if nanos { 1 } else { 1000 }, link };
        let clock = if nanos { Clock::NANOSECONDS } else { Clock::MICROSECONDS };
        Ok((legacy, Interface::new(link, header.snaplen, clock)))
    }

    /// Reads the record at the start of `data` and returns its length.
    pub(crate) fn step<'a>(
        &self,
        data: &'a [u8],
        max: u32,
        interface: u32,
        views: &mut Vec<PacketView<'a>>,
    ) -> Result<usize, Stop> {
        let (need, record) = match (self.parse)(data) {
            Ok((rest, record)) => (data.len() - rest.len(), Some(record)),
            Err(Err::Incomplete(Needed::Size(more))) => {
                (data.len().saturating_add(more.get()), None)
            }
            Err(_) => return Err(Expected::WellFormed(RECORD).into()),
        };
        // Checked whether or not the bytes have arrived: the result must not depend on how much was read at
        // once.
        if need > max as usize {
            return Err(Expected::AtMost { record: RECORD, max, claimed: need as u64 }.into());
        }
        let Some(record) = record else {
            let packet = data.len() >= self.head;
            return Err(Short { record: RECORD, need, packet }.into());
        };
        // The fraction of a second may exceed one second; it carries over.
        let nanos =
            u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * self.scale;
        views.push(
            PacketView::new(record.data, self.link, Timestamp::from_nanos(nanos))
                .with_wire_len(record.origlen)
                .with_interface(interface),
        );
        Ok(need)
    }
}

/// How to read a record, and how many bytes of it come before the packet.
fn parser(header: &PcapHeader) -> (ParseRecord, usize) {
    if header.is_modified_format() {
        (parse_pcap_frame_modified, 24)
    } else if header.is_bigendian() {
        (parse_pcap_frame_be, 16)
    } else {
        (parse_pcap_frame, 16)
    }
}

/// Bytes of a file before its first record.
pub(crate) const FILE_HEADER: usize = 24;

const RECORD: &str = "packet record";
