use flowscope_core::{Extracted, FlowSide};
use flowscope_driver::SessionChange;
use flowscope_track::{Change, EndReason, Flow, PacketInfo};

/// Makes records of what happens to flows: the part of an output that runs in the workers.
///
/// Each shard has a clone. A record must depend on its arguments alone, or the output depends on the
/// shards.
pub trait Recorder<K, M>: Clone + Send + 'static {
    /// State that is kept with each flow.
    type State: Send + 'static;
    /// A record.
    type Record: Send + 'static;

    /// The state of a new flow, from its first packet.
    fn state(&self, first: &Extracted<K>) -> Self::State;

    /// Whether [`Change::Packet`] and [`late_packet`](Self::late_packet) are wanted.
    #[inline]
    fn wants_packets(&self) -> bool {
        false
    }

    /// The record of a change of a flow, if it has one.
    fn flow(&self, _flow: Flow<'_, K, Self::State>, _change: Change) -> Option<Self::Record> {
        None
    }

    /// The record of a packet that came after the end of its flow, if it has one: see
    /// [`FlowSink::late_packet`](flowscope_track::FlowSink::late_packet).
    fn late_packet(
        &self,
        _flow: Flow<'_, K, Self::State>,
        _packet: PacketInfo,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a change of a flow's session, if it has one.
    fn session(
        &self,
        _flow: Flow<'_, K, Self::State>,
        _change: SessionChange,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a message, if it has one.
    fn message(
        &self,
        _flow: Flow<'_, K, Self::State>,
        _side: FlowSide,
        _message: M,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a flow of whose streams nothing more comes, if it has one: see
    /// [`SessionSink::session_ended`](flowscope_driver::SessionSink::session_ended).
    fn session_ended(
        &self,
        _flow: Flow<'_, K, Self::State>,
        _reason: EndReason,
    ) -> Option<Self::Record> {
        None
    }

    /// The record of a flow whose table entry is removed, if it has one.
    fn removed(&self, _flow: Flow<'_, K, Self::State>, _reason: EndReason) -> Option<Self::Record> {
        None
    }

    /// Whether [`encode`](Self::encode) works: the encoding of a record does not depend on the records
    /// before it. Worker threads then encode records, and the caller gets
    /// [`Merged::Encoded`](crate::Merged::Encoded).
    fn encodes(&self) -> bool {
        false
    }

    /// Appends the encoding of a record.
    fn encode(&mut self, _record: &Self::Record, _out: &mut Vec<u8>) {}
}
