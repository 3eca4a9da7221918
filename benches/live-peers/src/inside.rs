//! Into the namespace, and through the rounds.

use std::error::Error;
use std::process::{Command, ExitCode};
use std::{env, fs};

use flowscope_testkit::namespace::cable;

use crate::load::Mix;
use crate::options::Options;
use crate::readers::{self, Reader, Task};
use crate::round::{self, CABLE, Load, READER, Sample};
use crate::table;

/// Set for the process that has the namespace.
const INSIDE: &str = "FLOWSCOPE_LIVE_PEERS_INSIDE";

pub(crate) fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = env::args().skip(1);
    if args.next().as_deref() == Some(READER) {
        let mut word = || args.next().unwrap_or_default();
        let [name, mix, packets, sender] = [word(), word(), word(), word()];
        let reader = Reader::named(&name).ok_or("no such reader")?;
        let mix = Mix::named(&mix).ok_or("no such mix")?;
        let task =
            Task { interface: CABLE[1], mix, packets: packets.parse()?, sender: sender.parse()? };
        readers::run(reader, task)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::from_args()?;
    if env::var_os(INSIDE).is_none() {
        return enter();
    }
    for file in ["all", "default"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{file}/disable_ipv6"), "1");
    }
    cable(CABLE[0], CABLE[1], "");
    netring_capture::pin_to_core(options.cores[0])?;
    let samples = rounds(&options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&samples)?);
    } else {
        println!("{}", table::table(&samples));
    }
    if options.check {
        for sample in &samples {
            let lost = sample.sent - sample.seen.captured;
            let wrong = sample.wrong().or((lost > 0).then(|| format!("{lost} packets lost")));
            if let Some(wrong) = wrong {
                return Err(format!("{}: {wrong}", sample.reader.name()).into());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts this program again in a namespace that goes with it.
fn enter() -> Result<ExitCode, Box<dyn Error>> {
    let status = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child"])
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .map_err(|error| format!("unshare: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All readers in turn, round by round, so that a busy minute of the machine hits all of them.
fn rounds(options: &Options) -> Result<Vec<Sample>, Box<dyn Error>> {
    let mut samples = Vec::new();
    for &mix in &options.mixes {
        let most = options.rates.iter().map(|&rate| options.packets_at(rate)).max();
        let trace = mix.trace(most.unwrap_or_default(), 0);
        let frames: Vec<&[u8]> = (0..trace.len()).map(|at| trace.frame(at).0).collect();
        for &rate in &options.rates {
            let frames = &frames[..options.packets_at(rate)];
            let load = Load { mix, rate, frames };
            for round in 0..options.rounds {
                for &reader in &options.readers {
                    eprint!("\r\x1b[K{} at {rate}: round {round}, {}", mix.name(), reader.name());
                    samples.push(round::run(reader, &load, round, options)?);
                }
            }
        }
    }
    eprintln!("\r\x1b[K");
    Ok(samples)
}
