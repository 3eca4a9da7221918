use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use flowscope::driver::{Checksums, DriverConfig};
use flowscope::reassembly::{OverlapPolicy, StreamConfig};
use flowscope::track::{Eviction, ResetRule, TrackerConfig};
use jiff::SignedDuration;

use crate::error::Failure;
use crate::output::Wanted;
use crate::reading::{Reading, Selection};

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
    #[arg(value_name = "FILE", required_unless_present = "read")]
    files: Vec<PathBuf>,

    /// A capture file, for those used to tcpdump; the same as giving it without `-r`
    #[arg(short, long, value_name = "FILE")]
    read: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) running: Running,
}

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
    /// the number of processors, at most 4; 1, which is no extra thread, for little input]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,

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
    #[arg(long, value_name = "TIME", value_parser = positive)]
    active: Option<Time>,

    /// A closed TCP connection is remembered for this long, so that late packets are counted with it
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
                Command::Follow(_) => {}
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
            .listening_ports(Reading::listening_ports())
    }
}

/// A span of time: plain numbers are seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Time(Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let parsed = if plain {
            text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        } else {
            text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok())
        };
        parsed.map(Time).ok_or_else(|| "expected a time like 90, 1.5, 300ms, 5m or 1h30m".into())
    }
}

fn positive(text: &str) -> Result<Time, String> {
    let time: Time = text.parse()?;
    if time.0.is_zero() { Err("expected more than nothing".into()) } else { Ok(time) }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Size(NonZeroU64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return Err("expected a size like 64M, 512MiB or 2G".into()),
        };
        let number: u64 = number.parse().map_err(|_| "expected a size like 64M, 512MiB or 2G")?;
        let bytes = number.checked_mul(1 << shift).and_then(NonZeroU64::new);
        bytes.map(Size).ok_or_else(|| "expected a size between 1 byte and 16 EiB".into())
    }
}

const EXAMPLES: &str = "\
Examples:
  flowscope flows trace.pcap                     who spoke to whom, as a table
  flowscope flows --format eve trace.pcap.gz     the same as JSON lines, for jq and pipelines
  flowscope sessions trace.pcap                  what they said: HTTP, TLS and DNS
  flowscope follow trace.pcap 4                  the bytes of the flow that packet 4 began
  flowscope flows --format zeek -o conn.log monday.pcap tuesday.pcap
  tcpdump -w - port 443 | flowscope events -     what happens, as it happens

`flowscope help COMMAND` explains the rest.";

const FLOWS_HELP: &str = "\
The table:
  START is UTC. INITIATOR is who began it: by the handshake, else by well-known ports, else
  whoever sent the first packet. PACKETS and BYTES are what the initiator sent / what the
  responder sent; bytes are those on the wire, all headers counted. K is thousands, M millions.
  STATE says how the flow ended: `closed` and `reset` as TCP does, `idle` in silence, `open` not
  before the capture did, `evicted` for want of room (--max-flows, --memory), `reused` as a new
  connection took its ports. `active` is a report on a flow that goes on (--active), `late` are
  packets that came after the end.
  HISTORY has Zeek's letters: S SYN, H SYN+ACK, A ACK, D data, F FIN, R RST, T retransmission,
  G gap, W zero window; upper case for the initiator.

EVE:
  Suricata's fields, and an object `flowscope` with what Suricata has no name for: `syn_rtt` and
  `ack_rtt` are seconds, `gap_bytes_..` were never captured, `conn_state` is Zeek's. The last line
  has event_type `stats`: where every packet and every byte of payload went.

Exit status:
  0 done   1 failed   2 wrong usage   3 done, but a capture was damaged or cut short
  4 no permission to read   5 output could not be written

Examples:
  flowscope flows trace.pcap
  flowscope flows --format eve trace.pcap | jq 'select(.tcp.state == \"closed\") | .src_ip'
  flowscope flows --active 60 --format csv -o flows.csv long.pcapng.zst";

const SESSIONS_HELP: &str = "\
A flow's protocol is found by its first bytes, on any port; ports say what to try first.

Records:
  http  one per request, answered or not, and one per response whose request was not captured
  tls   one per handshake, also when it fails or only one side of it was captured
  dns   one per message

Zeek's logs are printed as one stream: a header comes whenever the next record belongs to another
log than the one before, which `zeek-cut` understands. `--protocol http` leaves one log.

Exit status: as for `flowscope flows`.

Examples:
  flowscope sessions trace.pcap
  flowscope sessions --protocol tls --format eve trace.pcap | jq -r .tls.sni
  flowscope sessions --protocol dns --format zeek -o dns.log trace.pcap";

const FOLLOW_HELP: &str = "\
What each side sent, in the order in which it was complete. Lines that begin with `>>>` (initiator)
and `<<<` (responder) say whose bytes follow; `[... 12 bytes not captured ...]` marks a gap.

Exit status: as for `flowscope flows`; 1 if there is no such conversation.

Examples:
  flowscope follow trace.pcap 4
  flowscope follow --side responder --format raw -o page.bin trace.pcap 10.0.0.1:40000-10.0.0.2:80
  flowscope follow --digest trace.pcap | jq .toclient.sha256";

const EVENTS_HELP: &str = "\
Every line has `packet` (number of the packet that it follows from), `timestamp`, `flow_id` (number
of the flow's first packet), the flow's ends (`src_ip` is the initiator) and `event`:
  started, packet, established, state_change, anomaly, icmp_error, interim, ended, late
  parser_chosen, parser_stopped, gap, conflict, application
The last line has the statistics.

Exit status: as for `flowscope flows`.

Example:
  flowscope events trace.pcap | jq 'select(.event == \"anomaly\")'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<u64>| {
            let millis = text.parse::<Time>().ok().map(|time| time.0.as_millis() as u64);
            assert_eq!(millis, expected, "{text}");
        };
        check("0", Some(0));
        check("90", Some(90_000));
        check("1.5", Some(1_500));
        check("300ms", Some(300));
        check("5m", Some(300_000));
        check("1h30m", Some(5_400_000));
        check("-5s", None);
        check("", None);
        check(".", None);
        check("ten", None);
        check("99999999999999999999999", None);
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse::<Size>().ok().map(|size| size.0.get()), expected, "{text}");
        };
        check("1", Some(1));
        check("64K", Some(64 << 10));
        check("512MiB", Some(512 << 20));
        check("2 GB", Some(2 << 30));
        check("0", None);
        check("-1", None);
        check("K", None);
        check("1T", None);
        check("99999999999G", None);
    }
}
