//! What is in a capture, on one screen.

use std::collections::BTreeMap;
use std::net::IpAddr;

use flowscope::core::Timestamp;
use flowscope::output::json::{self, Object};
use flowscope::output::{
    FlowRecord, FlowRecordKind, Grid, GridColumn, RecordHeader, Zone, terminal,
};
use flowscope::record::{Record, amount, span};
use flowscope_report::{FlowFailure, Heavy, MAX_KEYS, SessionFailure, SessionReader};

use super::{Totals, count};

/// Sums over all flows and session records.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    json: bool,
    zone: Zone,
    start: Option<Timestamp>,
    /// Flows, packets and bytes that are summed up, if that is not all of them.
    matched: Option<[u64; 3]>,
    /// Bytes, and flows.
    protocols: Heavy<String, u64>,
    /// Bytes, and packets and flows.
    talkers: Heavy<IpAddr, [u64; 2]>,
    /// Bytes, and flows.
    ports: Heavy<(u16, String), u64>,
    /// How often each was asked for, with the field that has it.
    names: Heavy<(String, &'static str), ()>,
    failures: BTreeMap<Failure, u64>,
    reader: SessionReader,
}

/// What went wrong, in the order in which it is shown.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Failure {
    Flow(FlowFailure),
    Session(SessionFailure),
    /// Failures of any further kind, once [`MOST_FAILURES`] kinds are counted.
    Other,
}

/// What the names are.
const KINDS: [&str; 3] = ["sni", "host", "query"];

/// Kinds of failures that are counted separately.
const MOST_FAILURES: usize = 200;

/// Characters of a line, and of the left block.
const SCREEN: usize = 80;
const LEFT: usize = 38;

impl Summary {
    /// As one screen of text, or as one JSON object; of all flows, or of some.
    pub(crate) fn new(json: bool, some: bool, zone: Zone) -> Self {
        Summary {
            json,
            zone,
            start: None,
            matched: some.then_some([0; 3]),
            protocols: Heavy::new(MAX_KEYS),
            talkers: Heavy::new(MAX_KEYS),
            ports: Heavy::new(MAX_KEYS),
            names: Heavy::new(MAX_KEYS),
            failures: BTreeMap::new(),
            reader: SessionReader::new(),
        }
    }

    pub(super) fn begin(&mut self, start: Timestamp) {
        self.start = Some(start);
    }

    pub(super) fn flow(&mut self, record: &FlowRecord) {
        let [sent, back] = record.sides.each_ref().map(|side| side.counters);
        let bytes = sent.wire_bytes + back.wire_bytes;
        let packets = sent.packets + back.packets;
        let flows = u64::from(matches!(record.kind, FlowRecordKind::Ended(_)));
        if let Some(matched) = &mut self.matched {
            for (sum, n) in matched.iter_mut().zip([flows, packets, bytes]) {
                *sum += n;
            }
        }
        let transport = record.header.key.proto().to_string();
        let protocol = record.app_proto.map_or_else(|| transport.clone(), str::to_owned);
        *self.protocols.add(protocol, bytes) += flows;
        let (from, to) = record.header.endpoints();
        let mut talkers = vec![from.addr, to.addr];
        talkers.dedup();
        for talker in talkers {
            let [of_packets, of_flows] = self.talkers.add(talker, bytes);
            *of_packets += packets;
            *of_flows += flows;
        }
        if let Some(port) = to.port {
            *self.ports.add((port, transport), bytes) += flows;
        }
        if let Some(failure) = FlowFailure::of(record) {
            self.failed(Failure::Flow(failure));
        }
    }

    pub(super) fn said(&mut self, header: &RecordHeader, record: &impl Record) {
        let facts = self.reader.read(header, record);
        for (kind, name) in KINDS.into_iter().zip(facts.names) {
            if let Some(name) = name {
                self.names.add((name, kind), 1);
            }
        }
        if let Some(failure) = facts.failure {
            self.failed(Failure::Session(failure));
        }
    }

    fn failed(&mut self, failure: Failure) {
        let has_room = self.failures.len() < MOST_FAILURES;
        let known = has_room || self.failures.contains_key(&failure);
        *self.failures.entry(if known { failure } else { Failure::Other }).or_default() += 1;
    }

    /// Appends all of it.
    pub(super) fn end(&self, totals: &Totals, out: &mut Vec<u8>) {
        if self.json { self.object(totals, out) } else { self.screen(totals, out) }
    }

    /// From the first packet to the last.
    fn seconds(&self, totals: &Totals) -> f64 {
        self.start.map_or(0.0, |start| totals.end.since(start).as_secs_f64())
    }

