use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};

use crate::KexInit;
use crate::message::{Identification, SshEnd, SshHandshake, SshOutcome};
use crate::wire::{self, MAX_LINES, Unit};

/// Reads the handshake of an SSH connection: two identification lines, two proposals, and where
/// encryption begins.
///
/// One [`SshHandshake`] comes of a connection: when both ends have said SSH_MSG_NEWKEYS, or at its end.
/// Then the parser is done. A side with a gap before that is not read any further.
///
/// Holds at most one unfinished line or packet per side, 35 000 bytes (RFC 4253 §6.1).
#[derive(Clone, Debug, Default)]
pub struct SshParser {
    handshake: Option<Box<SshHandshake>>,
    sides: [Side; 2],
    /// Bytes of a side were missing before it was encrypted.
    is_cut: bool,
    done: bool,
}

#[derive(Clone, Debug, Default)]
struct Side {
    /// The start of a line or packet whose rest is still to come.
    unfinished: Vec<u8>,
    lines: u8,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    /// Before the identification line.
    #[default]
    Lines,
    Packets,
    /// Encrypted, or given up.
    Over,
}

const PREFIX: &[u8] = b"SSH-";
const DISCONNECT: u8 = 1;
const NEW_KEYS: u8 = 21;

impl SshParser {
    /// A parser at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        SshParser::default()
    }

    fn handshake(&mut self, ts: Timestamp) -> &mut SshHandshake {
        self.handshake.get_or_insert_with(|| {
            Box::new(SshHandshake {
                started: ts,
                client_side: FlowSide::Initiator,
                client: SshEnd::default(),
                server: SshEnd::default(),
                duration: None,
                outcome: SshOutcome::Incomplete,
            })
        })
    }

    /// Reads the units that are complete, and gives the number of their bytes.
    fn read(&mut self, side: FlowSide, ts: Timestamp, bytes: &[u8]) -> Result<usize, ParseError> {
        let mut read = 0;
        loop {
            let bytes = &bytes[read..];
            read += match self.sides[side.index()].stage {
                Stage::Over => return Ok(read + bytes.len()),
                Stage::Lines => match wire::line(bytes) {
                    Unit::Line(line, taken) => {
                        self.line(side, ts, line)?;
                        taken
                    }
                    Unit::Malformed => return Err(ParseError::InvalidField("identification")),
                    _ => return Ok(read),
                },
                Stage::Packets => match wire::packet(bytes) {
                    Unit::Packet(payload, taken) => {
                        self.packet(side, ts, payload);
                        taken
                    }
                    Unit::Malformed => return Err(ParseError::InvalidField("packet_length")),
                    _ => return Ok(read),
                },
            };
        }
    }

    fn line(&mut self, side: FlowSide, ts: Timestamp, line: &[u8]) -> Result<(), ParseError> {
        let state = &mut self.sides[side.index()];
        if !line.starts_with(PREFIX) {
            // A server may say something else before (RFC 4253 §4.2), a client may not; which is which
            // is not known before both have spoken.
            state.lines += 1;
            return if state.lines > MAX_LINES { Err(ParseError::NotTheProtocol) } else { Ok(()) };
        }
        state.stage = Stage::Packets;
        let identification = Identification(line.to_vec());
        // Version 1 has packets of another form, and 1.99 may go on as either.
        if identification.version().first() == Some(&b'1') && identification.version() != b"1.99" {
            state.stage = Stage::Over;
        }
        self.end_of(side, ts).identification = Some(identification);
        Ok(())
    }

    fn packet(&mut self, side: FlowSide, ts: Timestamp, payload: &[u8]) {
        match payload.first() {
            Some(20) => {
                if let Some(init) = KexInit::parse(payload) {
                    self.end_of(side, ts).kex_init.get_or_insert(init);
                }
            }
            Some(&NEW_KEYS) => {
                self.end_of(side, ts).new_keys = true;
                self.sides[side.index()].stage = Stage::Over;
            }
            Some(&DISCONNECT) => {
                self.handshake(ts).outcome = SshOutcome::Disconnected;
                self.sides[side.index()].stage = Stage::Over;
            }
            _ => {}
        }
    }

    fn end_of(&mut self, side: FlowSide, ts: Timestamp) -> &mut SshEnd {
        let handshake = self.handshake(ts);
        if side == handshake.client_side { &mut handshake.client } else { &mut handshake.server }
    }

    /// Gives the handshake up, once.
    fn finish(&mut self, out: &mut Vec<SshHandshake>) {
        self.done = true;
        for side in &mut self.sides {
            side.unfinished = Vec::new();
        }
        let Some(mut handshake) = self.handshake.take() else { return };
        if self.is_cut && handshake.outcome == SshOutcome::Incomplete {
            handshake.outcome = SshOutcome::Cut;
        }
        out.push(*handshake);
    }
}

