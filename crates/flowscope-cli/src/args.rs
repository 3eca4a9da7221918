mod answers;
#[cfg(all(feature = "live", target_os = "linux"))]
mod config;
mod conversation;
mod help;
mod ipfix;
mod ladder;
#[cfg(all(feature = "live", target_os = "linux"))]
pub(crate) mod live;
mod login;
mod merge;
mod nats;
mod packets;
#[cfg(test)]
mod pages;
mod records;
mod report;
#[cfg(all(feature = "live", target_os = "linux"))]
mod sensor;
mod tracking;
mod values;
#[cfg(feature = "tui")]
mod view;
mod zone;

use std::env;
use std::ffi::OsString;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use flowscope::protocols::{self, Selection};
use flowscope_filter::Filter;

use crate::error::Failure;
use crate::output::Target;
use crate::reading::MessageOptions;
pub(crate) use answers::{SummaryArgs, TopArgs};
use conversation::Conversation;
use help::{EVENTS_HELP, EXAMPLES, FOLLOW_HELP};
use ipfix::IpfixArgs;
pub(crate) use ladder::LadderArgs;
pub use login::{BrokerIdentity, BrokerLogin, LoginArgs, LoginFile};
pub(crate) use merge::MergeArgs;
use nats::NatsArgs;
pub(crate) use packets::{ExtractArgs, SplitArgs};
pub(crate) use records::{Format, Records, elsewhere};
pub(crate) use report::ReportArgs;
pub(crate) use tracking::Tracking;
pub(crate) use values::{Size, Time, positive};
#[cfg(feature = "tui")]
pub(crate) use view::{LiveArgs, Speed};
pub(crate) use zone::ZoneArgs;

/// Flow and session records from packet captures and live interfaces.
#[derive(Debug, Parser)]
#[command(
    name = "flowscope",
    version,
    arg_required_else_help = true,
    after_help = help::MORE,
    after_long_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print one record per flow: endpoints, packets, bytes, and how it ended
    #[command(after_long_help = help::flows())]
    Flows(FlowsArgs),
    /// Print one record per transaction, handshake or message of application protocols
    #[command(after_long_help = help::sessions())]
    Sessions(SessionsArgs),
    /// Print what is in a capture on one screen: protocols, talkers, names, failures
    #[command(after_long_help = help::SUMMARY_HELP)]
    Summary(SummaryArgs),
    /// Print the addresses, servers or names of which there is most
    #[command(after_long_help = help::TOP_HELP)]
    Top(TopArgs),
    /// Write a page of a whole capture, as one HTML file that opens offline
    #[command(after_long_help = report::REPORT_HELP)]
    Report(ReportArgs),
    /// Show flows and names on the terminal as they come, from interfaces or a capture
    #[cfg(feature = "tui")]
    #[command(after_long_help = view::LIVE_HELP)]
    Live(Box<LiveArgs>),
    /// Print the payload of one conversation, with gaps marked
    #[command(after_long_help = FOLLOW_HELP)]
    Follow(FollowArgs),
    /// Draw one conversation packet by packet, with what was noteworthy
    #[command(after_long_help = ladder::LADDER_HELP)]
    Ladder(LadderArgs),
    /// Write the packets of chosen flows to a capture
    #[command(after_long_help = help::EXTRACT_HELP)]
    Extract(ExtractArgs),
    /// Write the packets of each flow to a capture of its own
    #[command(after_long_help = help::SPLIT_HELP)]
    Split(SplitArgs),
    /// Print all events of all flows, one JSON object per line
    #[command(after_long_help = EVENTS_HELP)]
    Events(EventsArgs),
    /// Put flow records of several captures or sensors together: one record for each connection
    #[command(after_long_help = merge::MERGE_HELP)]
    Merge(MergeArgs),
    /// Answer a question in SQL about captures, or about records in Parquet files
    ///
    /// Needs the program `flowscope-query`.
    #[command(disable_help_flag = true)]
    Query {
        /// Arguments of that program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
        _arguments: Vec<OsString>,
    },
    /// Write what sensors publish to NATS JetStream to Parquet files
    ///
    /// Needs the program `flowscope-nats`.
    #[command(disable_help_flag = true)]
    Collect {
        /// Arguments of that program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
        _arguments: Vec<OsString>,
    },
    /// List network interfaces, and whether this program may capture from them
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(after_help = help::INTERFACES_HELP)]
    Interfaces(live::InterfacesArgs),
    /// Check whether live capture works here, and which settings matter
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(after_help = help::DOCTOR_HELP)]
    Doctor(live::DoctorArgs),
    /// Record packets of interfaces to files
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(after_help = help::CAPTURE_HELP)]
    Capture(live::CaptureArgs),
    /// Send the packets of a capture through an interface
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(after_help = help::REPLAY_HELP)]
    Replay(live::ReplayArgs),
}

