//! Rows 9 and 10: a SYN flood through the command.

use std::collections::HashSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::row::Measured;
use super::setup::{self, Setup, grouped, ledger, number};
use crate::Result;

/// More flows than there are packets: memory is the limit, and not their number.
const FLOWS: &str = "100000000";

/// What a process may take beside `--memory`, in KiB: rounds of packets and records, and what is the program's own.
const BESIDE: u64 = 64 << 10;

/// Row 9.
pub(crate) fn memory(setup: &Setup) -> Result<Measured> {
    const BUDGET: u64 = 256 << 10;
    let packets = setup.load(20_000_000_u64, 1_000_000);
    let mut writer = Command::new(setup.scenario()?)
        .args(["write", "flood", &packets.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let capture = writer.stdout.take().ok_or("no pipe")?;
    let memory = format!("{BUDGET}K");
    let args = ["flows", "-q", "--format=eve", "--memory", &memory, "--max-flows", FLOWS, "-"];
    let mut command =
        Command::new(setup.command()?).args(args).stdin(capture).stdout(Stdio::piped()).spawn()?;
    let records = command.stdout.take().ok_or("no pipe")?;
    let last =
        Command::new("tail").args(["-n", "1"]).stdin(records).stdout(Stdio::piped()).spawn()?;
    let (peak, code) = watch(&mut command)?;
    let stats = last.wait_with_output()?;
    let written = writer.wait()?;
    let counted = ledger(String::from_utf8_lossy(&stats.stdout).trim())?;
    let mut wrong = Vec::new();
    if peak > BUDGET + BESIDE {
        wrong.push(format!("{} KiB, more than {}", grouped(peak), grouped(BUDGET + BESIDE)));
    }
    if code != Some(0) || !written.success() {
        wrong.push(format!("exit status {code:?}"));
    }
    if (counted.seen, counted.tracked) != (packets, packets) {
        wrong.push(format!("{counted:?} of {packets} packets"));
    }
    let load = format!("{} SYNs of random clients, `--memory 256M`, EVE", grouped(packets));
    let figure = format!("{} KiB resident at most; each packet is in the ledger", grouped(peak));
    Ok(Measured::unless(&wrong, load, figure))
}

/// The most memory that a process had resident, in KiB, as known 10 ms before its end, and its exit code.
fn watch(child: &mut Child) -> Result<(u64, Option<i32>)> {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|text| number(text.trim())).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            return Ok((peak, status.code()));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Networks of the connections that go on, and of no others.
const ESTABLISHED: &str = "172.20.0.0/16";

/// Row 10.
pub(crate) fn fairness(setup: &Setup) -> Result<Measured> {
    const CONNECTIONS: usize = 1000;
    let packets = setup.load("5000000", "500000");
    // Room for some tens of thousands of flows.
    let memory = setup.load("64M", "16M");
    let file = setup.capture(&["established", packets, &CONNECTIONS.to_string()])?;
    let mut wrong = Vec::new();
    let mut survived = Vec::new();
    let condition = format!("ip in {ESTABLISHED}");
    let filter = format!("net {ESTABLISHED}");
    for (what, words, records) in [
        ("flows", &["flows", "--where", &condition][..], CONNECTIONS),
        ("records of HTTP", &["sessions", "--protocol", "http"][..], 2 * CONNECTIONS),
    ] {
        let lines = |more: &[&str]| -> Result<HashSet<String>> {
            let mut command = Command::new(setup.command()?);
            command.args(words).args(["-q", "--format=eve", "--memory", memory]);
            let ran = setup::run(command.args(["--max-flows", FLOWS]).args(more).arg(&file))?;
            // 3: for lack of room, payload of the flood was not read.
            if !matches!(ran.code, Some(0 | 3)) {
                return Err(format!("{words:?}: {}", ran.err).into());
            }
            let text = String::from_utf8(ran.out)?;
            let is_record = |line: &&str| !line.contains("\"event_type\":\"stats\"");
            // Under the flood, closed connections leave the table before the time for their late packets is over; else they
            // are in it when the input ends.
            let same_reason =
                |line: &str| line.replace("\"reason\":\"timeout\"", "\"reason\":\"shutdown\"");
            Ok(text.lines().filter(is_record).map(same_reason).collect())
        };
        // Packets that a filter refuses keep their numbers, so that even ids are the same.
        let (with, without) = (lines(&[])?, lines(&["-f", &filter])?);
        if without.len() != records {
            wrong.push(format!("{} {what} without the flood, not {records}", without.len()));
        }
        let same = with.intersection(&without).count();
        if same * 1000 < records * 999 {
            wrong.push(format!("{same} of {records} {what}"));
        }
        survived.push(format!("{same} of {records} {what}"));
    }
    let flood = grouped(number(packets).unwrap_or(0));
    let load = format!("{flood} SYNs between {CONNECTIONS} connections, `--memory {memory}`");
    let figure = format!(
        "{}: each as without the flood, byte for byte but for `flow.reason`",
        survived.join(" and ")
    );
    Ok(Measured::unless(&wrong, load, figure))
}
