//! One conversation, packet by packet.

mod rows;
mod svg;
mod text;

use std::collections::BTreeMap;

use flowscope::core::{FlowSide, KeptCopy, Orientation, PacketView, TcpInfo, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey, FlowExtractor};
use flowscope::record::{Record, Schema, Visitor};
use flowscope::track::{Anomaly, Change, EndReason, Flow, FlowId, PacketInfo, SideStats};

use super::{RecordFormat, Totals, Wanted, count};
use crate::reading::{AppRecord, MessageOptions, PayloadMode};
use rows::{Note, Rows, Sent};

/// The first conversation that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    wanted: Option<Wanted>,
    svg: bool,
    /// Columns of a line.
    width: usize,
    heads: Heads,
    shown: Option<Shown>,
    /// Further conversations that are wanted.
    others: u64,
    rows: Rows,
}

/// The conversation that is shown.
#[derive(Clone, Copy, Debug)]
struct Shown {
    id: FlowId,
    key: FiveTupleKey,
    orientation: Orientation,
}

/// Columns of a line that does not go to a terminal.
const WIDTH: usize = 100;

impl Ladder {
    /// With at most so many rows, as SVG or in lines of so many columns.
    pub(crate) fn new(
        wanted: Option<Wanted>,
        rows: usize,
        svg: bool,
        terminal: Option<usize>,
    ) -> Self {
        Ladder {
            heads: Heads::new(wanted.as_ref()),
            wanted,
            svg,
            width: terminal.unwrap_or(WIDTH),
            shown: None,
            others: 0,
            rows: Rows::new(rows),
        }
    }
}

/// What is known of a flow while it goes on.
#[derive(Debug, Default)]
pub(crate) struct LadderState {
    wanted: bool,
    before: [Troubles; 2],
    /// Bytes of each side that were not captured so far.
    gaps: [u64; 2],
}

/// What happened in a flow that is wanted.
#[derive(Debug)]
pub(crate) struct Event {
    id: FlowId,
    packet: u64,
    ts: Timestamp,
    what: What,
}

#[derive(Debug)]
enum What {
    Started(FiveTupleKey, Orientation),
    Packet(PacketInfo, Vec<Note>),
    Note(Note),
}

impl Event {
    fn of(flow: &Flow<'_, FiveTupleKey, LadderState>, what: What) -> Self {
        Event { id: flow.id, packet: flow.packet, ts: flow.ts, what }
    }
}

impl RecordFormat for Ladder {
    const PACKETS: bool = true;
    type State = LadderState;
    type Record = Event;

    fn state(&self, _: &FiveTupleKey) -> LadderState {
        LadderState::default()
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Messages(MessageOptions::ALL)
    }

    /// Rows are kept until the end.
    fn portable(&self) -> bool {
        false
    }

    fn see(&mut self, number: u64, view: PacketView<'_>) {
        self.heads.see(number, view, self.wanted.as_ref());
    }

    fn record(&self, flow: Flow<'_, FiveTupleKey, LadderState>, change: Change) -> Option<Event> {
        if let Change::Started { .. } = change {
            flow.state.wanted =
                self.wanted.as_ref().is_none_or(|wanted| wanted.is(flow.id, flow.key));
        }
        if !flow.state.wanted {
            return None;
        }
        let note = |note: Note| Some(What::Note(note));
        let what = match change {
            Change::Started { .. } => Some(What::Started(*flow.key, flow.stats().orientation)),
            Change::Packet(info) => {
                let stats = flow.stats();
                let now = Troubles::of(stats.side(info.side));
                let before = std::mem::replace(&mut flow.state.before[info.side.index()], now);
                let gaps = [stats.initiator.gap_bytes, stats.responder.gap_bytes];
                let gaps_before = std::mem::replace(&mut flow.state.gaps, gaps);
                let mut notes = before.until(now);
                notes.extend(missing(info.side, gaps_before, gaps));
                Some(What::Packet(info, notes))
            }
            Change::Established => note(Note::state("established")),
            Change::Anomaly { kind, .. } => note(Note::trouble(anomaly(kind))),
            Change::IcmpError { icmp, side } => note(Note::trouble(format!(
                "ICMP error type {} code {} about a packet of the {}",
                icmp.kind,
                icmp.code,
                name(side)
            ))),
            Change::Ended { reason } => note(Note::state(ended(reason))),
            _ => None,
        };
        what.map(|what| Event::of(&flow, what))
    }

