use flowscope_core::{LinkType, PacketView, Timestamp};
use pcap_parser::PcapError;
use pcap_parser::nom::{Err, IResult};
use pcap_parser::pcapng::{
    Block, PcapNGOption, UnknownBlock, parse_block_be, parse_block_le, parse_unknownblock_be,
    parse_unknownblock_le,
};

use crate::clock::Clock;
use crate::interface::bounded_text;
use crate::secrets::SecretsSink;
use crate::step::{Short, Stop};
use crate::{DecryptionSecrets, Expected, Interface};

/// Reader of pcapng blocks (draft-ietf-opsawg-pcapng).
///
/// Interfaces are numbered through the whole file: the first one of a section follows the last one of the
/// section before.
pub(crate) struct Ng {
    order: ByteOrder,
    /// Number of interfaces in earlier sections.
    base: usize,
    /// Time of the latest packet that has one.
    last_ts: Timestamp,
    /// Number of packets without a time.
    untimed: u64,
}

impl Ng {
    /// Whether a file that begins with these bytes is pcapng.
    pub(crate) fn recognizes(start: &[u8]) -> bool {
        start.starts_with(&SECTION_HEADER)
            && start.get(8..12).is_none_or(|magic| ByteOrder::from_magic(magic).is_some())
    }

    pub(crate) fn new() -> Ng {
        Ng { order: ByteOrder::Little, base: 0, last_ts: Timestamp::ZERO, untimed: 0 }
    }

