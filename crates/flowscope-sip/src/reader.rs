//! Messages from the bytes of one side: start line, header, and a body of which the media are read.

use flowscope_core::ParseError;
use flowscope_lines::{LineBuffer, first_piece};

use crate::SipFields;
use crate::head::{Head, Identity, MAX_FIELD, Message};
use crate::sdp::Sdp;

/// Bytes of a line that are kept. A longer start line is none.
const MAX_LINE: usize = 2048;
/// The longest header, in bytes.
const MAX_HEAD: u64 = 64 * 1024;
/// Lines in succession that are passed over where a message has to begin.
const MAX_PASSED: u8 = 8;
/// Bytes of a header field that are kept until its last line is there.
const MAX_FOLDED: usize = 4 * MAX_FIELD;

/// Reads the messages of one side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    line: LineBuffer<MAX_LINE>,
    place: Place,
    message: Option<Box<Message>>,
    head: Head,
    sdp: Sdp,
    /// Bytes of the header so far.
    head_len: u64,
    /// The header field that the next line may continue (RFC 3261 §7.3.1).
    field: Vec<u8>,
    /// Whether a message has begun.
    any: bool,
    /// Lines in succession that begin no message.
    passed: u8,
}

/// A message, and what tells its transaction from others.
pub(crate) type Read = (Message, Identity);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    /// Before a message.
    #[default]
    Between,
    /// Before a message, but bytes are missing: what is no start line is passed over.
    Lost,
    Header,
    /// In a body of which so many bytes are still to come.
    Body(u64),
}

impl Reader {
    /// Reads on until a message is complete; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// A first line that begins no message, more than eight such lines where a later message has to begin, a header
    /// without end, and a length that is no number.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Read>, ParseError> {
        while !bytes.is_empty() {
            if let Place::Body(left) = self.place {
                let len = left.min(bytes.len() as u64);
                let (body, rest) = bytes.split_at(len as usize);
                *bytes = rest;
                if let Some(mut message) = self.message.take() {
                    self.body(body, message.fields_mut());
                    self.message = Some(message);
                }
                self.place = Place::Body(left - len);
            } else {
                let piece = first_piece(bytes);
                *bytes = &bytes[piece.len()..];
                self.head_len += piece.len() as u64;
                if self.head_len > MAX_HEAD && self.place != Place::Lost {
                    return Err(ParseError::TooLong(MAX_HEAD + 1));
                }
                // The line borrows the buffer, which is not the reader's meanwhile.
                let mut buffer = std::mem::take(&mut self.line);
                let read = match buffer.push(piece) {
                    Some(line) => self.line(line.text, line.is_truncated),
                    None => Ok(()),
                };
                self.line = buffer;
                read?;
            }
            if self.place == Place::Body(0) {
                return Ok(self.finish());
            }
        }
        Ok(None)
    }

    /// Reads a datagram: one message, whose body is what is left (RFC 3261 §18.3). `missing` bytes were not captured.
    pub(crate) fn datagram(payload: &[u8], missing: u64) -> Option<Read> {
        let mut reader = Reader::default();
        let mut bytes = payload;
        // Without a length, a body ends at once; with one, it may be cut.
        if let Some((mut message, identity)) = reader.next(&mut bytes).ok()? {
            if reader.head.content_length.is_none() {
                let fields = message.fields_mut();
                fields.body_len = bytes.len() as u64 + missing;
                reader.body(bytes, fields);
                reader.end_of_line(fields);
            }
            return Some((message, identity));
        }
        // A header may be cut too.
        let mut message = *reader.message.take()?;
        if matches!(reader.place, Place::Body(_)) {
            reader.end_of_line(message.fields_mut());
        } else {
            let field = std::mem::take(&mut reader.field);
            let _ = reader.head.field(&field, message.fields_mut());
        }
        Some((message, reader.head.identity))
    }

    /// Bytes are missing: those of a body are passed over, else the next start line is looked for.
    pub(crate) fn gap(&mut self, len: u64) {
        match self.place {
            Place::Body(left) if len > 0 && left >= len => {
                self.place = Place::Body(left - len);
                // The line that was cut is none.
                self.line = LineBuffer::default();
                self.line.begin_in_the_middle();
            }
            _ => {
                *self = Reader { place: Place::Lost, any: self.any, ..Reader::default() };
                self.line.begin_in_the_middle();
            }
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let message = self.message.as_ref();
        self.line.heap_bytes()
            + self.field.capacity()
            + self.sdp.heap_bytes()
            + message.map_or(0, |message| size_of::<Message>() + message.heap_bytes())
    }

    fn line(&mut self, line: &[u8], is_truncated: bool) -> Result<(), ParseError> {
        match self.place {
            // Keep-alives (RFC 5626 §3.5.1).
            Place::Between if line.is_empty() => self.head_len = 0,
            Place::Between | Place::Lost => {
                let message = if is_truncated { None } else { Message::begin(line) };
                let Some(message) = message else {
                    return self.pass(line);
                };
                self.any = true;
                self.passed = 0;
                self.head_len = 0;
                self.message = Some(Box::new(message));
                self.head = Head::default();
                self.sdp = Sdp::default();
                self.place = Place::Header;
            }
            Place::Header => match line.first() {
                Some(b' ' | b'\t') => {
                    self.push_field(b" ");
                    self.push_field(line.trim_ascii());
                }
                first => {
                    let mut field = std::mem::take(&mut self.field);
                    if let Some(message) = &mut self.message {
                        self.head.field(&field, message.fields_mut())?;
                    }
                    if first.is_some() {
                        // One header needs storage for one field at a time; between messages none is kept.
                        field.clear();
                        self.field = field;
                        self.push_field(line);
                    } else {
                        self.begin_body();
                    }
                }
            },
            Place::Body(_) => {}
        }
        Ok(())
    }

    /// A line that begins no message.
    fn pass(&mut self, line: &[u8]) -> Result<(), ParseError> {
        if self.place == Place::Lost {
            return Ok(());
        }
        self.head_len = 0;
        if self.any && self.passed < MAX_PASSED {
            self.passed += u8::from(!line.is_empty());
            return Ok(());
        }
        Err(if self.any {
            ParseError::InvalidField("Start-Line")
        } else {
            ParseError::NotTheProtocol
        })
    }

    fn push_field(&mut self, text: &[u8]) {
        let room = MAX_FOLDED - self.field.len();
        self.field.extend_from_slice(&text[..text.len().min(room)]);
    }

    fn begin_body(&mut self) {
        let len = self.head.content_length.unwrap_or(0);
        if let Some(message) = &mut self.message {
            message.fields_mut().body_len = len;
        }
        self.place = Place::Body(len);
    }

    fn body(&mut self, mut bytes: &[u8], fields: &mut SipFields) {
        while self.head.is_sdp && !bytes.is_empty() {
            let piece = first_piece(bytes);
            bytes = &bytes[piece.len()..];
            if let Some(line) = self.line.push(piece) {
                self.sdp.line(line.text, &mut fields.media);
            }
        }
    }

    /// The last line of a body may lack its end.
    fn end_of_line(&mut self, fields: &mut SipFields) {
        if self.head.is_sdp
            && !self.line.is_empty()
            && let Some(line) = self.line.push(b"\n")
        {
            self.sdp.line(line.text, &mut fields.media);
        }
    }

    fn finish(&mut self) -> Option<Read> {
        let mut message = self.message.take()?;
        self.end_of_line(message.fields_mut());
        // What a gap has cut ends with the body.
        self.line = LineBuffer::default();
        self.place = Place::Between;
        self.head_len = 0;
        Some((*message, self.head.identity))
    }
}
