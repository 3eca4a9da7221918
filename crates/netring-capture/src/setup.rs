//! Opens a packet socket with its ring, in the order that the kernel requires.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use flowscope_core::LinkType;
use flowscope_filter::Program;

use crate::ring::tags::TAG;
use crate::shunt::Pass;
use crate::sys::bpf::{self, Kind};
use crate::sys::{self, ring::RingMemory};
use crate::{AfPacketConfig, CaptureError, Fanout, Interface, ShuntMap};

/// Opens a capturing socket on `interface`, with its ring.
pub(crate) fn open(
    interface: &Interface,
    config: &AfPacketConfig,
) -> Result<(OwnedFd, RingMemory, Option<ShuntMap>), CaptureError> {
    let shunt = shunt(interface, config)?;
    let failed = |doing| move |source| CaptureError::of(doing, source);
    let socket = sys::packet_socket().map_err(failed("open a packet socket"))?;
    let fd = socket.as_fd();
    sys::early_timestamps(fd).map_err(failed("ask for timestamps"))?;
    if config.hardware_timestamps {
        sys::hardware_timestamps(fd).map_err(failed("ask for hardware timestamps"))?;
    }
    if interface.link == Some(LinkType::ETHERNET) {
        sys::reserve_headroom(fd, TAG as u32).map_err(failed("ask for room for VLAN tags"))?;
    }
    let memory = make_ring(fd, config)?;
    let ignore_outgoing = config.ignore_outgoing || interface.is_loopback;
    if ignore_outgoing {
        sys::ignore_outgoing(fd).map_err(failed("ignore outgoing frames"))?;
    }
    if config.promiscuous {
        sys::be_promiscuous(fd, interface.index).map_err(failed("be promiscuous"))?;
    }
    start(fd, interface, config, ignore_outgoing, shunt.as_ref().map(|shunt| shunt.1.as_fd()))?;
    Ok((socket, memory, shunt.map(|shunt| shunt.0)))
}

/// The map of flows that the kernel counts, and the program that does it.
fn shunt(
    interface: &Interface,
    config: &AfPacketConfig,
) -> Result<Option<(ShuntMap, OwnedFd)>, CaptureError> {
    let Some(flows) = config.shunt else { return Ok(None) };
    let impossible = |reason| Err(CaptureError::NoShunt { reason });
    if config.filter.is_some() {
        return impossible(
            "a packet socket has one program only; leave the filter out, or filter in user space",
        );
    }
    if interface.link != Some(LinkType::ETHERNET) {
        return impossible("the frames of this interface have no Ethernet header");
    }
    let flows = ShuntMap::new(flows).map_err(CaptureError::of_shunt)?;
    let code = flows.program(Kind::SocketFilter, Pass::Accept { snap_len: config.snap_len });
    let program = bpf::load(Kind::SocketFilter, &code, b"flowscope_shunt\0");
    Ok(Some((flows, program.map_err(CaptureError::of_shunt)?)))
}

/// Makes the kernel allocate the ring, and maps it.
fn make_ring(fd: BorrowedFd<'_>, config: &AfPacketConfig) -> Result<RingMemory, CaptureError> {
    let (block_size, bytes) = ring_size(config, sys::page_size());
    let refused = |source| CaptureError::NoRing { bytes, source };
    if u32::try_from(bytes).is_err() {
        return Err(refused(io::ErrorKind::InvalidInput.into()));
    }
    let request = libc::tpacket_req3 {
        tp_block_size: block_size,
        tp_block_nr: config.blocks,
        tp_frame_size: FRAME_SIZE,
        tp_frame_nr: block_size / FRAME_SIZE * config.blocks,
        tp_retire_blk_tov: config.retire_milliseconds(),
        tp_sizeof_priv: 0,
        tp_feature_req_word: u32::from(config.receive_hash),
    };
    sys::use_version_3(fd).map_err(|source| CaptureError::of("use TPACKET_V3", source))?;
    sys::make_ring(fd, &request).map_err(refused)?;
    RingMemory::map(fd, block_size as usize, config.blocks as usize).map_err(refused)
}

/// Sizes of a block and of the whole ring, in bytes.
fn ring_size(config: &AfPacketConfig, page_size: usize) -> (u32, u64) {
    let page_size = u32::try_from(page_size).unwrap_or(LARGEST_BLOCK);
    let block_size = config.block_size.clamp(page_size.max(FRAME_SIZE), LARGEST_BLOCK);
    let block_size = block_size.next_power_of_two();
    (block_size, u64::from(block_size) * u64::from(config.blocks))
}

/// Starts receiving. The order ensures that no frame passes before the filter is attached or the
/// fanout group is joined.
fn start(
    fd: BorrowedFd<'_>,
    interface: &Interface,
    config: &AfPacketConfig,
    ignore_outgoing: bool,
    shunt: Option<BorrowedFd<'_>>,
) -> Result<(), CaptureError> {
    let attach = |filter: &Program| {
        sys::attach_filter(fd, filter).map_err(|source| CaptureError::FilterRefused { source })
    };
    let filter = match &config.filter {
        Some(filter) => filter.clone().cut_to(config.snap_len),
        None => Program::everything(config.snap_len),
    };
    let attach_own = || match shunt {
        Some(program) => sys::attach_loaded(fd, program).map_err(CaptureError::of_shunt),
        None => attach(&filter),
    };
    attach_own()?;
    if config.fanout_group.is_some() {
        // Only a socket that receives can join a group. The frames that it receives before are also
        // received by other members. The filter was attached before, so that it cannot fail within
        // the group.
        attach(&Program::nothing())?;
    }
    sys::bind(fd, interface.index, sys::EVERY_PROTOCOL)
        .map_err(|source| CaptureError::of("bind to the interface", source))?;
    if let Some(group) = config.fanout_group {
        let refused = |source| CaptureError::FanoutRefused { group, source };
        let program = match &config.fanout {
            Fanout::InnermostFlow => interface.link.and_then(Program::flow_hash),
            Fanout::KernelHash => None,
            Fanout::Program(program) => Some(program.clone()),
        };
        let mut mode = match program {
            Some(_) => libc::PACKET_FANOUT_CBPF,
            None => libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG,
        };
        if ignore_outgoing {
            // The group has its own setting, which overrides that of its members.
            mode |= libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        }
        sys::join_fanout(fd, group, mode).map_err(refused)?;
        if let Some(program) = &program {
            // The group has one program, which each member sets again.
            sys::set_fanout_program(fd, program).map_err(refused)?;
        }
        attach_own()?;
    }
    Ok(())
}

/// `TPACKET_V3` packs frames of any size; the kernel only requires consistent numbers.
const FRAME_SIZE: u32 = 2048;

const LARGEST_BLOCK: u32 = 1 << 30;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn blocks_are_powers_of_two_of_at_least_a_page() {
        for (asked, page_size, expected) in [
            (1, 4096, 4096),
            (4096, 4096, 4096),
            (4097, 4096, 8192),
            (1, 65_536, 65_536),
            (1 << 20, 4096, 1 << 20),
            (u32::MAX, 4096, 1 << 30),
        ] {
            let config = AfPacketConfig::default()
                .block_size(NonZeroU32::new(asked).unwrap())
                .blocks(NonZeroU32::MAX);
            let (block_size, bytes) = ring_size(&config, page_size);
            assert_eq!(block_size, expected);
            assert_eq!(bytes, u64::from(block_size) * u64::from(u32::MAX));
        }
    }
}
