use flowscope_core::{Extracted, FlowSide, Loss, ReassemblerFactory};

use crate::Classifier;

/// What a session engine keeps with each flow: the user's state, and what reads the flow.
///
/// Two dozen bytes beside the user's, until there is payload to read; then one allocation holds
/// reassemblers and parser.
pub struct Slot<P, R, U> {
    session: Option<Box<Session<P, R>>>,
    context: FlowContext,
    user: U,
}

/// The slot of a flow with this key, read by these classifier.
pub type SlotOf<K, C, U> = Slot<
    <C as Classifier<K>>::Parser,
    <<C as Classifier<K>>::Streams as ReassemblerFactory<K>>::Reassembler,
    U,
>;

/// What is known of a flow before it is read, and why it is no longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowContext {
    /// Sequence number of each side's first byte, where its SYN was seen.
    begun: [Option<u32>; 2],
    /// Source and destination port of the first packet.
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) read_state: ReadState,
    /// Datagrams that told nothing about who reads them.
    pub(crate) probed_datagrams: u8,
}

/// Whether a flow's payload is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadState {
    /// It is, or will be once there is some.
    Open,
    /// Nobody reads it, or has to any more.
    Unclaimed,
    /// Its parser has given up.
    Stopped,
    /// There was no room for it.
    MemoryLimit,
}

impl ReadState {
    /// Where bytes go that come now.
    pub(crate) fn loss(self) -> Loss {
        match self {
            ReadState::Open | ReadState::Unclaimed => Loss::Unclaimed,
            ReadState::Stopped => Loss::ParserStopped,
            ReadState::MemoryLimit => Loss::Memcap,
        }
    }
}

/// What reads a flow.
pub(crate) struct Session<P, R> {
    pub(crate) reader: Reader<P>,
    /// The reassemblers of a TCP flow.
    pub(crate) sides: Option<[R; 2]>,
    /// Sides that the parser has given up.
    pub(crate) stopped: [bool; 2],
    /// Sides whose end the parser was told.
    pub(crate) fin_notified: [bool; 2],
    /// Sides of which no byte was read yet, and whose start was not seen.
    pub(crate) mid_stream: [bool; 2],
    /// What the host counts it as: bytes of memory, and bytes of payload that wait.
    pub(crate) held: usize,
    pub(crate) pending: u64,
}

pub(crate) enum Reader<P> {
    /// It is not decided who reads.
    Undecided(ProbeBuffer),
    Reads(P),
    /// Nobody reads any further.
    Over(ReadState),
}

/// What came before it was decided who reads.
#[derive(Debug, Default)]
pub(crate) struct ProbeBuffer {
    pub(crate) bytes: [Vec<u8>; 2],
    /// Where the bytes of each side stand in its stream.
    pub(crate) at: [u64; 2],
    /// Bytes missing in ingress of them.
    pub(crate) gap: [u64; 2],
    /// Who spoke first.
    pub(crate) first: Option<FlowSide>,
}

impl<P, R, U> Slot<P, R, U> {
    pub(crate) fn new<K>(first: &Extracted<K>, user: U) -> Self {
        let context = FlowContext {
            begun: [None; 2],
            ports: first.ports,
            read_state: ReadState::Open,
            probed_datagrams: 0,
        };
        Slot { session: None, context, user }
    }

    /// The user's state.
    #[must_use]
    pub fn user(&self) -> &U {
        &self.user
    }

    /// The user's state.
    pub fn user_mut(&mut self) -> &mut U {
        &mut self.user
    }

    /// Reads the first line of the session.
    #[inline]
    pub(crate) fn fetch(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.held)
    }

    /// The user's part, and the rest.
    #[inline]
    #[allow(clippy::type_complexity)]
    pub(crate) fn parts(
        &mut self,
    ) -> (&mut U, (&mut Option<Box<Session<P, R>>>, &mut FlowContext)) {
        (&mut self.user, (&mut self.session, &mut self.context))
    }
}

impl FlowContext {
    /// Where the stream of `side` begins, as far as SYNs told.
    pub(crate) fn begun(&self, side: FlowSide) -> Option<u32> {
        self.begun[side.index()]
    }

    /// A SYN was seen: `first` numbers its side's first byte.
    pub(crate) fn begin(&mut self, side: FlowSide, first: u32) {
        self.begun[side.index()] = Some(first);
    }
}

impl<P, R> Session<P, R> {
    pub(crate) fn undecided(sides: [R; 2], mid_stream: [bool; 2]) -> Self {
        Session {
            sides: Some(sides),
            mid_stream,
            ..Session::of(Reader::Undecided(ProbeBuffer::default()))
        }
    }

    pub(crate) fn read_by(parser: P) -> Self {
        Session::of(Reader::Reads(parser))
    }

    fn of(reader: Reader<P>) -> Self {
        Session {
            reader,
            sides: None,
            stopped: [false; 2],
            fin_notified: [false; 2],
            mid_stream: [false; 2],
            held: 0,
            pending: 0,
        }
    }
}

impl<P> Reader<P> {
    /// What becomes of the flow's payload, if it is not read any further.
    #[inline]
    pub(crate) fn read_state(&self) -> Option<ReadState> {
        match self {
            Reader::Over(read_state) => Some(*read_state),
            _ => None,
        }
    }
}

impl ProbeBuffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes[0].len() + self.bytes[1].len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes[0].capacity() + self.bytes[1].capacity()
    }
}
