//! Options of the commands that write packets of capture files.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;

use super::Running;

#[derive(Args, Debug)]
pub(crate) struct ExtractArgs {
    /// Capture files, which are read three times
    ///
    /// pcap or pcapng, also compressed with gzip or zstd. Several files are read in the given order as one capture.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Write the packets of flows for which this holds
    ///
    /// As for `flowscope flows`: such as `app_proto == tls && sni ends .example.com && bytes > 1M`.
    #[arg(long = "where", value_name = "EXPR", required = true)]
    pub(crate) condition: String,

    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Args, Debug)]
pub(crate) struct SplitArgs {
    /// Capture files, which are read twice
    ///
    /// pcap or pcapng, also compressed with gzip or zstd. Several files are read in the given order as one capture.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Write only flows for which this holds
    ///
    /// As for `flowscope flows`: such as `app_proto == tls && sni ends .example.com && bytes > 1M`.
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) condition: Option<String>,

    /// Write at most this many files; with more flows, none is written
    #[arg(long, value_name = "N", default_value = "10000")]
    pub(crate) max_files: NonZeroU64,

    #[command(flatten)]
    pub(crate) running: Running,
}
