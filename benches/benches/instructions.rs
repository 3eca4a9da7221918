//! Instructions per packet, by valgrind: the same to within a per cent on any machine however busy,
//! so this is what a change is held against first.

use std::process::Command;

use flowscope_benches::{Figure, Options, Report};

fn main() {
    let options = Options::from_args();
    if Command::new("valgrind").arg("--version").output().is_err() {
        Report::new("instructions per packet", "instr/pkt").note("valgrind is not installed");
        return;
    }
    let report = Report::new("instructions per packet", "instr/pkt");
    let (short, long) = if options.scale < 1.0 { (1000, 2000) } else { (10_000, 40_000) };
    for (trace, mode, goal) in [
        ("m300", "walk", ""),
        ("m300", "plain", "<= 170"),
        ("m300", "auto", ""),
        ("m300", "one", "<= 600"),
        ("m300", "one-count", "<= 600"),
        ("m300", "batch", ""),
        ("m300", "batch-count", ""),
        ("grow-1000", "plain", "<= 170"),
        ("grow-1000", "one", "<= 600"),
        ("grow-1000", "one-count", "<= 600"),
        ("grow-1000", "batch", ""),
        ("grow-1000", "batch-count", ""),
        ("bulk", "one", "<= 600"),
        ("bulk", "batch", ""),
        ("mix", "one", "<= 600"),
        ("mix", "batch", ""),
        ("syn", "one", ""),
        ("syn", "batch", ""),
        ("flood", "one", ""),
    ] {
        let name = format!("{trace} {mode}");
        if options.wants(&name) {
            let cost = count(trace, mode, long) - count(trace, mode, short);
            report.row(&Figure::once(name, cost / f64::from(long - short)), goal);
        }
    }
}

fn count(trace: &str, mode: &str, packets: u32) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([env!("CARGO_BIN_EXE_scenario"), mode, trace, &packets.to_string()])
        .output()
        .expect("valgrind was there a moment ago");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count.unwrap_or_else(|| panic!("callgrind counted nothing: {text}"))
}
