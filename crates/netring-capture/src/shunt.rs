//! Flows whose packets the kernel counts instead of passing them on.

mod asm;
mod layout;
mod program;

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use flowscope_core::{Orientation, ShuntKey, ShuntStart, Shunted, Timestamp};

pub(crate) use self::program::Pass;
#[cfg(feature = "af-xdp")]
pub(crate) use self::program::redirect_all;

use self::layout::{IDLE, KEY, Key, LAST, UNTIL, VALUE, Value};
use self::program::{Parts, assemble};
use crate::sys::bpf::{self, Instruction, Kind, Map};

/// Map of the flows whose packets the kernel counts for a capture: see
/// `AfXdpConfig::shunt` and [`AfPacketConfig::shunt`](crate::AfPacketConfig::shunt).
///
/// A handle: clones refer to the same map, which exists as long as the capture or a handle does.
///
/// The kernel finds the flow of a packet that is IPv4 without options or IPv6 without extension headers, right
/// behind an Ethernet header, no fragment, and captured with its TCP or UDP header. All other packets pass, those of
/// flows in the map among them, and the flows stay there.
///
/// It counts and keeps back a packet of a flow in the map if it has the TTL that the flow had, and is a UDP
/// packet, or a TCP segment in sequence, without flags but ACK and PSH, with a window, and with an
/// acknowledgement that neither goes back nor beyond what the other side has sent. It passes segments on until
/// it has seen one of each side. The first packet that is another passes, and so do all of the flow after it.
///
/// Packets of one direction of a flow must reach one receive queue, as they do with every usual hash of a card.
#[derive(Clone)]
pub struct ShuntMap {
    maps: Arc<Maps>,
}

struct Maps {
    flows: Map,
    total: Map,
    /// Not 0 once nothing is to be counted any more.
    stopped: Map,
}

/// Error of a [`ShuntMap`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShuntError {
    /// Only TCP and UDP flows between two IPv4 or two IPv6 addresses can be found.
    #[error("only TCP and UDP flows can be counted by the kernel")]
    NotFound,
    /// The map is full.
    #[error("the map of flows that the kernel counts is full")]
    Full,
    /// The kernel refused, for example because the flow is in the map already.
    #[error("the kernel refuses to use the map of flows that it counts: {0}")]
    Kernel(#[source] io::Error),
}

impl ShuntMap {
    pub(crate) fn new(flows: NonZeroU32) -> io::Result<Self> {
        let (total, stopped) = (Map::counter()?, Map::counter()?);
        let flows = Map::hash(KEY as u32, VALUE as u32, flows.get())?;
        // Fails before Linux 5.14, where a flow in the map could not be taken out again.
        flows.read(&[0; KEY], &mut [0; VALUE], true)?;
        Ok(ShuntMap { maps: Arc::new(Maps { flows, total, stopped }) })
    }

    /// The program that keeps packets of these flows back.
    pub(crate) fn program(&self, kind: Kind, pass: Pass) -> Vec<Instruction> {
        let [flows, total, stopped] =
            [&self.maps.flows, &self.maps.total, &self.maps.stopped].map(AsRawFd::as_raw_fd);
        assemble(kind, Parts { flows, total, stopped, pass })
    }

    /// Begins to count packets of a flow.
    ///
    /// # Errors
    ///
    /// [`ShuntError`]
    pub fn start(&self, key: &ShuntKey, start: &ShuntStart) -> Result<(), ShuntError> {
        let at = Key::new(key).ok_or(ShuntError::NotFound)?;
        let mut value = Value([0; VALUE]);
        for (orientation, side) in ORIENTATIONS.into_iter().zip(&start.sides) {
            value.start_side(at.place(orientation), side);
        }
        let clocks = Clocks::read();
        let idle = u64::try_from(start.idle.as_nanos()).unwrap_or(u64::MAX);
        value.put(LAST, clocks.monotonic(start.last_seen).to_ne_bytes());
        value.put(IDLE, idle.min(i64::MAX as u64).to_ne_bytes());
        let until = start.until.map_or(u64::MAX, |until| clocks.monotonic(until));
        value.put(UNTIL, until.to_ne_bytes());
        self.maps.flows.put(&at.bytes, &value.0, true).map_err(|error| match error.raw_os_error() {
            Some(libc::E2BIG | libc::ENOMEM) => ShuntError::Full,
            _ => ShuntError::Kernel(error),
        })
    }

    /// What was counted of a flow since it was put into the map; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`ShuntError::Kernel`], for example because the process may no longer use maps.
    pub fn peek(&self, key: &ShuntKey) -> Result<Option<Shunted>, ShuntError> {
        self.read(key, false)
    }

    /// As [`peek`](Self::peek), and removes the flow. A packet that the kernel is counting on another core at this
    /// very moment may be missing.
    ///
    /// # Errors
    ///
    /// As [`peek`](Self::peek); the flow stays in the map.
    pub fn take(&self, key: &ShuntKey) -> Result<Option<Shunted>, ShuntError> {
        self.read(key, true)
    }

    fn read(&self, key: &ShuntKey, remove: bool) -> Result<Option<Shunted>, ShuntError> {
        let Some(key) = Key::new(key) else { return Ok(None) };
        let mut value = Value([0; VALUE]);
        let found = self.maps.flows.read(&key.bytes, &mut value.0, remove);
        if !found.map_err(ShuntError::Kernel)? {
            return Ok(None);
        }
        Ok(Some(Shunted {
            sides: ORIENTATIONS.map(|orientation| value.side(key.place(orientation))),
            last_seen: Clocks::read().timestamp(value.long(LAST)),
            returned: value.returned(key),
        }))
    }

    /// Lets every flow come back with its next packet.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn stop(&self) -> io::Result<()> {
        self.maps.stopped.put(&[0; 4], &1_u64.to_ne_bytes(), false)
    }

    /// Packets counted and kept back since the capture was opened, of all flows.
    #[must_use]
    pub fn packets(&self) -> u64 {
        let mut value = [0; 8];
        // The kernel has no reason to refuse: there always is an entry 0.
        let _ = self.maps.total.read(&[0; 4], &mut value, false);
        u64::from_ne_bytes(value)
    }
}

impl fmt::Debug for ShuntMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShuntMap").field("packets", &self.packets()).finish_non_exhaustive()
    }
}

const ORIENTATIONS: [Orientation; 2] = [Orientation::Forward, Orientation::Reverse];

/// The clock of packets and that of the kernel's programs, at one moment.
struct Clocks {
    system: u64,
    monotonic: u64,
}

impl Clocks {
    fn read() -> Self {
        let system = UNIX_EPOCH.elapsed().as_ref().map_or(0, Duration::as_nanos);
        Clocks { system: u64::try_from(system).unwrap_or(u64::MAX), monotonic: bpf::monotonic() }
    }

    fn monotonic(&self, ts: Timestamp) -> u64 {
        let ts = ts.as_nanos();
        let later = self.monotonic.saturating_add(ts.saturating_sub(self.system));
        later.saturating_sub(self.system.saturating_sub(ts))
    }

    fn timestamp(&self, monotonic: u64) -> Timestamp {
        let earlier = self.monotonic.saturating_sub(monotonic);
        Timestamp::from_nanos(self.system.saturating_sub(earlier))
    }
}
