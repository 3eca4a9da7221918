use std::fmt::Write as _;

use flowscope_benches::Figure;

use crate::load::Mix;
use crate::readers::Reader;
use crate::round::Sample;

/// All samples as one table, and what they say of the goals.
pub(crate) fn table(samples: &[Sample]) -> String {
    let mut out = String::new();
    for (mix, rate) in loads(samples) {
        let asked = if rate == 0 { "flat out".to_owned() } else { format!("{rate} packets/s") };
        let _ = writeln!(out, "\n## {}, {asked}\n", mix.name());
        let _ = writeln!(
            out,
            "{:<20} {:>8} {:>9} {:>9} {:>8} {:>7} {:>9} {:>9} {:>15}",
            "",
            "sent/ms",
            "sent",
            "captured",
            "lost",
            "flows",
            "events",
            "CPU ns/p",
            "least - most",
        );
        let of = |reader| Group::of(samples, mix, rate, reader);
        for group in Reader::ALL.iter().filter_map(|&reader| of(reader)) {
            let _ = writeln!(out, "{}", group.row());
        }
        out.push_str(&goals(of));
    }
    out.push_str(&without_loss(samples));
    out
}

fn loads(samples: &[Sample]) -> Vec<(Mix, u64)> {
    let mut loads: Vec<(Mix, u64)> = Vec::new();
    for sample in samples {
        if !loads.contains(&(sample.mix, sample.rate)) {
            loads.push((sample.mix, sample.rate));
        }
    }
    loads
}

/// The rounds of one reader at one load.
struct Group<'a> {
    reader: Reader,
    rounds: Vec<&'a Sample>,
}

impl<'a> Group<'a> {
    fn of(samples: &'a [Sample], mix: Mix, rate: u64, reader: Reader) -> Option<Self> {
        let is_one =
            |sample: &&Sample| (sample.mix, sample.rate, sample.reader) == (mix, rate, reader);
        let rounds: Vec<&Sample> = samples.iter().filter(is_one).collect();
        (!rounds.is_empty()).then_some(Group { reader, rounds })
    }

    fn figure(&self, of: impl Fn(&Sample) -> f64) -> Figure {
        let samples = self.rounds.iter().map(|sample| of(sample)).collect();
        Figure { name: self.reader.name().to_owned(), samples }
    }

    fn cost(&self) -> Figure {
        self.figure(Sample::per_packet)
    }

    /// Counts are of all rounds together.
    fn row(&self) -> String {
        let sum = |of: fn(&Sample) -> u64| self.rounds.iter().map(|sample| of(sample)).sum::<u64>();
        let cost = self.cost();
        let rate = self.figure(|sample| sample.achieved / 1000.0).median();
        let rate = if self.reader.is_live() { format!("{rate:.0}") } else { "-".to_owned() };
        let mut row = format!(
            "{:<20} {:>8} {:>9} {:>9} {:>8} {:>7} {:>9} {:>9.1} {:>15}",
            self.reader.name(),
            rate,
            sum(|sample| sample.sent),
            sum(|sample| sample.seen.captured),
            sum(|sample| sample.seen.lost),
            sum(|sample| sample.seen.flows),
            sum(|sample| sample.seen.events),
            cost.median(),
            format!("{:.1} - {:.1}", cost.least(), cost.most()),
        );
        if let Some(wrong) = self.rounds.iter().find_map(|sample| sample.wrong()) {
            let _ = write!(row, "  ! {wrong}");
        }
        row
    }
}

/// How our streams of flows compare, by medians, with those others that were run.
fn goals<'a>(of: impl Fn(Reader) -> Option<Group<'a>>) -> String {
    let median = |reader| of(reader).map(|group| group.cost().median());
    let allowed = |ring, driver| Some(1.2 * median(ring)? + median(driver)?);
    let netring = median(Reader::Netring);
    let rows = vec![
        (
            "netring / (1.2 ring + driver)",
            netring,
            allowed(Reader::Ring, Reader::Driver),
            "at most 1",
        ),
        (
            "netring / (1.2 ring + driver-far)",
            netring,
            allowed(Reader::Ring, Reader::DriverFar),
            "",
        ),
        ("netring / published", netring, median(Reader::Published), "below 0.5"),
        ("netring / tcpdump", netring, median(Reader::Tcpdump), ""),
        ("stream / driver", median(Reader::Stream), median(Reader::Driver), ""),
    ];
    #[cfg(feature = "af-xdp")]
    let rows = {
        let generic = median(Reader::NetringXdpGeneric);
        let native = median(Reader::NetringXdpNative);
        let ring = allowed(Reader::XdpRing, Reader::Driver);
        let more = vec![
            ("netring-xdp-generic / (1.2 xdp-ring + driver)", generic, ring, ""),
            ("netring-xdp-generic / netring", generic, netring, ""),
            ("netring-xdp-native / netring", native, netring, ""),
        ];
        [rows, more].concat()
    };
    let mut out = String::new();
    for (name, ours, other, goal) in rows {
        if let Some((ours, other)) = ours.zip(other) {
            let _ = writeln!(out, "{name:<48} {:>6.2}x  {goal}", ours / other);
        }
    }
    out
}

/// The most that each reader was sent in any round without losing a packet.
fn without_loss(samples: &[Sample]) -> String {
    let mut out = String::from("\n## Most packets/s sent in a round without loss\n\n");
    for reader in Reader::ALL.iter().copied().filter(|reader| reader.is_live()) {
        let mut row = format!("{:<20}", reader.name());
        let mut any = false;
        for mix in Mix::ALL {
            let rounds = samples.iter().filter(|sample| {
                (sample.mix, sample.reader) == (mix, reader) && sample.seen.captured == sample.sent
            });
            if let Some(most) = rounds.map(|sample| sample.achieved).max_by(f64::total_cmp) {
                let _ = write!(row, " {:>8} {most:>8.0}", mix.name());
                any = true;
            }
        }
        if any {
            let _ = writeln!(out, "{row}");
        }
    }
    out
}
