//! Options of the command that merges flow records.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Format, Size, Time, ZoneArgs, values};
use crate::output::Target;

#[derive(Args, Debug)]
pub(crate) struct MergeArgs {
    /// Files of flow records; `-` is standard input
    ///
    /// JSON lines that `flowscope flows --format eve` or `--format json` wrote, also compressed with gzip or zstd; Parquet that
    /// `--format parquet` wrote, as files or directories, by the program `flowscope-parquet`.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Format of the merged records [default: that of the inputs; if they differ json, of EVE and Parquet eve]
    #[arg(long, value_enum)]
    format: Option<MergeFormat>,

    #[command(flatten)]
    pub(crate) zone: ZoneArgs,

    /// Show all columns of the table, however wide the terminal is
    #[arg(long)]
    pub(crate) wide: bool,

    /// Write to this file instead of standard output; Parquet to this directory
    ///
    /// While it is being written, a regular file is named OUT.part. Files that are in the directory stay as they are.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Merge records of a flow that have at most this much silence between them (seconds, or like 5m, 300ms) [default: 5m of
    /// TCP, 60s of UDP, 30s of all others, the idle timeouts of `flowscope flows`]
    #[arg(long, value_name = "TIME")]
    gap: Option<Time>,

    /// Merge records of different VLANs and virtual networks, too
    ///
    /// For captures that see the two directions of a flow in different ones.
    #[arg(long)]
    pub(crate) any_vlan: bool,

    /// The inputs are sorted by `start`, as the output of this command is
    ///
    /// Then no more is kept than connections that may go on, and those that began after the oldest of them. Without it, all
    /// records are.
    #[arg(long)]
    pub(crate) sorted: bool,

    /// Keep at most this much of records, in bytes or with K, M or G (times 1024); with more, nothing is merged
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = values::memory)]
    pub(crate) memory: Size,

    /// Seed of Community IDs in the inputs, 0 to 65535
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) community_id_seed: u16,

    /// Print only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Formats of merged records: those whose fields are in the inputs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum MergeFormat {
    /// Aligned columns, for reading
    Table,
    /// JSON lines with Suricata's field names, of inputs in that format
    Eve,
    /// Comma-separated values, the first line names the columns
    Csv,
    /// JSON lines, one flat object per record
    Json,
    /// Parquet files in the directory of -o, of inputs that are EVE or Parquet. Needs the program `flowscope-parquet`
    Parquet,
}

impl MergeArgs {
    /// The format that was asked for.
    pub(crate) fn format(&self) -> Option<Format> {
        Some(match self.format? {
            MergeFormat::Table => Format::Table,
            MergeFormat::Eve => Format::Eve,
            MergeFormat::Csv => Format::Csv,
            MergeFormat::Json => Format::Json,
            MergeFormat::Parquet => Format::Parquet,
        })
    }

    /// The silence that was asked for.
    pub(crate) fn gap(&self) -> Option<Duration> {
        self.gap.map(|time| time.0)
    }

    /// The file to be written, or standard output.
    pub(crate) fn target(&self) -> Target<'_> {
        Target::Stream(self.output.as_deref().map(Path::new))
    }
}

/// What `merge --help` says behind the options.
pub(super) const MERGE_HELP: &str = "\
Records:
  Packets and bytes of the records of a connection are added up, so each packet must be in one of them: captures that
  follow each other, or were divided by flow; sensors that see different packets; interim records (--active). Records of
  protocols, and EVE's statistics, are passed over. FORMATS.md says how each field is made.

Connections:
  Records of the same addresses, ports, protocol and virtual network are of one connection if they overlap in time, or if
  no more than --gap lies between them. A record that begins with a SYN begins another one, if the one before had ended,
  or had got beyond its handshake. INITIATOR is the side with the strongest evidence in any record: a SYN, a SYN+ACK, a
  port on which servers listen, the first packet; of equally strong ones that of the earliest record.

Output:
  Sorted by `start`, the same for any order of the files; `flow_id` numbers the flows from 1. With several files, flows
  that were open when theirs ended are `idle_timeout` if another goes on for longer than --gap.
  Parquet goes to files by hour, as `--format parquet` of `flowscope flows` writes them. Zeek and IPFIX need bytes of IP, which the
  inputs do not have.

Exit status:
  0 done   1 failed   2 wrong usage   3 done, but an input was damaged or cut short   4 no permission to read
  5 output could not be written

Examples:
  flowscope merge monday.json tuesday.json -o both.json
  flowscope merge --format table east.json.gz west.json.gz
  flowscope merge east/ west/ -o both
  flowscope merge --sorted part-*.json | jq .bytes_to_server";
