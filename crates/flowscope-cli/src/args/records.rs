//! How records are written, and where to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Running;
use crate::error::Failure;
use crate::output::Target;

/// Options of the commands that write records.
#[derive(Args, Debug)]
pub(crate) struct Records {
    /// Format of the records
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Write each log to a file of its own in this directory, which is created if it does not
    /// exist. A log has its name from the beginning; an existing log is not overwritten
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    output_dir: Option<PathBuf>,

    /// Print only records for which this holds, such as `app_proto == tls && sni ends .example.com
    /// && bytes > 1M`. The fields are those of the record, listed in FORMATS.md
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) condition: Option<String>,
}

/// Formats of records.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns or one line per record, for reading
    Table,
    /// JSON lines with Suricata's field names, the last one with statistics
    Eve,
    /// Zeek's logs, with tabs between the fields
    Zeek,
    /// Zeek's logs as JSON lines
    ZeekJson,
    /// Comma-separated values, the first line names the columns
    Csv,
}

impl Records {
    /// Where the records go.
    pub(crate) fn target<'a>(&'a self, running: &'a Running) -> Result<Target<'a>, Failure> {
        match &self.output_dir {
            None => Ok(running.target()),
            Some(_) if self.format == Format::Table => Err(Failure::Usage(
                "--output-dir is for logs: it needs --format zeek, zeek-json, eve or csv".into(),
            )),
            Some(dir) => Ok(Target::Directory(dir)),
        }
    }
}
