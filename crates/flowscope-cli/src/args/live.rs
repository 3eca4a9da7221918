//! Options of the commands that use interfaces.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flowscope_filter::Filter;

use super::sensor::Sensor;
use super::{Size, Time, positive};
use crate::error::Failure;

/// Options that capture from interfaces instead of reading a file.
#[derive(Args, Debug)]
#[command(next_help_heading = "Live capture")]
pub(crate) struct Live {
    /// Capture from this interface, not from a file
    ///
    /// May be repeated, as one capture. `any` is every interface but the loopback; a pattern such as
    /// 'eth*' is every interface of such a name. Ctrl-C ends it: received packets are still processed,
    /// then open flows end.
    #[arg(short, long, value_name = "IFACE", help_heading = None::<&'static str>)]
    pub(crate) interface: Vec<String>,

    /// Have the kernel count the packets of established TCP connections that no parser reads any more,
    /// of at most FLOWS at a time, and read only those that change more than counters. The records
    /// are the same. Not for `events`
    #[arg(long, value_name = "FLOWS")]
    pub(crate) shunt: Option<NonZeroU32>,

    #[command(flatten)]
    pub(crate) taking: Taking,

    #[command(flatten)]
    pub(crate) sensor: Sensor,
}

/// Options of a live capture.
#[derive(Args, Debug)]
#[command(next_help_heading = "Live capture")]
pub(crate) struct Taking {
    /// Stop after this many packets
    #[arg(short, long, value_name = "N")]
    pub(crate) count: Option<NonZeroU64>,

    /// Stop after this long (seconds, or like 5m, 300ms)
    #[arg(long, value_name = "TIME", value_parser = positive)]
    pub(crate) duration: Option<Time>,

    /// Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the
    /// opposite
    #[arg(short, long)]
    pub(crate) promiscuous: bool,

    /// Most bytes captured of each packet [default: all]
    #[arg(short, long, value_name = "BYTES")]
    pub(crate) snap_len: Option<NonZeroU32>,

    /// Size of the capture ring of each interface [default: 32M]
    #[arg(long, value_name = "SIZE")]
    pub(crate) ring: Option<Size>,

    /// Who takes the time of a packet. The clock of a card is not the system's unless it is
    /// synchronised; packets that the card does not stamp have the kernel's time [default: kernel]
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub(crate) timestamps: Option<TimestampSource>,

    /// Share the packets with all programs that use the same number; both directions of a flow go
    /// to the same program
    #[arg(long, value_name = "GROUP")]
    pub(crate) fanout: Option<u16>,
}

/// Sources of timestamps.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum TimestampSource {
    /// The kernel, when it receives the packet
    Kernel,
    /// The network card
    Card,
}

impl Live {
    /// Whether to capture live; an error if there are capture options without an interface.
    pub(crate) fn is_wanted(&self) -> Result<bool, Failure> {
        let Taking { count, duration, promiscuous, snap_len, ring, timestamps, fanout } =
            &self.taking;
        let told = [
            ("--count", count.is_some()),
            ("--duration", duration.is_some()),
            ("--promiscuous", *promiscuous),
            ("--snap-len", snap_len.is_some()),
            ("--ring", ring.is_some()),
            ("--timestamps", timestamps.is_some()),
            ("--fanout", fanout.is_some()),
            ("--shunt", self.shunt.is_some()),
        ];
        let told = told.iter().find(|(_, told)| *told).map(|(what, _)| *what);
        match told.or(self.sensor.given()) {
            Some(what) if self.interface.is_empty() => {
                Err(Failure::Usage(format!("{what} is for live capture, which takes -i")))
            }
            _ => Ok(!self.interface.is_empty()),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct InterfacesArgs {
    /// Format of the list
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub(crate) format: ListFormat,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Interface to be looked at [default: all that are up, but the loopback]
    #[arg(value_name = "IFACE")]
    pub(crate) interface: Option<String>,

    /// Format of the findings
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub(crate) format: ListFormat,
}

/// Formats of the list of interfaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Aligned columns, for reading
    Table,
    /// JSON lines
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct CaptureArgs {
    /// Capture from this interface; may be repeated, as one capture. `any` is every interface but the
    /// loopback; a pattern such as 'eth*' is every interface of such a name
    #[arg(short, long, value_name = "IFACE", required = true)]
    pub(crate) interface: Vec<String>,

    /// Write to this file; `-` is standard output. While it is being written, a regular file is named
    /// FILE.part
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: PathBuf,

    /// Format of the file [default: pcap for names that end in .pcap, else pcapng]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FileFormat>,

    /// Record only packets that match this filter, such as `tcp port 443 and host 10.0.0.1`. The
    /// kernel applies it
    #[arg(short, long, value_name = "EXPR", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    /// Print only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) taking: Taking,

    #[command(flatten)]
    pub(crate) rotation: Rotation,
}

/// Options of file rotation.
#[derive(Args, Debug)]
#[command(next_help_heading = "Several files")]
pub(crate) struct Rotation {
    /// Begin a new file before one becomes larger than this, in bytes or with K, M or G (times 1024)
    #[arg(short = 'C', long, value_name = "SIZE")]
    pub(crate) rotate_size: Option<Size>,

    /// Begin a new file after this long
    #[arg(short = 'G', long, value_name = "TIME", value_parser = positive)]
    pub(crate) rotate_time: Option<Time>,

    /// Keep only this many of the latest files, and delete older ones
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<NonZeroU32>,
}

/// Formats of capture files.
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

    /// Send this many times as fast as captured
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    pub(crate) speed: f64,

    /// Send as fast as possible
    #[arg(long, conflicts_with_all = ["speed", "pps"])]
    pub(crate) topspeed: bool,

    /// Send this many packets per second
    #[arg(long, value_name = "N", conflicts_with = "speed")]
    pub(crate) pps: Option<NonZeroU32>,

    /// Send the capture this many times; 0 repeats until interrupted
    #[arg(long = "loop", value_name = "N", default_value_t = 1)]
    pub(crate) rounds: u64,

    /// Send only packets that match this filter, such as `tcp port 443 and host 10.0.0.1`
    #[arg(short, long, value_name = "EXPR", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    /// Print only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("expected a number above 0, such as 0.5 or 10".into()),
    }
}
