//! One flow record made of several.

use std::time::Duration;

use flowscope_core::{FlowSide, L4Proto, Orientation, Timestamp};
use flowscope_extract::FiveTupleKey;
use flowscope_track::{ConnState, EndReason, InitiatorEvidence, Macs, TcpState};

#[cfg(test)]
mod tests;

use super::MergedFlow;
use crate::names::FAILED;
use crate::{FlowRecord, FlowRecordKind};

/// The flow record of a connection of which there are several, added in the order in which they [start](FlowRecord::start).
///
/// What can be added up is that of a [`MergedFlow`]: packets, bytes, times, flags, the initiator. The rest is made so:
///
/// * How it ended is what the record with the latest packet says. If none says that it ended, what an interim record
///   has of the whole flow is that of the last.
/// * The protocol is that of the first record that has one; that of a part which failed does not count.
/// * `history` has the letters of each record, without those that earlier ones have, and `conn_state` follows from it. A last
///   record whose history begins with that of those before has both.
/// * The id, the Community ID's seed, VLANs and tunnels are those of the first record.
///
/// A single record stays what it is. The size is bounded, whatever the number of records.
#[derive(Clone, Debug)]
pub struct MergedRecord {
    flow: MergedFlow,
    /// The first record, with what others have more. Its sides' sums are those of `flow`, but for those that it does
    /// not have.
    record: FlowRecord,
    /// Whether the last record's history is that of all.
    is_covered: bool,
}

impl MergedRecord {
    /// Creates it of its first record.
    #[must_use]
    pub fn new(first: FlowRecord) -> Self {
        MergedRecord { flow: MergedFlow::of(&first), record: first, is_covered: true }
    }

    /// Whether a record of the same key, which starts no earlier, is one of this connection.
    ///
    /// It is if the two overlap in time, or if there is no more silence between them than `idle`; behind a connection that
    /// ended by FIN, RST or reuse of its ports, no more than `linger`. Behind one that has ended, or got
    /// beyond the handshake, a record that begins with a SYN is one of another connection.
    #[must_use]
    pub fn takes(&self, next: &FlowRecord, idle: Duration, linger: Duration) -> bool {
        let record = &self.record;
        if next.start < record.end || next.start == record.start {
            return true;
        }
        let is_closed = self.is_closed();
        if (is_closed || is_established(record)) && begins_with_syn(next) {
            return false;
        }
        next.start.since(record.end) <= if is_closed { linger } else { idle }
    }

