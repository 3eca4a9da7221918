//! Rows of a ladder: the first and the last of them.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use flowscope::core::{FlowSide, TcpFlags, TcpInfo, Timestamp};

/// A packet, or what happened without one.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) packet: u64,
    /// Since the first row.
    pub(super) time: Duration,
    /// Since the row before.
    pub(super) delta: Duration,
    pub(super) arrow: Option<Arrow>,
    pub(super) notes: Vec<Note>,
}

/// A packet as a row shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrow {
    pub(super) side: FlowSide,
    pub(super) flags: TcpFlags,
    /// Bytes of payload.
    pub(super) len: u32,
    /// Relative to the first of the side.
    pub(super) seq: Option<i64>,
    /// Relative to the first of the other side.
    pub(super) ack: Option<i64>,
    /// In bytes, if the scale is known.
    pub(super) window: Option<u64>,
}

/// A packet as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) side: FlowSide,
    pub(super) flags: TcpFlags,
    pub(super) len: u32,
    pub(super) tcp: Option<TcpInfo>,
}

/// What was noteworthy.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) kind: NoteKind,
    pub(super) text: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoteKind {
    State,
    Trouble,
    Message,
}

/// Characters of a note that are kept.
pub(super) const MAX_NOTE: usize = 300;

/// Notes of a row that are kept.
const MAX_NOTES: usize = 12;

impl Note {
    pub(super) fn state(text: &'static str) -> Self {
        Note { kind: NoteKind::State, text: text.into() }
    }

    pub(super) fn trouble(text: impl Into<Cow<'static, str>>) -> Self {
        Note { kind: NoteKind::Trouble, text: text.into() }
    }

    pub(super) fn message(text: String) -> Self {
        Note { kind: NoteKind::Message, text: text.into() }
    }
}

/// The first and the last rows of a conversation, at most so many.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    first: Vec<Row>,
    last: VecDeque<Row>,
    /// How many rows each of the two has at most.
    room: [usize; 2],
    elided: u64,
    start: Option<Timestamp>,
    /// Time and packet of the latest row, also of one that is left out.
    latest: Option<(Timestamp, u64)>,
    bases: [Option<u32>; 2],
    scales: [Option<u8>; 2],
}

impl Rows {
    /// At most so many rows.
    pub(super) fn new(most: usize) -> Self {
        Rows {
            first: Vec::new(),
            last: VecDeque::new(),
            room: [most.div_ceil(2), most / 2],
            elided: 0,
            start: None,
            latest: None,
            bases: [None; 2],
            scales: [None; 2],
        }
    }

    /// Adds a packet.
    pub(super) fn packet(&mut self, packet: u64, ts: Timestamp, sent: Sent, notes: Vec<Note>) {
        let arrow = self.arrow(sent);
        self.push(packet, ts, Some(arrow), notes);
    }

    /// Adds a note to the row of a packet; as a row of its own, if there is none.
    pub(super) fn note(&mut self, packet: u64, ts: Timestamp, note: &Note) {
        let row = self.last.back_mut().or(self.first.last_mut());
        match row.filter(|row| row.packet == packet) {
            Some(row) if row.notes.len() < MAX_NOTES => row.notes.push(note.clone()),
            Some(_) => {}
            // The row is left out.
            None if self.latest.is_some_and(|(_, latest)| latest == packet) => {}
            None => self.push(packet, ts, None, vec![note.clone()]),
        }
    }

    fn push(&mut self, packet: u64, ts: Timestamp, arrow: Option<Arrow>, notes: Vec<Note>) {
        let start = *self.start.get_or_insert(ts);
        let before = self.latest.replace((ts, packet)).map_or(ts, |(before, _)| before);
        let row = Row { packet, time: ts.since(start), delta: ts.since(before), arrow, notes };
        if self.first.len() < self.room[0] {
            return self.first.push(row);
        }
        self.last.push_back(row);
        if self.last.len() > self.room[1] {
            self.last.pop_front();
            self.elided += 1;
        }
    }

