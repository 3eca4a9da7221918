//! Options of what has to do with interfaces.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flowscope_filter::Filter;

use super::{Size, Time, positive};
use crate::error::Failure;

/// Where to capture from instead of reading a file.
#[derive(Args, Debug)]
#[command(next_help_heading = "Live capture")]
pub(crate) struct Live {
    /// Capture from this interface instead of reading a file; may be given several times, which is
    /// one capture. Ctrl-C ends it: what was captured is worked off, then open flows end
    #[arg(short, long, value_name = "IFACE")]
    pub(crate) interface: Vec<String>,

    #[command(flatten)]
    pub(crate) taking: Taking,
}

/// What is taken of an interface's packets.
#[derive(Args, Debug)]
#[command(next_help_heading = "Live capture")]
pub(crate) struct Taking {
    /// End after so many packets
    #[arg(short, long, value_name = "N")]
    pub(crate) count: Option<NonZeroU64>,

    /// End after this long (seconds, or like 5m, 300ms)
    #[arg(long, value_name = "TIME", value_parser = positive)]
    pub(crate) duration: Option<Time>,

    /// Have the interface receive packets too that are not addressed to it. Not the `-p` of tcpdump,
    /// which is the opposite
    #[arg(short, long)]
    pub(crate) promiscuous: bool,

    /// Bytes to keep of each packet [default: all]
    #[arg(short, long, value_name = "BYTES")]
    pub(crate) snap_len: Option<NonZeroU32>,

    /// Memory in which packets wait to be read, of each interface [default: 32M]
    #[arg(long, value_name = "SIZE")]
    pub(crate) ring: Option<Size>,

    /// Share the packets with all programs that give the same number: both directions of a flow go
    /// to one of them
    #[arg(long, value_name = "GROUP")]
    pub(crate) fanout: Option<u16>,
}

impl Live {
    /// Whether packets are to be captured; an error if that is told how, and not where.
    pub(crate) fn is_wanted(&self) -> Result<bool, Failure> {
        let Taking { count, duration, promiscuous, snap_len, ring, fanout } = &self.taking;
        let told = [
            ("--count", count.is_some()),
            ("--duration", duration.is_some()),
            ("--promiscuous", *promiscuous),
            ("--snap-len", snap_len.is_some()),
            ("--ring", ring.is_some()),
            ("--fanout", fanout.is_some()),
        ];
        match told.iter().find(|(_, told)| *told) {
            Some((what, _)) if self.interface.is_empty() => {
                Err(Failure::Usage(format!("{what} is for live capture, which takes -i")))
            }
            _ => Ok(!self.interface.is_empty()),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct InterfacesArgs {
    /// How to print the list
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub(crate) format: ListFormat,
}

/// How interfaces are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Aligned columns, for reading
    Table,
    /// JSON lines
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct CaptureArgs {
    /// Capture from this interface; may be given several times, which is one capture
    #[arg(short, long, value_name = "IFACE", required = true)]
    pub(crate) interface: Vec<String>,

    /// Write here; `-` is standard output. A regular file appears when it is complete (until then it
    /// is called FILE.part)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: PathBuf,

    /// The format of the file [default: pcap if the file is called so, else pcapng]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FileFormat>,

    /// Record these packets only, as in `tcp port 443 and host 10.0.0.1`. The kernel sorts them out
    #[arg(short, long, value_name = "EXPR", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    /// Print nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) taking: Taking,

    #[command(flatten)]
    pub(crate) rotation: Rotation,
}

/// When a file is complete and the next one begins.
#[derive(Args, Debug)]
#[command(next_help_heading = "Several files")]
pub(crate) struct Rotation {
    /// Begin a new file before one becomes larger than this, in bytes or with K, M or G (times 1024)
    #[arg(short = 'C', long, value_name = "SIZE")]
    pub(crate) rotate_size: Option<Size>,

    /// Begin a new file when one has been written to for this long
    #[arg(short = 'G', long, value_name = "TIME", value_parser = positive)]
    pub(crate) rotate_time: Option<Time>,

    /// Keep so many files, the latest, and delete those before
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<NonZeroU32>,
}

/// The format of a capture file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum FileFormat {
    Pcap,
    Pcapng,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Capture files: pcap or pcapng, also compressed with gzip or zstd; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Send through this interface
    #[arg(short, long, value_name = "IFACE")]
    pub(crate) interface: String,

    /// Send so many times as fast as it was captured
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    pub(crate) speed: f64,

    /// Send as fast as can be
    #[arg(long, conflicts_with_all = ["speed", "pps"])]
    pub(crate) topspeed: bool,

    /// Send so many packets per second
    #[arg(long, value_name = "N", conflicts_with = "speed")]
    pub(crate) pps: Option<NonZeroU32>,

    /// Send it all so many times; 0 is until it is interrupted
    #[arg(long = "loop", value_name = "N", default_value_t = 1)]
    pub(crate) rounds: u64,

    /// Send these packets only, as in `tcp port 443 and host 10.0.0.1`
    #[arg(short, long, value_name = "EXPR", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    /// Print nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("expected a number above 0, such as 0.5 or 10".into()),
    }
}
