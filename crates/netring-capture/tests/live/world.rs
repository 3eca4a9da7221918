//! Namespaces, cables, and frames that go through them.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flowscope_core::PacketView;
#[cfg(feature = "af-xdp")]
pub(crate) use flowscope_testkit::namespace::{INSIDE, cable, known_as};
pub(crate) use flowscope_testkit::namespace::{
    PATIENCE, again, in_namespace, ip, running, told, until,
};
use netring_capture::{AfPacket, AfPacketConfig, Capture, CaptureError};

/// An Ethertype for experiments (IEEE 802, 88-B5), which no host answers.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

/// A customer's and a service's VLAN tag.
pub(crate) const CUSTOMER: [u8; 4] = [0x81, 0, 0x60, 0x64];
pub(crate) const SERVICE: [u8; 4] = [0x88, 0xa8, 0, 200];

pub(crate) fn positive(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

/// A ring of `blocks` blocks of `block_size` bytes. A block is used up after the retire timeout
/// however little is in it: blocks times timeout is for how long frames may stay unread.
pub(crate) fn ring(blocks: u32, block_size: u32, retire: u64) -> AfPacketConfig {
    AfPacketConfig::default()
        .block_size(positive(block_size))
        .blocks(positive(blocks))
        .retire_timeout(Duration::from_millis(retire))
}

/// Room for some hundred frames and more than a second.
pub(crate) fn config() -> AfPacketConfig {
    ring(256, 1 << 14, 5)
}

pub(crate) fn open(interface: &str, config: &AfPacketConfig) -> AfPacket {
    AfPacket::open(interface, config).expect("the namespace is ours")
}

/// An Ethernet frame of `len` bytes, with `number` in it.
pub(crate) fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
    bytes.extend(EXPERIMENT);
    bytes.extend(number.to_be_bytes());
    bytes.resize(len, number as u8);
    bytes
}

/// A frame with VLAN tags.
pub(crate) fn tagged(number: u32, tags: &[[u8; 4]]) -> Vec<u8> {
    let mut bytes = numbered(number, 80);
    bytes.splice(12..12, tags.concat());
    bytes
}

pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(14..)?.first_chunk()?))
}

pub(crate) fn send(from: &mut impl Capture, bytes: &[u8]) {
    until("there is room to send", || match from.send(bytes) {
        Ok(()) => true,
        Err(CaptureError::Busy) => false,
        Err(error) => panic!("{error}"),
    });
}

/// Sends all of them, in batches.
pub(crate) fn send_all(from: &mut impl Capture, frames: &[Vec<u8>]) {
    let mut rest: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    until("all were sent", || {
        let sent = from.send_batch(&rest).expect("the interface is up");
        rest.drain(..sent);
        rest.is_empty()
    });
}

/// Sends frames as fast as can be while `work` runs, and a hundred more.
pub(crate) fn while_sending<T>(
    from: &mut AfPacket,
    frame: impl Fn(u32) -> Vec<u8> + Send,
    work: impl FnOnce() -> T,
) -> T {
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut sent, mut rest) = (0, 100);
            while rest > 0 {
                rest -= i32::from(done.load(Ordering::Relaxed));
                send(from, &frame(sent));
                sent += 1;
            }
        });
        let made = work();
        done.store(true, Ordering::Relaxed);
        made
    })
}

/// Stops a capture, and reads the numbers that stand at `at` in all the frames that it has.
pub(crate) fn rest(from: &mut impl Capture, at: usize) -> Vec<u32> {
    from.stop().expect("the socket is open");
    let mut numbers = Vec::new();
    until("all was read", || {
        let drained = from.is_drained().expect("the socket is open");
        loop {
            let lent = from.next_batch(&mut |packets| {
                numbers.extend(packets.iter().map(|packet| {
                    let number = packet.frame().get(at..).and_then(<[u8]>::first_chunk);
                    u32::from_be_bytes(*number.expect("a frame with a number"))
                }));
            });
            if lent.expect("the interface is up") == 0 {
                return drained;
            }
            assert!(!drained, "there was nothing left");
        }
    });
    let stats = from.stats().expect("the socket is open");
    assert_eq!(stats.packets, stats.delivered + stats.lost());
    numbers
}

/// What a frame was captured as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) wire_len: u32,
}

impl Seen {
    pub(crate) fn of(packet: &PacketView<'_>) -> Self {
        assert_eq!(packet.vlan(), None, "it is where it was");
        Seen { bytes: packet.frame().to_vec(), wire_len: packet.wire_len() }
    }
}

pub(crate) fn whole(bytes: Vec<u8>) -> Seen {
    Seen { wire_len: bytes.len() as u32, bytes }
}

/// Reads `count` frames, then makes sure that no more come.
pub(crate) fn read(from: &mut impl Capture, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut last = Instant::now();
    // Much longer than it takes the kernel to hand a block over.
    while seen.len() < count || last.elapsed() < Duration::from_millis(50) {
        assert!(last.elapsed() < PATIENCE, "{} of {count} frames came", seen.len());
        from.wait(Some(Duration::from_millis(20))).expect("the interface is up");
        loop {
            let lent = from.next_batch(&mut |packets| seen.extend(packets.iter().map(Seen::of)));
            if lent.expect("the interface is up") == 0 {
                break;
            }
            last = Instant::now();
        }
    }
    assert_eq!(seen.len(), count, "frames that came");
    seen
}
