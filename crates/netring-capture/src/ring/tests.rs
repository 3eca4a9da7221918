use std::mem::offset_of;

use proptest::prelude::*;

use super::*;
use crate::testing::properties;

/// A frame as a test writes it; what is not said is as the kernel leaves it.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) wire_len: u32,
    pub(super) seconds: u32,
    pub(super) nanoseconds: u32,
    pub(super) status: u32,
    pub(super) vlan: (u32, u16),
    pub(super) rx_hash: u32,
    pub(super) packet_type: u8,
}

/// A block that holds `frames`, laid out as the kernel does it, in `size` bytes of memory.
pub(super) fn block(size: usize, frames: &[Written]) -> Vec<u8> {
    let mut memory = vec![0; BLOCK_HEADER];
    for (number, frame) in frames.iter().enumerate() {
        let mut head = [0; FRAME_HEADER];
        let mac = 86_u16;
        let len = (usize::from(mac) + frame.bytes.len()).next_multiple_of(16);
        let next = if number + 1 == frames.len() { 0 } else { len as u32 };
        put(&mut head, NEXT_OFFSET, next);
        put(&mut head, SECONDS, frame.seconds);
        put(&mut head, NANOSECONDS, frame.nanoseconds);
        put(&mut head, SNAP_LEN, frame.bytes.len() as u32);
        put(&mut head, WIRE_LEN, frame.wire_len);
        put(&mut head, STATUS, frame.status);
        put(&mut head, RX_HASH, frame.rx_hash);
        put(&mut head, VLAN_TCI, frame.vlan.0);
        head[MAC_OFFSET..][..2].copy_from_slice(&mac.to_ne_bytes());
        head[VLAN_TPID..][..2].copy_from_slice(&frame.vlan.1.to_ne_bytes());
        head[PACKET_TYPE] = frame.packet_type;
        let start = memory.len();
        memory.extend(head);
        memory.resize(start + usize::from(mac), 0);
        memory.extend(&frame.bytes);
        memory.resize(start + len, 0);
    }
    let used = memory.len() as u32;
    put(&mut memory, FRAME_COUNT, frames.len() as u32);
    put(&mut memory, FIRST_FRAME, BLOCK_HEADER as u32);
    put(&mut memory, BLOCK_LEN, used);
    assert!(memory.len() <= size, "the test's frames fit");
    memory.resize(size, 0);
    memory
}

pub(super) fn put(memory: &mut [u8], at: usize, value: u32) {
    memory[at..][..4].copy_from_slice(&value.to_ne_bytes());
}

pub(super) fn frames(block: &[u8]) -> Frames<'_> {
    Frames::new(block, Cursor::start(block), u32::MAX)
}

