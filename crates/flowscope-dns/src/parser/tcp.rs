use flowscope_core::{
    FlowSide, MessageCheck, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_session::Callbacks;

use crate::decode::{RawMessage, decode};
use crate::wire::be16;
use crate::{DnsConfig, DnsMessage, DnsTransport, probe};

/// Reads the DNS messages of a TCP flow: each behind its length, two bytes (RFC 1035 §4.2.2).
///
/// A message that lies within one feed is read where it is; of others the bytes so far are kept, at
/// most 65 535 for each side, none before they have come, and none between messages. A body that is no message costs that
/// message and no more, since the next begins where the length says. So does a gap that ends within
/// the body. After any other gap, and in a stream that was joined in the middle, the bytes that follow
/// have to be a length and a message (a known question, or a body without a defect); then reading
/// goes on with it, else the side stops. What was seen of a message before a
/// gap or the end of the stream is read as [`DnsDefect::Cut`](crate::DnsDefect::Cut).
#[derive(Clone, Debug, Default)]
pub struct DnsTcpParser {
    config: DnsConfig,
    check: MessageCheck,
    sides: [Side; 2],
}

impl DnsTcpParser {
    /// A parser with limits of the caller's.
    #[must_use]
    pub fn with_config(config: DnsConfig) -> Self {
        DnsTcpParser { config, ..DnsTcpParser::default() }
    }

    /// The number of bodies that were not DNS messages.
    #[must_use]
    pub fn invalid_messages(&self) -> u32 {
        self.check.invalid()
    }

    /// Reads one body, or what there is of it.
    fn message(&mut self, side: FlowSide, body: &[u8], len: u16, out: &mut Vec<DnsMessage>) {
        let ts = self.sides[side.index()].ts;
        let raw =
            RawMessage { side, ts, transport: DnsTransport::Tcp, bytes: body, len: u32::from(len) };
        let message = decode(&raw, &self.config);
        self.check.record(message.is_some());
        out.extend(message);
    }

    /// Reads what there is of an unfinished body.
    fn cut(&mut self, side: FlowSide, out: &mut Vec<DnsMessage>) {
        let own = &mut self.sides[side.index()];
        if let Frame::Body { len, .. } = own.frame {
            let held = std::mem::take(&mut own.held);
            // With less than a header nothing was lost that anybody could name.
            if held.len() >= crate::Header::LEN {
                self.message(side, &held, len, out);
            }
        }
    }
}

impl SessionParser for DnsTcpParser {
    type Message = DnsMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<DnsMessage> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<DnsMessage> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<DnsMessage>) -> ParserStatus {
        let (side, index, mut rest) = (feed.side, feed.side.index(), feed.bytes);
        self.sides[index].ts = feed.ts;
        while !rest.is_empty() && !self.check.has_failed(self.config.max_invalid_messages) {
            let own = &mut self.sides[index];
            match own.frame {
                Frame::Length(None) => match (be16(rest, 0), rest) {
                    (Some(len), [_, _, body @ ..]) => {
                        rest = body;
                        self.begin(side, len, &mut rest, out);
                    }
                    _ => {
                        own.frame = Frame::Length(rest.first().copied());
                        break;
                    }
                },
                Frame::Length(Some(high)) => {
                    let Some((&low, body)) = rest.split_first() else { break };
                    rest = body;
                    self.begin(side, u16::from_be_bytes([high, low]), &mut rest, out);
                }
                Frame::Body { len, missing } => {
                    let take = usize::from(missing).min(rest.len());
                    let (piece, after) = rest.split_at(take);
                    rest = after;
                    own.held.extend_from_slice(piece);
                    let missing = missing - take as u16;
                    own.frame = Frame::Body { len, missing };
                    if missing == 0 {
                        let held = std::mem::take(&mut own.held);
                        own.frame = Frame::Length(None);
                        self.message(side, &held, len, out);
                    }
                }
                Frame::Skip { missing } => {
                    let take = usize::from(missing).min(rest.len());
                    rest = rest.split_at(take).1;
                    own.skip(u64::from(missing) - take as u64);
                }
                Frame::Resync => {
                    let room = MAX_FRAMED.saturating_sub(own.held.len());
                    let (piece, after) = rest.split_at(rest.len().min(room));
                    rest = after;
                    own.held.extend_from_slice(piece);
                    match self.is_framed(side) {
                        None => {}
                        Some(false) => {
                            self.sides[index] = Side { frame: Frame::Stopped, ..Side::default() };
                        }
                        Some(true) => {
                            let own = &mut self.sides[index];
                            own.frame = Frame::Length(None);
                            let held = std::mem::take(&mut own.held);
                            self.feed_into(StreamChunk { bytes: &held, ..feed }, out);
                        }
                    }
                }
                Frame::Stopped => return ParserStatus::StopSide(side),
            }
        }
        match self.sides[index].frame {
            Frame::Stopped => ParserStatus::StopSide(side),
            _ => self.check.status(self.config.max_invalid_messages),
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<DnsMessage>) -> ParserStatus {
        let own = &mut self.sides[side.index()];
        if let Frame::Stopped = own.frame {
            return ParserStatus::StopSide(side);
        }
        if len == 0 {
            // Engines report a stream that is joined in the middle so.
            if let Frame::Length(None) = own.frame {
                own.frame = Frame::Resync;
            }
            return self.check.status(self.config.max_invalid_messages);
        }
        let missing = match self.sides[side.index()].frame {
            Frame::Body { missing, .. } | Frame::Skip { missing } => u64::from(missing),
            Frame::Length(_) | Frame::Resync | Frame::Stopped => 0,
        };
        self.cut(side, out);
        let own = &mut self.sides[side.index()];
        match missing.checked_sub(len) {
            Some(left) if missing > 0 => own.skip(left),
            _ => *own = Side { frame: Frame::Resync, ts: own.ts, ..Side::default() },
        }
        self.check.status(self.config.max_invalid_messages)
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<DnsMessage>) {
        self.cut(side, out);
        self.sides[side.index()] = Side { frame: Frame::Stopped, ..Side::default() };
    }

    fn rst(&mut self, _side: FlowSide, out: &mut Vec<DnsMessage>) {
        self.end(out);
    }

    fn end(&mut self, out: &mut Vec<DnsMessage>) {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            self.fin(side, out);
        }
    }

    fn heap_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.held.capacity()).sum()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        let Some(len) = be16(start, 0) else { return Probe::Maybe };
        let body = start.get(2..).unwrap_or_default();
        probe::probe(body.get(..usize::from(len)).unwrap_or(body), Some(u32::from(len)))
    }
}

