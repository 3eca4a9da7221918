//! Rows 11 and 12: what an attack costs, by instructions and by time.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::row::Measured;
use super::setup::{self, Setup, grouped};
use crate::Result;

/// What is counted, in `trust_scenario`.
const COUNTED: &str = "trust_scenario::work::counted";

/// An attack may cost so many times the instructions per byte of ordinary flows.
const DEARER: f64 = 10.0;

/// Attacks that may be dearer, by how much, and why.
const PERMITTED: [(&str, f64, &str); 1] = [(
    "the-same-long-name-3000-times",
    16.0,
    "13 bytes of names to write for each byte of the message",
)];

/// Twice the input may cost so many times the work: row 11's limit on time(2n) / time(n).
const GROWTH: f64 = 2.3;

/// A part of the run: packets and bytes of frames, and the instructions that they took.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    name: String,
    packets: f64,
    bytes: f64,
    instructions: f64,
}

impl Part {
    fn per_byte(&self) -> f64 {
        self.instructions / self.bytes.max(1.0)
    }

    fn per_packet(&self) -> f64 {
        self.instructions / self.packets.max(1.0)
    }
}

/// Row 11.
pub(crate) fn run(setup: &Setup) -> Result<Measured> {
    if !setup::is_there(&["valgrind", "--version"]) {
        return Ok(Measured::skipped("valgrind is not installed"));
    }
    let packets = setup.load(2000, 300);
    let counts = setup.file("work.out")?;
    let ran = setup::run(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--dump-line=no", "--dump-instr=no"])
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .arg(format!("--toggle-collect={COUNTED}"))
            .arg(format!("--dump-after={COUNTED}"))
            .arg(setup.scenario()?)
            .args(["work", &packets.to_string()]),
    )?;
    if ran.code != Some(0) {
        return Err(format!("valgrind: {}", ran.err).into());
    }
    let parts = parts(&String::from_utf8_lossy(&ran.out), &counts)?;
    let (wrong, figure) = judged(&parts)?;
    let load =
        format!("{} attacks, {packets} packets each, and twice as many", parts.len() / 2 - 1);
    Ok(Measured::unless(&wrong, load, figure))
}

/// The parts in what the program printed, with the counts of their files.
fn parts(text: &str, counts: &Path) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (line, at) in text.lines().zip(1..) {
        let [name, packets, bytes] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("not understood: {line}").into());
        };
        let file = counts.with_extension(format!("out.{at}"));
        let counted = fs::read_to_string(&file)?;
        let total = counted.lines().find_map(|line| line.strip_prefix("totals: "));
        let instructions = total.and_then(|total| total.trim().parse().ok());
        let instructions = instructions.ok_or_else(|| format!("{}: no total", file.display()))?;
        fs::remove_file(file)?;
        let (packets, bytes) = (packets.parse()?, bytes.parse()?);
        parts.push(Part { name: name.to_owned(), packets, bytes, instructions });
    }
    Ok(parts)
}

/// What is wrong with pairs of parts, the first of which is ordinary traffic; and the figures.
fn judged(parts: &[Part]) -> Result<(Vec<String>, String)> {
    let (pairs, rest) = parts.as_chunks::<2>();
    let [[_, ordinary], attacks @ ..] = pairs else { return Err("no part was counted".into()) };
    if !rest.is_empty() || parts.iter().any(|part| part.instructions <= 0.0) {
        return Err("a part was not counted".into());
    }
    let mut wrong = Vec::new();
    let (mut dearest, mut steepest) = ((0.0, ""), (0.0, ""));
    for [once, twice] in attacks {
        let times = twice.per_byte() / ordinary.per_byte();
        // Of input of twice the size, if it were that: some attacks have one size, and others are not the same all along,
        // so that work which grows faster than both packets and bytes is what counts.
        let per_byte = twice.per_byte() / once.per_byte();
        let growth = 2.0 * per_byte.min(twice.per_packet() / once.per_packet());
        let most = PERMITTED.iter().find(|(name, ..)| *name == once.name);
        if times > most.map_or(DEARER, |(_, most, _)| *most) {
            wrong.push(format!("{}: {times:.1} times the instructions per byte", once.name));
        }
        if growth > GROWTH {
            wrong.push(format!("{}: {growth:.2} times the work for twice the input", once.name));
        }
        if times > dearest.0 {
            dearest = (times, &once.name);
        }
        if growth > steepest.0 {
            steepest = (growth, &once.name);
        }
    }
    let permitted = PERMITTED.map(|(name, most, why)| format!("{name} may be {most} times: {why}"));
    let figure = format!(
        "ordinary flows {:.1} instructions per byte; {:.1} times that at most ({}; {}); {:.2} times the work for twice the \
         input at most ({})",
        ordinary.per_byte(),
        dearest.0,
        dearest.1,
        permitted.join(", "),
        steepest.0,
        steepest.1
    );
    Ok((wrong, figure))
}

