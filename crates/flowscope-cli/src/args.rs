mod help;
#[cfg(all(feature = "live", target_os = "linux"))]
pub(crate) mod live;
mod values;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use flowscope::driver::{Checksums, DriverConfig};
use flowscope::reassembly::{OverlapPolicy, StreamConfig};
use flowscope::track::{Eviction, ResetRule, TrackerConfig};
use flowscope_filter::Filter;

use crate::error::Failure;
use crate::output::Wanted;
use crate::reading::{PayloadMode, Selection};
use help::{EVENTS_HELP, EXAMPLES, FLOWS_HELP, FOLLOW_HELP, SESSIONS_HELP};
pub(crate) use values::{Size, Time, positive};

/// Shows what flowed through a packet capture.
#[derive(Debug, Parser)]
#[command(name = "flowscope", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print one record per flow: who spoke to whom, how much, how it ended
    #[command(after_help = FLOWS_HELP)]
    Flows(FlowsArgs),
    /// Print what was said: one record per HTTP exchange, TLS handshake and DNS message
    #[command(after_help = SESSIONS_HELP)]
    Sessions(SessionsArgs),
    /// Print the bytes of one conversation, gaps marked
    #[command(after_help = FOLLOW_HELP)]
    Follow(FollowArgs),
    /// Print everything that happened to every flow, one JSON object per line
    #[command(after_help = EVENTS_HELP)]
    Events(EventsArgs),
    /// List what can be captured from, and whether we may
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(after_help = help::INTERFACES_HELP)]
    Interfaces(live::InterfacesArgs),
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
    /// How to print the records
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct SessionsArgs {
    /// How to print the records
    #[arg(long, value_enum, default_value_t = SessionFormat::Table)]
    pub(crate) format: SessionFormat,
    /// Read these protocols only
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PROTOCOL")]
    protocol: Vec<ProtocolArg>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct FollowArgs {
    /// Capture file: pcap or pcapng, also compressed with gzip or zstd; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "read")]
    file: Option<PathBuf>,
    /// Which conversation: a flow id, a Community ID, or its ends, as in
    /// `10.0.0.1:40000-10.0.0.2:80`. May be left out where there is only one
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// A capture file, for those used to tcpdump; the same as giving it without `-r`
    #[arg(short, long, value_name = "FILE")]
    read: Option<PathBuf>,
    /// Print length, SHA-256 and gaps of both directions instead, one JSON object per TCP flow; of
    /// all flows, or the one that is named
    #[arg(long)]
    pub(crate) digest: bool,
    /// How to print the bytes
    #[arg(long, value_enum, default_value_t = FollowFormat::Text)]
    pub(crate) format: FollowFormat,
    /// Print what this side sent only
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(crate) side: Option<SideArg>,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// How records of sessions are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SessionFormat {
    /// A line for each, for reading
    Table,
    /// JSON lines with Suricata's field names, the last one with statistics
    Eve,
    /// Zeek's http.log, ssl.log and dns.log, one after the other as records come
    Zeek,
}

/// How bytes are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum FollowFormat {
    /// As text, what cannot be printed escaped
    Text,
    /// As a hex dump
    Hex,
    /// As they are; nothing marks gaps and turns
    Raw,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SideArg {
    /// Who began the conversation
    Initiator,
    /// Who answered
    Responder,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum ProtocolArg {
    Http,
    Tls,
    Dns,
}

impl SessionsArgs {
    /// The protocols to be read.
    pub(crate) fn selection(&self) -> Selection {
        if self.protocol.is_empty() {
            return Selection::ALL;
        }
        let has = |protocol| self.protocol.contains(&protocol);
        Selection {
            http: has(ProtocolArg::Http),
            tls: has(ProtocolArg::Tls),
            dns: has(ProtocolArg::Dns),
            pairs: false,
        }
    }
}

impl FollowArgs {
    /// The capture, and which conversation is asked for. With `-r` the first word names the flow.
    pub(crate) fn what(&self) -> Result<(PathBuf, Option<Wanted>), Failure> {
        let usage = |what: &str| Err(Failure::Usage(what.to_owned()));
        let (file, flow) = match (&self.read, &self.file, &self.flow) {
            (None, Some(file), flow) => (file, flow.clone()),
            (Some(read), file, None) => {
                (read, file.as_ref().map(|word| word.to_string_lossy().into_owned()))
            }
            (Some(_), _, Some(_)) => {
                return usage("follow reads one capture: leave out -r or FILE");
            }
            (None, None, _) => return usage("no capture was named"),
        };
        match flow.as_deref().map(str::parse).transpose() {
            Ok(wanted) => Ok((file.clone(), wanted)),
            Err(why) => Err(Failure::Usage(why)),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) common: Common,
}

/// How flow records are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for reading
    Table,
    /// JSON lines with Suricata's field names, the last one with statistics
    Eve,
    /// Zeek's conn.log
    Zeek,
    /// Comma-separated values, the first line names the columns
    Csv,
}

/// What all commands that read captures understand.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Capture files: pcap or pcapng, also compressed with gzip or zstd; `-` is standard input.
    /// Several are read one after the other as one capture
    #[arg(value_name = "FILE", required_unless_present_any = OTHER_SOURCES)]
    #[cfg_attr(all(feature = "live", target_os = "linux"), arg(conflicts_with = "interface"))]
    files: Vec<PathBuf>,

    /// A capture file, for those used to tcpdump; the same as giving it without `-r`
    #[arg(short, long, value_name = "FILE")]
    #[cfg_attr(all(feature = "live", target_os = "linux"), arg(conflicts_with = "interface"))]
    read: Vec<PathBuf>,

    #[cfg(all(feature = "live", target_os = "linux"))]
    #[command(flatten)]
    pub(crate) live: live::Live,

    #[command(flatten)]
    pub(crate) running: Running,
}

/// Where packets may come from if no file is named.
#[cfg(all(feature = "live", target_os = "linux"))]
const OTHER_SOURCES: [&str; 2] = ["read", "interface"];
#[cfg(not(all(feature = "live", target_os = "linux")))]
const OTHER_SOURCES: [&str; 1] = ["read"];

/// What all commands understand, whatever they read from.
#[derive(Args, Debug)]
pub(crate) struct Running {
    /// Write here instead of to standard output. A regular file appears when it is complete
    /// (until then it is called OUT.part)
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Print nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Threads that track flows, at most 16; the output is the same for any number [default: by
    /// the number of processors, at most 4; 1, which is no extra thread, for little input and live]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Look at these packets only, as in `tcp port 443 and host 10.0.0.1`; all others are as if they
    /// had never been captured
    #[arg(short, long, value_name = "EXPR", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    #[command(flatten)]
    pub(crate) tracking: Tracking,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Tracking")]
pub(crate) struct Tracking {
    /// Flows remembered at a time; beyond that the one silent for longest is evicted
    #[arg(long, value_name = "N", default_value = "1000000")]
    max_flows: NonZeroUsize,

    /// Memory for flows, in bytes or with K, M or G (times 1024); beyond that flows are evicted
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    memory: Size,

    /// A TCP flow ends after this long in silence (seconds, or like 5m, 300ms)
    #[arg(long, value_name = "TIME", default_value = "5m")]
    tcp_idle: Time,

    /// A UDP flow ends after this long in silence
    #[arg(long, value_name = "TIME", default_value = "60s")]
    udp_idle: Time,

    /// Any other flow ends after this long in silence
    #[arg(long, value_name = "TIME", default_value = "30s")]
    other_idle: Time,

    /// Report long flows each time they have lasted this long. Packets and bytes of a record are
    /// then those since the flow's record before
    #[arg(long, visible_alias = "interim", value_name = "TIME", value_parser = positive)]
    active: Option<Time>,

    /// A closed TCP connection is kept for this long: packets that come late are counted in its
    /// record, which is written then
    #[arg(long, value_name = "TIME", default_value = "5s")]
    linger: Time,

    /// Which flow makes room for a new one
    #[arg(long, value_enum, default_value_t = EvictionArg::HalfOpenFirst)]
    eviction: EvictionArg,

    /// Which TCP resets end a flow
    #[arg(long, value_enum, default_value_t = ResetsArg::InSequence)]
    resets: ResetsArg,

    /// What wrong checksums lead to. Those left for the sender's network card to fill in are told
    /// apart and never count as wrong
    #[arg(long, value_enum, default_value_t = ChecksumsArg::Off)]
    checksums: ChecksumsArg,

    /// Which copy counts where TCP segments overlap and differ, as in hosts of this kind
    #[arg(long, value_enum, default_value_t = OverlapArg::First)]
    overlap: OverlapArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverlapArg {
    /// The one that came first
    First,
    /// The one that came last
    Last,
    /// As in BSD
    Bsd,
    /// As in Linux
    Linux,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChecksumsArg {
    /// They are not verified
    Off,
    /// They are counted
    Count,
    /// Such packets count in their flow, and change nothing else about it
    Exclude,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EvictionArg {
    /// The one silent for longest
    Oldest,
    /// The same, but connections that never were established go before all others
    HalfOpenFirst,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ResetsArg {
    /// Those that their receiver would believe, by sequence number
    InSequence,
    /// All
    Any,
}

impl Cli {
    /// Parses the command line; help, version and errors of usage end the program.
    pub(crate) fn from_command_line() -> Cli {
        let matches = Cli::command().get_matches();
        let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let Some((_, matches)) = matches.subcommand() {
            match &mut cli.command {
                Command::Flows(FlowsArgs { common, .. })
                | Command::Sessions(SessionsArgs { common, .. })
                | Command::Events(EventsArgs { common }) => common.join_files(matches),
                _ => {}
            }
        }
        cli
    }
}

impl Common {
    /// The captures, in the order of the command line.
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

impl Tracking {
    /// The configuration of all that happens to a packet, around that of its flow's table.
    pub(crate) fn driver(&self) -> DriverConfig {
        let streams = StreamConfig::default().overlap(match self.overlap {
            OverlapArg::First => OverlapPolicy::First,
            OverlapArg::Last => OverlapPolicy::Last,
            OverlapArg::Bsd => OverlapPolicy::Bsd,
            OverlapArg::Linux => OverlapPolicy::Linux,
        });
        DriverConfig::default().tracker(self.tracker()).streams(streams).checksums(
            match self.checksums {
                ChecksumsArg::Off => Checksums::Off,
                ChecksumsArg::Count => Checksums::Count,
                ChecksumsArg::Exclude => Checksums::Exclude,
            },
        )
    }

    /// The configuration of the flow table.
    pub(crate) fn tracker(&self) -> TrackerConfig {
        TrackerConfig::default()
            .max_flows(self.max_flows)
            .memory_budget(usize::try_from(self.memory.0.get()).unwrap_or(usize::MAX))
            .tcp_idle(self.tcp_idle.0)
            .udp_idle(self.udp_idle.0)
            .other_idle(self.other_idle.0)
            .active(self.active.map(|time| time.0))
            .linger(self.linger.0)
            .eviction(match self.eviction {
                EvictionArg::Oldest => Eviction::OldestLastSeen,
                EvictionArg::HalfOpenFirst => Eviction::HalfOpenFirst,
            })
            .resets(match self.resets {
                ResetsArg::InSequence => ResetRule::InSequence,
                ResetsArg::Any => ResetRule::Any,
            })
            .listening_ports(PayloadMode::listening_ports())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
