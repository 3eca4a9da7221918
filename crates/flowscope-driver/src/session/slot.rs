use flowscope_core::{Extracted, FlowSide, Loss, Reassembler, ReassemblerFactory, Timestamp};
use flowscope_session::{ParserState, StreamPosition};
use flowscope_track::EndReason;

use super::padding::Padding;
use crate::{Classifier, DetectedBy, Detection};

pub(crate) const SIDES: [FlowSide; 2] = [FlowSide::Initiator, FlowSide::Responder];

/// Per-flow state of a session engine: the user's state, and the session that reads the flow.
///
/// Two dozen bytes beside the user's, until there is payload to read; then one allocation holds
/// reassemblers and parser.
pub struct Slot<P, R, U> {
    session: Option<Box<Session<P, R>>>,
    context: FlowContext,
    user: U,
}

/// The slot of a flow with keys of type `K`, under a classifier `C`.
pub type SlotOf<K, C, U> = Slot<
    <C as Classifier<K>>::Parser,
    <<C as Classifier<K>>::Streams as ReassemblerFactory<K>>::Reassembler,
    U,
>;

/// Facts about a flow that are kept while it has no session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowContext {
    /// Source and destination port of the first packet.
    pub(crate) ports: Option<(u16, u16)>,
    /// Why the flow's payload is not read (any more), if so.
    pub(crate) unread: Option<Loss>,
    /// Datagrams that did not decide which parser reads the flow.
    pub(crate) probed_datagrams: u8,
    /// The flow has ended so, but its session goes on: more of its streams may come late.
    pub(crate) closing: Option<EndReason>,
    /// The flow was recognised by bytes of one side, and is not read: those of the other may contradict.
    pub(crate) recognised: Option<Recognised>,
    /// Place of the name that datagrams have given the flow, in the list of the host.
    pub(crate) named: Option<u8>,
}

/// What a flow was recognised as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recognised {
    /// Place of its protocol in the list of the host.
    pub(crate) protocol: u8,
    pub(crate) by: DetectedBy,
    /// The side whose first bytes have not been seen.
    pub(crate) unseen: FlowSide,
    /// How much the bytes of the other side say.
    pub(crate) seen: SeenSide,
}

/// How much the side of a flow that was seen says for the protocol that the flow was recognised as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SeenSide {
    /// Its bytes are sure.
    Sure,
    /// Its bytes do not speak against it, and the port is its own.
    Open,
    /// The port alone speaks for it: the flow has no name yet.
    OnTrial,
}

/// The parser of a flow, its reassemblers, and their state.
pub(crate) struct Session<P, R> {
    pub(crate) reading: Reading<P>,
    /// The reassemblers of a TCP flow.
    pub(crate) sides: Option<[R; 2]>,
    /// Payload of each side that may be padding.
    pub(crate) padding: [Option<Padding>; 2],
    /// Whether there is any.
    pub(crate) has_padding: bool,
    /// Sides of which the reassembler knows where their streams start.
    pub(crate) begun: [bool; 2],
    /// Sides whose streams lacked nothing when the flow ended: what comes later continues them or is not of them.
    pub(crate) was_whole: [bool; 2],
    /// What the host has counted for the session: memory in bytes, and buffered payload in bytes.
    pub(crate) held: usize,
    pub(crate) pending: u64,
}

/// The parser of a flow, and how far it has come.
pub(crate) struct Reading<P> {
    pub(crate) reader: Reader<P>,
    pub(crate) state: ParserState,
    pub(crate) progress: Progress,
}

/// What is known of the protocol of a flow that is read, and of its first bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The protocol, and how it was found.
    pub(crate) detection: Option<Detection>,
    /// Where the stream of each side goes on for the sink, behind what a parser left to the next one: the
    /// sink has seen those bytes.
    pub(crate) shown: [u64; 2],
    /// Whether the flow has no name until the parser has made a message.
    pub(crate) on_trial: bool,
    /// Sides whose first bytes a parser was fed.
    pub(crate) begun: [bool; 2],
    /// Whether the parser of another flow expects this one, and what that says of it is still to be had.
    pub(crate) expected: bool,
    /// How many streams carry these, each within the one before; those of the flow itself are 0.
    pub(crate) depth: u8,
}

/// Who reads a flow.
// A tag of its own: read from what the variants hold, which of them it is takes every packet longer.
#[repr(u8)]
pub(crate) enum Reader<P> {
    /// Not decided yet.
    Undecided(ProbeBuffer),
    /// This parser.
    Reads(P),
    /// A parser, and those who read what its streams carry.
    Carries(Box<Carrier<P>>),
    /// No parser any more.
    Over,
}

