//! The program, and what it reads.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::protocols::AppRecord;
use flowscope_arrow::ParquetDirectory;
use flowscope_cli::{RecordRun, RecordSink};

/// A capture of the project's.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// All captures of the project's.
pub(crate) fn captures() -> Vec<PathBuf> {
    let entries = data("").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let is_capture = |path: &PathBuf| path.to_str().unwrap().contains(".pcap");
    let mut captures: Vec<_> = entries.filter(is_capture).collect();
    captures.sort_unstable();
    captures
}

/// The program with these arguments.
pub(crate) fn query(args: &[&str], inputs: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowscope-query"));
    command.args(args).args(inputs);
    command
}

/// Exit code, standard output and standard error.
pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// What the program answers, as JSON lines.
pub(crate) fn answer(sql: &str, inputs: &[PathBuf]) -> String {
    let (code, out, err) = run(&mut query(&["--quiet", "--format=json", sql], inputs));
    assert_eq!((code, err.as_str()), (0, ""), "{sql}");
    out
}

/// Writes all records of captures, each protocol parsed, to Parquet files.
pub(crate) fn write(captures: &[PathBuf], to: &Path) {
    struct Files(ParquetDirectory);

    impl RecordSink for Files {
        fn flow(&mut self, _: &FlowRecord) -> io::Result<()> {
            Ok(())
        }

        fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()> {
            Ok(self.0.write(header, record)?)
        }

        fn finish(&mut self, _: &CaptureStats) -> io::Result<()> {
            Ok(self.0.finish()?)
        }
    }

    /// Of the command `flows`, as the table has them.
    struct Flows(Files);

    impl RecordSink for Flows {
        fn flow(&mut self, record: &FlowRecord) -> io::Result<()> {
            Ok(self.0.0.write(&record.header, record)?)
        }

        fn session(&mut self, _: &RecordHeader, _: &AppRecord) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self, stats: &CaptureStats) -> io::Result<()> {
            self.0.finish(stats)
        }
    }

    for command in ["flows", "sessions"] {
        let args = [command.into(), "--".into()].into_iter();
        let run = RecordRun::new(args.chain(captures.iter().map(Into::into))).unwrap();
        let files = Files(ParquetDirectory::create(to).unwrap());
        let sink: Box<dyn RecordSink> =
            if command == "flows" { Box::new(Flows(files)) } else { Box::new(files) };
        run.run(sink).unwrap();
    }
}
