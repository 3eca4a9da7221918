use std::io::Write;

use flowscope_core::{LinkType, PacketView, VlanTag};

use crate::WriteError;

/// Writer of capture files: pcap or pcapng, with timestamps in nanoseconds.
///
/// The writer does not buffer: each packet is a few small writes, so use a [`BufWriter`](std::io::BufWriter).
/// [`finish`](CaptureWriter::finish) flushes and returns it.
///
/// A VLAN tag that the capture stripped from an Ethernet frame ([`PacketView::vlan`]) is inserted again, so
/// frame and wire length become four bytes longer. For other link types the tag is left out.
///
/// ```
/// use flowscope_pcap::{CaptureWriter, LinkType, PacketView, Timestamp, WriteError};
///
/// let mut writer = CaptureWriter::pcap(Vec::new(), LinkType::RAW)?;
/// let frame = PacketView::new(&[0x45; 20], LinkType::ETHERNET, Timestamp::ZERO);
/// assert!(matches!(writer.write(frame), Err(WriteError::LinkType { .. })));
/// # Ok::<(), WriteError>(())
/// ```
#[derive(Debug)]
pub struct CaptureWriter<W: Write> {
    out: W,
    format: RecordFormat,
    packets: u64,
    broken: bool,
}

#[derive(Debug)]
enum RecordFormat {
    Pcap(LinkType),
    /// The link types of the interfaces described so far, in their order.
    PcapNg(Vec<LinkType>),
}

impl<W: Write> CaptureWriter<W> {
    /// Creates a pcap file (nanoseconds, little-endian) for packets of one link type, and writes its header.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`].
    pub fn pcap(out: W, link: LinkType) -> Result<Self, WriteError> {
        let mut header = Vec::with_capacity(24);
        header.extend(0xa1b2_3c4d_u32.to_le_bytes());
        header.extend(2_u16.to_le_bytes());
        header.extend(4_u16.to_le_bytes());
        header.extend([0; 8]);
        header.extend(SNAPLEN.to_le_bytes());
        header.extend(u32::from(link.0).to_le_bytes());
        CaptureWriter::start(out, RecordFormat::Pcap(link), &header)
    }

    /// Creates a pcapng file of one section, and writes its header. The first packet of each link type adds
    /// an interface description.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`].
    pub fn pcapng(out: W) -> Result<Self, WriteError> {
        let mut header = Vec::with_capacity(28);
        header.extend(0x0a0d_0d0a_u32.to_le_bytes());
        header.extend(28_u32.to_le_bytes());
        header.extend(0x1a2b_3c4d_u32.to_le_bytes());
        header.extend(1_u16.to_le_bytes());
        header.extend(0_u16.to_le_bytes());
        // The length of the section is not known.
        header.extend(u64::MAX.to_le_bytes());
        header.extend(28_u32.to_le_bytes());
        CaptureWriter::start(out, RecordFormat::PcapNg(Vec::new()), &header)
    }

    fn start(out: W, format: RecordFormat, header: &[u8]) -> Result<Self, WriteError> {
        let mut writer = CaptureWriter { out, format, packets: 0, broken: false };
        writer.put(&[header])?;
        Ok(writer)
    }

    /// Appends a packet.
    ///
    /// # Errors
    ///
    /// [`WriteError::LinkType`], [`WriteError::Time`] and [`WriteError::TooLong`] write nothing and
    /// leave the file as it was. After [`WriteError::Io`] it may end within a record, and every
    /// later call gives [`WriteError::Broken`].
    pub fn write(&mut self, packet: PacketView<'_>) -> Result<(), WriteError> {
        // A tag stands between the addresses and the Ethertype.
        let tag = packet.vlan().filter(|_| packet.link() == LinkType::ETHERNET);
        let (before, tag, after) = match packet.frame().split_at_checked(12) {
            Some((addresses, rest)) if tag.is_some() => (addresses, tag.map(tag_bytes), rest),
            _ => (packet.frame(), None, &[][..]),
        };
        let tag = tag.as_ref().map_or(&[][..], |tag| tag);
        let too_long = WriteError::TooLong(packet.frame().len());
        let Ok(captured) = u32::try_from(packet.frame().len() + tag.len()) else {
            return Err(too_long);
        };
        let wire = packet.wire_len().saturating_add(tag.len() as u32).to_le_bytes();
        match &mut self.format {
            RecordFormat::Pcap(link) if *link != packet.link() => {
                return Err(WriteError::LinkType { file: *link, packet: packet.link() });
            }
            RecordFormat::Pcap(_) => {
                let Ok(seconds) = u32::try_from(packet.ts().secs()) else {
                    return Err(WriteError::Time(packet.ts()));
                };
                let header = [
                    seconds.to_le_bytes(),
                    packet.ts().subsec_nanos().to_le_bytes(),
                    captured.to_le_bytes(),
                    wire,
                ];
                self.put(&[header.as_flattened(), before, tag, after])?;
            }
            RecordFormat::PcapNg(links) => {
                let padding = captured.wrapping_neg() % 4;
                // 32 bytes of block around packet and padding.
                let Some(block) = captured.checked_add(32 + padding) else {
                    return Err(too_long);
                };
                let (id, described) = match links.iter().position(|link| *link == packet.link()) {
                    Some(id) => (id, None),
                    None => {
                        links.push(packet.link());
                        (links.len() - 1, Some(interface(packet.link())))
                    }
                };
                let described = described.as_ref().map_or(&[][..], |block| block);
                let ticks = packet.ts().as_nanos();
                let header = [
                    6_u32.to_le_bytes(),
                    block.to_le_bytes(),
                    (id as u32).to_le_bytes(),
                    ((ticks >> 32) as u32).to_le_bytes(),
                    (ticks as u32).to_le_bytes(),
                    captured.to_le_bytes(),
                    wire,
                ];
                let zeros = &[0; 3][..padding as usize];
                let header = header.as_flattened();
                let length = block.to_le_bytes();
                self.put(&[described, header, before, tag, after, zeros, &length])?;
            }
        }
        self.packets += 1;
        Ok(())
    }

    /// Flushes the output. The file is then complete up to this point.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`], or [`WriteError::Broken`] if an earlier write failed.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        if self.broken {
            return Err(WriteError::Broken);
        }
        self.out.flush().inspect_err(|_| self.broken = true)?;
        Ok(())
    }

    /// Flushes the output and returns it.
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush).
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.flush()?;
        Ok(self.out)
    }

    /// Number of packets written.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The output.
    #[must_use]
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    fn put(&mut self, parts: &[&[u8]]) -> Result<(), WriteError> {
        if self.broken {
            return Err(WriteError::Broken);
        }
        for part in parts.iter().filter(|part| !part.is_empty()) {
            self.out.write_all(part).inspect_err(|_| self.broken = true)?;
        }
        Ok(())
    }
}

fn tag_bytes(tag: VlanTag) -> [u8; 4] {
    let [t0, t1] = tag.tpid.to_be_bytes();
    let [i0, i1] = tag.tci.to_be_bytes();
    [t0, t1, i0, i1]
}

/// An interface description block: no snap length, option 9 (`if_tsresol`) says nanoseconds.
fn interface(link: LinkType) -> [u8; 32] {
    let [l0, l1] = link.0.to_le_bytes();
    [
        1, 0, 0, 0, 32, 0, 0, 0, l0, l1, 0, 0, 0, 0, 0, 0, // type, length, link, snap length
        9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, // resolution, end of options
        32, 0, 0, 0,
    ]
}

/// The value that `tcpdump` writes for "no limit".
const SNAPLEN: u32 = 262_144;
