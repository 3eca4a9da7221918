use std::cell::Cell;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::{fmt, io, iter};

use crate::args::{Cli, Command, Common, FlowsArgs, Format, Records, selection};
use crate::error::Failure;
use crate::files;
use crate::output::{Condition, Flows, RecordSink, Sessions, Target, flow_fields, session_fields};

/// A run of `flowscope flows` or `flowscope sessions` over capture files whose records go to a [`RecordSink`].
///
/// They are the records of the command with the same arguments, in the same order. Unless it is [`reporting`](Self::reporting),
/// nothing is printed but errors of inputs that the sink does not report. Of `sessions`, the sink is given the records of flows too.
#[derive(Debug)]
pub struct RecordRun {
    common: Common,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Flows(Flows),
    Sessions(Sessions),
}

/// Why a run could not begin, or did not come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordRunError {
    /// The arguments are not understood, or not for records: what is wrong, in one or more lines.
    Usage(String),
    /// The sink returned this error.
    Sink(io::Error),
    /// A worker thread failed.
    Worker(String),
}

impl RecordRun {
    /// Prepares a run with these arguments of the command, of which the first is `flows` or `sessions`. The names of
    /// `--fields` are checked; which fields are used is up to the sink.
    ///
    /// # Errors
    ///
    /// [`RecordRunError::Usage`], also for options of live capture and of the output.
    pub fn new(args: impl IntoIterator<Item = OsString>) -> Result<Self, RecordRunError> {
        let program = OsString::from(env!("CARGO_PKG_NAME"));
        let cli = Cli::parse(iter::once(program).chain(args)).map_err(|error| usage(&error))?;
        let (mut common, layout) = match cli.command {
            Command::Flows(FlowsArgs { records, protocol, common, .. }) => {
                check(&records, &common)?;
                records.fields(&flow_fields())?;
                let condition =
                    records.condition.as_deref().map(Condition::of_flows).transpose()?;
                let flows =
                    Flows::new(Format::Parquet, false, false, common.running.community_id_seed);
                (common, Layout::Flows(flows.only(protocol).meeting(condition)))
            }
            Command::Sessions(args) => {
                check(&args.records, &args.common)?;
                if args.extract.dir.is_some() {
                    return Err(RecordRunError::Usage("--extract is not for records".into()));
                }
                let messages = args.messages()?;
                args.records.fields(&session_fields(messages))?;
                let condition = args.records.condition.as_deref();
                let condition =
                    condition.map(|text| Condition::of_sessions(text, messages)).transpose()?;
                let seed = args.common.running.community_id_seed;
                let sessions = Sessions::new(Format::Parquet, messages, false, seed);
                (args.common, Layout::Sessions(sessions.meeting(condition)))
            }
            _ => return Err(RecordRunError::Usage("only flows and sessions have records".into())),
        };
        common.running.quiet = true;
        Ok(RecordRun { common, layout })
    }

    /// Only records of these protocols. Flows are recognised as without it, and parsed are those of these protocols, and of those
    /// [within which they may begin](flowscope::protocols::Selection::with_carriers). It changes nothing of `flows`, which parse nothing.
    ///
    /// # Errors
    ///
    /// [`RecordRunError::Usage`] for a name that is of no protocol, or of one without records.
    pub fn of_protocols<'a>(
        mut self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, RecordRunError> {
        let protocols = selection(names)?;
        if let Layout::Sessions(sessions) = self.layout {
            self.layout = Layout::Sessions(sessions.of_protocols(protocols));
        }
        Ok(self)
    }

    /// Shows progress on standard error, and at the end what was not read, as the command does. By default only errors
    /// of inputs are printed.
    #[must_use]
    pub fn reporting(mut self) -> Self {
        self.common.running.quiet = false;
        self
    }

    /// Reads all captures to their ends.
    ///
    /// # Errors
    ///
    /// [`RecordRunError::Sink`] and [`RecordRunError::Worker`]. An input that cannot be read is no error of the run:
    /// [`RecordSink::input_error`] is called, and the next one is read.
    pub fn run(self, sink: Box<dyn RecordSink>) -> Result<(), RecordRunError> {
        let RecordRun { common, layout } = self;
        let sink = Cell::new(Some(sink));
        let open = |_: &Path| sink.take().ok_or_else(|| io::Error::from(io::ErrorKind::Other));
        let target = Target::Records(Path::new("records"), &open);
        match layout {
            Layout::Flows(flows) => files::track(common.files(), &common.running, target, flows)?,
            Layout::Sessions(sessions) => {
                files::track(common.files(), &common.running, target, sessions)?
            }
        };
        Ok(())
    }
}

/// Refuses options that would have no effect.
fn check(records: &Records, common: &Common) -> Result<(), RecordRunError> {
    #[cfg(all(feature = "live", target_os = "linux"))]
    let is_live = common.live.is_wanted()?;
    #[cfg(not(all(feature = "live", target_os = "linux")))]
    let is_live = false;
    let is_stdout = matches!(common.running.target(), Target::Stream(None));
    if is_live || !is_stdout || !records.is_unwritten() {
        let what = "options of live capture and of the output are not for records";
        return Err(RecordRunError::Usage(what.into()));
    }
    Ok(())
}

