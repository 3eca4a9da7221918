#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::Http2Exchange;
use crate::field::Fields;
use crate::files::Examination;
use crate::frame::{self, Event, Frame, Framing};
use crate::hpack::Decoder;
use crate::probe;
use crate::streams::{Section, Streams};

/// Reads an HTTP/2 connection, and emits an [`Http2Exchange`] for each stream when it is over.
///
/// The client is the side that sends the preface; without one, as the server begins, the side that does not send the first
/// frame. What makes an endpoint close the connection ends parsing: [`ParserStatus::Failed`], behind the records of
/// streams that are open.
///
/// **Gaps.** A gap within a frame is passed over, and counted if it is content. One within a header block loses the state
/// of the compression: from there on, fields that are named by an entry of before are unknown, and the header section says so
/// ([`Http2Request::is_partial`](crate::Http2Request::is_partial)); all others are read. Where it is not known any more where a
/// frame begins, the side is read no further ([`ParserStatus::StopSide`]): content may look like frames.
///
/// **Bounds.** Holds at most 448 KiB: 128 KiB of streams that are open, at most 128 (more make the oldest a record), and
/// per side a dynamic table of 64 KiB as RFC 7541 counts. Frames and header blocks of any length are read as they come.
/// [Files](Self::with_files) are held beside that.
#[derive(Clone, Debug, Default)]
pub struct Http2Parser {
    sides: [Side; 2],
    client: Option<FlowSide>,
    /// The latest time fed.
    now: Timestamp,
    streams: Streams,
}

/// What one side sends.
#[derive(Clone, Debug, Default)]
struct Side {
    framing: Framing,
    decoder: Decoder,
    frame: Frame,
    /// The header block at hand, which may be several frames long.
    block: Option<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    section: Section,
    /// Bytes of it were not captured: what follows them in it cannot be read.
    is_cut: bool,
}

impl Http2Parser {
    /// A parser that finds out the type and SHA-256 of the content of each message, and keeps at most `most_kept` first bytes
    /// of it, up to a gap.
    ///
    /// Holds at most 1.2 MiB for them, and six times `most_kept`: where more streams are open than there is room for, less of
    /// their content is kept.
    #[must_use]
    pub fn with_files(most_kept: usize) -> Self {
        let streams = Streams::examining(Examination { most_kept });
        Http2Parser { streams, ..Http2Parser::default() }
    }

    fn event(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        event: Event<'_>,
        out: &mut Vec<Http2Exchange>,
    ) -> Result<(), ParseError> {
        match event {
            Event::Preface => {
                if self.client.replace(side) == Some(!side) {
                    return Err(ParseError::NotTheProtocol);
                }
            }
            Event::Begin(frame) => {
                let client = *self.client.get_or_insert(!side);
                self.sides[side.index()].frame = frame;
                self.begin(side, side == client, frame, out)?;
            }
            Event::Body(bytes) => self.body(side, bytes)?,
            Event::End => self.frame_ends(side, ts, out)?,
        }
        Ok(())
    }

