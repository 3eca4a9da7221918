//! Row 18: bit errors in real frames.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use super::row::Measured;
use super::setup::{self, Setup, ledger};
use crate::Result;

/// Captures whose packets are of many kinds.
const CAPTURES: [&str; 6] = [
    "mixed.pcapng",
    "vxlan.pcap",
    "qinq.pcap",
    "ipv6.pcap",
    "http-keep-alive.pcap",
    "dns-udp.pcap",
];

/// Shares of bytes that are changed.
const SHARES: [&str; 3] = ["0.001", "0.01", "0.05"];

/// Every so many damaged captures is read by tshark too, which takes longest.
const COMPARED: u32 = 10;

pub(crate) fn run(setup: &Setup) -> Result<Measured> {
    if !(setup::is_there(&["editcap", "-h"]) && setup::is_there(&["tshark", "-v"])) {
        return Ok(Measured::skipped("editcap or tshark is not installed"));
    }
    let seeds = setup.load(200, 20);
    let damaged = setup.file("damaged.pcapng")?;
    let (mut wrong, mut runs, mut compared) = (Vec::new(), 0_u32, 0_u32);
    let mut kept = [0.0; 2];
    let captures = CAPTURES.map(|name| Path::new("tests/data").join(name));
    // Of a tunnel, the command has the flows within alone, and tshark those around them too.
    let both = |path: &Path| -> Result<HashSet<String>> {
        let (ours, theirs) = (flows(setup, path)?, conversations(path)?);
        Ok(ours.intersection(&theirs).cloned().collect())
    };
    let whole = captures.iter().map(|path| both(path)).collect::<Result<Vec<_>>>()?;
    if whole.iter().any(HashSet::is_empty) {
        return Err("the command and tshark have no flow in common".into());
    }
    for seed in 1..=seeds {
        for share in SHARES {
            let at = (seed as usize + runs as usize) % captures.len();
            damage(&captures[at], share, seed, &damaged)?;
            runs += 1;
            let name = || format!("{} with {share} under seed {seed}", captures[at].display());
            for words in [["flows", "--format=eve"], ["sessions", "--format=eve"]] {
                let mut command = Command::new(setup.command()?);
                let ran = setup::run(command.args(words).arg("-q").arg(&damaged))?;
                let text = String::from_utf8_lossy(&ran.out);
                if !matches!(ran.code, Some(0 | 3)) {
                    wrong.push(format!("{}: status {:?}", name(), ran.code));
                } else if let Err(error) = ledger(text.lines().last().unwrap_or_default()) {
                    wrong.push(format!("{}: {error}", name()));
                }
            }
            if runs.is_multiple_of(COMPARED) {
                compared += 1;
                let found = [flows(setup, &damaged)?, conversations(&damaged)?];
                for (kept, found) in kept.iter_mut().zip(found) {
                    *kept += found.intersection(&whole[at]).count() as f64 / whole[at].len() as f64;
                }
            }
        }
    }
    let [ours, theirs] = kept.map(|kept| 100.0 * kept / f64::from(compared.max(1)));
    if ours < theirs {
        wrong.push(format!("{ours:.1} % of the flows are found again, {theirs:.1} % by tshark"));
    }
    let load =
        format!("{runs} damaged captures, 0.1, 1 and 5 % of their bytes; {compared} by tshark too");
    let found =
        format!("{ours:.1} % of the flows that both know found again, by tshark {theirs:.1} %");
    Ok(Measured::unless(&wrong, load, format!("no panic, ledgers balance; {found}")))
}

fn damage(from: &Path, share: &str, seed: u32, to: &Path) -> Result<()> {
    let seed = seed.to_string();
    let ran =
        setup::run(Command::new("editcap").args(["-E", share, "--seed", &seed]).args([from, to]))?;
    if ran.code == Some(0) { Ok(()) } else { Err(format!("editcap: {}", ran.err).into()) }
}

/// The flows of TCP and UDP that the command finds.
fn flows(setup: &Setup, path: &Path) -> Result<HashSet<String>> {
    let mut command = Command::new(setup.command()?);
    let words = ["flows", "-q", "--format=csv", "--fields=proto,initiator,responder"];
    let ran = setup::run(command.args(words).arg(path))?;
    let text = String::from_utf8_lossy(&ran.out);
    let ported = text.lines().filter(|line| line.starts_with("TCP,") || line.starts_with("UDP,"));
    Ok(ported
        .filter_map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            [proto, a, b] => Some(unordered(proto, a, b)),
            _ => None,
        })
        .collect())
}

/// The conversations of TCP and UDP that tshark finds.
fn conversations(path: &Path) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for proto in ["tcp", "udp"] {
        let mut command = Command::new("tshark");
        let ran =
            setup::run(command.args(["-n", "-q", "-z", &format!("conv,{proto}"), "-r"]).arg(path))?;
        let text = String::from_utf8_lossy(&ran.out);
        found.extend(text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some(a), Some("<->"), Some(b)) => Some(unordered(proto, a, b)),
                _ => None,
            }
        }));
    }
    Ok(found)
}

/// A flow without its direction, as both programs would write it.
fn unordered(proto: &str, a: &str, b: &str) -> String {
    let [a, b] = [a, b].map(|end| end.replace(['[', ']'], ""));
    format!("{} {} {}", proto.to_ascii_lowercase(), (&a).min(&b), (&a).max(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_of_both_programs_have_one_name() {
        let ours = unordered("TCP", "[2001:db8::1]:4000", "[2001:db8::2]:80");
        assert_eq!(ours, unordered("tcp", "2001:db8::2:80", "2001:db8::1:4000"));
        assert_ne!(ours, unordered("udp", "2001:db8::2:80", "2001:db8::1:4000"));
    }
}