    fn screen(&self, totals: &Totals, out: &mut Vec<u8>) {
        let mut lines: Vec<String> = Vec::new();
        for line in [totals.not_seen(), totals.not_read(), totals.evicted_line(), self.limits()] {
            lines.extend(line.map(|line| cut(&terminal(&line))));
        }
        let per_second = |n: u64| {
            let seconds = self.seconds(totals);
            if seconds > 0.0 { amount((n as f64 / seconds) as u64).to_string() } else { "-".into() }
        };
        let packets = totals.packets.seen();
        let [start, end] =
            [self.start.unwrap_or(totals.end), totals.end].map(|ts| self.zone.to_the_second(ts));
        let lasted = totals.end.since(self.start.unwrap_or(totals.end));
        lines.push(cut(&format!("{start} to {end} {}, {}", self.zone.name(), span(lasted))));
        let what = format!(
            "{}, {} ({}/s), {} bytes ({}/s)",
            count(totals.flows, "flow"),
            count(packets, "packet"),
            per_second(packets),
            amount(totals.wire_bytes),
            per_second(totals.wire_bytes)
        );
        lines.push(cut(&what));
        if let Some([flows, packets, bytes]) = self.matched {
            let bytes = amount(bytes);
            let packets = count(packets, "packet");
            lines.push(format!("--where: {}, {packets}, {bytes} bytes", count(flows, "flow")));
        }
        if !totals.links.is_empty() {
            lines.push(cut(&format!("link: {}", totals.links.join(", "))));
        }
        lines.push(String::new());
        let protocols = self.protocols.top(5).into_iter();
        let protocols =
            protocols.map(|(name, bytes, flows)| [name.clone(), short(*flows), short(bytes)]);
        let talkers = self.talkers.top(5).into_iter();
        let talkers = talkers
            .map(|(addr, bytes, [_, flows])| [addr.to_string(), short(*flows), short(bytes)]);
        beside(
            &block(["PROTOCOL", "FLOWS", "BYTES"], protocols, LEFT),
            &block(["TALKER", "FLOWS", "BYTES"], talkers, SCREEN - LEFT - 2),
            &mut lines,
        );
        lines.push(String::new());
        let ports = self.ports.top(4).into_iter();
        let ports = ports.map(|((port, transport), bytes, flows)| {
            [format!("{port}/{transport}"), short(*flows), short(bytes)]
        });
        let names = self.names.top(4).into_iter();
        let names = names.map(|((name, kind), seen, ())| {
            [terminal(name).into_owned(), (*kind).into(), short(seen)]
        });
        beside(
            &block(["SERVER PORT", "FLOWS", "BYTES"], ports, LEFT),
            &block(["NAME", "KIND", "SEEN"], names, SCREEN - LEFT - 2),
            &mut lines,
        );
        if !self.failures.is_empty() {
            lines.push(String::new());
            lines.extend(self.failure_lines());
        }
        for line in lines {
            out.extend_from_slice(line.trim_end().as_bytes());
            out.push(b'\n');
        }
    }

    /// At most three lines, the most frequent failures first.
    fn failure_lines(&self) -> Vec<String> {
        let mut failures: Vec<_> = self.failures.iter().collect();
        failures.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let (mut lines, mut line) = (Vec::new(), String::from("FAILED"));
        for (at, (failure, n)) in failures.iter().enumerate() {
            let comma = if at + 1 < failures.len() { "," } else { "" };
            let word = format!(" {n} {}{comma}", terminal(&failure.to_string()));
            let rest: u64 = failures[at..].iter().map(|(_, n)| **n).sum();
            let more = format!(" {rest} more");
            let is_last = lines.len() == 2;
            let room =
                if is_last && at + 1 < failures.len() { SCREEN - more.len() } else { SCREEN };
            if line.chars().count() + word.chars().count() <= room {
                line.push_str(&word);
            } else if is_last {
                line.push_str(&more);
                break;
            } else {
                lines.push(std::mem::replace(&mut line, format!("      {word}")));
            }
        }
        lines.push(cut(&line));
        lines
    }

    /// A line on sums that may be too high, if more keys occurred than are counted separately.
    fn limits(&self) -> Option<String> {
        let errors = [
            ("talkers", self.talkers.error()),
            ("ports", self.ports.error()),
            ("names", self.names.error()),
            ("protocols", self.protocols.error()),
        ];
        let parts: Vec<_> = errors
            .into_iter()
            .filter(|(_, error)| *error > 0)
            .map(|(what, error)| format!("{what} by {}", amount(error)))
            .collect();
        let parts = parts.join(", ");
        (!parts.is_empty())
            .then(|| format!("more than {MAX_KEYS} kinds; sums may be too high: {parts}"))
    }

