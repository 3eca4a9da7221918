//! The `flowscope` command: flow and session records from capture files and live interfaces.
//!
//! | command | what it does |
//! |---|---|
//! | `flows`, `sessions`, `events` | records of capture files, or of live interfaces (`-i`) |
//! | `summary`, `top` | what is in a capture; what there is most of |
//! | `report` | a page of a whole capture, as one HTML file |
//! | `live` | flows and names on the terminal as they come, under feature `tui`, which is on by default |
//! | `follow`, `ladder` | the payload of one conversation; its packets |
//! | `extract`, `split` | packets of chosen flows, to one capture or one for each flow |
//! | `merge` | flow records of several captures or sensors as one table |
//! | `query` | SQL, by the program `flowscope-query` |
//! | `collect` | records that sensors published to NATS, by the program `flowscope-nats` |
//! | `interfaces`, `doctor` | lists interfaces; checks whether capturing works |
//! | `capture`, `replay` | records packets to files; sends a file |
//!
//! Data goes to standard output, everything else to standard error. `--help` describes the output and
//! the exit codes.
//!
//! Live capture is for Linux, under feature `live`, which is on by default.
//!
//! The package is a library so that a program with one more format has the same command line: [`run`] is all of
//! `flowscope`, [`run_with`] is that with a [`RecordSink`] behind `--format parquet`, [`run_with_broker`] with one behind
//! `--format arrow`. `flowscope` itself hands such a command line on to the programs `flowscope-parquet` and
//! `flowscope-nats`. [`RecordRun`] gives the records of arguments to a sink and
//! prints nothing, for libraries in other languages.

mod args;
mod choice;
mod companion;
mod error;
mod files;
mod keylog;
#[cfg(all(feature = "live", target_os = "linux"))]
mod live;
mod merge;
mod numbers;
mod output;
mod packets;
mod pager;
mod progress;
mod raw;
mod reading;
mod record_run;
mod recorder;
mod run;
mod tunnels;
#[cfg(feature = "tui")]
mod view;

use std::io::{self, Write};
use std::process::ExitCode;

pub use args::{BrokerIdentity, BrokerLogin, LoginArgs, LoginFile};
use args::{
    Cli, Command, Common, EventsArgs, FlowsArgs, FollowArgs, Format, LadderArgs, ReportArgs,
    SessionsArgs, SummaryArgs, TopArgs,
};
use error::{Failure, Status};
use flowscope::output::terminal;
use numbers::Numbers;
use output::{
    Answer, Condition, Digests, Events, Extraction, Flows, Follow, Ladder, RecordFormat,
    ReportPage, Sessions, Sinks, Store, Streams, Summary, Target, Top, flow_fields, session_fields,
};
pub use output::{
    Broker, Dropped, FlowSource, OpenBroker, OpenFlows, OpenSink, OutputFile, RecordSink,
};
pub use record_run::{RecordRun, RecordRunError};

/// Does what the command line says, as `flowscope` does, and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    run_command(Sinks::None)
}

/// As [`run`], but `--format parquet` writes records to what `open` returns for the directory of the output, and `merge` reads
/// Parquet from what `read` returns for a file or a directory.
#[must_use]
pub fn run_with(open: OpenSink<'_>, read: OpenFlows<'_>) -> ExitCode {
    run_command(Sinks::Directory(open, read))
}

/// As [`run`], but `--format arrow` gives records to what `open` returns for the server and its options.
#[must_use]
pub fn run_with_broker(open: OpenBroker<'_>) -> ExitCode {
    run_command(Sinks::Broker(open))
}

fn run_command(sinks: Sinks<'_>) -> ExitCode {
    let command = Cli::from_command_line().command;
    if command.is_paged() {
        pager::start();
    }
    let ended = match command {
        Command::Flows(args) => flows(&args, sinks),
        Command::Sessions(args) => sessions(&args, sinks),
        Command::Summary(args) => summary(&args),
        Command::Top(TopArgs { by, limit, answer, common, .. }) => {
            let top = Top::new(by, limit.get(), answer.is_json());
            answer_with(&common, answer.condition.as_deref(), Answer::Top(Box::new(top)))
        }
        Command::Report(args) => report(&args),
        #[cfg(feature = "tui")]
        Command::Live(args) => view::live(*args),
        Command::Follow(args) => follow(&args),
        Command::Ladder(args) => ladder(&args),
        Command::Extract(args) => packets::extract(&args),
        Command::Split(args) => packets::split(&args),
        Command::Events(EventsArgs { common, .. }) => {
            let events = Events::new(common.running.community_id_seed);
            track(&common, common.running.target(), events)
        }
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Interfaces(args) => live::interfaces(&args),
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Doctor(args) => live::doctor(&args),
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Capture(args) => live::capture(args),
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Replay(args) => live::replay(&args),
        Command::Merge(args) => merge::run(&args, sinks),
        Command::Query { .. } => Err(companion::QUERY.run()),
        Command::Collect { .. } => Err(companion::NATS.run()),
    };
    ExitCode::from(match ended {
        Ok(status) => status.code(),
        Err(failure) => {
            if let Some(message) = failure.message() {
                say(&message);
            }
            failure.details().iter().for_each(|line| show(line));
            failure.code()
        }
    })
}

