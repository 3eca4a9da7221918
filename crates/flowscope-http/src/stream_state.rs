//! One direction of a connection: where in its stream it stands.

use flowscope_core::{Remainder, Timestamp};
use flowscope_files::Content;

use crate::anomalies::AnomalySet;
use crate::chunked::Chunked;
use crate::message::{Ending, MessageKind, Request};
use crate::pairing::RequestClass;
use crate::wire::{find_lf, next_word};

#[derive(Clone, Debug, Default)]
pub(crate) struct StreamState {
    pub(crate) state: State,
    /// What this side sends, once one of the two has shown it.
    pub(crate) kind: Option<MessageKind>,
    /// Where in the stream the next byte stands.
    pub(crate) pos: u64,
    /// Bytes or a gap of this side were fed, or it is known where they will begin.
    pub(crate) begun: bool,
    /// Where the latest gap ends.
    pub(crate) gap_end: u64,
    /// Where the chunk at hand begins.
    pub(crate) chunk_at: u64,
    /// Where the message at hand began.
    pub(crate) head_at: u64,
    pub(crate) first_ts: Timestamp,
    /// What the segment acknowledges in which the message at hand began, if that is known.
    pub(crate) head_acked: Option<u64>,
    /// Anomalies that the message at hand has had.
    pub(crate) seen: AnomalySet,
    /// A head, a trailer section or a line that is not there as a whole yet.
    pub(crate) buf: Vec<u8>,
    pub(crate) lines: Lines,
    pub(crate) current: CurrentMessage,
    /// The line that is searched may lack its first bytes.
    pub(crate) maybe_truncated: bool,
    pub(crate) position: LinePosition,
    /// Began as another protocol does.
    pub(crate) foreign: bool,
    /// Bytes were passed over in search of a message.
    pub(crate) skipped: bool,
    /// Bytes were missing or made no sense before it was known what this side sends.
    pub(crate) lost: bool,
    /// A request began where the body would that this side sends: it has none if it answers a HEAD.
    pub(crate) doubted: bool,
    /// Bytes that were searched before it was known what the sides send.
    pub(crate) searched: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum State {
    /// Between messages.
    #[default]
    Start,
    /// In a head, which is collected.
    Head,
    /// In a body, so many bytes before its end.
    Length(u64),
    /// In a body that ends with the stream.
    UntilClose,
    /// In a chunked body.
    Chunked(Chunked),
    /// In a trailer section, which is collected.
    Trailers,
    /// Before a message, where it is not known where one begins.
    Search,
    /// Behind a `CONNECT` without an answer. What comes belongs to the tunnel, most likely, and is kept for
    /// who reads that, unless it is too much or bytes are missing.
    Await { skipped: bool, keep: bool },
    /// Nothing of interest follows.
    Ended,
    /// A bound was reached.
    Stopped,
}

/// What stands where a search goes on, or where what it has collected begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum LinePosition {
    /// The start of a line, or of what follows a gap.
    #[default]
    Line,
    /// Within a line, a word that messages begin with, or the start of one.
    Word,
    /// Within a line.
    Within,
}

/// The message whose head was seen last.
#[derive(Clone, Debug)]
pub(crate) struct CurrentMessage {
    pub(crate) kind: MessageKind,
    pub(crate) exchange: Option<u64>,
    pub(crate) asked: RequestClass,
    /// A response to a request that is not known: `asked` is what most requests are.
    pub(crate) guessed: bool,
    /// Where its head ends in the stream.
    pub(crate) head_end: u64,
    pub(crate) body_len: u64,
    pub(crate) missing: u64,
    pub(crate) body: KeptBody,
}

/// What is kept of a body.
#[derive(Clone, Debug, Default)]
pub(crate) enum KeptBody {
    #[default]
    Nothing,
    /// Its first bytes.
    Collected(Vec<u8>),
    /// What is found out of it.
    File(Box<Content>),
}

impl Default for CurrentMessage {
    fn default() -> Self {
        CurrentMessage {
            kind: MessageKind::Request,
            exchange: None,
            asked: RequestClass::Other,
            guessed: false,
            head_end: 0,
            body_len: 0,
            missing: 0,
            body: KeptBody::Nothing,
        }
    }
}

impl StreamState {
    /// A message may begin here.
    pub(crate) fn begin(&mut self, ts: Timestamp, acked: Option<u64>) {
        self.head_at = self.pos;
        self.head_acked = acked;
        self.first_ts = ts;
        self.seen = AnomalySet::default();
        self.lines = Lines::default();
    }

    /// Bytes of the stream were taken.
    pub(crate) fn advance(&mut self, n: usize) {
        self.pos = self.pos.saturating_add(n as u64);
    }

    /// What was read of a line is no part of a message; `whole`: the line is over.
    pub(crate) fn skip_line(&mut self, whole: bool) {
        self.buf = Vec::new();
        self.skipped = true;
        self.maybe_truncated = false;
        self.state = State::Search;
        self.position = if whole { LinePosition::Line } else { LinePosition::Within };
    }

    /// These bytes are no part of a message; `word`: behind them may be the first word of one.
    pub(crate) fn pass(&mut self, bytes: &[u8], word: bool) {
        let skipped = self.skipped || !bytes.is_empty();
        self.skip_line(bytes.ends_with(b"\n"));
        self.skipped = skipped;
        if word {
            self.position = LinePosition::Word;
        }
        self.advance(bytes.len());
    }