impl DnsTcpParser {
    /// Whether the bytes held behind a gap are a length and a message; `None` while more may tell.
    fn is_framed(&self, side: FlowSide) -> Option<bool> {
        let own = &self.sides[side.index()];
        let (len, body) = (be16(&own.held, 0)?, own.held.get(2..)?);
        let whole = body.get(..usize::from(len));
        match probe::probe(whole.unwrap_or(body), Some(u32::from(len))) {
            Probe::Yes => Some(true),
            Probe::No => Some(false),
            Probe::Maybe => {
                let (ts, len) = (own.ts, u32::from(len));
                let raw = RawMessage { side, ts, transport: DnsTransport::Tcp, bytes: whole?, len };
                let message = decode(&raw, &self.config);
                Some(message.is_some_and(|message| {
                    let empty = message.questions().is_empty() && message.records().is_empty();
                    message.defect.is_none() && message.trailing == 0 && !empty
                }))
            }
        }
    }

    /// A body of `len` bytes begins at `rest`: reads it if all of it is there.
    fn begin(&mut self, side: FlowSide, len: u16, rest: &mut &[u8], out: &mut Vec<DnsMessage>) {
        let own = &mut self.sides[side.index()];
        match rest.split_at_checked(usize::from(len)) {
            Some((body, after)) => {
                own.frame = Frame::Length(None);
                self.message(side, body, len, out);
                *rest = after;
            }
            None => own.frame = Frame::Body { len, missing: len },
        }
    }
}

/// One direction of the stream.
#[derive(Clone, Debug)]
struct Side {
    frame: Frame,
    /// What has come of an unfinished body.
    held: Vec<u8>,
    /// When the last bytes came.
    ts: Timestamp,
}

impl Default for Side {
    fn default() -> Self {
        Side { frame: Frame::Length(None), held: Vec::new(), ts: Timestamp::ZERO }
    }
}

impl Side {
    /// `left` more bytes belong to a body that is lost.
    fn skip(&mut self, left: u64) {
        self.frame = match u16::try_from(left) {
            Ok(missing) if missing > 0 => Frame::Skip { missing },
            _ => Frame::Length(None),
        };
    }
}

/// Where in its framing a side is.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// At a length, of which the upper byte may have come.
    Length(Option<u8>),
    /// In a body of `len` bytes.
    Body { len: u16, missing: u16 },
    /// In the rest of a body that a gap has spoiled.
    Skip { missing: u16 },
    /// Behind a gap: a length may follow.
    Resync,
    /// Where framing is lost, or the stream has ended.
    Stopped,
}

/// A length, and the longest body behind it.
const MAX_FRAMED: usize = 2 + 65_535;

/// Calls a handler with the DNS messages of TCP flows: a factory of reassemblers, for those who drive
/// reassemblers instead of parsers.
///
/// ```
/// use flowscope_core::{FlowSide, Reassembler, ReassemblerFactory, Segment, Timestamp};
/// use flowscope_dns::{DnsMessage, DnsTcpFactory};
/// use flowscope_session::{Discard, Origin};
///
/// let (sender, names) = std::sync::mpsc::channel();
/// let mut factory = DnsTcpFactory::new(move |_: Origin<'_, &str>, message: DnsMessage| {
///     sender.send(message.questions()[0].name().to_string()).unwrap();
/// });
/// let mut initiator = factory.new_reassembler(&"flow", FlowSide::Initiator);
/// let mut responder = factory.new_reassembler(&"flow", FlowSide::Responder);
/// let payload = b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
/// let segment = Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), 1, payload).syn();
/// initiator.push(segment, &mut responder, &mut Discard);
/// assert_eq!(names.recv().unwrap(), "example.com");
/// ```
pub type DnsTcpFactory<H> = Callbacks<DnsTcpParser, H>;

#[cfg(test)]
mod tests;
