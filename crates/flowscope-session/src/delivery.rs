use flowscope_core::{
    DatagramParser, FlowSide, Loss, ParseError, ParserStatus, Probe, SessionParser, StreamChunk,
    Timestamp,
};

/// A parser together with the receiver of its messages: what a [`ParserState`](crate::ParserState) drives.
///
/// The first methods call the parser and pass its messages to the receiver before they return. The
/// `report_*` methods inform the receiver of what the state machine decided.
pub trait Delivery {
    /// Returns whether `start`, the first bytes that `side` sent, belong to the parser's protocol.
    fn probe(&mut self, side: FlowSide, start: &[u8]) -> Probe;

    /// Feeds the parser the next bytes of a side.
    fn feed(&mut self, chunk: StreamChunk<'_>) -> ParserStatus;

    /// Informs the parser that `len` bytes are missing at this position; see
    /// [`SessionParser::gap`].
    fn gap(&mut self, at: StreamPosition, len: u64) -> ParserStatus;

    /// Lets the protocol that follows the parser's read what comes, from the bytes that the parser
    /// [leaves](SessionParser::take_remainder) on; returns whether one does. The default returns
    /// `false`: the parser is [done](StopReason::Done). `to` is the name of that protocol, if the parser knows it.
    fn upgrade(&mut self, _at: StreamPosition, _to: Option<&'static str>) -> bool {
        false
    }

    /// Passes on the bytes that the parser's streams [carry](ParserStatus::Carries), of the protocol of this name if
    /// it is known; returns for each side why they are no longer read, if so. `None` if they cannot be read: the
    /// parser is [done](StopReason::Done). The default ignores them, and the parser reads on.
    fn carry(
        &mut self,
        _at: StreamPosition,
        _name: Option<&'static str>,
    ) -> Option<[Option<Loss>; 2]> {
        Some([None; 2])
    }

    /// Takes the connections that the parser [expects](ParserStatus::Expects). The default leaves them to the parser.
    fn expect(&mut self, _at: StreamPosition) {}

    /// Informs the parser of the end of a side or of the flow.
    fn notify(&mut self, at: StreamPosition, end: StreamEnd);

    /// Drops the parser: no method that needs it is called any more.
    fn release(&mut self);

    /// Reports `len` bytes that were never captured, before the parser learns of them.
    fn report_gap(&mut self, at: StreamPosition, len: u64);

    /// Reports that the parser reads no more of one side, or of both (`None`).
    fn report_stop(&mut self, at: StreamPosition, side: Option<FlowSide>, why: StopReason);

    /// Reports payload bytes that no parser reads.
    fn report_loss(&mut self, cause: Loss, bytes: u64);

    /// Reports in-order bytes of a side that no parser reads. The default [reports the loss](Self::report_loss).
    fn report_unread(&mut self, cause: Loss, chunk: StreamChunk<'_>) {
        self.report_loss(cause, chunk.bytes.len() as u64);
    }
}

/// A position in the stream of one side, and the packet time at which it was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamPosition {
    /// The side whose stream it is.
    pub side: FlowSide,
    /// Capture time of the packet that led there.
    pub ts: Timestamp,
    /// Offset in the stream, in bytes; gaps count.
    pub offset: u64,
}

/// The end of a stream or of a flow, as a parser learns of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamEnd {
    /// This side has finished sending.
    Fin(FlowSide),
    /// The flow was reset by this side.
    Rst(FlowSide),
    /// The flow has ended, or is read no further.
    End,
}

/// Why a parser reads no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StopReason {
    /// The parser has seen all it needs.
    Done,
    /// The parser stopped reading the side: after a gap that it cannot bridge, or because the rest
    /// is not readable, as what TLS encrypts.
    GaveUp,
    /// The bytes are not, or no longer, the parser's protocol.
    Failed(ParseError),
    /// The memory budget was exceeded.
    MemoryLimit,
}

impl StreamEnd {
    /// Calls the method of a stream parser that handles this end.
    #[inline]
    pub fn notify_parser<P: SessionParser>(self, parser: &mut P, out: &mut Vec<P::Message>) {
        match self {
            StreamEnd::Fin(side) => parser.fin(side, out),
            StreamEnd::Rst(side) => parser.rst(side, out),
            StreamEnd::End => parser.end(out),
        }
    }

    /// Calls the method of a datagram parser that handles this end, if it has one.
    pub fn notify_datagram_parser<P: DatagramParser>(
        self,
        parser: &mut P,
        out: &mut Vec<P::Message>,
    ) {
        match self {
            StreamEnd::Fin(_) | StreamEnd::Rst(_) => {}
            StreamEnd::End => parser.end(out),
        }
    }
}

impl StopReason {
    /// Returns the ledger entry of payload bytes that come after the stop.
    #[must_use]
    pub fn loss(self) -> Loss {
        match self {
            StopReason::Done => Loss::Unclaimed,
            StopReason::GaveUp | StopReason::Failed(_) => Loss::ParserStopped,
            StopReason::MemoryLimit => Loss::Memcap,
        }
    }
}