impl SessionParser for SshParser {
    type Message = SshHandshake;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<SshHandshake> {
        let mut out = Vec::new();
        self.feed_into(StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes), &mut out);
        out
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<SshHandshake> {
        let mut out = Vec::new();
        self.feed_into(StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes), &mut out);
        out
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<SshHandshake>) -> ParserStatus {
        if self.done {
            return ParserStatus::Done;
        }
        let at = chunk.side.index();
        let mut unfinished = std::mem::take(&mut self.sides[at].unfinished);
        let read = if unfinished.is_empty() {
            self.read(chunk.side, chunk.ts, chunk.bytes)
                .map(|read| unfinished.extend_from_slice(&chunk.bytes[read..]))
        } else {
            unfinished.extend_from_slice(chunk.bytes);
            self.read(chunk.side, chunk.ts, &unfinished).map(|read| drop(unfinished.drain(..read)))
        };
        self.sides[at].unfinished = unfinished;
        if let Err(error) = read {
            self.finish(out);
            return ParserStatus::Failed(error);
        }
        if let Some(handshake) = &mut self.handshake
            && handshake.client.new_keys
            && handshake.server.new_keys
        {
            handshake.outcome = SshOutcome::Encrypted;
            handshake.duration = Some(chunk.ts.since(handshake.started));
            self.finish(out);
            return ParserStatus::Done;
        }
        ParserStatus::Continue
    }

    fn gap(&mut self, side: FlowSide, _len: u64, _out: &mut Vec<SshHandshake>) -> ParserStatus {
        let state = &mut self.sides[side.index()];
        state.unfinished = Vec::new();
        if state.stage != Stage::Over {
            state.stage = Stage::Over;
            self.is_cut = true;
        }
        ParserStatus::StopSide(side)
    }

    fn end(&mut self, out: &mut Vec<SshHandshake>) {
        self.finish(out);
    }

    fn heap_bytes(&self) -> usize {
        let unfinished: usize = self.sides.iter().map(|side| side.unfinished.capacity()).sum();
        let handshake = self.handshake.as_ref();
        unfinished
            + handshake.map_or(0, |handshake| size_of::<SshHandshake>() + handshake.heap_bytes())
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        let first = probe_line(start);
        if first != Probe::No {
            return first;
        }
        // A server may send lines before its identification (RFC 4253 §4.2), which only these show to be of SSH.
        let mut lines =
            start.split_inclusive(|byte| *byte == b'\n').take_while(|line| is_text(line));
        if lines.any(|line| probe_line(line) == Probe::Yes) { Probe::Yes } else { Probe::No }
    }
}

/// Whether this line is an identification.
fn probe_line(line: &[u8]) -> Probe {
    let known = line.len().min(PREFIX.len());
    if line[..known] != PREFIX[..known] {
        return Probe::No;
    }
    match line.get(PREFIX.len()) {
        Some(b'1' | b'2') => Probe::Yes,
        Some(_) => Probe::No,
        None => Probe::Maybe,
    }
}

/// Whether a line may be UTF-8 (RFC 4253 §4.2); the end of one that is cut may have half a character.
fn is_text(line: &[u8]) -> bool {
    line.iter().all(|byte| !byte.is_ascii_control() || b"\t\r\n".contains(byte))
}

#[cfg(test)]
mod tests;