#[derive(Args, Debug)]
pub(crate) struct FlowsArgs {
    #[command(flatten)]
    pub(crate) records: Records,
    /// Show all columns, however wide the terminal is
    ///
    /// The table is not shortened, and has flow id, tunnel, retransmissions and gaps too.
    #[arg(long)]
    pub(crate) wide: bool,
    /// Print only flows that speak one of these protocols
    ///
    /// Also where another protocol began within.
    #[arg(long, value_parser = all_names(), hide_possible_values = true, value_delimiter = ',', value_name = "PROTOCOL")]
    pub(crate) protocol: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) ipfix: IpfixArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SessionsArgs {
    #[command(flatten)]
    pub(crate) records: Records,
    /// Do not shorten lines to the width of the terminal
    #[arg(long)]
    pub(crate) wide: bool,
    /// Print only records of these protocols
    ///
    /// Also where one begins within another: behind STARTTLS or `CONNECT`, data connections of FTP, decrypted TLS. The list is
    /// below. Flows of protocols that are only named are printed by `flowscope flows`.
    #[arg(long, value_parser = protocol_names(), hide_possible_values = true, value_delimiter = ',', value_name = "PROTOCOL")]
    protocol: Vec<String>,
    /// Find out the type and SHA-256 of files: bodies and forms of HTTP, parts of mails, files of FTP and SMB
    ///
    /// The type by the first bytes, whatever the header says; SHA-256 of files that were captured whole. Both of what was
    /// sent: nothing is decompressed, but parts of mails are decoded. No byte of them is written.
    #[arg(long)]
    file_info: bool,
    #[command(flatten)]
    pub(crate) extract: Extract,
    #[command(flatten)]
    keylog: KeylogArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which files are written, and where to.
#[derive(Args, Debug)]
pub(crate) struct Extract {
    /// Write bodies of HTTP, files in forms, parts of mails, and files of FTP and SMB to this directory
    ///
    /// As --file-info has them, called by their SHA-256, each once; files of which a part is missing or too much as
    /// FLOW_TRANSACTION_DIRECTION.partial, parts of mails and forms as FLOW_TRANSACTION_partN.partial, files of FTP as
    /// FLOW_transfer.partial. Those of the records that are printed. Implies --file-info. The directory must be empty or not exist.
    #[arg(long = "extract", value_name = "DIR", conflicts_with = "sort")]
    pub(crate) dir: Option<PathBuf>,
    /// Write at most this much of one file with --extract
    #[arg(long, value_name = "SIZE", default_value = "16MiB", requires = "dir")]
    pub(crate) max_file_size: Size,
    /// Write at most this much with --extract
    #[arg(long, value_name = "SIZE", default_value = "1GiB", requires = "dir")]
    pub(crate) max_total: Size,
    /// Write at most this many files with --extract
    #[arg(long, value_name = "N", default_value = "10000", requires = "dir")]
    pub(crate) max_files: NonZeroU64,
}

#[derive(Args, Debug)]
pub(crate) struct FollowArgs {
    #[command(flatten)]
    pub(crate) conversation: Conversation,
    /// Print length, SHA-256 and gaps instead of the payload
    ///
    /// One JSON object per TCP flow, with both directions; for all flows, or for FLOW.
    #[arg(long, conflicts_with_all = ["format", "side"])]
    pub(crate) digest: bool,
    /// Format of the payload
    #[arg(long, value_enum, default_value_t = FollowFormat::Text)]
    pub(crate) format: FollowFormat,
    /// Write each side of each conversation to a file of its own in this directory.
    ///
    /// The directory must be empty or not exist. Gaps are listed in DIR/index.json.
    #[arg(long = "output-dir", visible_alias = "out", value_name = "DIR", conflicts_with_all = ["output", "digest", "format", "side"])]
    pub(crate) streams: Option<PathBuf>,
    /// Write at most this many files with --output-dir, beside the index
    #[arg(long, value_name = "N", default_value = "10000", requires = "streams")]
    pub(crate) max_files: NonZeroU64,
    /// Print only the payload of this side
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(crate) side: Option<SideArg>,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// Formats of payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum FollowFormat {
    /// Text, with control characters escaped
    Text,
    /// Hex dump
    Hex,
    /// Unchanged bytes, without marks for gaps and changes of direction
    Raw,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SideArg {
    /// The endpoint that began the conversation
    Initiator,
    /// The other endpoint
    Responder,
}

impl SessionsArgs {
    /// The protocols to be read.
    pub(crate) fn messages(&self) -> Result<MessageOptions, Failure> {
        let protocols = match &self.protocol[..] {
            [] => Selection::ALL,
            names => selection(names.iter().map(String::as_str))?,
        };
        let file_bytes = match self.extract.dir {
            Some(_) => usize::try_from(self.extract.max_file_size.0.get()).unwrap_or(usize::MAX),
            None => 0,
        };
        let files = self.file_info || self.extract.dir.is_some();
        Ok(MessageOptions { files, file_bytes, ..MessageOptions::ALL }.of(protocols))
    }
}

/// The protocols of these names, which are those that are read.
pub(crate) fn selection<'a>(
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Selection, Failure> {
    Selection::of_names(names)
        .map_err(|name| Failure::Usage(format!("`{name}` is no protocol that has records")))
}

/// The names of all protocols that flows are found to speak.
fn all_names() -> PossibleValuesParser {
    let read = protocols::all().iter().map(|protocol| protocol.name);
    PossibleValuesParser::new(read.chain(help::named()))
}

/// The names of all protocols that are read.
fn protocol_names() -> PossibleValuesParser {
    PossibleValuesParser::new(protocols::all().iter().map(|protocol| protocol.name))
}

#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    keylog: KeylogArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The key log of commands that read messages of protocols.
#[derive(Args, Debug)]
pub(crate) struct KeylogArgs {
    /// Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it
    ///
    /// TLS 1.2 and 1.3 with AES-GCM or ChaCha20-Poly1305. The protocol within is detected, and its records come beside
    /// that of TLS. Secrets that a pcapng file holds are used without this option. Of a live capture, those that are in
    /// the file at the start.
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
}

/// Options of all commands that read captures.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Capture files; `-` is standard input
    ///
    /// pcap or pcapng, also compressed with gzip or zstd. Several files are read in the given order as one capture.
    #[arg(value_name = "FILE", required_unless_present_any = OTHER_SOURCES)]
    #[cfg_attr(all(feature = "live", target_os = "linux"), arg(conflicts_with = "interface"))]
    files: Vec<PathBuf>,

    /// Capture file, as in tcpdump; the same as FILE without `-r`
    #[arg(short, long, value_name = "FILE")]
    #[cfg_attr(all(feature = "live", target_os = "linux"), arg(conflicts_with = "interface"))]
    read: Vec<PathBuf>,

    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(flatten)]
    pub(crate) live: live::Live,

    #[command(flatten)]
    pub(crate) running: Running,
}