    fn object(&self, totals: &Totals, out: &mut Vec<u8>) {
        let seconds = self.seconds(totals);
        json::line(out, |line| {
            let lost = totals.lost();
            line.list("lost", lost.iter(), |(cause, n), out| {
                json::object(out, |lost| {
                    lost.put("cause", *cause);
                    lost.put("packets", *n);
                });
            });
            line.put("evicted", totals.evicted);
            if let Some(start) = self.start {
                line.put("start", start);
                line.put("end", totals.end);
            }
            line.put("seconds", seconds);
            line.put("packets", totals.packets.seen());
            line.put("bytes", totals.wire_bytes);
            line.put("flows", totals.flows);
            if let Some([flows, packets, bytes]) = self.matched {
                line.object("matched", |matched| {
                    matched.put("packets", packets);
                    matched.put("bytes", bytes);
                    matched.put("flows", flows);
                });
            }
            line.list("links", totals.links.iter(), |link, out| {
                json::Json::write(link.as_str(), out);
            });
            line.all(
                "protocols",
                self.protocols.top(MOST).into_iter(),
                |(name, bytes, flows), out| {
                    json::object(out, |item| {
                        item.put("name", name.as_str());
                        sums(item, *flows, bytes);
                    });
                },
            );
            line.all(
                "talkers",
                self.talkers.top(MOST).into_iter(),
                |(addr, bytes, [packets, flows]), out| {
                    json::object(out, |item| {
                        item.put("ip", *addr);
                        item.put("packets", *packets);
                        sums(item, *flows, bytes);
                    });
                },
            );
            line.all(
                "server_ports",
                self.ports.top(MOST).into_iter(),
                |((port, proto), bytes, flows), out| {
                    json::object(out, |item| {
                        item.put("port", *port);
                        item.put("proto", proto.as_str());
                        sums(item, *flows, bytes);
                    });
                },
            );
            line.all("names", self.names.top(MOST).into_iter(), |((name, kind), seen, ()), out| {
                json::object(out, |item| {
                    item.put("kind", *kind);
                    item.put("name", name.as_str());
                    item.put("seen", seen);
                });
            });
            line.all("failures", self.failures.iter(), |(failure, n), out| {
                json::object(out, |item| {
                    item.put("what", failure.to_string().as_str());
                    item.put("count", *n);
                });
            });
            line.object("too_high_by_at_most", |errors| {
                errors.put("protocols", self.protocols.error());
                errors.put("talkers", self.talkers.error());
                errors.put("server_ports", self.ports.error());
                errors.put("names", self.names.error());
            });
        });
    }
}

/// As many of each are in the JSON object.
const MOST: usize = 20;

fn sums(item: &mut Object<'_>, flows: u64, bytes: u64) {
    item.put("flows", flows);
    item.put("bytes", bytes);
}

fn short(n: u64) -> String {
    amount(n).to_string()
}

/// Rows of one thing and two numbers, at most so wide.
fn block(
    [what, first, second]: [&str; 3],
    rows: impl Iterator<Item = [String; 3]>,
    width: usize,
) -> Vec<String> {
    let columns = vec![
        GridColumn::new(what).may_overflow(),
        GridColumn::new(first).right(),
        GridColumn::new(second).right(),
    ];
    let mut grid = Grid::new(columns);
    grid.fit(width);
    let mut out = Vec::new();
    rows.for_each(|row| grid.row(row.into(), &mut out));
    grid.end(&mut out);
    String::from_utf8_lossy(&out).lines().map(str::to_owned).collect()
}

/// Appends two blocks beside each other.
fn beside(left: &[String], right: &[String], lines: &mut Vec<String>) {
    for at in 0..left.len().max(right.len()) {
        let of = |block: &[String]| block.get(at).cloned().unwrap_or_default();
        lines.push(format!("{:<LEFT$}  {}", of(left), of(right)));
    }
}

/// The text as far as it fits a line.
fn cut(text: &str) -> String {
    if text.chars().count() <= SCREEN {
        return text.to_owned();
    }
    text.chars().take(SCREEN - 1).chain(['…']).collect()
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Flow(failure) => failure.fmt(f),
            Failure::Session(failure) => failure.fmt(f),
            Failure::Other => f.write_str("other"),
        }
    }
}