/// Row 12.
pub(crate) fn out_of_order(setup: &Setup) -> Result<Measured> {
    const BUDGET: u64 = 64 << 20;
    // A pool of fragments, a batch and its events: as in the test of memory.
    const BESIDE: u64 = 6 << 20;
    let packets = setup.load(1_000_000_u64, 50_000);
    let (mut wrong, mut figures) = (Vec::new(), Vec::new());
    for name in ["holes-in-every-other-place", "a-hole-in-each-of-many-flows"] {
        let run = |packets: u64| -> Result<Vec<u64>> {
            let mut command = Command::new(setup.scenario()?);
            let words = [packets.to_string(), BUDGET.to_string()];
            let ran = setup::run(command.args(["run", name]).args(words))?;
            if ran.code != Some(0) {
                return Err(ran.err.into());
            }
            let text = String::from_utf8(ran.out)?;
            Ok(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
        };
        // The faster of two: others use the machine too.
        let least = |packets: u64| -> Result<(u64, u64)> {
            let (one, other) = (run(packets)?, run(packets)?);
            let [one, other] = [&one[..], &other[..]].map(|fields| match fields {
                [_, _, peak, time, _] => Ok((*peak, *time)),
                _ => Err(format!("not understood: {fields:?}")),
            });
            let (one, other) = (one?, other?);
            Ok((one.0.max(other.0), one.1.min(other.1)))
        };
        let (once, twice) = (least(packets)?, least(2 * packets)?);
        let peak = once.0.max(twice.0);
        let growth = twice.1 as f64 / once.1.max(1) as f64;
        if peak > BUDGET + BESIDE {
            wrong.push(format!("{name}: {} bytes", grouped(peak)));
        }
        if growth > GROWTH {
            wrong.push(format!("{name}: {growth:.2} times the time for twice the input"));
        }
        let peak = grouped(peak);
        figures
            .push(format!("{name}: {peak} bytes, {growth:.2} times the time for twice the input"));
    }
    let load = format!("{} segments, and twice as many, 64 MiB", grouped(packets));
    Ok(Measured::unless(&wrong, load, figures.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, bytes: f64, instructions: f64) -> Part {
        Part { name: name.to_owned(), packets: bytes / 10.0, bytes, instructions }
    }

    #[test]
    fn an_attack_that_is_dear_or_grows_fails() {
        let ordinary = [part("ordinary", 50.0, 500.0), part("ordinary", 100.0, 1000.0)];
        let judge = |once, twice| {
            let attack = [part("flood", 50.0, once), part("flood", 100.0, twice)];
            judged(&[ordinary.clone(), attack].concat()).unwrap().0
        };
        assert_eq!(judge(4000.0, 8000.0), Vec::<String>::new());
        assert_eq!(judge(6000.0, 10_100.0), ["flood: 10.1 times the instructions per byte"]);
        assert_eq!(judge(1000.0, 2400.0), ["flood: 2.40 times the work for twice the input"]);
        // More work because more packets of the same bytes.
        let mut attack = [part("flood", 50.0, 500.0), part("flood", 50.0, 1000.0)];
        attack[1].packets *= 2.0;
        assert_eq!(judged(&[&ordinary[..], &attack].concat()).unwrap().0, Vec::<String>::new());
        assert!(judged(&ordinary[..1]).is_err());
        assert!(judged(&[part("ordinary", 1.0, 0.0), part("ordinary", 1.0, 1.0)]).is_err());
    }

    #[test]
    fn counts_are_read_from_the_file_of_each_part() {
        let folder = std::env::temp_dir().join(format!("trust-work-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let counts = folder.join("work.out");
        fs::write(folder.join("work.out.1"), "events: Ir\ntotals: 1234\n").unwrap();
        let read = parts("flood 10 100\n", &counts);
        let missing = parts("flood 10 100\n", &counts);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read.unwrap(), [part("flood", 100.0, 1234.0)]);
        assert!(missing.is_err());
    }
}