    fn begin(
        &mut self,
        side: FlowSide,
        is_client: bool,
        frame: Frame,
        out: &mut Vec<Http2Exchange>,
    ) -> Result<(), ParseError> {
        let own = &mut self.sides[side.index()];
        // Nothing stands between the frames of a header block (RFC 9113 §6.10).
        let expected = own.block.as_ref().map(|block| block.section.stream);
        let is_continued = frame.kind == frame::CONTINUATION;
        if is_continued != expected.is_some() || expected.is_some_and(|it| it != frame.stream) {
            return Err(ParseError::InvalidField("CONTINUATION"));
        }
        let promised = match frame.kind {
            // Requests have odd identifiers, and only servers promise (RFC 9113 §5.1.1, §8.4).
            frame::HEADERS if !is_client || !frame.stream.is_multiple_of(2) => None,
            frame::PUSH_PROMISE if !is_client => Some(frame.numbers[0] & 0x7fff_ffff),
            frame::HEADERS => return Err(ParseError::InvalidField("Stream Identifier")),
            frame::PUSH_PROMISE => return Err(ParseError::InvalidField("PUSH_PROMISE")),
            frame::RST_STREAM => {
                self.streams.reset(side, frame.stream, frame.numbers[0], out);
                return Ok(());
            }
            frame::GOAWAY => {
                self.streams.goaway(side, frame.numbers, out);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let ends_stream = frame.ends_stream();
        let fields = Fields::default();
        let section = Section { stream: frame.stream, promised, ends_stream, fields };
        own.block = Some(Block { section, is_cut: false });
        Ok(())
    }

    fn body(&mut self, side: FlowSide, bytes: &[u8]) -> Result<(), ParseError> {
        let own = &mut self.sides[side.index()];
        match (own.frame.kind, &mut own.block) {
            (frame::DATA, _) => {
                self.streams.data(side, own.frame.stream, bytes);
            }
            (_, Some(block)) if !block.is_cut => {
                own.decoder.feed(bytes, &mut block.section.fields)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn frame_ends(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        out: &mut Vec<Http2Exchange>,
    ) -> Result<(), ParseError> {
        let own = &mut self.sides[side.index()];
        let frame = own.frame;
        if frame.kind == frame::DATA && frame.ends_stream() {
            self.streams.end(ts, side, frame.stream, out);
        }
        let Some(block) = own.block.take_if(|_| frame.ends_headers()) else { return Ok(()) };
        if !block.is_cut {
            own.decoder.end()?;
        }
        let client = self.client.unwrap_or(Initiator);
        if side == client {
            self.streams.request(ts, client, block.section, out);
        } else {
            self.streams.response(ts, client, block.section, out);
        }
        Ok(())
    }

    /// Handles bytes of the frame at hand that were not captured.
    fn body_is_missing(&mut self, side: FlowSide, len: u64) {
        let own = &mut self.sides[side.index()];
        match (own.frame.kind, &mut own.block) {
            (frame::DATA, _) => self.streams.data_is_missing(side, own.frame.stream, len),
            (_, Some(block)) if len > 0 => {
                own.decoder.lose();
                block.is_cut = true;
                block.section.fields.is_partial = true;
            }
            _ => {}
        }
    }

    /// Reads frames until the bytes are used up.
    fn read(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        mut bytes: &[u8],
        out: &mut Vec<Http2Exchange>,
    ) -> ParserStatus {
        loop {
            let read = match self.sides[side.index()].framing.next(&mut bytes) {
                Ok(None) => return ParserStatus::Continue,
                Ok(Some(event)) => self.event(side, ts, event, out),
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                self.streams.flush(out);
                return ParserStatus::Failed(error);
            }
        }
    }
}

impl SessionParser for Http2Parser {
    type Message = Http2Exchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Http2Exchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Http2Exchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Http2Exchange>) -> ParserStatus {
        self.now = chunk.ts;
        self.read(chunk.side, chunk.ts, chunk.bytes, out)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<Http2Exchange>) -> ParserStatus {
        let Some(missing) = self.sides[side.index()].framing.skip(len) else {
            self.sides[side.index()] = Side::default();
            if self.client == Some(side) {
                self.streams.client_is_lost(out);
            }
            return ParserStatus::StopSide(side);
        };
        self.body_is_missing(side, missing);
        // The frame may be over.
        self.read(side, self.now, b"", out)
    }

    fn end(&mut self, out: &mut Vec<Http2Exchange>) {
        self.streams.flush(out);
    }

    fn heap_bytes(&self) -> usize {
        let of = |side: &Side| {
            let block = side.block.as_ref().map_or(0, |block| block.section.fields.heap_bytes());
            side.decoder.heap_bytes() + block
        };
        self.sides.iter().map(of).sum::<usize>() + self.streams.heap_bytes()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(start)
    }
}
