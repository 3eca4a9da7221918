use flowscope_core::{DatagramFeed, Feed, FlowSide, ParserStatus, Probe, ReassemblerFactory};

/// Decides which flows are read, and by which parser; what [`SessionEngine`](crate::SessionEngine)
/// is generic over.
///
/// [`Sessions`](crate::Sessions), [`Datagrams`](crate::Datagrams) and
/// [`Protocols`](crate::Protocols) are what drivers are made with; few need another.
pub trait Claims<K> {
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

    /// Who reads this flow.
    fn claim(&mut self, start: &Start<'_, K>) -> Claim<Self::Parser>;

    /// Bytes of a stream.
    fn feed(
        &mut self,
        parser: &mut Self::Parser,
        feed: Feed<'_>,
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
        datagram: DatagramFeed<'_>,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus;

    /// What else happens to a flow.
    fn tell(&mut self, parser: &mut Self::Parser, what: Told, out: &mut Vec<Self::Message>);

    /// Whether these bytes, which `side` sent, look like the start of what the parser reads.
    fn probe(&self, parser: &Self::Parser, side: FlowSide, start: &[u8]) -> Probe;

    /// Bytes of memory that the parser holds beside the value itself.
    fn held(&self, parser: &Self::Parser) -> usize;
}

/// What a parser is told beside bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// This side has finished sending.
    Fin(FlowSide),
    /// The flow was reset by this side.
    Rst(FlowSide),
    /// The flow is over, or is not read any further.
    End,
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
pub struct Start<'a, K> {
    /// The flow.
    pub key: &'a K,
    /// How its payload comes.
    pub transport: Transport,
    /// Source and destination port of its first packet.
    pub ports: Option<(u16, u16)>,
    /// The first bytes of initiator and responder, as far as they are known.
    pub bytes: [&'a [u8]; 2],
    /// Whether those are where the streams begin: none was picked up later, nor has a gap.
    pub whole: bool,
    /// Whether this is the last time the question is put: no more bytes will be waited for.
    pub last: bool,
}

/// Who reads a flow.
#[derive(Debug)]
pub enum Claim<P> {
    /// This parser does.
    Read(P, Choice),
    /// It was recognised, and nobody does.
    Recognised(Choice),
    /// More bytes may tell.
    Wait,
    /// Nobody.
    Leave,
}

/// Which protocol a flow was found to speak, and how.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Choice {
    /// The name the protocol was given.
    pub protocol: &'static str,
    /// By what it was found.
    pub by: ChosenBy,
}

/// By what the protocol of a flow was found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ChosenBy {
    /// There is no other to choose from.
    Only,
    /// By one of its ports.
    Port,
    /// By its first bytes.
    Bytes,
}

impl<K> Start<'_, K> {
    /// Whether one of the flow's ports is among these.
    pub(crate) fn has_port(&self, ports: &[u16]) -> bool {
        self.ports.is_some_and(|(a, b)| ports.contains(&a) || ports.contains(&b))
    }

    /// What the bytes of both sides say together: one that is sure outweighs one that is not.
    pub(crate) fn probe(&self, probe: impl Fn(FlowSide, &[u8]) -> Probe) -> Probe {
        let of = |side: FlowSide| match self.bytes[side.index()] {
            [] => None,
            bytes => Some(probe(side, bytes)),
        };
        match (of(FlowSide::Initiator), of(FlowSide::Responder)) {
            (Some(Probe::Yes), _) | (_, Some(Probe::Yes)) => Probe::Yes,
            (Some(Probe::No), None | Some(Probe::No)) | (None, Some(Probe::No)) => Probe::No,
            _ => Probe::Maybe,
        }
    }
}