/// What the frame of a block with that one only looks like.
fn check(written: Written, expected: impl FnOnce(Frame<'_>)) {
    let memory = block(4096, &[written]);
    let mut all = frames(&memory);
    expected(all.next().unwrap());
    assert_eq!(all.next(), None);
}

pub(super) const BLOCK_HEADER: usize = 48;

#[test]
fn the_layouts_are_those_of_the_kernel() {
    use libc::{
        sockaddr_ll, tpacket_block_desc, tpacket_hdr_v1, tpacket_hdr_variant1, tpacket3_hdr,
    };
    assert_eq!(size_of::<tpacket_block_desc>(), BLOCK_HEADER);
    let header = offset_of!(tpacket_block_desc, hdr);
    for (ours, theirs) in [
        (BLOCK_STATUS, offset_of!(tpacket_hdr_v1, block_status)),
        (FRAME_COUNT, offset_of!(tpacket_hdr_v1, num_pkts)),
        (FIRST_FRAME, offset_of!(tpacket_hdr_v1, offset_to_first_pkt)),
        (BLOCK_LEN, offset_of!(tpacket_hdr_v1, blk_len)),
    ] {
        assert_eq!(ours, header + theirs);
    }
    let variant = offset_of!(tpacket3_hdr, hv1);
    let address = size_of::<tpacket3_hdr>();
    assert_eq!(FRAME_HEADER, address + size_of::<sockaddr_ll>());
    for (ours, theirs) in [
        (NEXT_OFFSET, offset_of!(tpacket3_hdr, tp_next_offset)),
        (SECONDS, offset_of!(tpacket3_hdr, tp_sec)),
        (NANOSECONDS, offset_of!(tpacket3_hdr, tp_nsec)),
        (SNAP_LEN, offset_of!(tpacket3_hdr, tp_snaplen)),
        (WIRE_LEN, offset_of!(tpacket3_hdr, tp_len)),
        (STATUS, offset_of!(tpacket3_hdr, tp_status)),
        (MAC_OFFSET, offset_of!(tpacket3_hdr, tp_mac)),
        (RX_HASH, variant + offset_of!(tpacket_hdr_variant1, tp_rxhash)),
        (VLAN_TCI, variant + offset_of!(tpacket_hdr_variant1, tp_vlan_tci)),
        (VLAN_TPID, variant + offset_of!(tpacket_hdr_variant1, tp_vlan_tpid)),
        (PACKET_TYPE, address + offset_of!(sockaddr_ll, sll_pkttype)),
    ] {
        assert_eq!(ours, theirs);
    }
    assert_eq!(STATUS_CHECKSUM_NOT_READY, libc::TP_STATUS_CSUMNOTREADY);
    assert_eq!(STATUS_VLAN_VALID, libc::TP_STATUS_VLAN_VALID);
    assert_eq!(STATUS_VLAN_TPID_VALID, libc::TP_STATUS_VLAN_TPID_VALID);
    assert_eq!(PACKET_OUTGOING, libc::PACKET_OUTGOING);
}

#[test]
fn a_frame_is_what_its_header_says() {
    let plain = Written { bytes: vec![7; 60], wire_len: 60, ..Written::default() };
    check(plain.clone(), |frame| {
        assert_eq!(frame.bytes, [7; 60]);
        assert_eq!(frame.rx_hash, None);
        assert!(!frame.outgoing && !frame.checksum_pending);
    });
    check(Written { wire_len: 1514, seconds: 5, nanoseconds: 6, ..plain.clone() }, |frame| {
        assert_eq!(frame.wire_len, 1514);
        assert_eq!(frame.ts, Timestamp::from_nanos(5_000_000_006));
        assert!(frame.view(LinkType::ETHERNET).is_cut());
    });
    check(Written { status: 1 << 3, packet_type: 4, rx_hash: 9, ..plain.clone() }, |frame| {
        assert!(frame.outgoing && frame.checksum_pending);
        assert_eq!(frame.view(LinkType::ETHERNET).rx_hash(), Some(9));
    });
    let latest = Written { seconds: u32::MAX, nanoseconds: u32::MAX, ..plain };
    check(latest, |frame| assert!(frame.ts > Timestamp::from_secs(u64::from(u32::MAX))));
}

#[test]
fn frames_are_cut_to_the_snap_length() {
    let written = Written { bytes: vec![1; 60], wire_len: 60, ..Written::default() };
    let memory = block(4096, &[written]);
    for (snap_len, expected) in [(0, 0), (14, 14), (60, 60), (61, 60)] {
        let mut cut = Frames::new(&memory, Cursor::start(&memory), snap_len);
        let frame = cut.next().unwrap();
        assert_eq!((frame.bytes.len(), frame.wire_len), (expected, 60));
    }
}

#[test]
fn a_header_that_contradicts_the_block_ends_it() {
    let written = Written { bytes: vec![1; 60], wire_len: 60, ..Written::default() };
    let whole = block(4096, &[written.clone(), written.clone(), written]);
    let second = BLOCK_HEADER + 160;
    for (at, value, left) in [
        (FRAME_COUNT, 0, 0),
        (FRAME_COUNT, 2, 2),
        // More than there are: the last one has no next.
        (FRAME_COUNT, u32::MAX, 3),
        (FIRST_FRAME, 4096, 0),
        (FIRST_FRAME, u32::MAX, 0),
        (BLOCK_LEN, 0, 0),
        // Beyond the memory: the memory is what counts.
        (BLOCK_LEN, u32::MAX, 3),
        // The third begins where the block ends.
        (BLOCK_LEN, second as u32 + 160, 2),
        (second + NEXT_OFFSET, 0, 2),
        (second + NEXT_OFFSET, 1, 2),
        (second + NEXT_OFFSET, 4096, 2),
        (second + NEXT_OFFSET, u32::MAX, 2),
        (second + SNAP_LEN, 4096, 1),
        (second + SNAP_LEN, u32::MAX, 1),
        (second + MAC_OFFSET, u32::MAX, 1),
    ] {
        let mut memory = whole.clone();
        put(&mut memory, at, value);
        assert_eq!(frames(&memory).count(), left, "{value:#x} at byte {at}");
    }
}

#[test]
fn reading_goes_on_from_a_cursor() {
    let written: Vec<Written> =
        (0..5).map(|n| Written { bytes: vec![n; 20], ..Written::default() }).collect();
    let memory = block(4096, &written);
    let mut cursor = Cursor::start(&memory);
    let mut seen = Vec::new();
    while cursor.left() > 0 {
        let mut some = Frames::new(&memory, cursor, u32::MAX);
        seen.extend(some.by_ref().take(2).map(|frame| frame.bytes[0]));
        cursor = some.cursor();
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

pub(super) fn written() -> impl Strategy<Value = Written> {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    (bytes, any::<[u32; 6]>(), any::<u16>(), any::<u8>()).prop_map(|(bytes, words, tpid, kind)| {
        let [wire_len, seconds, nanoseconds, status, tci, rx_hash] = words;
        let vlan = (tci, tpid);
        Written { bytes, wire_len, seconds, nanoseconds, status, vlan, rx_hash, packet_type: kind }
    })
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn every_frame_that_was_written_is_read(all in prop::collection::vec(written(), 0..8)) {
        let memory = block(8192, &all);
        let read: Vec<&[u8]> = frames(&memory).map(|frame| frame.bytes).collect();
        let wrote: Vec<&[u8]> = all.iter().map(|frame| &frame.bytes[..]).collect();
        prop_assert_eq!(read, wrote);
    }

    #[test]
    fn garbled_memory_is_never_read_outside_nor_for_ever(
        all in prop::collection::vec(written(), 0..8),
        at in prop::collection::vec((0_usize..8192, any::<u8>()), 0..40),
        len in 0_usize..=8192,
    ) {
        let mut memory = block(8192, &all);
        for (at, value) in at {
            memory[at] = value;
        }
        memory.truncate(len);
        walks(&mut memory)?;
    }

    #[test]
    fn random_memory_is_never_read_outside_nor_for_ever(
        memory in prop::collection::vec(any::<u8>(), 0..2048),
        // Small values, or hardly a block would have a frame.
        words in any::<[(u16, u8); 24]>(),
    ) {
        let mut memory = memory;
        for (at, value) in words {
            if let Some(word) = memory.get_mut(usize::from(at % 512) * 4..).and_then(<[u8]>::first_chunk_mut) {
                *word = u32::from(value).to_ne_bytes();
            }
        }
        walks(&mut memory)?;
    }
}

fn walks(memory: &mut [u8]) -> Result<(), TestCaseError> {
    // Whatever else stands there, restoring tags ends, and stays within the memory.
    let start = Cursor::start(memory);
    tags::restore(memory, start, usize::MAX, true);
    let range = memory.as_ptr_range();
    let mut count = 0;
    for frame in frames(memory) {
        let frame = frame.bytes.as_ptr_range();
        prop_assert!(range.start <= frame.start && frame.end <= range.end);
        count += 1;
    }
    prop_assert!(count <= memory.len() / FRAME_HEADER);
    Ok(())
}
