//! Row 3: one output, whatever the hash seed, the number of workers and the run.

use std::hash::{DefaultHasher, Hasher};
use std::process::Command;

use super::row::Measured;
use super::setup::{self, Setup, grouped};
use crate::Result;

/// Largest capture of `tests/data` that is read, in bytes.
const SMALL: u64 = 100_000;

/// Numbers of workers that the command is run with.
const WORKERS: [&str; 4] = ["1", "2", "4", "8"];

/// What the command prints.
const OUTPUTS: [&[&str]; 12] = [
    &["flows", "--format", "table"],
    &["flows", "--format", "eve"],
    &["flows", "--format", "zeek"],
    &["flows", "--format", "csv"],
    &["flows", "--format", "json"],
    &["sessions", "--format", "table"],
    &["sessions", "--format", "eve"],
    &["sessions", "--format", "zeek"],
    &["sessions", "--format", "csv"],
    &["sessions", "--format", "json"],
    &["events"],
    &["summary"],
];

pub(crate) fn run(setup: &Setup) -> Result<Measured> {
    let mix = setup.capture(&["mix", &setup.bytes.to_string()])?;
    let mut files = small()?;
    files.push(mix.to_string_lossy().into_owned());
    let seeds = setup.load(64, 8);
    let mut wrong = Vec::new();
    let mut figure = by_seeds(setup, seeds, &files, &mut wrong)?;
    let runs = by_command(setup, &files, &mut wrong)?;
    figure.push_str(&format!("; the command: {} outputs, {runs} runs", OUTPUTS.len()));
    let load = format!(
        "{seeds} seeds, 1, 2, 4 and 8 workers, {} captures and a generated one of {} bytes",
        files.len() - 1,
        grouped(mix.metadata()?.len())
    );
    Ok(Measured::unless(&wrong, load, figure))
}

/// The library, under every seed: the command has no option for it.
fn by_seeds(
    setup: &Setup,
    seeds: u32,
    files: &[String],
    wrong: &mut Vec<String>,
) -> Result<String> {
    let ran = setup::run(
        Command::new(setup.scenario()?).arg("determinism").arg(seeds.to_string()).args(files),
    )?;
    if ran.code != Some(0) {
        return Err(ran.err.into());
    }
    let text = String::from_utf8_lossy(&ran.out);
    let mut figures = Vec::new();
    let mut formats: Vec<&str> = Vec::new();
    for line in text.lines() {
        let [format, hash, runs, _] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("not understood: {line}").into());
        };
        if formats.contains(&format) {
            wrong.push(format!("{format} has more than one hash"));
        }
        formats.push(format);
        figures.push(format!("{format} {hash} in {runs} runs"));
    }
    if formats.is_empty() {
        return Err("no format was written".into());
    }
    Ok(figures.join(", "))
}

/// The command, twice with each number of workers: each process hashes its maps by another seed. Returns the number of runs.
fn by_command(setup: &Setup, files: &[String], wrong: &mut Vec<String>) -> Result<usize> {
    let mut runs = 0;
    for words in OUTPUTS {
        let mut first = None;
        for workers in WORKERS.iter().flat_map(|workers| [workers; 2]) {
            let mut command = Command::new(setup.command()?);
            let ran =
                setup::run(command.args(words).args(["-q", "--workers", workers]).args(files))?;
            if ran.code != Some(0) {
                return Err(format!("{words:?}: status {:?}: {}", ran.code, ran.err).into());
            }
            let mut hasher = DefaultHasher::new();
            hasher.write(&ran.out);
            runs += 1;
            if hasher.finish() != *first.get_or_insert(hasher.finish()) {
                wrong.push(format!("{} differs with {workers} workers", words.join(" ")));
            }
        }
    }
    Ok(runs)
}

/// Captures of `tests/data` that take no time, by name.
fn small() -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::path::Path::new("tests/data").read_dir()? {
        let path = entry?.path();
        let is_capture = path.extension().is_some_and(|end| end == "pcap" || end == "pcapng");
        if is_capture && path.metadata()?.len() <= SMALL {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}
