#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    MessageCheck, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::SmbExchange;
use crate::frame::{Frames, Unit};
use crate::pairing::Pairing;
use crate::smb2::{self, Header};
use crate::{probe, smb1};

/// Reads SMB over TCP, and over sessions of NetBIOS, and emits an [`SmbExchange`] for each request to negotiate, to log in,
/// to connect to a share, to open, rename or delete a file when its response is there; for each file that is closed of
/// which bytes were read or written; and for each request to log out, to leave a share or to close a file that fails.
///
/// Chained messages are read one by one, and a response that only says that another one follows is passed over. What is
/// read, written and listed is not kept. Encrypted and compressed messages are counted; the count is the last record of a
/// connection. A file that is not closed then is a record too, if bytes of it were read or written.
///
/// A message that cannot be read is passed over; after more than 32 of them, and no message before, the parser fails. Bytes that
/// were not captured are passed over where they lie within a message; else the next message is looked for by its first bytes.
///
/// Holds at most 512 KiB: 4 KiB of a message per side, 128 requests without a response, and 256 open files with 512 bytes
/// of their names; more make the oldest a record, or forget it. [Contents](Self::with_files) are held beside that.
#[derive(Clone, Debug, Default)]
pub struct SmbParser {
    frames: [Frames; 2],
    pairing: Pairing,
    check: MessageCheck,
    /// The latest time fed.
    now: Timestamp,
}

impl SmbParser {
    /// A parser that finds out the type and SHA-256 of what is read and written of each file, and keeps at most `most_kept` first
    /// bytes of it.
    ///
    /// Holds at most 2.5 MiB for them, and six times `most_kept`: where more files are open than there is room for, less of
    /// their content is kept.
    #[must_use]
    pub fn with_files(most_kept: usize) -> Self {
        SmbParser { pairing: Pairing::examining(most_kept), ..SmbParser::default() }
    }
}

impl SessionParser for SmbParser {
    type Message = SmbExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<SmbExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<SmbExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<SmbExchange>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, .. } = chunk;
        self.now = ts;
        let SmbParser { frames, pairing, check, .. } = self;
        let frames = &mut frames[side.index()];
        loop {
            if pairing.is_examining() {
                match frames.part(&mut bytes) {
                    Ok(Some(part)) => pairing.part(side, part),
                    Ok(None) => {}
                    Err(error) => return check.fail(error),
                }
            }
            let read = frames.next(&mut bytes, |unit| {
                let is_valid = match unit {
                    Unit::Smb2 { header, body, is_first } => match Header::new(header) {
                        Some(header) => {
                            pairing.smb2(side, ts, &header, body, is_first, out);
                            true
                        }
                        None => false,
                    },
                    Unit::Smb1(bytes) => match smb1::message(bytes) {
                        Some(message) => {
                            pairing.smb1(side, ts, message, out);
                            true
                        }
                        None => false,
                    },
                    Unit::Encrypted(header, len) => {
                        let session_id = smb2::encrypted_session(header);
                        pairing.transformed(side, ts, Some(session_id), len);
                        true
                    }
                    Unit::Compressed(len) => {
                        pairing.transformed(side, ts, None, len);
                        true
                    }
                    Unit::Session => return ParserStatus::Continue,
                    Unit::Unknown => false,
                };
                check.record(is_valid)
            });
            match read {
                Ok(Some(ParserStatus::Continue)) => {}
                Ok(Some(status)) => return status,
                Ok(None) => return ParserStatus::Continue,
                Err(error) => return check.fail(error),
            }
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<SmbExchange>) -> ParserStatus {
        self.frames[side.index()].skip(len);
        // A message may be over.
        self.feed_into(StreamChunk::new(side, self.now, 0, b""), out)
    }

    fn end(&mut self, out: &mut Vec<SmbExchange>) {
        self.pairing.end(out);
    }

    fn heap_bytes(&self) -> usize {
        self.frames.iter().map(Frames::heap_bytes).sum::<usize>() + self.pairing.heap_bytes()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(start)
    }
}