fn flows(args: &FlowsArgs, sinks: Sinks<'_>) -> Result<Status, Failure> {
    let FlowsArgs { records, wide, common, protocol, ipfix } = args;
    let broker = records.broker(common, sinks)?;
    let target = records.target(&common.running, sinks, broker.as_ref())?;
    let seed = common.running.community_id_seed;
    let condition = records.condition.as_deref().map(Condition::of_flows).transpose()?;
    let known = flow_fields();
    let flows = Flows::new(records.format, *wide, target.is_directory(), seed)
        .fields(records.fields(&known)?)
        .exported(ipfix.exporter(records.format, target)?)
        .fitting(if *wide { None } else { target.terminal() })
        .in_zone(records.zone()?)
        .arranged(records.arrangement(&known)?)
        .only(protocol.clone())
        .meeting(condition);
    track(common, target, flows)
}

fn sessions(args: &SessionsArgs, sinks: Sinks<'_>) -> Result<Status, Failure> {
    let SessionsArgs { records, wide, common, .. } = args;
    if records.format == Format::Ipfix {
        let what = "ipfix has no records of sessions: `flowscope flows` exports flows";
        return Err(Failure::Usage(what.into()));
    }
    let broker = records.broker(common, sinks)?;
    let target = records.target(&common.running, sinks, broker.as_ref())?;
    let (logs, seed) = (target.is_directory(), common.running.community_id_seed);
    let messages = args.messages()?;
    let condition = records.condition.as_deref();
    let condition = condition.map(|text| Condition::of_sessions(text, messages)).transpose()?;
    let known = session_fields(messages);
    let terminal = if *wide { None } else { target.terminal() };
    let sessions = Sessions::new(records.format, messages, logs, seed)
        .fields(records.fields(&known)?)
        .fitting(terminal)
        .in_zone(records.zone()?)
        .arranged(records.arrangement(&known)?)
        .meeting(condition);
    let Some(dir) = &args.extract.dir else { return track(common, target, sessions) };
    if matches!(records.format, Format::Parquet | Format::Arrow) {
        let what = "--extract is not for --format parquet and arrow, which have columns alone";
        return Err(Failure::Usage(what.into()));
    }
    #[cfg(all(feature = "live", target_os = "linux"))]
    if common.live.is_wanted()? {
        return Err(Failure::Usage("--extract is for capture files, not for interfaces".into()));
    }
    let extraction = Extraction::create(dir, &args.extract)?;
    track(common, target, sessions.extracting(extraction))
}

fn summary(args: &SummaryArgs) -> Result<Status, Failure> {
    let SummaryArgs { answer, zone, common, .. } = args;
    let condition = answer.condition.as_deref();
    let zone = zone.zone(!answer.is_json())?;
    let summary = Summary::new(answer.is_json(), condition.is_some(), zone);
    answer_with(common, condition, Answer::Summary(Box::new(summary)))
}

/// Answers one question about all records, or about those of the flows that meet a condition.
fn answer_with(
    common: &Common,
    condition: Option<&str>,
    answer: Answer,
) -> Result<Status, Failure> {
    let chosen = condition.map(|condition| chosen(common, condition)).transpose()?;
    track(common, common.running.target(), Sessions::answering(answer, chosen))
}

/// The ids of the flows that meet a condition.
fn chosen(common: &Common, condition: &str) -> Result<Numbers, Failure> {
    let condition = Condition::of_flows(condition)?;
    #[cfg(all(feature = "live", target_os = "linux"))]
    if common.live.is_wanted()? {
        let what = "--where is here for capture files, which are read twice; `flowscope flows` and `sessions` take it live";
        return Err(Failure::Usage(what.into()));
    }
    choice::can_be_reread(common.files())?;
    let seed = common.running.community_id_seed;
    let flows = Flows::new(Format::Json, false, false, seed).meeting(Some(condition));
    choice::choose(common.files(), &common.running, &flows, true).map(|(_, chosen)| chosen)
}

/// Writes what `layout` makes of packets, wherever they come from.
fn track(
    common: &Common,
    target: Target<'_>,
    layout: impl RecordFormat,
) -> Result<Status, Failure> {
    #[cfg(all(feature = "live", target_os = "linux"))]
    if common.live.is_wanted()? {
        return live::track(&common.live, &common.running, target, layout);
    }
    files::track(common.files(), &common.running, target, layout)
}

fn report(args: &ReportArgs) -> Result<Status, Failure> {
    track(&args.common, args.target()?, ReportPage::new(args.sources()))
}

fn follow(args: &FollowArgs) -> Result<Status, Failure> {
    let running = &args.running;
    let (file, wanted) = args.conversation.what(running.community_id_seed)?;
    let files = [file];
    if let Some(dir) = &args.streams {
        let store = Store::create(dir, args.max_files.get())?;
        let streams = Streams::new(wanted, running.community_id_seed, store);
        files::track(&files, running, Target::Stream(None), streams)
    } else if args.digest {
        files::track(
            &files,
            running,
            running.target(),
            Digests::new(wanted, running.community_id_seed),
        )
    } else {
        let layout = Follow::new(wanted, args.format, args.side);
        files::track(&files, running, running.target(), layout)
    }
}

fn ladder(args: &LadderArgs) -> Result<Status, Failure> {
    let running = &args.running;
    let (file, wanted) = args.conversation.what(running.community_id_seed)?;
    let target = running.target();
    let ladder = Ladder::new(wanted, args.limit.get(), args.svg, target.terminal());
    files::track(&[file], running, target, ladder)
}

/// Prints a line on standard error, with control characters escaped, or keeps it until a view has left the terminal. A
/// closed standard error is no error.
fn say(message: &str) {
    #[cfg(feature = "tui")]
    if view::hold(message) {
        return;
    }
    let _ = writeln!(io::stderr(), "flowscope: {}", terminal(message));
}

/// Prints a line on standard error that belongs to the one before: a command to copy, the place of an error.
fn show(line: &str) {
    let _ = writeln!(io::stderr(), "    {}", terminal(line));
}