    /// Reads the block at the start of `data` and returns its length. `shift` is added to interface numbers.
    pub(crate) fn step<'a>(
        &mut self,
        data: &'a [u8],
        max: u32,
        interfaces: &mut Vec<Interface>,
        secrets: Option<&mut SecretsSink>,
        shift: u32,
        views: &mut Vec<PacketView<'a>>,
    ) -> Result<usize, Stop> {
        let framed = self.frame(data, max)?;
        match framed.kind {
            ENHANCED | OBSOLETE => {
                let packet = self.packet(&framed, interfaces, shift)?;
                self.last_ts = packet.ts();
                views.push(packet);
            }
            SIMPLE => {
                views.push(self.simple(&framed, interfaces, shift)?);
                self.untimed += 1;
            }
            SECTION => self.section(&framed, interfaces)?,
            INTERFACE => self.interface(&framed, interfaces)?,
            STATISTICS => self.statistics(&framed, interfaces)?,
            SECRETS => {
                if let Some(sink) = secrets {
                    if !views.is_empty() {
                        return Err(Stop::Wait);
                    }
                    sink.pass(framed.secrets());
                }
            }
            // Names, journals and unknown blocks: none holds packets.
            _ => {}
        }
        Ok(framed.bytes.len())
    }

    /// Number of packets without a time so far.
    pub(crate) fn untimed(&self) -> u64 {
        self.untimed
    }

    /// Finds the end of the block and checks that both length fields agree.
    fn frame<'a>(&self, data: &'a [u8], max: u32) -> Result<Framed<'a>, Stop> {
        let Some((head, _)) = data.split_first_chunk::<12>() else {
            return Err(Short { record: "block", need: 12, packet: false }.into());
        };
        let [k0, k1, k2, k3, l0, l1, l2, l3, magic @ ..] = *head;
        let order = if [k0, k1, k2, k3] == SECTION_HEADER {
            ByteOrder::from_magic(&magic).ok_or(Expected::WellFormed("a byte-order magic"))?
        } else {
            self.order
        };
        let kind = order.u32([k0, k1, k2, k3]);
        let len = order.u32([l0, l1, l2, l3]);
        // The options of these blocks become a list, which may be eight times as large as they.
        let max = match kind {
            SECTION | INTERFACE | STATISTICS => max.min(MAX_DESCRIPTION),
            _ => max,
        };
        if len > max {
            return Err(Expected::AtMost { record: name(kind), max, claimed: len.into() }.into());
        }
        let need = len as usize;
        let Some(bytes) = data.get(..need) else {
            let packet = match kind {
                ENHANCED | OBSOLETE => data.len() >= 28,
                SIMPLE => data.len() >= 12,
                _ => false,
            };
            return Err(Short { record: name(kind), need, packet }.into());
        };
        let parsed = match order {
            ByteOrder::Little => parse_unknownblock_le(bytes),
            ByteOrder::Big => parse_unknownblock_be(bytes),
        };
        let Ok((_, UnknownBlock { block_len1, block_len2, data: content, .. })) = parsed else {
            return Err(Expected::WellFormed("a block of at least 12 bytes").into());
        };
        if block_len1 != block_len2 {
            let what = "a block whose length is the same at both ends";
            return Err(Expected::WellFormed(what).into());
        }
        Ok(Framed { kind, order, bytes, content })
    }

    /// Starts a section: sets its byte order and the number of its first interface.
    fn section(&mut self, framed: &Framed<'_>, interfaces: &[Interface]) -> Result<(), Expected> {
        let Some(Block::SectionHeader(block)) = framed.parse() else {
            return Err(Expected::WellFormed("a section header block"));
        };
        // Versions 1.0 and 1.2 are equal; other major versions may differ in any way.
        if block.major_version != 1 {
            let found = (block.major_version, block.minor_version);
            return Err(Expected::Version { expected: 1, found });
        }
        self.order = framed.order;
        self.base = interfaces.len();
        Ok(())
    }

    fn interface(
        &mut self,
        framed: &Framed<'_>,
        interfaces: &mut Vec<Interface>,
    ) -> Result<(), Expected> {
        let Some(Block::InterfaceDescription(block)) = framed.parse() else {
            return Err(Expected::WellFormed("an interface description block"));
        };
        if interfaces.len() >= MAX_INTERFACES {
            return Err(Expected::FewerInterfaces(MAX_INTERFACES));
        }
        let (mut resolution, mut offset) = (6, 0);
        let (mut name, mut description) = (None, None);
        for (code, value) in options(&block.options) {
            match (code, value) {
                (2, text) => name = Some(bounded_text(text)),
                (3, text) => description = Some(bounded_text(text)),
                (9, &[value]) => resolution = value,
                // The parser reads this option as little-endian in every file.
                (14, value) => offset = self.order.u64(value).map_or(0, u64::cast_signed),
                _ => {}
            }
        }
        let clock = Clock::new(resolution, offset).ok_or(Expected::Resolution(resolution))?;
        // The field has 16 bits; the parser widens it.
        let link = LinkType(block.linktype.0 as u16);
        let described = Interface::new(link, block.snaplen, clock);
        interfaces.push(Interface { name, description, ..described });
        Ok(())
    }

    /// Stores the counters of an interface. They are totals, so the last block counts. A block of an unknown
    /// interface is ignored.
    fn statistics(
        &mut self,
        framed: &Framed<'_>,
        interfaces: &mut [Interface],
    ) -> Result<(), Expected> {
        let Some(Block::InterfaceStatistics(block)) = framed.parse() else {
            return Err(Expected::WellFormed("an interface statistics block"));
        };
        let described = interfaces.get_mut(self.base..).unwrap_or_default();
        if let Some(interface) = described.get_mut(block.if_id as usize) {
            for (code, value) in options(&block.options) {
                let Some(value) = self.order.u64(value) else { continue };
                match code {
                    4 => interface.received = Some(value),
                    5 => interface.dropped = Some(value),
                    7 => interface.dropped_by_os = Some(value),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The packet of an enhanced packet block, or of the obsolete kind before it, which differs in
    /// its first word only: 16 bits of interface, 16 bits of drops.
    ///
    /// Read here, not by the parser: it does not know the obsolete kind, and makes a list of the
    /// options of every packet. A test compares the two on what both read.
    fn packet<'a>(
        &self,
        framed: &Framed<'a>,
        interfaces: &[Interface],
        shift: u32,
    ) -> Result<PacketView<'a>, Expected> {
        let order = self.order;
        let Some((head, rest)) = framed.content.split_first_chunk::<20>() else {
            return Err(Expected::WellFormed("a packet block of at least 32 bytes"));
        };
        let word = |at: usize| order.u32([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let id = if framed.kind == OBSOLETE {
            u32::from(order.u16([head[0], head[1]]))
        } else {
            word(0)
        };
        let interface = self.described(interfaces, id)?;
        let ticks = u64::from(word(4)) << 32 | u64::from(word(8));
        let Some(frame) = rest.get(..word(12) as usize) else {
            return Err(Expected::WellFormed("a packet that fits its block"));
        };
        Ok(PacketView::new(frame, interface.link, interface.clock.at(ticks))
            .with_wire_len(word(16))
            .with_interface(self.number(id, shift)))
    }

    /// The packet of a simple packet block: on the first interface of the section, cut to its snap
    /// length, with the time of the packet before it (draft-ietf-opsawg-pcapng §4.4: the block has none).
    fn simple<'a>(
        &self,
        framed: &Framed<'a>,
        interfaces: &[Interface],
        shift: u32,
    ) -> Result<PacketView<'a>, Expected> {
        let Some((wire_len, rest)) = framed.content.split_first_chunk::<4>() else {
            return Err(Expected::WellFormed("a simple packet block of at least 16 bytes"));
        };
        let wire_len = self.order.u32(*wire_len);
        let interface = self.described(interfaces, 0)?;
        let captured = match interface.snaplen {
            0 => wire_len,
            snaplen => wire_len.min(snaplen),
        };
        let Some(frame) = rest.get(..captured as usize) else {
            return Err(Expected::WellFormed("a packet that fits its block"));
        };
        Ok(PacketView::new(frame, interface.link, self.last_ts)
            .without_own_time()
            .with_wire_len(wire_len)
            .with_interface(self.number(0, shift)))
    }

    fn described<'a>(&self, all: &'a [Interface], id: u32) -> Result<&'a Interface, Expected> {
        let of_section = all.get(self.base..).unwrap_or_default();
        let described = of_section.len();
        of_section.get(id as usize).ok_or(Expected::Interface { id, described })
    }

    /// The number of an interface in the whole capture. There are at most [`MAX_INTERFACES`] in a
    /// file, but any number of files.
    fn number(&self, id: u32, shift: u32) -> u32 {
        (self.base as u32).saturating_add(id).saturating_add(shift)
    }
}

