use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use netring_capture::{AfPacket, AfPacketConfig, Capture, CaptureError};

use super::{Seen, ready, room, stop};

/// How often to look whether to stop, without frames.
const LOOK: Duration = Duration::from_millis(100);

/// Our packet ring's settings.
pub(crate) fn settings() -> AfPacketConfig {
    let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    AfPacketConfig::default()
        .blocks(positive(room::BLOCKS))
        .block_size(positive(room::BLOCK_SIZE))
        .retire_timeout(room::RETIRE)
}

/// Counts the frames of the packet ring, and looks at nothing but their headers in the ring.
pub(crate) fn packet_ring(interface: &str) -> Result<Seen, CaptureError> {
    let mut capture = AfPacket::open(interface, &settings())?;
    let stop = stop::flag();
    let _ = ready();
    let mut captured = 0;
    loop {
        if capture.wait(Some(LOOK))? {
            while let Some(block) = capture.next_block() {
                captured += block.frames().count() as u64;
            }
        } else if stop.load(Ordering::Acquire) {
            break;
        }
    }
    Ok(Seen { captured, lost: capture.stats()?.lost(), ..Seen::default() })
}

/// Settings of AF_XDP with as much memory.
#[cfg(feature = "af-xdp")]
pub(crate) fn xdp_settings(mode: netring_capture::XdpMode) -> netring_capture::AfXdpConfig {
    let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    netring_capture::AfXdpConfig::default()
        .mode(mode)
        .copy(netring_capture::CopyMode::Copy)
        .frame_size(positive(room::FRAME_SIZE))
        .frames(positive(room::FRAMES))
        .rx_ring(positive(room::FRAMES))
}

/// Counts the frames of AF_XDP, program behind the driver.
#[cfg(feature = "af-xdp")]
pub(crate) fn xdp(interface: &str) -> Result<Seen, CaptureError> {
    use flowscope_core::PacketSource as _;

    let settings = xdp_settings(netring_capture::XdpMode::Generic);
    let mut capture = netring_capture::AfXdp::open(interface, &settings)?;
    let stop = stop::flag();
    let _ = ready();
    let mut captured = 0;
    loop {
        if capture.wait(Some(LOOK))? {
            loop {
                match capture.next_batch(&mut |_| ())? {
                    0 => break,
                    lent => captured += lent as u64,
                }
            }
        } else if stop.load(Ordering::Acquire) {
            break;
        }
    }
    Ok(Seen { captured, lost: capture.stats()?.lost(), ..Seen::default() })
}