    fn late_packet(
        &self,
        flow: Flow<'_, FiveTupleKey, LadderState>,
        info: PacketInfo,
    ) -> Option<Event> {
        let what = || What::Packet(info, vec![Note::state("after the end")]);
        flow.state.wanted.then(|| Event::of(&flow, what()))
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, LadderState>,
        change: SessionChange,
    ) -> Option<Event> {
        let note = match change {
            _ if !flow.state.wanted => return None,
            SessionChange::Conflict { side, conflict } => Note::trouble(format!(
                "copies of {} of the {} differ, {}",
                count(conflict.len, "byte"),
                name(side),
                match conflict.kept {
                    KeptCopy::First => "the first is read",
                    KeptCopy::Last => "the last is read",
                    KeptCopy::Both => "some bytes of each are read",
                }
            )),
            _ => return None,
        };
        Some(Event::of(&flow, What::Note(note)))
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, LadderState>,
        _: FlowSide,
        message: AppRecord,
    ) -> Option<Event> {
        let said = || What::Note(Note::message(message.visit(Said)));
        flow.state.wanted.then(|| Event::of(&flow, said()))
    }

    fn write(&mut self, event: &Event, _: &mut Vec<u8>) {
        if let What::Started(key, orientation) = event.what {
            match self.shown {
                None => {
                    self.shown = Some(Shown { id: event.id, key, orientation });
                    self.heads.key = Some(key);
                }
                Some(_) => self.others += 1,
            }
        }
        if self.shown.is_none_or(|shown| shown.id != event.id) {
            return;
        }
        match &event.what {
            What::Started(..) => {}
            What::Packet(info, notes) => {
                let sent = Sent {
                    side: info.side,
                    flags: info.tcp_flags,
                    len: info.payload_len,
                    tcp: self.heads.take(event.packet),
                };
                self.rows.packet(event.packet, info.ts, sent, notes.clone());
            }
            What::Note(note) => self.rows.note(event.packet, event.ts, note),
        }
    }

    fn end(&mut self, _: &Totals, out: &mut Vec<u8>) {
        let Some(Shown { id, key, orientation }) = self.shown else { return };
        let (initiator, responder) = key.endpoints(orientation);
        let title = format!("flow {id}: {} {initiator} to {responder}", key.proto());
        if self.svg {
            svg::draw(&title, [initiator, responder], &self.rows, out);
        } else {
            text::print(&title, &self.rows, self.width, out);
        }
    }

    fn notes(&self) -> Vec<String> {
        let more = || format!("{} more match: name one by its flow id", self.others);
        (self.others > 0).then(more).into_iter().collect()
    }

    fn missed(&self) -> Option<&'static str> {
        self.shown.is_none().then_some("no such conversation in the capture")
    }
}

/// TCP headers of packets that may be of the conversation, until its events come.
#[derive(Clone, Debug)]
struct Heads {
    by_packet: BTreeMap<u64, TcpInfo>,
    /// The key of the conversation, once it is known.
    key: Option<FiveTupleKey>,
    /// The flow that is wanted by its id.
    by_id: Option<u64>,
}

/// Most headers that wait.
const MAX_HEADS: usize = 1 << 16;

impl Heads {
    fn new(wanted: Option<&Wanted>) -> Self {
        let by_id = match wanted {
            Some(Wanted::Flow(id)) => Some(*id),
            _ => None,
        };
        Heads { by_packet: BTreeMap::new(), key: None, by_id }
    }

    fn see(&mut self, number: u64, view: PacketView<'_>, wanted: Option<&Wanted>) {
        if self.by_id.is_some_and(|id| number < id) {
            return;
        }
        let Some(found) = AutoDetectEncap(FiveTuple::bidirectional()).extract(view) else { return };
        let is_it = match self.key {
            Some(key) => key == found.key,
            None => wanted.is_none_or(|wanted| wanted.is(FlowId(number), &found.key)),
        };
        if self.by_id == Some(number) {
            self.key = Some(found.key);
        }
        if let Some(tcp) = found.tcp.filter(|_| is_it) {
            if self.by_packet.len() == MAX_HEADS {
                self.by_packet.pop_first();
            }
            self.by_packet.insert(number, tcp);
        }
    }