/// A complete block.
struct Framed<'a> {
    kind: u32,
    order: ByteOrder,
    /// The whole block.
    bytes: &'a [u8],
    /// The content between the two length fields.
    content: &'a [u8],
}

impl<'a> Framed<'a> {
    /// The content of a block of decryption secrets (draft-ietf-opsawg-pcapng §4.7); `None` if it does not fit the
    /// block.
    fn secrets(&self) -> Option<DecryptionSecrets<'a>> {
        let (kind, rest) = self.content.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let data = rest.get(..self.order.u32(*len) as usize)?;
        Some(DecryptionSecrets { kind: self.order.u32(*kind), data })
    }

    /// Parses the block by its kind; `None` if its fields are inconsistent.
    fn parse(&self) -> Option<Block<'a>> {
        let parse: ParseBlock = match self.order {
            ByteOrder::Little => parse_block_le,
            ByteOrder::Big => parse_block_be,
        };
        match parse(self.bytes) {
            Ok((_, block)) => Some(block),
            Err(Err::Incomplete(_) | Err::Error(_) | Err::Failure(_)) => None,
        }
    }
}

type ParseBlock = for<'a> fn(&'a [u8]) -> IResult<&'a [u8], Block<'a>, PcapError<&'a [u8]>>;

/// Codes and values of the options, up to the end-of-options option.
fn options<'a>(options: &'a [PcapNGOption<'_>]) -> impl Iterator<Item = (u16, &'a [u8])> {
    options
        .iter()
        .take_while(|option| option.code.0 != 0)
        .filter_map(|option| Some((option.code.0, option.as_bytes().ok()?)))
}

/// The byte order of a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    fn from_magic(magic: &[u8]) -> Option<ByteOrder> {
        match magic {
            [0x4d, 0x3c, 0x2b, 0x1a] => Some(ByteOrder::Little),
            [0x1a, 0x2b, 0x3c, 0x4d] => Some(ByteOrder::Big),
            _ => None,
        }
    }

    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        }
    }

    fn u64(self, bytes: &[u8]) -> Option<u64> {
        let bytes = bytes.try_into().ok()?;
        Some(match self {
            ByteOrder::Little => u64::from_le_bytes(bytes),
            ByteOrder::Big => u64::from_be_bytes(bytes),
        })
    }
}

fn name(kind: u32) -> &'static str {
    match kind {
        SECTION => "section header block",
        INTERFACE => "interface description block",
        OBSOLETE => "obsolete packet block",
        SIMPLE => "simple packet block",
        STATISTICS => "interface statistics block",
        ENHANCED => "enhanced packet block",
        SECRETS => "decryption secrets block",
        _ => "block",
    }
}

/// The type of a section header block reads the same in both byte orders.
const SECTION_HEADER: [u8; 4] = SECTION.to_le_bytes();

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE: u32 = 2;
const SIMPLE: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED: u32 = 6;
const SECRETS: u32 = 10;

/// Usual blocks have a few hundred bytes.
const MAX_DESCRIPTION: u32 = 1 << 20;

/// An interface takes 20 bytes of a file and several times as much of memory.
pub(crate) const MAX_INTERFACES: usize = 1 << 16;