/// A parser whose streams carry those of another protocol.
pub(crate) struct Carrier<P> {
    pub(crate) outer: P,
    /// Who reads what is carried.
    pub(crate) inner: Reading<P>,
    /// Where the carried stream of each side goes on.
    pub(crate) next: [u64; 2],
}

/// Payload buffered until it is decided which parser reads the flow.
#[derive(Debug, Default)]
pub(crate) struct ProbeBuffer {
    /// Made when there is any: the first bytes mostly decide. A session has room for its parser then, not for this.
    buffered: Option<Box<Buffered>>,
    /// The side that sent first.
    pub(crate) first: Option<FlowSide>,
    /// Source and destination port of the first packet.
    pub(crate) ports: Option<(u16, u16)>,
}

#[derive(Debug, Default)]
struct Buffered {
    bytes: [Vec<u8>; 2],
    /// Stream offset of the bytes of each side.
    at: [u64; 2],
    /// The pieces of both sides, in the order in which they came.
    pieces: Vec<ProbePiece>,
    /// Length of the gap before the bytes of each side.
    gap: [u64; 2],
    /// The protocol that both ends have agreed on.
    agreed: Option<&'static str>,
}

/// Some of the bytes in a [`ProbeBuffer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbePiece {
    pub(crate) side: FlowSide,
    pub(crate) len: usize,
    /// What their segment acknowledges.
    pub(crate) acked: Option<u64>,
    /// When they came: messages that they complete have this time, not that of the decision.
    pub(crate) ts: Timestamp,
}

impl SeenSide {
    pub(crate) fn of(detection: &Detection) -> Self {
        if detection.sure.is_some() { SeenSide::Sure } else { SeenSide::Open }
    }
}

impl<P, R, U> Slot<P, R, U> {
    pub(crate) fn new<K>(first: &Extracted<K>, user: U) -> Self {
        let context = FlowContext {
            ports: first.ports,
            unread: None,
            probed_datagrams: 0,
            closing: None,
            recognised: None,
            named: None,
        };
        Slot { session: None, context, user }
    }

    /// Returns the user's state.
    #[must_use]
    pub fn user(&self) -> &U {
        &self.user
    }

    /// Returns the user's state.
    pub fn user_mut(&mut self) -> &mut U {
        &mut self.user
    }

    /// Whether the payload of the flow is read no further, whatever comes.
    pub(crate) fn is_unread(&self) -> bool {
        self.context.unread.is_some() && self.context.recognised.is_none()
    }

    /// Loads the first cache line of the session.
    #[inline]
    pub(crate) fn fetch(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.held)
    }

    /// Splits the slot into the user's state and the engine's.
    #[inline]
    #[allow(clippy::type_complexity)]
    pub(crate) fn parts(
        &mut self,
    ) -> (&mut U, (&mut Option<Box<Session<P, R>>>, &mut FlowContext)) {
        (&mut self.user, (&mut self.session, &mut self.context))
    }
}

impl<P, R> Session<P, R> {
    /// A session of a TCP flow, whose parser is not decided yet.
    pub(crate) fn undecided(sides: [R; 2], ports: Option<(u16, u16)>) -> Self {
        let buffer = ProbeBuffer { ports, ..ProbeBuffer::default() };
        Session { sides: Some(sides), ..Session::of(Reader::Undecided(buffer)) }
    }

    /// The parser of another flow expects that this one speaks a protocol.
    pub(crate) fn expect(&mut self, protocol: &'static str) {
        if let Reader::Undecided(buffer) = &mut self.reading.reader {
            buffer.set_agreed(Some(protocol));
            self.reading.progress.expected = true;
        }
    }

    /// A session of datagrams.
    pub(crate) fn read_by(parser: P, detection: Detection) -> Self {
        let mut session = Session::of(Reader::Reads(parser));
        session.reading.progress.detection = Some(detection);
        session
    }

    fn of(reader: Reader<P>) -> Self {
        let (state, progress) = (ParserState::new(), Progress::default());
        let reading = Reading { reader, state, progress };
        Session {
            reading,
            sides: None,
            padding: [None; 2],
            has_padding: false,
            begun: [false; 2],
            was_whole: [false; 2],
            held: 0,
            pending: 0,
        }
    }
}

