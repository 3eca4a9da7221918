//! How records are written, and where to.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flowscope::output::{RecordFields, Zone};
use flowscope_where::Fields;

use super::{Common, NatsArgs, Running, ZoneArgs};
use crate::companion;
use crate::error::Failure;
use crate::output::{Arrangement, Broker, CollectorName, Facility, Protocol, Sinks, Target};

/// Options of the commands that write records.
#[derive(Args, Debug)]
pub(crate) struct Records {
    /// Print only records for which this holds
    ///
    /// Such as `app_proto == tls && sni ends .example.com && bytes > 1M`. The fields are those of the record, listed in
    /// FORMATS.md; more on the language is below.
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) condition: Option<String>,

    /// Print only these fields, in this order
    ///
    /// As a table, CSV or JSON. They have the names that --where uses.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    fields: Vec<String>,

    /// Sort by this field, by `-FIELD` in descending order
    ///
    /// They are printed when all input is read. The first 100000 are kept, or as many as --limit says, in at most 256 MiB.
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true, conflicts_with = "output_dir")]
    sort: Option<String>,

    /// Print at most this many records
    ///
    /// Without --sort, reading ends with the last of them, but for EVE, which has statistics of all input.
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "output_dir")]
    limit: Option<NonZeroUsize>,

    /// Record format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    #[command(flatten)]
    zone: ZoneArgs,

    /// Write each log to a file of its own in this directory, which is created if it does not
    /// exist. A log has its name from the beginning; an existing log is not overwritten
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    output_dir: Option<PathBuf>,

    /// Facility of messages to -o syslog://HOST:PORT
    ///
    /// Each line of --format eve, json or zeek-json is a message of Syslog (RFC 5424), sent over UDP, or with
    /// -o syslog+tcp://HOST:PORT over TCP, behind its length (RFC 6587).
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    syslog_facility: Facility,

    #[command(flatten)]
    nats: NatsArgs,
}

/// Formats of records.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns or one line per record, for reading
    Table,
    /// JSON lines with Suricata's field names, the last one with statistics. With -o syslog://HOST:PORT to a collector
    Eve,
    /// Zeek's logs, with tabs between the fields
    Zeek,
    /// Zeek's logs as JSON lines
    ZeekJson,
    /// Comma-separated values, the first line names the columns
    Csv,
    /// JSON lines, one flat object per record with the column names of FORMATS.md
    Json,
    /// Parquet files in --output-dir, by protocol and hour: COLUMNS.md. Needs the program `flowscope-parquet`
    Parquet,
    /// Arrow batches to a NATS JetStream, with -o nats://HOST:PORT, --site and --spool: COLLECTORS.md. Needs the program
    /// `flowscope-nats`
    Arrow,
    /// IPFIX messages (RFC 7011) of flows: to a file, or with -o udp://HOST:PORT or tcp://HOST:PORT to a collector
    Ipfix,
}

impl Records {
    /// The fields that are wanted, if not all of them.
    pub(crate) fn fields(&self, known: &Fields) -> Result<Option<RecordFields>, Failure> {
        if self.fields.is_empty() {
            return Ok(None);
        }
        if !matches!(self.format, Format::Table | Format::Csv | Format::Json) {
            return Err(Failure::Usage("--fields is for --format table, csv or json".into()));
        }
        self.fields.iter().try_for_each(|name| check(known, name, "--fields"))?;
        Ok(Some(RecordFields::new(self.fields.clone())))
    }

