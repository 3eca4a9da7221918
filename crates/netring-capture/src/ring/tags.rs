//! Restores VLAN tags in captured frames.
//!
//! The kernel removes the outer tag before a packet socket sees a frame, and reports it in the
//! frame's header. Here the MAC addresses, which precede the tag, move down into the four bytes
//! that are free in front of every frame, and the tag is written behind them.

use super::{
    BLOCK_LEN, CUSTOMER_TAG, Cursor, FRAME_HEADER, MAC_OFFSET, NEXT_OFFSET, SNAP_LEN, STATUS,
    STATUS_VLAN_TPID_VALID, STATUS_VLAN_VALID, VLAN_TCI, VLAN_TPID, WIRE_LEN, read_u16, read_u32,
};

/// Restores the tags of the first `most` Ethernet frames from `cursor` on. A restored frame no
/// longer reports a removed tag, so a second call changes nothing.
///
/// Offsets are checked as in [`Frames`](super::Frames), and both end at the same place.
///
/// With `fetch`, it also reads the first bytes of each frame. Walking from frame to frame is a
/// chain of cache misses; these reads overlap with it, and later readers find the bytes in the
/// cache.
pub(crate) fn restore(block: &mut [u8], mut cursor: Cursor, most: usize, fetch: bool) {
    let used = read_u32(block, BLOCK_LEN).map_or(0, |len| len as usize).min(block.len());
    let Some(block) = block.get_mut(..used) else { return };
    let mut read = 0;
    for _ in 0..most {
        if cursor.left == 0 {
            break;
        }
        let Some(frame) = block.get_mut(cursor.offset as usize..) else { break };
        let Some(head) = frame.first_chunk::<FRAME_HEADER>() else { break };
        if fetch {
            // The following cache lines, up to the end of a typical transport header.
            let byte = |at: usize| frame.get(at).copied().unwrap_or(0);
            read ^= byte(FRAME_HEADER + 14) ^ byte(FRAME_HEADER + 14 + 53);
        }
        cursor = cursor.behind(read_u32(head, NEXT_OFFSET).unwrap_or_default());
        let status = read_u32(head, STATUS).unwrap_or_default();
        if status & STATUS_VLAN_VALID != 0 && insert(frame, status).is_none() {
            break;
        }
    }
    // Keeps the reads, which exist only for the cache.
    std::hint::black_box(read);
}

/// Inserts the tag into one frame, which begins with its header; does nothing if there is no room.
fn insert(frame: &mut [u8], status: u32) -> Option<()> {
    let tpid = match status & STATUS_VLAN_TPID_VALID {
        0 => CUSTOMER_TAG,
        _ => read_u16(frame, VLAN_TPID)?,
    };
    let tci = (read_u32(frame, VLAN_TCI)? & 0xffff) as u16;
    let (snap_len, wire_len) = (read_u32(frame, SNAP_LEN)?, read_u32(frame, WIRE_LEN)?);
    let old = read_u16(frame, MAC_OFFSET)?;
    frame.get(usize::from(old)..)?.get(..snap_len as usize)?;

    // If the frame was cut within the addresses or before them, only its length changes.
    if snap_len as usize >= ADDRESSES {
        let new = old.checked_sub(TAG as u16).filter(|&new| usize::from(new) >= FRAME_HEADER)?;
        let longer = snap_len.checked_add(TAG as u32)?;
        let (from, to) = (usize::from(old), usize::from(new));
        frame.copy_within(from..from + ADDRESSES, to);
        let [a, b] = tpid.to_be_bytes();
        let [c, d] = tci.to_be_bytes();
        *frame.get_mut(to + ADDRESSES..)?.first_chunk_mut()? = [a, b, c, d];
        *frame.get_mut(MAC_OFFSET..)?.first_chunk_mut()? = new.to_ne_bytes();
        *frame.get_mut(SNAP_LEN..)?.first_chunk_mut()? = longer.to_ne_bytes();
    }
    *frame.get_mut(WIRE_LEN..)?.first_chunk_mut()? =
        wire_len.saturating_add(TAG as u32).to_ne_bytes();
    let status = status & !(STATUS_VLAN_VALID | STATUS_VLAN_TPID_VALID);
    *frame.get_mut(STATUS..)?.first_chunk_mut()? = status.to_ne_bytes();
    Some(())
}

/// Bytes of a tag: TPID and TCI (IEEE 802.1Q, 9.5).
pub(crate) const TAG: usize = 4;