    /// Adds a record, which starts no earlier than those before.
    pub fn add(&mut self, mut next: FlowRecord) {
        self.flow.merge(&MergedFlow::of(&next));
        let orientation = self.flow.initiator().unwrap_or(next.header.orientation);
        let all = &mut self.record;
        turn(all, orientation);
        turn(&mut next, orientation);
        let is_last = (next.end, has_ended(&next)) >= (all.end, has_ended(all));
        all.evidence = self.flow.evidence().unwrap_or(all.evidence);
        all.kind = if is_last { kind(all.kind, next.kind) } else { kind(next.kind, all.kind) };
        all.header.ts = all.header.ts.max(next.header.ts);
        all.header.ambiguous |= next.header.ambiguous;
        all.header.path = all.header.path.take().or(next.header.path.take());
        all.closed = all.closed.max(next.closed);
        all.state = all.state.max(next.state);
        all.tcp_state = all.tcp_state.max(next.tcp_state);
        all.two_way |= next.two_way;
        all.mid_stream &= next.mid_stream;
        let history = all.history.followed_by(next.history);
        self.is_covered = is_last && history == next.history;
        if self.is_covered {
            all.conn_state = next.conn_state;
        }
        all.history = history;
        if !is_named(all) && is_named(&next) {
            all.header.within = next.header.within;
            all.app_proto = next.app_proto;
            all.app_proto_sides = next.app_proto_sides.take();
            all.service = next.service;
        }
        if let Some(more) = next.macs.take() {
            join(all.macs.get_or_insert_default(), &more);
        }
        for (side, more) in all.sides.iter_mut().zip(next.sides) {
            let mut sums = if is_last { more } else { *side };
            let streams = [side.stream_bytes, more.stream_bytes];
            sums.stream_bytes = streams[0].saturating_add(streams[1]);
            // An interim record has those since the start of the flow.
            let both = [side.shunted, more.shunted];
            sums.shunted.packets = both[0].packets.max(both[1].packets);
            sums.shunted.wire_bytes = both[0].wire_bytes.max(both[1].wire_bytes);
            *side = sums;
        }
        if is_last {
            all.at_end = next.at_end;
        }
        all.start = all.start.min(next.start);
        all.end = all.end.max(next.end);
    }

    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.flow.records
    }

    /// The record of what was added so far.
    #[must_use]
    pub fn into_record(self) -> FlowRecord {
        let MergedRecord { flow, mut record, is_covered } = self;
        if flow.records < 2 {
            return record;
        }
        (record.syn_rtt, record.ack_rtt) = (flow.syn_rtt, flow.ack_rtt);
        let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            let (sums, side) = (flow.side(side), &mut record.sides[side.index()]);
            side.counters = sums.counters;
            side.tcp_flags = sums.tcp_flags;
            if flow.end_reason().is_some() {
                side.retransmits = short(sums.retransmits);
                side.out_of_order = short(sums.out_of_order);
                side.duplicate_acks = short(sums.duplicate_acks);
                side.zero_windows = short(sums.zero_windows);
                side.gap_bytes = sums.gap_bytes;
                side.cut_bytes = sums.cut_bytes;
            }
        }
        record.two_way |= record.sides.iter().all(|side| side.counters.packets > 0);
        if !is_covered {
            record.conn_state = conn_state(&record);
        }
        record
    }

    /// The time of the latest packet.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.record.end
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &FiveTupleKey {
        &self.record.header.key
    }

    /// Nothing more came of it until `now`, the latest time of all inputs. If that is more than `idle` after its last packet, a
    /// flow that was open when its own input ended was idle; an entry of a connection that had ended had left the table after
    /// `linger`.
    pub fn silent_until(&mut self, now: Timestamp, idle: Duration, linger: Duration) {
        let record = &mut self.record;
        let FlowRecordKind::Ended(reason) = record.kind else { return };
        if !record.at_end {
            return;
        }
        let is_open = is_open(reason);
        let deadline = record.end + if is_open { idle } else { linger };
        if now <= deadline {
            return;
        }
        record.at_end = false;
        if is_open {
            record.kind = FlowRecordKind::Ended(EndReason::IdleTimeout);
        }
    }

    /// Another connection of its key started at this time: so a flow that was open when its own input ended had ended, by
    /// silence or by reuse of its ports.
    pub fn followed_at(&mut self, now: Timestamp, idle: Duration, linger: Duration) {
        self.silent_until(now, idle, linger);
        let record = &mut self.record;
        if !record.at_end {
            return;
        }
        record.at_end = false;
        if matches!(record.kind, FlowRecordKind::Ended(reason) if is_open(reason)) {
            record.kind = FlowRecordKind::Ended(EndReason::Superseded);
        }
    }

    fn is_closed(&self) -> bool {
        let closed = [EndReason::Fin, EndReason::Rst, EndReason::Superseded];
        matches!(self.record.kind, FlowRecordKind::Ended(reason) | FlowRecordKind::Late(reason)
            if closed.contains(&reason))
    }
}

/// Whether the flow had not ended when its input did.
fn is_open(reason: EndReason) -> bool {
    matches!(reason, EndReason::EndOfInput | EndReason::Shutdown)
}

fn has_ended(record: &FlowRecord) -> bool {
    !matches!(record.kind, FlowRecordKind::Interim(_))
}

/// Whether it got beyond the handshake, or began before its capture.
fn is_established(record: &FlowRecord) -> bool {
    !matches!(record.tcp_state, Some(TcpState::SynSent | TcpState::SynReceived))
}