    /// The order and number of the records, if that is not all of them as they come.
    pub(crate) fn arrangement<T>(&self, known: &Fields) -> Result<Option<Arrangement<T>>, Failure> {
        let Some(sort) = &self.sort else {
            return Ok(self.limit.map(Arrangement::first));
        };
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort.as_str(), false),
        };
        check(known, name, "--sort")?;
        Ok(Some(Arrangement::sorted(name, descending, self.limit)))
    }

    /// Whether they go to a directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.output_dir.is_some()
    }

    /// The time zone of a table.
    pub(crate) fn zone(&self) -> Result<Zone, Failure> {
        self.zone.zone(self.format == Format::Table)
    }

    /// The server that they are published to, if their format is for one.
    pub(crate) fn broker(
        &self,
        common: &Common,
        sinks: Sinks<'_>,
    ) -> Result<Option<Broker>, Failure> {
        if self.format != Format::Arrow {
            return self.nats.unused(&common.running).map(|()| None);
        }
        if self.sort.is_some() || self.limit.is_some() || self.output_dir.is_some() {
            let what = "--sort, --limit and --output-dir are not for --format arrow";
            return Err(Failure::Usage(what.into()));
        }
        // Another program reads its files itself.
        let is_here = matches!(sinks, Sinks::Broker(_));
        self.nats.broker(&common.running, common.is_live(), is_here).map(Some)
    }

    /// Where the records go. Those of a format that `sinks` do not write are left to another program.
    pub(crate) fn target<'a>(
        &'a self,
        running: &'a Running,
        sinks: Sinks<'a>,
        broker: Option<&'a Broker>,
    ) -> Result<Target<'a>, Failure> {
        if let Some(broker) = broker {
            return match sinks {
                Sinks::Broker(open) => Ok(Target::Broker(broker, open)),
                Sinks::None | Sinks::Directory(..) => Err(companion::NATS.run()),
            };
        }
        if let Target::Stream(Some(path)) = running.target()
            && let Some(collector) = CollectorName::of(path)
        {
            return self.collector(collector).map(Target::Collector);
        }
        if self.format == Format::Parquet {
            return self.columns(running, sinks);
        }
        match &self.output_dir {
            None => Ok(running.target()),
            Some(_) if self.format == Format::Ipfix => {
                Err(Failure::Usage("--format ipfix is for one stream, not for --output-dir".into()))
            }
            Some(_) if self.format == Format::Table => Err(Failure::Usage(
                "--output-dir is for logs: it needs --format zeek, zeek-json, eve, csv or json"
                    .into(),
            )),
            Some(_) if !self.fields.is_empty() => {
                Err(Failure::Usage("--fields is for one stream, not for --output-dir".into()))
            }
            Some(dir) => Ok(Target::Directory(dir)),
        }
    }

    /// The collector that takes the format.
    fn collector<'a>(&self, collector: CollectorName<'a>) -> Result<CollectorName<'a>, Failure> {
        let protocol = match (collector.protocol(), self.format) {
            (Protocol::Ipfix, Format::Ipfix) => Protocol::Ipfix,
            (Protocol::Ipfix, _) => {
                return Err(Failure::Usage("-o udp:// and tcp:// are for --format ipfix".into()));
            }
            (Protocol::Syslog { .. }, Format::Eve) => self.syslog("eve"),
            (Protocol::Syslog { .. }, Format::Json) => self.syslog("json"),
            (Protocol::Syslog { .. }, Format::ZeekJson) => self.syslog("zeek"),
            (Protocol::Syslog { .. }, _) => {
                let what = "-o syslog:// is for lines of JSON: --format eve, json or zeek-json";
                return Err(Failure::Usage(what.into()));
            }
        };
        Ok(collector.with_protocol(protocol))
    }

    /// Syslog with lines of this kind.
    fn syslog(&self, id: &'static str) -> Protocol {
        Protocol::Syslog { facility: self.syslog_facility, id }
    }

    /// Whether no option says how, where, or in which order to write records.
    pub(crate) fn is_unwritten(&self) -> bool {
        let is_default = self.format == Format::Table && self.output_dir.is_none();
        is_default && self.sort.is_none() && self.limit.is_none()
    }

    /// The directory of column files: `-o` names it too.
    fn columns<'a>(
        &'a self,
        running: &'a Running,
        sinks: Sinks<'a>,
    ) -> Result<Target<'a>, Failure> {
        let dir = self.output_dir.as_ref().or(running.output.as_ref());
        let Some(dir) = dir.filter(|dir| dir.as_os_str() != "-") else {
            return Err(Failure::Usage("--format parquet needs --output-dir DIR".into()));
        };
        if self.sort.is_some() || self.limit.is_some() {
            let what =
                "--sort and --limit are not for --format parquet, whose files are sorted by time";
            return Err(Failure::Usage(what.into()));
        }
        match sinks {
            Sinks::Directory(open, _) => Ok(Target::Records(dir, open)),
            Sinks::None | Sinks::Broker(_) => Err(companion::PARQUET.run()),
        }
    }
}

/// A field that the records of another command have.
pub(crate) fn elsewhere(option: &str, name: &str) -> Failure {
    Failure::Usage(format!(
        "{option}: `{name}` is no field of these records: `flowscope flows` has those of flows, \
         `flowscope sessions` those of their sessions"
    ))
}

/// Checks that a field is known, and one of these records.
fn check(known: &Fields, name: &str, option: &'static str) -> Result<(), Failure> {
    known.check(name).map_err(|error| Failure::Expression(option, error))?;
    if known.is_other(name) {
        return Err(elsewhere(option, name));
    }
    Ok(())
}
