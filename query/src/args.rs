//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Answers a question in SQL about packet captures, or about records in Parquet files.
#[derive(Debug, Parser)]
#[command(name = "flowscope-query", bin_name = "flowscope query", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The question. Tables are kinds of records (flow, dns, tls, http ...); `show tables` and `describe tls` list them
    /// and their columns
    pub(crate) sql: String,

    /// Capture files, which are read in this order as one capture, and directories with Parquet files of
    /// `--format parquet`
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// Format of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Write to this file instead of standard output
    ///
    /// It has this name when it is complete.
    #[arg(short, long, value_name = "OUT", required_if_eq("format", "parquet"))]
    pub(crate) output: Option<PathBuf>,

    /// Process only packets of captures that match, as in tcpdump
    #[arg(short, long, value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) filter: Option<String>,

    /// Keep flows of different VLANs and virtual networks in captures apart
    #[arg(long)]
    pub(crate) vlan_key: bool,

    /// Decrypt TLS of captures with the secrets of this key log; those that a pcapng file holds are used without it.
    /// The table `flow` does not use it
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,

    /// Number of threads that track flows of captures, as in `flowscope sessions`
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Memory for sorting, grouping and joining, in MiB; beyond that, sorts and groups go to temporary files, and
    /// what cannot is an error
    #[arg(long, value_name = "MIB", default_value = "1024")]
    pub(crate) memory: NonZeroUsize,

    /// Print only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Formats of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Text with aligned columns
    Table,
    /// Comma-separated values, the first line names the columns
    Csv,
    /// One JSON object per line
    Json,
    /// A Parquet file, with --output
    Parquet,
}

const EXAMPLES: &str = "\
Examples:
  flowscope query \"select sni, count(*) n from tls group by 1 order by n desc limit 20\" trace.pcap
  flowscope query 'select * from flow where bytes_to_client > 1000000' archive/*.pcap.zst
  flowscope query 'select query_name, rcode_name, count(*) from dns group by 1, 2' records/ --format csv
  flowscope query 'describe flow' trace.pcap

Exit status: 0; 1 if the question could not be answered, 2 if it is not understood, 3 if it was answered and input was
damaged or could not be read, 5 if the answer could not be written.";