/// Options that replace FILE.
#[cfg(all(feature = "live", target_os = "linux"))]
const OTHER_SOURCES: [&str; 2] = ["read", "interface"];
#[cfg(not(all(feature = "live", target_os = "linux")))]
const OTHER_SOURCES: [&str; 1] = ["read"];

/// Options of all commands that read packets.
#[derive(Args, Debug)]
#[command(next_help_heading = None::<&'static str>)]
pub(crate) struct Running {
    /// Write to this file instead of standard output
    ///
    /// While it is being written, a regular file is named OUT.part.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Print only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Do not show the output in a pager
    ///
    /// On a terminal, output of capture files goes through the command in FLOWSCOPE_PAGER or PAGER, by default
    /// `less`; an empty one, or `cat`, is none. The exit status is then that of the pager.
    #[arg(long)]
    no_pager: bool,

    /// Number of threads that track flows, at most 16; the output does not depend on it [default:
    /// the number of processors, at most 4; 1 (no extra thread) for small input and live capture]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Process only packets that match, as in tcpdump
    ///
    /// Such as `tcp port 443 and host 10.0.0.1`. Others are treated as not captured.
    #[arg(short, long, value_name = "EXPR", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    /// Key log with which TLS is decrypted, of commands that take [one](KeylogArgs).
    #[arg(skip)]
    pub(crate) keylog: Option<PathBuf>,

    /// Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) community_id_seed: u16,

    #[command(flatten)]
    pub(crate) tracking: Tracking,
}

/// The command line. `-h` shows the most used options, `--help` all of them.
fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        if !SHORTENED.contains(&command.get_name()) {
            return command;
        }
        #[cfg(feature = "tui")]
        let command =
            if command.get_name() == "live" { view::without_output(command) } else { command };
        let more =
            format!("`flowscope help {}` has all options, and examples.", command.get_name());
        let command = command.after_help(more);
        command.mut_args(|arg| {
            let most_used = MOST_USED.contains(&arg.get_id().as_str());
            arg.hide_short_help(!most_used)
        })
    })
}

/// Commands whose options do not fit one screen.
const SHORTENED: [&str; 11] = [
    "flows", "sessions", "summary", "top", "report", "live", "follow", "ladder", "extract",
    "split", "events",
];