impl<P, R: Reassembler> Session<P, R> {
    /// Whether a stream that is read lacks bytes which may still be captured.
    pub(crate) fn has_hole(&self) -> bool {
        self.lacks_bytes(FlowSide::Initiator) || self.lacks_bytes(FlowSide::Responder)
    }

    /// Whether the stream of `side` is read, and lacks bytes which may still be captured.
    pub(crate) fn lacks_bytes(&self, side: FlowSide) -> bool {
        let Some(sides) = &self.sides else { return false };
        self.reading.state.loss(side).is_none()
            && sides[side.index()].has_hole(&sides[(!side).index()])
    }

    /// Whether the end of the stream of `side` was not reached. A side that is not read counts too: its
    /// acknowledgements say what the other one has sent.
    pub(crate) fn is_open(&self, side: FlowSide) -> bool {
        self.reading.state.over().is_none()
            && self.sides.as_ref().is_some_and(|sides| !sides[side.index()].finished())
    }
}

impl<P> Carrier<P> {
    /// Creates one of which nothing was delivered yet. `outer` is the protocol of the parser, `agreed` that of what is
    /// carried, if it is known.
    pub(crate) fn new(
        parser: P,
        outer: Option<Detection>,
        agreed: Option<&'static str>,
        depth: u8,
    ) -> Self {
        let mut buffer = ProbeBuffer::default();
        buffer.set_agreed(agreed);
        let mut state = ParserState::new();
        SIDES.into_iter().for_each(|side| state.syn(side));
        // The sink is shown the streams of the flow itself.
        let progress =
            Progress { detection: outer, shown: [u64::MAX; 2], depth, ..Progress::default() };
        let inner = Reading { reader: Reader::Undecided(buffer), state, progress };
        Carrier { outer: parser, inner, next: [0; 2] }
    }
}

impl ProbeBuffer {
    /// Bytes of both sides.
    pub(crate) fn len(&self) -> usize {
        self.bytes(FlowSide::Initiator).len() + self.bytes(FlowSide::Responder).len()
    }

    pub(crate) fn bytes(&self, side: FlowSide) -> &[u8] {
        self.buffered.as_ref().map_or(&[], |buffered| &buffered.bytes[side.index()])
    }

    /// Stream offset of the bytes of this side.
    pub(crate) fn at(&self, side: FlowSide) -> u64 {
        self.buffered.as_ref().map_or(0, |buffered| buffered.at[side.index()])
    }

    /// Length of the gap before the bytes of this side.
    pub(crate) fn gap(&self, side: FlowSide) -> u64 {
        self.buffered.as_ref().map_or(0, |buffered| buffered.gap[side.index()])
    }

    /// The pieces of both sides, in the order in which they came.
    pub(crate) fn pieces(&self) -> &[ProbePiece] {
        self.buffered.as_ref().map_or(&[], |buffered| &buffered.pieces)
    }

    /// Adds bytes of a side that came in this packet, those at this offset of its stream if they are its first.
    pub(crate) fn push(&mut self, at: StreamPosition, bytes: &[u8], acked: Option<u64>) {
        let StreamPosition { side, ts, offset: at } = at;
        let Buffered { bytes: all, at: offset, pieces, .. } =
            &mut **self.buffered.get_or_insert_default();
        if all[side.index()].is_empty() {
            offset[side.index()] = at;
        }
        all[side.index()].extend_from_slice(bytes);
        match pieces.last_mut() {
            Some(last) if (last.side, last.acked, last.ts) == (side, acked, ts) => {
                last.len += bytes.len();
            }
            _ => pieces.push(ProbePiece { side, len: bytes.len(), acked, ts }),
        }
    }

    /// The protocol that both ends have agreed on within the one before, if there was one.
    pub(crate) fn agreed(&self) -> Option<&'static str> {
        self.buffered.as_ref()?.agreed
    }

    /// Sets the protocol that both ends have agreed on.
    pub(crate) fn set_agreed(&mut self, agreed: Option<&'static str>) {
        if agreed.is_some() {
            self.buffered.get_or_insert_default().agreed = agreed;
        }
    }

    /// Adds to the gap before the bytes of a side.
    pub(crate) fn add_gap(&mut self, side: FlowSide, len: u64) {
        self.buffered.get_or_insert_default().gap[side.index()] += len;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.buffered.as_ref().map_or(0, |buffered| {
            size_of::<Buffered>()
                + buffered.bytes.iter().map(Vec::capacity).sum::<usize>()
                + buffered.pieces.capacity() * size_of::<ProbePiece>()
        })
    }
}
