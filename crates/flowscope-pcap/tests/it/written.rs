//! Captures written here, read here and elsewhere.

use std::io::{self, Write};

use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};
use flowscope_pcap::{CaptureWriter, WriteError};

use crate::make::frame;
use crate::read::read;

const NOW: u64 = 1_700_000_000_123_456_789;

fn view(frame: &[u8]) -> PacketView<'_> {
    PacketView::new(frame, LinkType::ETHERNET, Timestamp::from_nanos(NOW))
}

#[test]
fn what_was_written_is_read_back() {
    let frames: Vec<_> = (0..200).map(|n| frame(n, n as usize)).collect();
    let links = [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL2];
    let mut pcap = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET).unwrap();
    let mut pcapng = CaptureWriter::pcapng(Vec::new()).unwrap();
    for (n, frame) in frames.iter().enumerate() {
        let ts = Timestamp::from_nanos(NOW + n as u64);
        let wire_len = (n * n) as u32;
        pcap.write(PacketView::new(frame, links[0], ts).with_wire_len(wire_len)).unwrap();
        pcapng.write(PacketView::new(frame, links[n % 3], ts).with_wire_len(wire_len)).unwrap();
    }
    assert_eq!((pcap.packets(), pcapng.packets()), (200, 200));
    for (file, kinds) in [(pcap.finish().unwrap(), 1), (pcapng.finish().unwrap(), 3)] {
        let outcome = read(file.as_slice());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(outcome.interfaces.len(), kinds);
        assert_eq!(outcome.packets.len(), 200);
        for (n, packet) in outcome.packets.iter().enumerate() {
            assert_eq!(packet.frame, frames[n]);
            assert_eq!(packet.ts, NOW + n as u64);
            assert_eq!(packet.wire, (n * n).max(n) as u32);
            assert_eq!(packet.link, links[n % kinds].0);
            assert_eq!(packet.interface, Some((n % kinds) as u32));
        }
    }
}

#[test]
fn a_stripped_tag_is_put_back() {
    let bytes = frame(1, 60);
    let tagged = view(&bytes).with_wire_len(100).with_vlan(VlanTag { tpid: 0x88a8, tci: 0x2005 });
    let mut expected = bytes.clone();
    expected.splice(12..12, [0x88, 0xa8, 0x20, 0x05]);
    let mut pcap = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET).unwrap();
    pcap.write(tagged).unwrap();
    let mut pcapng = CaptureWriter::pcapng(Vec::new()).unwrap();
    pcapng.write(tagged).unwrap();
    for file in [pcap.finish().unwrap(), pcapng.finish().unwrap()] {
        let packets = read(file.as_slice()).packets;
        assert_eq!((&packets[0].frame, packets[0].wire), (&expected, 104));
    }
    // A frame without room for addresses, and one of another link type, stay as they are.
    let mut pcapng = CaptureWriter::pcapng(Vec::new()).unwrap();
    let tag = VlanTag { tpid: 0x8100, tci: 5 };
    pcapng.write(view(&bytes[..11]).with_vlan(tag)).unwrap();
    pcapng.write(PacketView::new(&bytes, LinkType::RAW, Timestamp::ZERO).with_vlan(tag)).unwrap();
    let packets = read(pcapng.finish().unwrap().as_slice()).packets;
    assert_eq!((&packets[0].frame[..], packets[0].wire), (&bytes[..11], 11));
    assert_eq!((&packets[1].frame, packets[1].wire), (&bytes, 60));
}

#[test]
fn what_a_format_cannot_hold_is_refused_and_changes_nothing() {
    let mut pcap = CaptureWriter::pcap(Vec::new(), LinkType::RAW).unwrap();
    let frame = [1; 20];
    let refused = pcap.write(view(&frame)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a pcap file of link type raw cannot hold a packet of link type ethernet"
    );
    let late = PacketView::new(&frame, LinkType::RAW, Timestamp::from_secs(1 << 32));
    assert!(matches!(pcap.write(late), Err(WriteError::Time(_))));
    pcap.write(PacketView::new(&frame, LinkType::RAW, Timestamp::ZERO)).unwrap();
    let outcome = read(pcap.finish().unwrap().as_slice());
    assert_eq!((outcome.packets.len(), outcome.error.is_none()), (1, true));
    // pcapng has room for the whole range of times.
    let mut pcapng = CaptureWriter::pcapng(Vec::new()).unwrap();
    pcapng.write(PacketView::new(&frame, LinkType::RAW, Timestamp::MAX)).unwrap();
    assert_eq!(read(pcapng.finish().unwrap().as_slice()).packets[0].ts, u64::MAX);
}

/// Takes so many bytes, then fails.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_failed_write_nothing_follows_half_a_record() {
    assert!(CaptureWriter::pcapng(Full(10)).is_err());
    let mut writer = CaptureWriter::pcap(Full(24 + 16 + 5), LinkType::ETHERNET).unwrap();
    assert!(matches!(writer.write(view(&[0; 10])), Err(WriteError::Io(_))));
    assert!(matches!(writer.write(view(&[0; 1])), Err(WriteError::Broken)));
    assert!(matches!(writer.finish(), Err(WriteError::Broken)));
}

/// Takes all, and can never flush.
struct Unflushed(Vec<u8>);

impl Write for Unflushed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn nothing_is_written_behind_what_could_not_be_flushed() {
    let mut writer = CaptureWriter::pcap(Unflushed(Vec::new()), LinkType::ETHERNET).unwrap();
    let bytes = frame(1, 60);
    writer.write(view(&bytes)).unwrap();
    assert!(matches!(writer.flush(), Err(WriteError::Io(_))));
    let len = writer.get_ref().0.len();
    assert!(matches!(writer.write(view(&bytes)), Err(WriteError::Broken)));
    assert!(matches!(writer.flush(), Err(WriteError::Broken)));
    assert_eq!((writer.packets(), writer.get_ref().0.len()), (1, len));
}