    /// What was collected begins no message; what follows its next word may.
    pub(crate) fn reject(&mut self, now: Timestamp, acked: Option<u64>) {
        let next = self.buf.get(1..).map_or(0, |rest| 1 + next_word(rest, self.kind));
        let rest = self.buf.split_off(next);
        let passed = std::mem::replace(&mut self.buf, rest);
        self.skipped = true;
        self.maybe_truncated = false;
        self.head_at = self.pos.saturating_sub(self.buf.len() as u64);
        // Of what came in the chunks before, it is not known which of them acknowledged what.
        self.head_acked = acked.filter(|_| self.head_at >= self.chunk_at);
        self.first_ts = now;
        self.position = match passed.last() {
            _ if !self.buf.is_empty() => LinePosition::Word,
            Some(b'\n') => LinePosition::Line,
            _ => LinePosition::Within,
        };
        if self.buf.is_empty() {
            self.buf = Vec::new();
        }
    }

    /// Whether a head was sent whose message has no end yet.
    pub(crate) fn in_body(&self) -> bool {
        matches!(
            self.state,
            State::Length(_) | State::UntilClose | State::Chunked(_) | State::Trailers
        )
    }

    /// Whether the response at hand may have been over with its head, since it may answer a `HEAD`.
    pub(crate) fn may_be_over(&self) -> bool {
        self.in_body() && self.current.guessed && self.pos == self.current.head_end
    }

    /// Adds to what is collected, up to one byte more than `most` in all; returns how much it took.
    pub(crate) fn collect(&mut self, bytes: &[u8], most: usize) -> usize {
        let room = (most + 1).saturating_sub(self.buf.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        if self.buf.capacity() == 0 {
            // Room for the rest of a usual head, so that it grows once at most.
            self.buf.reserve(taken.len().saturating_mul(2).max(512));
        }
        self.buf.extend_from_slice(taken);
        taken.len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.buf.capacity() + self.current.body.heap_bytes()
    }
}

/// Bytes of a tunnel that are kept at most before it is known to be one.
const MAX_EARLY: usize = 16 * 1024;

impl StreamState {
    /// Bytes behind a `CONNECT` without an answer.
    pub(crate) fn await_answer(&mut self, bytes: &[u8], keep: bool) {
        self.advance(bytes.len());
        let keep = keep && self.buf.len() + bytes.len() <= MAX_EARLY;
        if keep {
            self.buf.extend_from_slice(bytes);
        } else {
            self.buf = Vec::new();
        }
        self.state = State::Await { skipped: true, keep };
    }

    /// What was kept of a tunnel.
    pub(crate) fn take_early(&mut self) -> Option<Remainder> {
        let kept = matches!(self.state, State::Await { .. }) && !self.buf.is_empty();
        let bytes = if kept { std::mem::take(&mut self.buf) } else { return None };
        Some(Remainder { offset: self.pos.saturating_sub(bytes.len() as u64), bytes })
    }
}

impl KeptBody {
    /// Takes bytes as far as there is room for `most`.
    pub(crate) fn collect(&mut self, bytes: &[u8], most: usize) {
        if let KeptBody::Nothing = self {
            *self = KeptBody::Collected(Vec::new());
        }
        if let KeptBody::Collected(kept) = self {
            let room = most.saturating_sub(kept.len());
            kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// Of a request whose body is examined as a file, of which so many bytes are kept: in a form there are others.
    #[cold]
    pub(crate) fn of_request(request: &Request, most_kept: usize) -> Self {
        let media_type = request.header("content-type");
        let form = media_type.and_then(|media_type| Content::of_form(media_type, most_kept));
        form.map_or(KeptBody::Nothing, |form| KeptBody::File(Box::new(form)))
    }

    /// Takes bytes of a file, behind `missing` bytes of it that were not captured; keeps so many.
    #[cold]
    pub(crate) fn examine(&mut self, bytes: &[u8], missing: u64, most_kept: usize) {
        if !matches!(self, KeptBody::File(_)) {
            let mut file = Box::new(Content::new(None, most_kept));
            file.gap(missing);
            *self = KeptBody::File(file);
        }
        if let KeptBody::File(file) = self {
            file.push(bytes);
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            KeptBody::Nothing => 0,
            KeptBody::Collected(bytes) => bytes.capacity(),
            KeptBody::File(file) => size_of::<Content>() + file.heap_bytes(),
        }
    }
}

impl CurrentMessage {
    /// How a message ends that goes to where its framing says.
    pub(crate) fn ending(&self) -> Ending {
        if self.missing == 0 { Ending::Complete } else { Ending::Gap }
    }
}

/// Lines of a section as they come in, up to the empty one. No byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines {
    /// Lines that are over.
    pub(crate) count: usize,
    /// Bytes of the line at hand.
    len: usize,
    /// The line at hand begins with CR.
    cr: bool,
}

impl Lines {
    /// Reads on in `bytes`; returns how many of them are left of the section, if it ends here.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.len == 0 {
                self.cr = rest.first() == Some(&b'\r');
            }
            let Some(lf) = find_lf(rest) else {
                self.len += rest.len();
                return None;
            };
            let len = self.len + lf;
            self.count += 1;
            self.len = 0;
            at += lf + 1;
            if len == 0 || len == 1 && self.cr {
                return Some(at);
            }
        }
        None
    }
}