/// What is wrong, without the program's usage.
fn usage(error: &clap::Error) -> RecordRunError {
    let text = error.to_string();
    let paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let wrong: Vec<_> = paragraphs
        .map(str::trim)
        .take_while(|text| {
            !["Usage:", "For more information"].iter().any(|it| text.starts_with(it))
        })
        .collect();
    RecordRunError::Usage(wrong.join("\n"))
}

impl From<Failure> for RecordRunError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Output { source, .. } => RecordRunError::Sink(source),
            Failure::Worker(why) => RecordRunError::Worker(why),
            other => {
                let lines = other.message().into_iter().chain(other.details());
                RecordRunError::Usage(lines.collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl fmt::Display for RecordRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordRunError::Usage(what) => f.write_str(what),
            RecordRunError::Sink(error) => error.fmt(f),
            RecordRunError::Worker(why) => write!(f, "a worker thread failed: {why}"),
        }
    }
}

impl Error for RecordRunError {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
    use flowscope::protocols::AppRecord;

    use super::*;

    /// Counts records, and flows by their protocol.
    #[derive(Clone, Default)]
    struct Counts(Arc<Mutex<[BTreeMap<String, usize>; 2]>>);

    impl RecordSink for Counts {
        fn flow(&mut self, record: &FlowRecord) -> io::Result<()> {
            let name = format!("{:?}", record.app_proto);
            *self.0.lock().unwrap()[0].entry(name).or_default() += 1;
            Ok(())
        }

        fn session(&mut self, _: &RecordHeader, record: &AppRecord) -> io::Result<()> {
            let name = record.protocol().to_owned();
            *self.0.lock().unwrap()[1].entry(name).or_default() += 1;
            Ok(())
        }

        fn finish(&mut self, _: &CaptureStats) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn protocols_that_are_not_parsed_are_recognised() {
        let counts = |parsed: Option<&[&str]>| {
            let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
            let files = ["mixed.pcapng", "tls13.pcap", "ssh.pcap"].map(|name| data.join(name));
            let args = iter::once("sessions".into()).chain(files.iter().map(OsString::from));
            let run = RecordRun::new(args).unwrap();
            let run = match parsed {
                Some(names) => run.of_protocols(names.iter().copied()).unwrap(),
                None => run,
            };
            let counts = Counts::default();
            run.run(Box::new(counts.clone())).unwrap();
            Arc::into_inner(counts.0).unwrap().into_inner().unwrap()
        };
        let [flows, all] = counts(None);
        assert!(["dns", "http", "tls", "ssh"].iter().all(|name| all[*name] > 0), "{all:?}");
        for names in [&["dns"][..], &["tls", "ssh"], &[]] {
            let [recognised, parsed] = counts(Some(names));
            assert_eq!(recognised, flows);
            let wanted = all.iter().filter(|(name, _)| names.contains(&name.as_str()));
            assert!(parsed.iter().eq(wanted), "{parsed:?} of {all:?}");
        }
    }

    #[test]
    fn names_of_no_protocol_are_refused() {
        for command in ["flows", "sessions"] {
            let run = || RecordRun::new([command, "x"].map(OsString::from)).unwrap();
            assert!(run().of_protocols(["dns", "tls"]).is_ok());
            let refused = run().of_protocols(["dns", "dnss"]).unwrap_err().to_string();
            assert_eq!(refused, "`dnss` is no protocol that has records");
        }
    }

    #[test]
    fn arguments_are_checked_before_anything_is_read() {
        let check = |args: &[&str], expected: Option<&str>| {
            let made = RecordRun::new(args.iter().map(OsString::from));
            match (made, expected) {
                (Ok(_), None) => {}
                (Err(RecordRunError::Usage(what)), Some(expected)) => {
                    assert!(what.starts_with(expected), "{args:?}: {what}");
                }
                (made, _) => panic!("{args:?}: {made:?}"),
            }
        };
        check(&["flows", "x", "--where", "bytes > 1M && sni == a", "--fields", "bytes,port"], None);
        check(&["sessions", "x", "--protocol", "dns,tls", "--filter", "port 53"], None);
        check(&["flows", "x", "--fields", "byte"], Some("--fields: "));
        check(&["flows", "x", "--where", "byte > 1"], Some("--where: "));
        check(
            &["sessions", "x", "--where", "retransmits > 1"],
            Some("--where: `retransmits` is no"),
        );
        check(&["flows", "x", "--protocol", "dnss"], Some("invalid value 'dnss' for '--protocol"));
        check(&["flows"], Some("the following required arguments"));
        check(&["flows", "x", "--format", "json"], Some("options of live capture and"));
        check(&["flows", "x", "-o", "y"], Some("options of live capture and"));
        check(&["sessions", "x", "--limit", "1"], Some("options of live capture and"));
        check(&["sessions", "x", "--file-info"], None);
        check(&["sessions", "x", "--extract", "y"], Some("--extract is not for records"));
        check(&["summary", "x"], Some("only flows and sessions"));
    }
}