    /// Makes numbers relative.
    fn arrow(&mut self, sent: Sent) -> Arrow {
        let Sent { side, flags, len, tcp } = sent;
        let (own, other) = (side.index(), 1 - side.index());
        let mut arrow = Arrow { side, flags, len, seq: None, ack: None, window: None };
        let Some(tcp) = tcp else { return arrow };
        if flags.syn() {
            self.scales[own] = tcp.options.window_scale.map(|shift| shift.min(14));
        }
        let relative = |number: u32, base: &mut Option<u32>| {
            // The difference in the circle of sequence numbers (RFC 9293 §3.4).
            i64::from(number.wrapping_sub(*base.get_or_insert(number)) as i32)
        };
        arrow.seq = Some(relative(tcp.seq, &mut self.bases[own]));
        if flags.ack() {
            arrow.ack = Some(relative(tcp.ack, &mut self.bases[other]));
        }
        // Windows of SYNs are not scaled, and scales count if both sides have one (RFC 7323 §2.2).
        let shift = match self.scales {
            [Some(_), Some(_)] if !flags.syn() => self.scales[own].unwrap_or(0),
            _ => 0,
        };
        arrow.window = Some(u64::from(tcp.window) << shift);
        arrow
    }

    /// The first rows, how many are left out behind them, and the last rows.
    pub(super) fn parts(&self) -> (&[Row], u64, impl Iterator<Item = &Row>) {
        (&self.first, self.elided, self.last.iter())
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.last.len()
    }
}

/// The flags by name: `SYN ACK`.
pub(super) fn flags(flags: TcpFlags) -> String {
    const NAMES: [(TcpFlags, &str); 8] = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
    ];
    let names = NAMES.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(" ")
}

/// A span of time in seconds, to the microsecond.
pub(super) fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(side: FlowSide, seq: u32, ack: u32) -> Sent {
        let tcp = TcpInfo { seq, ack, ..TcpInfo::default() };
        Sent { side, flags: TcpFlags::ACK, len: 0, tcp: Some(tcp) }
    }

    #[test]
    fn the_middle_is_left_out_and_counted() {
        for most in [1, 2, 5, 100] {
            let mut rows = Rows::new(most);
            for packet in 1..=20 {
                let ts = Timestamp::from_secs(packet);
                rows.packet(packet, ts, sent(FlowSide::Initiator, 0, 0), Vec::new());
                rows.note(packet, ts, &Note::state("seen"));
            }
            let (first, elided, last) = rows.parts();
            let numbers: Vec<_> = first.iter().chain(last).map(|row| row.packet).collect();
            assert_eq!(numbers.len() + elided as usize, 20);
            assert_eq!(numbers.len(), most.min(20));
            assert_eq!(numbers[0], 1);
            assert!(most < 2 || numbers.last() == Some(&20));
        }
    }

    #[test]
    fn numbers_are_relative_across_the_end_of_the_circle() {
        let mut rows = Rows::new(9);
        rows.packet(1, Timestamp::ZERO, sent(FlowSide::Initiator, u32::MAX, 7), Vec::new());
        rows.packet(2, Timestamp::ZERO, sent(FlowSide::Responder, 7, 9), Vec::new());
        rows.packet(3, Timestamp::ZERO, sent(FlowSide::Initiator, u32::MAX - 2, 8), Vec::new());
        let (first, ..) = rows.parts();
        let numbers: Vec<_> =
            first.iter().filter_map(|row| row.arrow).map(|it| (it.seq, it.ack)).collect();
        assert_eq!(numbers, [(Some(0), Some(0)), (Some(0), Some(10)), (Some(-2), Some(1))]);
    }

    #[test]
    fn notes_of_a_row_are_bounded() {
        let mut rows = Rows::new(4);
        for _ in 0..100 {
            rows.note(1, Timestamp::ZERO, &Note::state("again"));
        }
        let (first, ..) = rows.parts();
        assert_eq!((first.len(), first[0].notes.len()), (1, MAX_NOTES));
    }
}
