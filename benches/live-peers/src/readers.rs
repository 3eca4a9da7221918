//! The programs that read. Each runs in a process of its own: it says `ready`, reads until its input
//! is closed, and says what it saw.

mod flows;
mod memory;
mod published;
mod ring;
mod stop;

use std::error::Error;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::load::Mix;

/// Who reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reader {
    /// Our packet ring, frames counted block by block and nothing else done.
    Ring,
    /// Our stream of flows over it.
    Netring,
    /// Our AF_XDP rings, program behind the driver, frames counted.
    #[cfg(feature = "af-xdp")]
    XdpRing,
    /// Our stream of flows over AF_XDP, program behind the driver.
    #[cfg(feature = "af-xdp")]
    NetringXdpGeneric,
    /// Our stream of flows over AF_XDP, program in the driver.
    #[cfg(feature = "af-xdp")]
    NetringXdpNative,
    /// `tcpdump -w /dev/null`.
    Tcpdump,
    /// The stream of flows of the published crate.
    Published,
    /// Our driver on the same frames in memory, in a cache near to it.
    Driver,
    /// The same, frames in the cache of the sender's core.
    DriverFar,
    /// Our stream of flows over frames in memory.
    Stream,
}

impl Reader {
    pub(crate) const ALL: &[Reader] = &[
        Reader::Ring,
        Reader::Netring,
        Reader::Published,
        Reader::Tcpdump,
        #[cfg(feature = "af-xdp")]
        Reader::XdpRing,
        #[cfg(feature = "af-xdp")]
        Reader::NetringXdpGeneric,
        #[cfg(feature = "af-xdp")]
        Reader::NetringXdpNative,
        Reader::Driver,
        Reader::DriverFar,
        Reader::Stream,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Reader::Ring => "ring",
            Reader::Netring => "netring",
            #[cfg(feature = "af-xdp")]
            Reader::XdpRing => "xdp-ring",
            #[cfg(feature = "af-xdp")]
            Reader::NetringXdpGeneric => "netring-xdp-generic",
            #[cfg(feature = "af-xdp")]
            Reader::NetringXdpNative => "netring-xdp-native",
            Reader::Tcpdump => "tcpdump",
            Reader::Published => "published",
            Reader::Driver => "driver",
            Reader::DriverFar => "driver-far",
            Reader::Stream => "stream",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Reader> {
        Reader::ALL.iter().copied().find(|reader| reader.name() == name)
    }

    /// Whether it tells flows.
    pub(crate) fn has_flows(self) -> bool {
        !matches!(self.name(), "ring" | "xdp-ring" | "tcpdump")
    }

    /// Whether it reads what is sent; the others make the same frames themselves.
    pub(crate) fn is_live(self) -> bool {
        !matches!(self, Reader::Driver | Reader::DriverFar | Reader::Stream)
    }
}

/// What a reader saw.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Seen {
    /// Frames that reached it; for streams of flows, those they told of.
    pub(crate) captured: u64,
    /// Frames that it says were lost.
    pub(crate) lost: u64,
    /// Flows that began.
    pub(crate) flows: u64,
    /// Items of the stream.
    pub(crate) events: u64,
    /// CPU nanoseconds, of a reader that takes its own time.
    pub(crate) own_cpu: Option<u64>,
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) interface: &'a str,
    /// For those who read from memory: what, and how much.
    pub(crate) mix: Mix,
    pub(crate) packets: usize,
    /// The sender's core.
    pub(crate) sender: usize,
}

/// Reads, in a process made for it.
pub(crate) fn run(reader: Reader, task: Task<'_>) -> Result<(), Box<dyn Error>> {
    let seen = match reader {
        Reader::Ring => ring::packet_ring(task.interface)?,
        Reader::Netring => flows::packet_ring(task.interface)?,
        #[cfg(feature = "af-xdp")]
        Reader::XdpRing => ring::xdp(task.interface)?,
        #[cfg(feature = "af-xdp")]
        Reader::NetringXdpGeneric => flows::xdp(task.interface, netring_capture::XdpMode::Generic)?,
        #[cfg(feature = "af-xdp")]
        Reader::NetringXdpNative => flows::xdp(task.interface, netring_capture::XdpMode::Native)?,
        Reader::Published => published::packet_ring(task.interface)?,
        Reader::Driver => memory::driver(task),
        Reader::DriverFar => memory::driver_far(task),
        Reader::Stream => memory::stream(task)?,
        Reader::Tcpdump => return Err("tcpdump is a program of its own".into()),
    };
    say(&serde_json::to_string(&seen)?)?;
    Ok(())
}

/// Says that frames may come.
pub(crate) fn ready() -> io::Result<()> {
    say(READY)
}

pub(crate) const READY: &str = "ready";

/// Memory for frames that are not read yet, the same for all who can be told: 32 MiB.
pub(crate) mod room {
    use std::time::Duration;

    pub(crate) const BLOCKS: u32 = 128;
    pub(crate) const BLOCK_SIZE: u32 = 1 << 18;
    pub(crate) const RETIRE: Duration = Duration::from_millis(10);
    #[cfg(feature = "af-xdp")]
    pub(crate) const FRAME_SIZE: u32 = 2048;
    #[cfg(feature = "af-xdp")]
    pub(crate) const FRAMES: u32 = BLOCKS * BLOCK_SIZE / FRAME_SIZE;
    pub(crate) const KIBIBYTES: u32 = BLOCKS * (BLOCK_SIZE >> 10);
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