    /// The header of a packet; those before are not asked for any more.
    fn take(&mut self, packet: u64) -> Option<TcpInfo> {
        let later = self.by_packet.split_off(&packet);
        self.by_packet = later;
        self.by_packet.remove(&packet)
    }
}

/// Counters of one side that say what was wrong with a packet.
#[derive(Clone, Copy, Debug, Default)]
struct Troubles([u64; 6]);

/// What it means that one of them has grown.
const TROUBLES: [&str; 6] = [
    "sent again",
    "out of order",
    "duplicate acknowledgement",
    "zero window",
    "probe",
    "out of window",
];

impl Troubles {
    fn of(side: &SideStats) -> Self {
        Troubles(
            [
                side.retransmitted,
                side.out_of_order,
                side.duplicate_acks,
                side.zero_windows,
                side.probes,
                side.out_of_window,
            ]
            .map(u64::from),
        )
    }

    fn until(self, now: Troubles) -> Vec<Note> {
        let grown = self.0.into_iter().zip(now.0).zip(TROUBLES);
        grown
            .filter(|((before, now), _)| now > before)
            .map(|(_, what)| Note::trouble(what))
            .collect()
    }
}

/// Notes on bytes that are missing since this packet of `side`: they are in front of it, or it acknowledges them.
fn missing(side: FlowSide, before: [u64; 2], now: [u64; 2]) -> impl Iterator<Item = Note> {
    let grown = move |side: FlowSide| now[side.index()].saturating_sub(before[side.index()]);
    let note = |bytes: u64, text: fn(String) -> String| {
        (bytes > 0).then(|| Note::trouble(text(count(bytes, "byte"))))
    };
    let own = note(grown(side), |bytes| format!("{bytes} missing before it"));
    let other = note(grown(!side), |bytes| format!("acknowledges {bytes} that were not captured"));
    own.into_iter().chain(other)
}

fn name(side: FlowSide) -> &'static str {
    match side {
        FlowSide::Initiator => "initiator",
        FlowSide::Responder => "responder",
    }
}

fn anomaly(kind: Anomaly) -> &'static str {
    match kind {
        Anomaly::InvalidReset => "reset that is not in sequence",
        Anomaly::InvalidFin => "FIN outside of the window, or before data",
        Anomaly::RetractedFin => "data behind a FIN",
        Anomaly::UnexpectedSyn => "unexpected SYN",
        Anomaly::UnexpectedSynAck => "unexpected SYN+ACK",
        Anomaly::OutOfWindow => "out of window",
        Anomaly::UrgentData => "urgent data",
        _ => "unusual",
    }
}

fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Fin => "closed by both sides",
        EndReason::Rst => "ended by a reset",
        EndReason::IdleTimeout => "no packet until the idle timeout",
        EndReason::Evicted => "evicted for lack of room",
        EndReason::Superseded => "a new connection on the same ports",
        _ => "still open when the capture ends",
    }
}

/// A message in a few words.
struct Said;

impl Visitor for Said {
    type Output = String;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> String {
        let mut said = format!("{} ", schema.name);
        (schema.summary)(record, &mut said);
        said.trim_end().chars().take(rows::MAX_NOTE).collect()
    }
}

#[cfg(test)]
mod tests {
    use flowscope::core::LinkType;
    use flowscope_testkit::Dialogue;

    use super::*;

    #[test]
    fn headers_are_those_of_the_conversation_once_it_is_known() {
        let frames = |initiator: &str| Dialogue::tcp(initiator, "10.0.0.9:80").handshake().build();
        let (one, other) = (frames("10.0.0.1:40000"), frames("10.0.0.2:40000"));
        let mut heads = Heads::new(None);
        let see = |heads: &mut Heads, numbers: [u64; 2]| {
            for (number, (ts, frame)) in numbers.into_iter().zip([&one[0], &other[0]]) {
                heads.see(number, PacketView::new(frame, LinkType::ETHERNET, *ts), None);
            }
        };
        see(&mut heads, [1, 2]);
        assert_eq!(heads.by_packet.len(), 2);
        let view = PacketView::new(&one[0].1, LinkType::ETHERNET, one[0].0);
        heads.key = FiveTuple::bidirectional().extract(view).map(|found| found.key);
        see(&mut heads, [3, 4]);
        assert!(heads.by_packet.keys().eq(&[1, 2, 3]));
        assert!(heads.take(3).is_some() && heads.by_packet.is_empty());
    }
}
