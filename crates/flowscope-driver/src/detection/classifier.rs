use flowscope_core::{
    Announcer, Datagram, Expectation, FlowSide, ParserStatus, Probe, ReassemblerFactory, Remainder,
    StreamChunk,
};
use flowscope_session::StreamEnd;

/// Decides which flows are read, and by which parser; what [`SessionEngine`](crate::SessionEngine)
/// is generic over.
///
/// [`Sessions`](crate::Sessions), [`Datagrams`](crate::Datagrams) and
/// [`Protocols`](crate::Protocols) are what drivers are made with; few need another.
pub trait Classifier<K> {
    /// Makes the reassemblers of TCP flows.
    type Streams: ReassemblerFactory<K>;
    /// What is kept of a flow that is read.
    type Parser;
    /// What parsers make of what they read.
    type Message;

    /// The maker of reassemblers.
    fn streams(&mut self) -> &mut Self::Streams;

    /// Whether flows of this transport are read at all.
    fn reads(&self, transport: Transport) -> bool;

    /// Returns whether the choice of a stream's parser depends on the bytes.
    ///
    /// If not, the parser is chosen when the flow's first payload arrives, in order or not. Nothing is
    /// buffered for the choice, and the parser learns of each gap when it is found.
    fn needs_bytes(&self) -> bool {
        true
    }

    /// Who reads this flow.
    fn classify(&mut self, start: &ProbeInput<'_, K>) -> Classification<Self::Parser>;

    /// Bytes of a stream.
    fn feed(
        &mut self,
        parser: &mut Self::Parser,
        feed: StreamChunk<'_>,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus;

    /// Bytes of a stream that were never captured.
    fn gap(
        &mut self,
        parser: &mut Self::Parser,
        side: FlowSide,
        len: u64,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus;

    /// A datagram.
    fn datagram(
        &mut self,
        parser: &mut Self::Parser,
        datagram: Datagram<'_>,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus;

    /// The bytes of `side` that the parser leaves to the protocol that follows its own; see
    /// [`SessionParser::take_remainder`](flowscope_core::SessionParser::take_remainder).
    fn take_remainder(&mut self, _parser: &mut Self::Parser, _side: FlowSide) -> Option<Remainder> {
        None
    }

    /// A connection that the parser expects; see
    /// [`SessionParser::take_expectation`](flowscope_core::SessionParser::take_expectation).
    fn take_expectation(&mut self, _parser: &mut Self::Parser) -> Option<Expectation> {
        None
    }

    /// What the parser of another flow, of the id `by`, says of that of the parser; see
    /// [`SessionParser::introduce`](flowscope_core::SessionParser::introduce).
    fn introduce(&mut self, _parser: &mut Self::Parser, _by: u64, _about: &[u8]) {}

    /// By what packets are known that announce connections which parsers expect.
    fn announcers(&self) -> Vec<Announcer> {
        Vec::new()
    }

    /// Whether flows are recognised and not read: connections are then expected by the packets that announce them.
    fn recognises_only(&self) -> bool {
        false
    }

    /// Whether a protocol that begins within another is looked for.
    fn upgrades(&self) -> bool {
        false
    }

    /// What else happens to a flow.
    fn notify(&mut self, parser: &mut Self::Parser, what: StreamEnd, out: &mut Vec<Self::Message>);

    /// The status of a parser after its end; see [`SessionParser::end_status`](flowscope_core::SessionParser::end_status).
    fn end_status(&self, _parser: &Self::Parser) -> ParserStatus {
        ParserStatus::Done
    }

    /// Whether these bytes, which `side` sent, look like the start of a stream of the protocol that was
    /// [recognised](Classification::Recognised) in what the other side sent.
    fn probe_start(&self, _detection: Detection, _side: FlowSide, _start: &[u8]) -> Probe {
        Probe::Maybe
    }

    /// The protocol of whose streams these bytes, which `side` sent, are surely the start. Asked when they are
    /// not that of the protocol which was chosen.
    fn recognise(&self, _side: FlowSide, _start: &[u8]) -> Option<&'static str> {
        None
    }

    /// Whether these bytes, which `side` sent, look like the start of what the parser reads.
    fn probe(&self, parser: &Self::Parser, side: FlowSide, start: &[u8]) -> Probe;

    /// Bytes of memory that the parser holds beside the value itself.
    fn heap_bytes(&self, parser: &Self::Parser) -> usize;
}

/// How a flow's payload comes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// As byte streams: TCP.
    Stream,
    /// Packet by packet: all else.
    Datagram,
}

/// What is known of a flow when it is decided who reads it.
#[derive(Clone, Copy, Debug)]
pub struct ProbeInput<'a, K> {
    /// The flow.
    pub key: &'a K,
    /// How its payload comes.
    pub transport: Transport,
    /// Source and destination port of its first packet.
    pub ports: Option<(u16, u16)>,
    /// The first bytes of initiator and responder, as far as they are known.
    pub bytes: [&'a [u8]; 2],
    /// Length of the datagram, of whose bytes some may not have been captured or kept; of a stream, 0.
    pub wire_len: u32,
    /// The protocol on which both ends have agreed within the one that the connection spoke before
    /// ([`ParserStatus::UpgradeTo`]), or within another connection ([`ParserStatus::Expects`]).
    pub agreed: Option<&'static str>,
    /// Whether those are where the streams begin: none was picked up later, nor has a gap.
    pub whole: bool,
    /// Whether this is the last time the question is put: no more bytes will be waited for.
    pub last: bool,
}

/// Who reads a flow.
#[derive(Debug)]
pub enum Classification<P> {
    /// This parser does.
    Read(P, Detection),
    /// This parser does, and the flow has the name of its protocol once it has made a message: a port alone
    /// speaks for it.
    Try(P, Detection),
    /// None: it was recognised only.
    Recognised(Detection),
    /// None. A port alone speaks for this protocol, which the flow is recognised as if the first bytes of the
    /// other side are surely of it.
    Suspected(Detection),
    /// Datagrams so far name it, and a later one may show that a parser reads it.
    NamedSoFar(Detection),
    /// More bytes may tell.
    NeedMore,
    /// None.
    Reject,
}

/// Which protocol a flow was found to speak, and how.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Detection {
    /// The name the protocol was given.
    pub protocol: &'static str,
    /// By what it was found.
    pub by: DetectedBy,
    /// The protocol that the connection spoke before, where this one began within it: `smtp` for TLS behind
    /// STARTTLS.
    pub within: Option<&'static str>,
    /// The side whose bytes are surely of that protocol; `None` if it was chosen by a port or an agreement alone.
    pub sure: Option<FlowSide>,
    /// The side whose bytes are not of that protocol, if there is one.
    pub contradicted: Option<Contradiction>,
}

/// A side of a flow that does not speak the protocol which was chosen.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Contradiction {
    /// That side.
    pub side: FlowSide,
    /// The protocol that its first bytes surely are of; `None` if they are of none that is known.
    pub protocol: Option<&'static str>,
}

