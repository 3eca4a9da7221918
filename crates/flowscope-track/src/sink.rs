use std::fmt;

use flowscope_core::{Datagram, FlowSide, Orientation, Segment, Timestamp};

use crate::record::Record;
use crate::{Change, EndReason, FlowEvent, FlowRef, FlowState, FlowStats, History, PacketInfo};

/// Id of a flow within one input: the number of its first packet, from 1.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowId(pub u64);

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A flow, borrowed for one call of a sink.
pub struct Flow<'a, K, S> {
    /// Its id.
    pub id: FlowId,
    /// Its key.
    pub key: &'a K,
    /// The state that the caller keeps with the flow.
    pub state: &'a mut S,
    /// Number of the packet that caused the call.
    pub packet: u64,
    /// Packet time of the call: see [`FlowRef::ts`](crate::FlowRef::ts).
    pub ts: Timestamp,
    /// Place of the call in the output, for merging the output of several trackers.
    pub order: EventOrder,
    pub(crate) record: Record<'a>,
}

impl<'a, K, S> Flow<'a, K, S> {
    /// Borrows the flow again, for one more call.
    #[must_use]
    #[inline]
    pub fn reborrow(&mut self) -> Flow<'_, K, S> {
        Flow { state: &mut *self.state, ..*self }
    }

    /// Owned reference: the flow, and the place of the call in the input.
    #[must_use]
    pub fn to_ref(&self) -> FlowRef<K>
    where
        K: Clone,
    {
        FlowRef {
            id: self.id,
            key: self.key.clone(),
            orientation: self.orientation(),
            packet: self.packet,
            ts: self.ts,
        }
    }

    /// Orientation of the key in which the initiator sends.
    #[must_use]
    #[inline]
    pub fn orientation(&self) -> Orientation {
        self.record.orientation()
    }

    /// The flow with a part of its state, and the rest of the state: for a layer that wraps the
    /// state of another.
    #[inline]
    pub fn project<T, R>(
        self,
        part: impl FnOnce(&'a mut S) -> (&'a mut T, R),
    ) -> (Flow<'a, K, T>, R) {
        let Flow { id, key, state, packet, ts, order, record } = self;
        let (state, rest) = part(state);
        (Flow { id, key, state, packet, ts, order, record }, rest)
    }

    /// The flow under a part of its key: for a layer that puts more into keys than its sink knows.
    #[inline]
    pub fn map_key<T>(self, part: impl FnOnce(&'a K) -> &'a T) -> Flow<'a, T, S> {
        let Flow { id, key, state, packet, ts, order, record } = self;
        Flow { id, key: part(key), state, packet, ts, order, record }
    }

    /// Statistics up to now. Made on demand; copies a few hundred bytes.
    #[must_use]
    pub fn stats(&self) -> FlowStats {
        self.record.stats()
    }

    /// Time of the latest packet.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        self.record.last_seen()
    }

    /// History up to now, in Zeek's letters.
    #[must_use]
    pub fn history(&self) -> History {
        self.record.history()
    }

    /// State of the flow.
    #[must_use]
    pub fn tcp_state(&self) -> FlowState {
        self.record.state()
    }

    /// Who reset the flow, if an accepted reset ended it.
    #[must_use]
    pub fn reset_by(&self) -> Option<FlowSide> {
        self.record.reset_by()
    }

    /// Sequence number of the first byte that `side` sends, behind its SYN.
    ///
    /// Known once the flow has accepted the SYN, or, for the initiator, a SYN+ACK that acknowledges it
    /// (RFC 9293 §3.10.7.3): SYNs and SYN+ACKs that the tracker reports as unexpected do not count.
    /// `None` before, and for a stream that was picked up in the middle.
    #[must_use]
    #[inline]
    pub fn stream_start(&self, side: FlowSide) -> Option<u32> {
        self.record.stream_start(side)
    }

    /// Sequence number behind the last byte that `side` sends: that of its FIN.
    ///
    /// Known once the flow has accepted a FIN of it, and no longer after that FIN was retracted.
    #[must_use]
    pub fn stream_end(&self, side: FlowSide) -> Option<u32> {
        self.record.stream_end(side)
    }

    /// Sequence number up to which `side`'s bytes are acknowledged by the other side, the segment at
    /// hand included; counts the SYN, and a FIN that is acknowledged. Acknowledgements far outside the
    /// window are left out. `None` before the first.
    #[must_use]
    #[inline]
    pub fn acknowledged(&self, side: FlowSide) -> Option<u32> {
        self.record.acknowledged(side)
    }
}

