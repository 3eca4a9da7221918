//! Row 20: outputs that fail.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::row::{Measured, Verdict};
use super::setup::{self, Setup, grouped};
use crate::Result;

/// Exit code when output could not be written.
const UNWRITTEN: i32 = 5;

/// Room of the file system that becomes full, in MiB.
const ROOM: u32 = 64;

pub(crate) fn run(setup: &Setup) -> Result<Measured> {
    if !setup::is_there(&["prlimit", "--version"]) {
        return Ok(Measured::skipped("prlimit is not installed"));
    }
    let mut wrong = Vec::new();
    let mut figures = Vec::new();
    // Some hundred bytes for each flow: more than there is room for.
    let flood = setup.capture(&["flood", "300000"])?;
    let full_disk = full_disk(setup, &flood, &mut wrong)?;
    let is_whole = full_disk.is_some();
    figures.extend(full_disk);
    figures.push(every_write(setup, &mut wrong)?);
    figures.push(closed_pipe(setup, &flood, &mut wrong)?);
    let load = format!("a tmpfs of {ROOM} MiB; files that may have N bytes; readers that leave");
    let mut measured = Measured::unless(&wrong, load, figures.join("; "));
    if !is_whole && measured.verdict == Verdict::Passed {
        let why = "no namespace to mount a file system in; the rest passes";
        measured.verdict = Verdict::Skipped(why.into());
    }
    Ok(measured)
}

/// Output to a file system that becomes full, mounted where no other program sees it. `None`: it cannot be mounted.
fn full_disk(setup: &Setup, capture: &Path, wrong: &mut Vec<String>) -> Result<Option<String>> {
    let folder = setup.file("full")?;
    fs::create_dir_all(&folder)?;
    let mount = format!("mount -t tmpfs -o size={ROOM}m tmpfs \"$0\" || exit 99");
    let script = format!("{mount}; \"$@\"; code=$?; ls -AR \"$0\"; exit $code");
    let mut full = 0;
    for (option, name) in [("-o", "flows.json"), ("--output-dir", "logs")] {
        let mut command = Command::new("unshare");
        // Who is not root is so in a namespace of their own.
        let ran = setup::run(
            command
                .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
                .arg(&folder)
                .arg(setup.command()?)
                .args(["flows", "-q", "--format=eve", option])
                .arg(folder.join(name))
                .arg(capture),
        )?;
        if ran.code == Some(99) || ran.err.contains("unshare failed") {
            return Ok(None);
        }
        if ran.code != Some(UNWRITTEN) {
            wrong.push(format!("full disk, {option}: status {:?}: {}", ran.code, ran.err));
        }
        let left = String::from_utf8_lossy(&ran.out);
        // The log of a directory has its name from the beginning.
        if option == "-o" && left.contains("flows.json") {
            wrong.push(format!("full disk: {left}"));
        }
        full += 1;
    }
    Ok(Some(format!("full disk: status {UNWRITTEN} in {full} of 2 ways, nothing is left of `-o`")))
}

/// Output to a file that may have so many bytes, for numbers up to the bytes that it has.
fn every_write(setup: &Setup, wrong: &mut Vec<String>) -> Result<String> {
    let folder = setup.file("limited")?;
    let capture = "tests/data/dns-udp.pcap";
    let output = folder.join("flows.json");
    let mut runs = 0;
    for workers in ["1", "4"] {
        let write = |limit: Option<u64>| -> Result<(Option<i32>, bool)> {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            let limit = limit.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
            let mut command = Command::new("env");
            command.args(["--ignore-signal=XFSZ", "prlimit", &format!("--fsize={limit}")]);
            command.arg(setup.command()?).args([
                "flows",
                "-q",
                "--format=eve",
                "--workers",
                workers,
            ]);
            let ran = setup::run(command.arg("-o").arg(&output).arg(capture))?;
            Ok((ran.code, output.exists()))
        };
        if write(None)? != (Some(0), true) {
            return Err("the command does not write without a limit".into());
        }
        let whole = fs::read(&output)?;
        let step = setup.load(97, 997);
        let limits = (0..whole.len() as u64).step_by(step).chain([whole.len() as u64 - 1]);
        for limit in limits {
            let (code, written) = write(Some(limit))?;
            runs += 1;
            let left = folder.read_dir()?.count();
            if code != Some(UNWRITTEN) || written || left > 0 {
                wrong.push(format!("{limit} bytes: status {code:?}, {left} files are left"));
            }
        }
        let exact = write(Some(whole.len() as u64))?;
        if exact != (Some(0), true) || fs::read(&output)? != whole {
            wrong.push(format!("a limit of all bytes: {exact:?}"));
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(format!("a write fails at {runs} places: status {UNWRITTEN}, nothing is left"))
}

/// Readers that leave after so many bytes.
fn closed_pipe(setup: &Setup, capture: &Path, wrong: &mut Vec<String>) -> Result<String> {
    let sizes = [0, 1, 100, 4096, 65_536, 65_537, 1_000_000, 10_000_000];
    for (size, workers) in sizes.into_iter().flat_map(|size| [(size, "1"), (size, "4")]) {
        let mut child = Command::new(setup.command()?)
            .args(["flows", "-q", "--format=eve", "--workers", workers])
            .arg(capture)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(out) = child.stdout.take() {
            let mut read = Vec::new();
            out.take(size).read_to_end(&mut read)?;
        }
        let ended = child.wait_with_output()?;
        if ended.status.code() != Some(0) || !ended.stderr.is_empty() {
            wrong.push(format!("a pipe closed after {size} bytes: {}", ended.status));
        }
    }
    Ok(format!("pipes closed at {} places: status 0", grouped(2 * sizes.len() as u64)))
}
