//! Flow records in aligned columns.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use flowscope::core::L4Proto;
use flowscope::track::EndReason;

use super::record::{FlowRecord, Kind};
use crate::text::{amount, rfc3339};

/// A table that is printed as it grows: columns are as wide as the first rows need, and no address
/// is ever cut or wrapped. With IPv4 a row fits 120 columns; where a few rows have IPv6, those few
/// stick out.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    widths: Option<[usize; COLUMNS]>,
    /// The rows that decide on the widths.
    first: Vec<Row>,
    /// Whether the widths are decided on without them.
    hurried: bool,
}

type Row = [String; COLUMNS];

const COLUMNS: usize = 9;

const HEAD: [&str; COLUMNS] =
    ["START", "LASTED", "PROTO", "INITIATOR", "RESPONDER", "PACKETS", "BYTES", "STATE", "HISTORY"];

/// Columns of a terminal that the table tries to fit.
const TERMINAL: usize = 120;

/// `255.255.255.255:65535`.
const IPV4: usize = 21;

/// As many rows are held back to find the widths.
const LOOK_AHEAD: usize = 500;

/// What fits most rows: of IPv4, and none that lasted for hundreds of days.
const USUAL: [usize; COLUMNS] = [19, 6, 8, IPV4, IPV4, 9, 11, 7, 11];

impl Table {
    /// Holds no rows back.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Appends a record.
    pub(super) fn write(&mut self, record: &FlowRecord, out: &mut Vec<u8>) {
        let row = row(record);
        if let Some(widths) = &self.widths {
            line(widths, &row, out);
        } else {
            self.first.push(row);
            if self.hurried || self.first.len() == LOOK_AHEAD {
                self.begin(out);
            }
        }
    }

    /// Appends what is held back.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if self.widths.is_none() {
            self.begin(out);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let mut widths = HEAD.map(str::len);
        for (at, width) in widths.iter_mut().enumerate() {
            *width = self.cells(at).fold(*width, usize::max);
        }
        if self.hurried {
            widths = USUAL;
        } else if widths.iter().sum::<usize>() + COLUMNS - 1 > TERMINAL {
            for at in [INITIATOR, RESPONDER] {
                let fitting = self.cells(at).filter(|cell| *cell <= IPV4);
                if fitting.clone().count() * 2 >= self.first.len() {
                    widths[at] = fitting.fold(HEAD[at].len(), usize::max);
                }
            }
        }
        line(&widths, &HEAD, out);
        for row in self.first.drain(..) {
            line(&widths, &row, out);
        }
        self.first = Vec::new();
        self.widths = Some(widths);
    }

    /// The widths of a column's first cells.
    fn cells(&self, at: usize) -> impl Iterator<Item = usize> + Clone {
        self.first.iter().map(move |row| row[at].chars().count())
    }
}

/// Appends a line, cells padded and one space between them, none at its end.
fn line(widths: &[usize; COLUMNS], row: &[impl AsRef<str>; COLUMNS], out: &mut Vec<u8>) {
    let start = out.len();
    for (at, (width, cell)) in widths.iter().zip(row).enumerate() {
        let (space, cell) = (if at == 0 { "" } else { " " }, cell.as_ref());
        let written = match at {
            PACKETS | BYTES => write!(out, "{space}{cell:>width$}"),
            _ => write!(out, "{space}{cell:<width$}"),
        };
        written.expect("a vector takes all");
    }
    let end = out[start..].iter().rposition(|b| *b != b' ').map_or(start, |at| start + at + 1);
    out.truncate(end);
    out.push(b'\n');
}

const INITIATOR: usize = 3;
const RESPONDER: usize = 4;
const PACKETS: usize = 5;
const BYTES: usize = 6;

fn row(record: &FlowRecord) -> Row {
    let (initiator, responder) = record.ends();
    let (sent, back) = (record.initiator().counters, record.responder().counters);
    let start = rfc3339(record.start);
    let (start, _) = start.as_str().split_once('.').unwrap_or_default();
    [
        start.replace('T', " "),
        time(record.duration()),
        proto(record),
        initiator.to_string(),
        responder.to_string(),
        pair(sent.packets, back.packets),
        pair(sent.wire_bytes, back.wire_bytes),
        state(record.kind).into(),
        history(record.history.as_str()),
    ]
}

/// A name of at most five letters, or the number; with that of the protocol inside, if that is known.
fn proto(record: &FlowRecord) -> String {
    let proto = match record.proto() {
        L4Proto::Icmpv6 => "icmp6".into(),
        other => other.to_string(),
    };
    match record.app_proto {
        Some(inside) => format!("{proto}/{inside}"),
        None => proto,
    }
}

fn pair(sent: u64, back: u64) -> String {
    let mut text = String::with_capacity(11);
    let _ = write!(text, "{}/{}", amount(sent).as_str(), amount(back).as_str());
    text
}

/// A time in six characters or less, seven from a hundred days on; rounded down.
fn time(time: Duration) -> String {
    match (time.as_secs(), time.subsec_micros()) {
        (0, 0) => "0s".into(),
        (0, micros @ 1..1000) => format!("{micros}us"),
        (0, micros) => format!("{}ms", micros / 1000),
        (secs @ 1..60, micros) => format!("{secs}.{:02}s", micros / 10_000),
        (secs @ 60..3600, _) => format!("{}m{:02}s", secs / 60, secs % 60),
        (secs @ 3600..86_400, _) => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
        (secs, _) => format!("{}d{:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

fn state(kind: Kind) -> &'static str {
    match kind {
        Kind::Interim(_) => "active",
        Kind::Ended(reason) | Kind::Late(reason) => match reason {
            EndReason::Fin => "closed",
            EndReason::Rst => "reset",
            EndReason::IdleTimeout => "idle",
            EndReason::Evicted => "evicted",
            EndReason::Superseded => "reused",
            _ => "open",
        },
    }
}

/// At most eleven letters.
fn history(letters: &str) -> String {
    match letters.get(..10) {
        Some(first) if letters.len() > 11 => format!("{first}…"),
        _ => letters.into(),
    }
}