/// Place of a call in the output, for merging the output of several trackers of one input.
///
/// Calls of one tracker come in this order, except those for flows that the caller ends one by one,
/// which have the place of the latest packet. Sorting the calls of many trackers by it, stably,
/// gives the calls of one tracker with the whole input, as long as no limit was reached.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventOrder {
    /// Number of the packet that caused it.
    pub packet: u64,
    /// Before, at, or after that packet.
    pub phase: Phase,
    /// In the phases `Expiry` and `Silence`: the deadline that passed.
    pub deadline: Timestamp,
    /// In the phases `Expiry`, `Silence` and `End`: the flow.
    pub flow: FlowId,
}

/// Position of an event relative to its packet.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Before the packet: its time let a deadline pass.
    Expiry,
    /// Caused by the packet itself.
    #[default]
    Packet,
    /// Caused by the packet, for another flow that it quotes.
    Quoted,
    /// After the packet: time passed without another packet.
    Silence,
    /// After all packets.
    End,
}

/// Receives the events and the payload of a tracker, borrowed.
///
/// For one packet of a flow the calls come in this order: what ended before it (an idle timeout, an
/// eviction, a flow superseded), `Started`, `Packet`, anomalies, `segment` or `datagram`,
/// `Established`, `StateChange`, `Ended`. What the capture [counted](Change::Shunted) before the packet comes before
/// all of them. After `Ended` come only [`late_segment`](Self::late_segment) and
/// `Late`. The last call for each flow is [`removed`](Self::removed).
pub trait FlowSink<K, S> {
    /// Whether `Packet` changes are wanted. Without them, a packet touches less memory.
    #[inline]
    fn wants_packets(&self) -> bool {
        true
    }

    /// Whether segments and datagrams are wanted; see [`wants_packets`](Self::wants_packets).
    #[inline]
    fn wants_payload(&self) -> bool {
        true
    }

    /// A packet of the flow with this state is about to be tracked: reads memory that it will need,
    /// so that it is in the cache. Returns anything that depends on what was read.
    #[inline]
    fn fetch(&self, _state: &S) -> usize {
        0
    }

    /// Whether the payload of the flow with this state is read no further, so that
    /// [`Shunting::Established`](crate::Shunting::Established) applies.
    #[inline]
    fn may_shunt(&self, _state: &S) -> bool {
        true
    }

    /// Something happened to a flow.
    fn event(&mut self, _flow: Flow<'_, K, S>, _change: Change) {}

    /// A TCP segment of a flow that has not ended: also SYN and FIN without payload and pure
    /// acknowledgements, but no RST. Segments far outside the window are included: the reassembler
    /// decides about their bytes.
    fn segment(&mut self, _flow: Flow<'_, K, S>, _segment: Segment<'_>) {}

    /// A TCP segment that came after the flow's `Ended`, while its entry lingers: what was on its way, or was
    /// captured late.
    ///
    /// No SYN, no RST, nothing beyond the window, and nothing of a side that reset the flow beyond what it had
    /// sent by then: the highest number seen or acknowledged. The flow's `Late` counts the packet; there is no `Packet`.
    fn late_segment(&mut self, _flow: Flow<'_, K, S>, _segment: Segment<'_>) {}

    /// A packet that came after the flow's `Ended`, while its entry lingers, if [packets are wanted](Self::wants_packets). There is no
    /// `Packet` of it; the flow's `Late` counts it. `flow.packet` is its number.
    fn late_packet(&mut self, _flow: Flow<'_, K, S>, _packet: PacketInfo) {}

    /// A packet with payload of a flow of any protocol but TCP.
    fn datagram(&mut self, _flow: Flow<'_, K, S>, _datagram: Datagram<'_>) {}

    /// The entry of a flow leaves the table: the place to write one record per connection.
    ///
    /// The last call for each flow, exactly once for each `Started`, after `Ended` and `Late`, at the
    /// place in the output that those have. A flow that ended by its own packets ([`EndReason::Fin`],
    /// [`EndReason::Rst`]) stays in the table for the linger time, unless its entry is evicted, its
    /// port is used again, or the input ends; every other flow is removed right after `Ended`.
    ///
    /// `reason` is that of `Ended`. Packets that came late are included in all that `flow` says:
    /// counters, TCP flags, `first_seen`, `last_seen`, `delta` and history;
    /// [`FlowStats::late`](crate::FlowStats::late) says which part of them was late. `flow.ts` is
    /// `last_seen`. The caller's state is dropped after this call.
    #[inline]
    fn removed(&mut self, _flow: Flow<'_, K, S>, _reason: EndReason) {}
}

/// Ignores everything.
impl<K, S> FlowSink<K, S> for () {
    #[inline]
    fn wants_packets(&self) -> bool {
        false
    }

    #[inline]
    fn wants_payload(&self) -> bool {
        false
    }
}

/// Collects the owned form of every event.
impl<K: Clone, S> FlowSink<K, S> for Vec<FlowEvent<K>> {
    #[inline]
    fn wants_payload(&self) -> bool {
        false
    }

    fn event(&mut self, flow: Flow<'_, K, S>, change: Change) {
        self.push(FlowEvent::from_change(&flow, change));
    }
}
