//! The bytes of conversations.

use std::io::Write;

use flowscope::core::{FlowSide, Orientation, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::FiveTupleKey;
use flowscope::reassembly::StreamConfig;
use flowscope::track::{Change, Flow, FlowId};

use super::digests::patient;
use super::{RecordFormat, Totals, Wanted};
use crate::args::{FollowFormat, SideArg};
use crate::raw::{Chunk, Piece};
use crate::reading::{AppRecord, PayloadMode};
use flowscope::output::rfc3339;

/// What the sides of a conversation sent, in the order in which it was complete.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    wanted: Option<Wanted>,
    format: FollowFormat,
    side: Option<FlowSide>,
    /// Whether there was such a conversation.
    found: bool,
    /// Whose bytes were written last.
    last: Option<(FlowId, FlowSide)>,
    /// Whether the line is complete that was written last.
    at_line_start: bool,
}

/// What was found of a flow when it began.
#[derive(Debug)]
pub(crate) struct Followed {
    wanted: bool,
    orientation: Orientation,
}

/// What a conversation consists of.
#[derive(Debug)]
pub(crate) enum Part {
    /// There is such a flow.
    Began,
    AppRecord(Turn),
}

/// What one side said.
#[derive(Debug)]
pub(crate) struct Turn {
    id: FlowId,
    key: FiveTupleKey,
    orientation: Orientation,
    ts: Timestamp,
    side: FlowSide,
    chunk: Chunk,
}

impl Follow {
    pub(crate) fn new(wanted: Option<Wanted>, format: FollowFormat, side: Option<SideArg>) -> Self {
        let side = side.map(|side| match side {
            SideArg::Initiator => FlowSide::Initiator,
            SideArg::Responder => FlowSide::Responder,
        });
        Follow { wanted, format, side, found: false, last: None, at_line_start: true }
    }

    /// A piece of a conversation, if it is to be shown.
    fn part(
        &self,
        flow: &Flow<'_, FiveTupleKey, Followed>,
        side: FlowSide,
        chunk: Chunk,
    ) -> Option<Part> {
        let asked = flow.state.wanted && self.side.is_none_or(|asked| asked == side);
        let (id, key, orientation) = (flow.id, *flow.key, flow.state.orientation);
        let turn = Turn { id, key, orientation, ts: flow.ts, side, chunk };
        asked.then_some(Part::AppRecord(turn))
    }

    /// Says whose bytes follow, if those before were another's.
    fn turn(&mut self, turn: &Turn, out: &mut Vec<u8>) {
        if self.last == Some((turn.id, turn.side)) {
            return;
        }
        self.last = Some((turn.id, turn.side));
        self.end_line(out);
        let (initiator, responder) = turn.key.endpoints(turn.orientation);
        let (mark, from, to) = match turn.side {
            FlowSide::Initiator => (">>>", initiator, responder),
            FlowSide::Responder => ("<<<", responder, initiator),
        };
        let ts = rfc3339(turn.ts);
        line(out, format_args!("{mark} {} flow {}: {from} to {to}", ts.as_str(), turn.id));
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        if !self.at_line_start {
            out.push(b'\n');
            self.at_line_start = true;
        }
    }

    fn note(&mut self, turn: &Turn, what: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
        if self.format != FollowFormat::Raw {
            self.turn(turn, out);
            self.end_line(out);
            line(out, format_args!("[... {what} ...]"));
        }
    }

    fn bytes(&mut self, turn: &Turn, bytes: &[u8], out: &mut Vec<u8>) {
        match self.format {
            FollowFormat::Raw => out.extend_from_slice(bytes),
            FollowFormat::Text => {
                self.turn(turn, out);
                text(bytes, out);
                self.at_line_start = out.last() == Some(&b'\n');
            }
            FollowFormat::Hex => {
                self.turn(turn, out);
                self.end_line(out);
                hex(turn.chunk.offset, bytes, out);
            }
        }
    }
}

impl RecordFormat for Follow {
    type State = Followed;
    type Record = Part;

    fn state(&self, _: &FiveTupleKey) -> Followed {
        Followed { wanted: false, orientation: Orientation::Forward }
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Raw
    }

    fn streams(&self, streams: StreamConfig) -> StreamConfig {
        patient(streams)
    }

    /// Whose turn it is depends on what was written before.
    fn portable(&self) -> bool {
        false
    }

    fn record(&self, flow: Flow<'_, FiveTupleKey, Followed>, change: Change) -> Option<Part> {
        let Change::Started { .. } = change else { return None };
        let wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.is(flow.id, flow.key));
        flow.state.wanted = wanted;
        flow.state.orientation = flow.stats().orientation;
        wanted.then_some(Part::Began)
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, Followed>,
        side: FlowSide,
        message: AppRecord,
    ) -> Option<Part> {
        let AppRecord::Raw(chunk) = message else { return None };
        self.part(&flow, side, chunk)
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, Followed>,
        change: SessionChange,
    ) -> Option<Part> {
        let SessionChange::Gap { side, offset, len } = change else { return None };
        self.part(&flow, side, Chunk { offset, what: Piece::Gap(len) })
    }

    fn write(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.found = true;
        let Part::AppRecord(turn) = part else { return };
        match &turn.chunk.what {
            Piece::Bytes(bytes) => self.bytes(turn, bytes, out),
            Piece::Gap(0) => {
                self.note(turn, format_args!("the beginning was not captured"), out);
            }
            Piece::Gap(1) => self.note(turn, format_args!("1 byte not captured"), out),
            Piece::Gap(n) => self.note(turn, format_args!("{n} bytes not captured"), out),
            Piece::Fin => {}
            Piece::Rst => self.note(turn, format_args!("reset"), out),
        }
    }

    fn end(&mut self, _: &Totals, out: &mut Vec<u8>) {
        if self.format != FollowFormat::Raw {
            self.end_line(out);
        }
    }

    fn missed(&self) -> Option<&'static str> {
        (self.wanted.is_some() && !self.found).then_some("no such conversation in the capture")
    }
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a vector takes all");
}

/// Appends bytes as text that steers no terminal: line feeds and tabs stay, a carriage return before
/// a line feed goes, everything else that is not printable ASCII is escaped.
fn text(bytes: &[u8], out: &mut Vec<u8>) {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' | b'\t' | b' '..=b'~' => out.push(*byte),
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => {}
            _ => out.extend(byte.escape_ascii()),
        }
    }
}

/// Appends a hex dump, sixteen bytes a line.
fn hex(offset: u64, bytes: &[u8], out: &mut Vec<u8>) {
    for (at, row) in bytes.chunks(16).enumerate() {
        let mut dump = String::with_capacity(48);
        for byte in row {
            dump.push_str(&format!(" {byte:02x}"));
        }
        let shown: String = row
            .iter()
            .map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' })
            .collect();
        line(out, format_args!("{:08x} {dump:<48}  {shown}", offset + at as u64 * 16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_steers_no_terminal() {
        let mut out = Vec::new();
        text(b"GET / HTTP/1.1\r\n\tx\x1b[2J\r\xff\\", &mut out);
        assert_eq!(out, b"GET / HTTP/1.1\n\tx\\x1b[2J\\r\\xff\\");
    }

    #[test]
    fn dumps_have_sixteen_bytes_a_line() {
        let mut out = Vec::new();
        hex(32, b"0123456789abcdef\n", &mut out);
        let expected = "\
00000020  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef
00000030  0a                                               .\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