/// Length of the two addresses in front of the tag, in bytes.
const ADDRESSES: usize = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{BLOCK_HEADER, Written, block, frames, put, written};
    use super::*;
    use crate::testing::properties;

    const VALID: u32 = STATUS_VLAN_VALID | STATUS_VLAN_TPID_VALID;

    fn restored(size: usize, all: &[Written]) -> Vec<u8> {
        let mut memory = block(size, all);
        let start = Cursor::start(&memory);
        restore(&mut memory, start, usize::MAX, true);
        memory
    }

    /// An untagged frame whose tag the kernel says was this.
    fn taken(status: u32, vlan: (u32, u16)) -> Written {
        let bytes = (1..=60).collect();
        Written { bytes, wire_len: 60, status, vlan, ..Written::default() }
    }

    #[test]
    fn a_tag_is_put_back_in_its_place() {
        for (written, expected) in [
            (taken(VALID, (0x6064, 0x88a8)), &[0x88, 0xa8, 0x60, 0x64][..]),
            (taken(STATUS_VLAN_VALID, (100, 0)), &[0x81, 0, 0, 100]),
            // Priority tags have id 0.
            (taken(VALID, (0, 0x8100)), &[0x81, 0, 0, 0]),
            // The field has 32 bits, a tag's 16.
            (taken(VALID, (0xffff_0001, 0x8100)), &[0x81, 0, 0, 1]),
            (taken(STATUS_VLAN_TPID_VALID, (100, 0x8100)), &[]),
        ] {
            let memory = restored(4096, std::slice::from_ref(&written));
            let frame = frames(&memory).next().unwrap();
            let bytes = [&written.bytes[..12], expected, &written.bytes[12..]].concat();
            assert_eq!(frame.bytes, bytes);
            assert_eq!(frame.wire_len as usize, bytes.len());
        }
    }

    #[test]
    fn a_frame_cut_within_its_addresses_is_only_longer() {
        for len in [0, 1, 11] {
            let mut written = taken(VALID, (100, 0x8100));
            written.bytes.truncate(len);
            let memory = restored(4096, &[written.clone()]);
            let frame = frames(&memory).next().unwrap();
            assert_eq!((frame.bytes, frame.wire_len), (&written.bytes[..], 64));
        }
        let mut written = taken(VALID, (100, 0x8100));
        written.bytes.truncate(12);
        let memory = restored(4096, &[written]);
        let frame = frames(&memory).next().unwrap();
        assert_eq!(frame.bytes[12..], [0x81, 0, 0, 100]);
    }

    #[test]
    fn only_as_many_frames_are_touched_as_are_asked_for() {
        let all = vec![taken(VALID, (7, 0x8100)); 5];
        let mut memory = block(4096, &all);
        let mut cursor = Cursor::start(&memory);
        for most in [0, 2, 1, 9] {
            let before: Vec<usize> = frames(&memory).map(|frame| frame.bytes.len()).collect();
            restore(&mut memory, cursor, most, false);
            let after: Vec<usize> = frames(&memory).map(|frame| frame.bytes.len()).collect();
            let at = 5 - cursor.left() as usize;
            let to = (at + most).min(5);
            assert_eq!(after[at..to], [64, 64, 64, 64, 64][at..to]);
            assert_eq!((&after[..at], &after[to..]), (&before[..at], &before[to..]));
            cursor = {
                let mut all = super::super::Frames::new(&memory, cursor, u32::MAX);
                let _ = all.by_ref().take(most).count();
                all.cursor()
            };
        }
    }

    #[test]
    fn what_has_no_room_or_contradicts_the_block_is_left_alone() {
        for (at, value) in [
            (MAC_OFFSET, FRAME_HEADER as u32 + 3),
            (MAC_OFFSET, 0),
            (MAC_OFFSET, 0xffff),
            (SNAP_LEN, u32::MAX),
            (SNAP_LEN, 4096),
        ] {
            let mut memory = block(4096, &[taken(VALID, (7, 0x8100))]);
            put(&mut memory, BLOCK_HEADER + at, value);
            let before = memory.clone();
            let start = Cursor::start(&memory);
            restore(&mut memory, start, usize::MAX, true);
            assert_eq!(memory, before, "{value:#x} at byte {at}");
        }
    }

    proptest! {
        #![proptest_config(properties())]

        #[test]
        fn tags_come_back_once_and_nothing_else_changes(
            all in prop::collection::vec(written(), 0..8),
        ) {
            let memory = restored(8192, &all);
            let read: Vec<(Vec<u8>, u32)> =
                frames(&memory).map(|frame| (frame.bytes.to_vec(), frame.wire_len)).collect();
            let expected: Vec<(Vec<u8>, u32)> = all.iter().map(|frame| {
                let mut bytes = frame.bytes.clone();
                if frame.status & STATUS_VLAN_VALID == 0 {
                    return (bytes, frame.wire_len);
                }
                if bytes.len() >= ADDRESSES {
                    let said = frame.status & STATUS_VLAN_TPID_VALID != 0;
                    let tpid = if said { frame.vlan.1 } else { 0x8100 };
                    let tci = (frame.vlan.0 as u16).to_be_bytes();
                    bytes.splice(12..12, tpid.to_be_bytes().into_iter().chain(tci));
                }
                (bytes, frame.wire_len.saturating_add(4))
            }).collect();
            prop_assert_eq!(read, expected);

            let mut again = memory.clone();
            let start = Cursor::start(&again);
            restore(&mut again, start, usize::MAX, false);
            prop_assert_eq!(again, memory);
        }
    }
}