impl Detection {
    /// Whether the flow speaks the protocol, as far as the bytes of both sides are known.
    ///
    /// It does as long as no side contradicts. A side that is sure outweighs one that cannot be read; where the
    /// other side is sure of another protocol, the flow speaks neither. A port alone does not outweigh any bytes.
    #[must_use]
    pub const fn holds(&self) -> bool {
        match (self.sure, self.contradicted) {
            (_, None) => true,
            (Some(_), Some(other)) => other.protocol.is_none(),
            (None, Some(_)) => false,
        }
    }

    /// Of this protocol, found so.
    pub(crate) const fn new(protocol: &'static str, by: DetectedBy) -> Self {
        Detection { protocol, by, within: None, sure: None, contradicted: None }
    }
}

/// By what the protocol of a flow was found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DetectedBy {
    /// There is no other to choose from.
    Only,
    /// By one of its ports.
    Port,
    /// By its first bytes.
    Bytes,
    /// Both ends have agreed on it within another protocol, or in another connection.
    Agreement,
}

/// What the bytes of both sides say of a protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Evidence {
    /// One side has bytes of the protocol, and of hardly any other.
    Sure,
    /// The bytes may be of the protocol.
    Open,
    /// Those of one side may be, those of the other are not.
    Divided,
    /// They are not of the protocol.
    Against,
}

impl<K> ProbeInput<'_, K> {
    /// Whether another datagram, or the bytes of the other side, may still show the protocol.
    pub(crate) fn may_be_followed(&self) -> bool {
        self.transport == Transport::Datagram || self.bytes.iter().any(|bytes| bytes.is_empty())
    }

    /// What the bytes of both sides say together: one that is sure outweighs one that is not.
    pub(crate) fn probe(&self, probe: impl Fn(FlowSide, &[u8]) -> Probe) -> Evidence {
        let of = |side: FlowSide| match self.bytes[side.index()] {
            [] => None,
            bytes => Some(probe(side, bytes)),
        };
        match (of(FlowSide::Initiator), of(FlowSide::Responder)) {
            (Some(Probe::Yes), _) | (_, Some(Probe::Yes)) => Evidence::Sure,
            (Some(Probe::No), Some(Probe::Maybe)) | (Some(Probe::Maybe), Some(Probe::No)) => {
                Evidence::Divided
            }
            (Some(Probe::No), _) | (_, Some(Probe::No)) => Evidence::Against,
            _ => Evidence::Open,
        }
    }
}