/// The options that `-h` shows.
const MOST_USED: [&str; 19] = [
    "by",
    "condition",
    "digest",
    "fields",
    "file",
    "files",
    "filter",
    "flow",
    "format",
    "interface",
    "limit",
    "output",
    "protocol",
    "side",
    "sort",
    "speed",
    "streams",
    "svg",
    "wide",
];

impl Command {
    /// Whether its output may go through a pager: it prints records of capture files on standard output.
    pub(crate) fn is_paged(&self) -> bool {
        let (is_live, running) = match self {
            Command::Flows(FlowsArgs { records, common, .. })
            | Command::Sessions(SessionsArgs { records, common, .. }) => {
                if records.is_directory() {
                    return false;
                }
                (common.is_live(), &common.running)
            }
            Command::Summary(SummaryArgs { common, .. })
            | Command::Top(TopArgs { common, .. })
            | Command::Events(EventsArgs { common, .. }) => (common.is_live(), &common.running),
            Command::Follow(follow) if follow.streams.is_none() => (false, &follow.running),
            _ => return false,
        };
        !is_live && !running.no_pager && running.output.is_none()
    }
}

/// These arguments with the options of the file of `--config`, where there is that option.
fn with_config(
    command: &clap::Command,
    args: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, clap::Error> {
    let args = args.into_iter().collect();
    #[cfg(all(feature = "live", target_os = "linux"))]
    let args = config::expand(command, args)
        .map_err(|what| command.clone().error(clap::error::ErrorKind::InvalidValue, what))?;
    #[cfg(not(all(feature = "live", target_os = "linux")))]
    let _ = command;
    Ok(args)
}

impl Cli {
    /// Parses the command line. Help, version and usage errors end the program.
    pub(crate) fn from_command_line() -> Cli {
        let command = command();
        let args = with_config(&command, env::args_os()).unwrap_or_else(|error| error.exit());
        Cli::of(&command.get_matches_from(args)).unwrap_or_else(|error| error.exit())
    }

    /// Parses these arguments, the first of which is the name of the program. Nothing is printed.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let command = command();
        let args = with_config(&command, args)?;
        Cli::of(&command.try_get_matches_from(args)?)
    }

    fn of(matches: &ArgMatches) -> Result<Cli, clap::Error> {
        let mut cli = Cli::from_arg_matches(matches)?;
        if let Some((_, matches)) = matches.subcommand() {
            match &mut cli.command {
                Command::Flows(FlowsArgs { common, .. }) => common.join_files(matches),
                Command::Sessions(SessionsArgs { keylog, common, .. })
                | Command::Summary(SummaryArgs { keylog, common, .. })
                | Command::Top(TopArgs { keylog, common, .. })
                | Command::Report(ReportArgs { keylog, common })
                | Command::Events(EventsArgs { keylog, common }) => {
                    common.join_files(matches);
                    common.running.keylog = keylog.keylog.take();
                }
                #[cfg(feature = "tui")]
                Command::Live(live) => {
                    live.common.join_files(matches);
                    live.common.running.keylog = live.keylog.keylog.take();
                }
                _ => {}
            }
        }
        Ok(cli)
    }
}

impl Common {
    /// Whether packets come from interfaces.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn is_live(&self) -> bool {
        !self.live.interface.is_empty()
    }

    #[cfg(not(all(feature = "live", target_os = "linux")))]
    pub(crate) fn is_live(&self) -> bool {
        false
    }

    /// The capture files, in the order of the command line.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Puts the files given with and without `-r` into one list.
    fn join_files(&mut self, matches: &ArgMatches) {
        let places = |id| matches.indices_of(id).into_iter().flatten();
        let read = places("read").zip(self.read.drain(..));
        let mut all: Vec<_> = places("files").zip(self.files.drain(..)).chain(read).collect();
        all.sort_by_key(|(place, _)| *place);
        self.files = all.into_iter().map(|(_, file)| file).collect();
    }
}

impl Running {
    /// The file or directory that `-o` names.
    pub(crate) fn output(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// The file to be written, or standard output.
    pub(crate) fn target(&self) -> Target<'_> {
        Target::Stream(self.output.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn options_of_every_day_exist() {
        let command = command();
        let exists = |id: &&str| {
            let mut commands = command.get_subcommands();
            commands.any(|command| command.get_arguments().any(|arg| arg.get_id().as_str() == *id))
        };
        let unknown: Vec<_> = MOST_USED.iter().filter(|id| !exists(id)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(SHORTENED.iter().all(|name| command.find_subcommand(name).is_some()));
    }
}