fn begins_with_syn(record: &FlowRecord) -> bool {
    record.tcp_state.is_some() && record.evidence == InitiatorEvidence::Syn && !record.mid_stream
}

fn is_named(record: &FlowRecord) -> bool {
    record.app_proto.is_some_and(|name| name != FAILED)
}

/// Which record it is, by the one before and the last one.
fn kind(before: FlowRecordKind, last: FlowRecordKind) -> FlowRecordKind {
    match (before, last) {
        (FlowRecordKind::Interim(one), FlowRecordKind::Interim(other)) => {
            FlowRecordKind::Interim(one.max(other))
        }
        (FlowRecordKind::Late(_), _) => last,
        (_, FlowRecordKind::Late(reason)) => FlowRecordKind::Ended(reason),
        _ => last,
    }
}

/// Makes the side that sends in this orientation the initiator.
fn turn(record: &mut FlowRecord, orientation: Orientation) {
    if record.header.orientation == orientation {
        return;
    }
    record.header.orientation = orientation;
    record.sides.reverse();
    if let Some(sides) = &mut record.app_proto_sides {
        sides.reverse();
    }
    if let Some(macs) = &mut record.macs {
        let mut turned = Macs::default();
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            macs.side(side).iter().for_each(|addr| turned.insert(!side, *addr));
        }
        **macs = turned;
    }
    record.history = record.history.turned();
    record.tcp_state = record.tcp_state.map(turned);
}

/// The state at the other end of the connection.
fn turned(state: TcpState) -> TcpState {
    match state {
        TcpState::FinWait1 | TcpState::FinWait2 => TcpState::CloseWait,
        TcpState::CloseWait => TcpState::FinWait2,
        TcpState::TimeWait | TcpState::Closing => TcpState::LastAck,
        TcpState::LastAck => TcpState::TimeWait,
        other => other,
    }
}

fn join(macs: &mut Macs, more: &Macs) {
    for side in [FlowSide::Initiator, FlowSide::Responder] {
        more.side(side).iter().for_each(|addr| macs.insert(side, *addr));
    }
}

/// Zeek's summary of a connection, by its history: that of single records follows from their packets.
fn conn_state(record: &FlowRecord) -> ConnState {
    let letters = record.history.as_str();
    let any = |wanted: &str| letters.contains(|letter| wanted.contains(letter));
    let [sent, answered] =
        [&record.sides[0], &record.sides[1]].map(|side| side.counters.packets > 0);
    match (record.header.key.proto(), sent, answered) {
        (L4Proto::Tcp, ..) => {}
        (L4Proto::Udp, true, true) => return ConnState::Sf,
        (L4Proto::Udp, true, false) => return ConnState::S0,
        (L4Proto::Udp, false, _) => return ConnState::Shr,
        _ => return ConnState::Oth,
    }
    let (active, answered) = (any("SHFD"), any("shfd"));
    let last_reset = letters.rfind(['R', 'r']).map(|at| &letters[at..=at]);
    let was_reset = matches!(record.kind, FlowRecordKind::Ended(EndReason::Rst));
    match (any("F"), any("f"), last_reset.filter(|_| was_reset)) {
        (true, true, _) => ConnState::Sf,
        (_, _, Some("r")) if !active => ConnState::Rstrh,
        (_, _, Some("r")) if any("S") && !answered => ConnState::Rej,
        (_, _, Some("r")) => ConnState::Rstr,
        (_, _, Some(_)) if answered => ConnState::Rsto,
        (_, _, Some(_)) if any("S") && !any("AFH") => ConnState::Rstos0,
        (_, _, Some(_)) => ConnState::Oth,
        (true, false, _) if answered => ConnState::S2,
        (true, false, _) => ConnState::Sh,
        (false, true, _) if active => ConnState::S3,
        (false, true, _) => ConnState::Shr,
        _ if record.mid_stream => ConnState::Oth,
        _ if any("S") && !answered => ConnState::S0,
        _ if any("S") && any("h") || record.tcp_state >= Some(TcpState::Established) => {
            ConnState::S1
        }
        _ => ConnState::Oth,
    }
}
