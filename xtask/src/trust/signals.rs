//! Row 21: SIGTERM at random times while packets come in.

use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flowscope_testkit::Rng;
use flowscope_testkit::namespace::{cable, ip};

use super::row::Measured;
use super::setup::{self, Setup, grouped, ledger, number};
use crate::Result;

/// The task as which the command starts itself again, in namespaces of its own.
pub(crate) const INSIDE: &str = "trust-inside";

/// Longest time from the signal to the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signal comes at any time up to this long after packets begin to come in, in milliseconds.
const LATEST: usize = 400;

pub(crate) fn run(setup: &Setup) -> Result<Measured> {
    let (times, flows) = (setup.load("200", "20"), setup.load("100000", "20000"));
    let capture = setup.capture(&["flood", flows])?;
    let output = setup.file("signals.json")?;
    let mut command = Command::new("unshare");
    let ran = setup::run(
        command
            .args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc"])
            .arg(env::current_exe()?)
            .args([INSIDE, times])
            .args([setup.command()?, capture, output]),
    )?;
    if ran.err.contains("unshare failed") {
        return Ok(Measured::skipped(format!("no namespace: {}", ran.err.trim())));
    }
    let text = String::from_utf8_lossy(&ran.out).into_owned();
    let of =
        |word: &str| text.lines().filter_map(|line| line.strip_prefix(word)).collect::<Vec<_>>();
    let mut wrong: Vec<String> = of("wrong: ").into_iter().map(str::to_owned).collect();
    let figure = of("figure: ").join(", ");
    if ran.code != Some(0) || figure.is_empty() {
        wrong.push(format!("status {:?}: {}", ran.code, ran.err));
    }
    let flows = grouped(number(flows).unwrap_or(0));
    let load =
        format!("{times} captures of up to {flows} open flows, SIGTERM after up to {LATEST} ms");
    Ok(Measured::unless(&wrong, load, figure))
}

/// The part of [`run`] that has namespaces of its own. `args` are the number of times, the command, the capture and the
/// output.
pub(crate) fn run_inside(args: &[String]) -> Result<()> {
    let [times, command, capture, output] = args else {
        return Err("this task is for `trust` to start".into());
    };
    if std::process::id() != 1 {
        return Err("this task is for `trust` to start".into());
    }
    for file in ["all", "default"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{file}/disable_ipv6"), "1");
    }
    ip("link set lo up");
    cable("v0", "v1", "");
    let mut rng = Rng::new(21);
    let (mut longest, mut flows, mut packets) = (Duration::ZERO, Vec::new(), 0);
    for _ in 0..times.parse::<u32>()? {
        let wait = Duration::from_millis(rng.below(LATEST) as u64);
        match once(command, capture, Path::new(output), wait) {
            Ok(stopped) => {
                longest = longest.max(stopped.time);
                flows.push(stopped.flows);
                packets += stopped.packets;
            }
            Err(error) => println!("wrong: after {wait:?}: {error}"),
        }
    }
    let (least, most) = (flows.iter().min().unwrap_or(&0), flows.iter().max().unwrap_or(&0));
    println!(
        "figure: {} runs with {} to {} open flows and {} packets: each flow once, each packet in a record; {} ms at most",
        flows.len(),
        grouped(*least as u64),
        grouped(*most as u64),
        grouped(packets),
        longest.as_millis()
    );
    Ok(())
}

/// A run that was stopped.
struct Stopped {
    time: Duration,
    flows: usize,
    packets: u64,
}

fn once(command: &str, capture: &str, output: &Path, wait: Duration) -> Result<Stopped> {
    let _ = fs::remove_file(output);
    let mut live = Command::new(command)
        .args(["flows", "--format=eve", "--ring=64M", "-iv1", "-o"])
        .arg(output)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut errors = BufReader::new(live.stderr.take().ok_or("no pipe")?);
    let mut first = String::new();
    errors.read_line(&mut first)?;
    let mut sender = Command::new(command)
        .args(["replay", "-iv0", "--topspeed", capture])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    thread::sleep(wait);
    let start = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &live.id().to_string()]).status()?;
    let reader = thread::spawn(move || errors.lines().map_while(Result::ok).collect::<Vec<_>>());
    let code = loop {
        if let Some(status) = live.try_wait()? {
            break Some(status.code());
        }
        if start.elapsed() > 2 * PATIENCE {
            live.kill()?;
            live.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let time = start.elapsed();
    sender.kill()?;
    sender.wait()?;
    let errors = reader.join().map_err(|_| "the reader panicked")?;
    if !sent.success() || !first.contains("capturing") {
        return Err(format!("it did not capture: {first}").into());
    }
    if code != Some(Some(0)) || time > PATIENCE {
        return Err(format!("status {code:?} after {time:?}: {errors:?}").into());
    }
    let (flows, packets) = records(output)?;
    Ok(Stopped { time, flows, packets })
}

/// Flows and packets of the records, which are as many as the statistics say. An error if a flow has two records.
fn records(output: &Path) -> Result<(usize, u64)> {
    let (mut ids, mut packets, mut last) = (HashSet::new(), 0, String::new());
    for line in BufReader::new(File::open(output)?).lines() {
        let line = line?;
        // To parse all of the line would take most of the time.
        let value = |name: &str| line.split_once(name).and_then(|(_, rest)| number(rest));
        if line.contains("\"event_type\":\"flow\"") {
            let id = value("\"flow_id\":").ok_or("a record without a flow")?;
            if !ids.insert(id) {
                return Err(format!("flow {id} has two records").into());
            }
            for side in ["\"pkts_toserver\":", "\"pkts_toclient\":"] {
                packets += value(side).ok_or("a record without packets")?;
            }
            if !line.contains("\"end_reason\":\"shutdown\"") {
                return Err(format!("a flow that did not end by the signal: {line}").into());
            }
        }
        last = line;
    }
    let counted = ledger(&last)?;
    if counted.tracked != packets {
        return Err(
            format!("{packets} packets in records, {} in the ledger", counted.tracked).into()
        );
    }
    Ok((ids.len(), packets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flow_has_one_record_and_each_packet_is_in_one() {
        let record = |id: u32, packets: u32| {
            format!(
                "{{\"flow_id\":{id},\"event_type\":\"flow\",\"flow\":{{\"pkts_toserver\":{packets},\
                 \"pkts_toclient\":1}},\"flowscope\":{{\"end_reason\":\"shutdown\"}}}}\n"
            )
        };
        let stats = |n: u32| {
            format!(
                "{{\"event_type\":\"stats\",\"stats\":{{\"packets\":{{\"seen\":{n},\"tracked\":{n}}}}}}}\n"
            )
        };
        let path = env::temp_dir().join(format!("trust-signals-{}", std::process::id()));
        let check = |text: String| {
            fs::write(&path, text).unwrap();
            records(&path).ok()
        };
        assert_eq!(check(record(1, 2) + &record(2, 3) + &stats(7)), Some((2, 7)));
        assert_eq!(check(record(1, 2) + &record(1, 3) + &stats(7)), None, "one flow twice");
        assert_eq!(check(record(1, 2) + &stats(4)), None, "a packet in no record");
        assert_eq!(check(record(1, 2)), None, "no statistics");
        let idle = record(1, 2).replace("shutdown", "idle") + &stats(3);
        assert_eq!(check(idle), None, "another end");
        fs::remove_file(&path).unwrap();
    }
}
