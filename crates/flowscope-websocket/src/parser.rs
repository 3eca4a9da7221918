#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::frame::{Event, Frame, Framing, may_begin};
use crate::{WebsocketMessage, WebsocketOpcode};

/// Reads a WebSocket connection behind its handshake, and emits a [`WebsocketMessage`] for each message when its last frame is
/// whole, and for each control frame.
///
/// The client is the side that masks. What makes an endpoint fail the connection ends parsing
/// ([`ParserStatus::Failed`]). A gap within a payload is passed over, and counted. Where it is not known any more where a frame
/// begins, the side is read no further.
///
/// Holds at most 512 bytes: the payload of a Close frame per side. Frames may have any length.
#[derive(Clone, Debug, Default)]
pub struct WebsocketParser {
    sides: [Side; 2],
    client: Option<FlowSide>,
    /// The latest time fed.
    now: Timestamp,
}

/// What one side sends.
#[derive(Clone, Debug, Default)]
struct Side {
    framing: Framing,
    /// Of the frame at hand.
    is_final: bool,
    is_control: bool,
    /// The message at hand, between whose fragments control frames may come (RFC 6455 §5.4).
    message: Option<WebsocketMessage>,
    control: Option<WebsocketMessage>,
    /// The payload of a Close frame, as sent.
    close: Vec<u8>,
}

impl Side {
    /// The message or control frame that the frame at hand is of.
    fn current(&mut self) -> Option<&mut WebsocketMessage> {
        if self.is_control { self.control.as_mut() } else { self.message.as_mut() }
    }
}

impl WebsocketParser {
    fn begin(&mut self, side: FlowSide, ts: Timestamp, frame: Frame) -> Result<(), ParseError> {
        let client = if frame.mask.is_some() { side } else { !side };
        if *self.client.get_or_insert(client) != client {
            return Err(ParseError::InvalidField("MASK"));
        }
        let own = &mut self.sides[side.index()];
        own.is_final = frame.is_final;
        own.is_control = frame.opcode.is_some_and(WebsocketOpcode::is_control);
        let Some(opcode) = frame.opcode else {
            let message = own.message.as_mut().ok_or(ParseError::InvalidField("opcode"))?;
            message.frames += 1;
            return Ok(());
        };
        let message = WebsocketMessage {
            ts,
            side,
            is_from_client: side == client,
            opcode,
            mask: frame.mask.map(u32::from_be_bytes),
            is_compressed: frame.is_compressed,
            frames: 1,
            len: 0,
            missing: 0,
            is_complete: false,
            close_code: None,
            close_reason: None,
        };
        if own.is_control {
            own.control = Some(message);
        } else if own.message.is_some() {
            // It has not ended.
            return Err(ParseError::InvalidField("opcode"));
        } else {
            own.message = Some(message);
        }
        Ok(())
    }

    fn event(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        event: Event<'_>,
        out: &mut Vec<WebsocketMessage>,
    ) -> Result<(), ParseError> {
        let own = &mut self.sides[side.index()];
        match event {
            Event::Begin(frame) => return self.begin(side, ts, frame),
            Event::Payload(bytes) => {
                let Some(message) = own.current() else { return Ok(()) };
                message.len += bytes.len() as u64;
                if message.opcode == WebsocketOpcode::Close {
                    // At most 125 bytes.
                    own.close.extend_from_slice(bytes);
                }
            }
            Event::End if own.is_final => {
                let ended = if own.is_control { own.control.take() } else { own.message.take() };
                let Some(mut ended) = ended else { return Ok(()) };
                ended.is_complete = true;
                if ended.opcode == WebsocketOpcode::Close {
                    let mut payload = std::mem::take(&mut own.close);
                    let mask = ended.mask.unwrap_or(0).to_be_bytes();
                    payload
                        .iter_mut()
                        .zip(mask.iter().cycle())
                        .for_each(|(byte, key)| *byte ^= key);
                    if let Some((code, reason)) = payload.split_first_chunk()
                        && ended.missing == 0
                    {
                        ended.close_code = Some(u16::from_be_bytes(*code));
                        ended.close_reason = (!reason.is_empty()).then(|| reason.to_vec());
                    }
                }
                out.push(ended);
            }
            Event::End => {}
        }
        Ok(())
    }

    /// Reads frames until the bytes are used up.
    fn read(
        &mut self,
        side: FlowSide,
        mut bytes: &[u8],
        out: &mut Vec<WebsocketMessage>,
    ) -> ParserStatus {
        loop {
            let read = match self.sides[side.index()].framing.next(&mut bytes) {
                Ok(None) => return ParserStatus::Continue,
                Ok(Some(event)) => self.event(side, self.now, event, out),
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                self.end(out);
                return ParserStatus::Failed(error);
            }
        }
    }

    /// Gives out what a side has begun and not ended.
    fn flush(&mut self, side: FlowSide, out: &mut Vec<WebsocketMessage>) {
        let own = std::mem::take(&mut self.sides[side.index()]);
        out.extend([own.message, own.control].into_iter().flatten());
    }
}

impl SessionParser for WebsocketParser {
    type Message = WebsocketMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<WebsocketMessage> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<WebsocketMessage> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(
        &mut self,
        chunk: StreamChunk<'_>,
        out: &mut Vec<WebsocketMessage>,
    ) -> ParserStatus {
        self.now = chunk.ts;
        self.read(chunk.side, chunk.bytes, out)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<WebsocketMessage>) -> ParserStatus {
        let own = &mut self.sides[side.index()];
        if !own.framing.skip(len) {
            self.flush(side, out);
            return ParserStatus::StopSide(side);
        }
        if let Some(message) = own.current() {
            message.missing += len;
        }
        // The frame may be over.
        self.read(side, b"", out)
    }

    fn end(&mut self, out: &mut Vec<WebsocketMessage>) {
        for side in [Initiator, Responder] {
            self.flush(side, out);
        }
    }

    fn heap_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.close.capacity()).sum()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        // Two bytes make a frame, so nothing makes it sure: the handshake says that it is.
        if may_begin(start) { Probe::Maybe } else { Probe::No }
    }
}
