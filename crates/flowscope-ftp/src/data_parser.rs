use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_files::{FileHasher, FileInfo};

use crate::FtpTransfer;
use crate::transfer::{Order, is_of_file};

/// Reads a data connection (RFC 959 §3), and emits an [`FtpTransfer`] at its end.
///
/// Nothing in the bytes shows a data connection: an engine gives it this parser because that of the control connection
/// [expects](SessionParser::take_expectation) it. What was said there of the file comes by
/// [`introduce`](SessionParser::introduce). A connection that begins with a ClientHello is protected (RFC 4217 §9): the
/// parser gives way to that of TLS. One in which both sides send is none of FTP. Bytes that were not captured are counted.
///
/// Holds what was said of the file, at most 4096 bytes. [Files](Self::with_files) are held beside that.
#[derive(Clone, Debug, Default)]
pub struct FtpDataParser {
    /// Bytes that are kept of a file; `None` if files are not examined.
    most_kept: Option<usize>,
    hasher: Option<Box<FileHasher>>,
    control_flow: Option<u64>,
    order: Option<Order>,
    /// The side that sends, and when its first bytes came.
    sender: Option<(FlowSide, Timestamp)>,
    /// Its first bytes, while they may be those of TLS.
    start: Vec<u8>,
    /// Their place in the stream.
    start_at: u64,
    is_past_start: bool,
    bytes: u64,
    missing_bytes: u64,
    /// Sides that were picked up later.
    is_late: [bool; 2],
    is_finished: bool,
    is_protected: bool,
    is_over: bool,
}

impl FtpDataParser {
    /// Examines files: their types, lengths and SHA-256, and keeps at most this many first bytes of each.
    #[must_use]
    pub fn with_files(most_kept: usize) -> Self {
        FtpDataParser { most_kept: Some(most_kept), ..FtpDataParser::default() }
    }

    /// Takes the next bytes of what is sent.
    fn push(&mut self, bytes: &[u8]) {
        self.is_past_start = true;
        self.bytes += bytes.len() as u64;
        if let Some(hasher) = self.hasher() {
            hasher.push(bytes);
        }
    }

    /// The bytes that were held are not those of TLS.
    fn pass_start(&mut self) {
        if !self.start.is_empty() {
            let start = std::mem::take(&mut self.start);
            self.push(&start);
        }
        self.is_past_start = true;
    }

    fn hasher(&mut self) -> Option<&mut FileHasher> {
        let most_kept = self.most_kept?;
        let is_listing = self.order.as_ref().is_some_and(|order| !is_of_file(&order.command));
        if is_listing {
            return None;
        }
        let hasher = self.hasher.get_or_insert_with(|| Box::new(FileHasher::keeping(most_kept)));
        Some(&mut **hasher)
    }

    fn finish(&mut self, out: &mut Vec<FtpTransfer>) {
        let Some((sender, ts)) = self.sender else { return };
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        if !self.is_protected {
            self.pass_start();
        }
        let is_known = self.order.is_some();
        let Order { offset, file_size, command, name } = self.order.take().unwrap_or_default();
        let is_file = !is_known || is_of_file(&command);
        let whole = offset.saturating_add(self.bytes).saturating_add(self.missing_bytes);
        let is_short = offset == 0 && file_size.is_some_and(|size| whole < size);
        let is_cut =
            !self.is_protected && (!self.is_finished || self.is_late[sender.index()] || is_short);
        let file = self.hasher.take().filter(|_| is_file && !self.is_protected);
        out.push(FtpTransfer {
            ts,
            control_flow: self.control_flow,
            command: is_known.then_some(command),
            name,
            offset,
            file_size,
            sender: Some(sender),
            bytes: self.bytes,
            missing_bytes: self.missing_bytes,
            is_cut,
            is_protected: self.is_protected,
            file: file.map(|hasher| Box::new(described(*hasher, offset, is_cut))),
        });
    }
}

/// What is known of a file of which bytes from `offset` on were sent.
fn described(mut hasher: FileHasher, offset: u64, is_cut: bool) -> FileInfo {
    if is_cut {
        hasher.cut();
    }
    // The receiver of a transfer that is resumed has the bytes before.
    hasher.gap(offset);
    let mut file = hasher.finish();
    if offset > 0 {
        file.mime_type = None;
    }
    file
}

/// Bytes by which a ClientHello is known.
const MAX_START: usize = 6;

/// Whether these bytes may be the start of a ClientHello: a handshake record of any version, and the type of its first
/// message (RFC 8446 §4, §5.1).
fn may_be_client_hello(start: &[u8]) -> bool {
    start.iter().take(MAX_START).enumerate().all(|(at, &byte)| match at {
        0 => byte == 0x16,
        1 => byte == 3,
        2 => byte <= 4,
        5 => byte == 1,
        _ => true,
    })
}

impl SessionParser for FtpDataParser {
    type Message = FtpTransfer;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<FtpTransfer> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<FtpTransfer> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, _out: &mut Vec<FtpTransfer>) -> ParserStatus {
        let StreamChunk { side, ts, offset, bytes, .. } = chunk;
        let (sender, _) = *self.sender.get_or_insert((side, ts));
        if sender != side {
            self.is_over = true;
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        }
        if self.is_past_start {
            self.push(bytes);
            return ParserStatus::Continue;
        }
        if self.start.is_empty() {
            self.start_at = offset;
        }
        let (start, rest) = bytes.split_at(bytes.len().min(MAX_START - self.start.len()));
        self.start.extend_from_slice(start);
        if !may_be_client_hello(&self.start) {
            self.pass_start();
            if !rest.is_empty() {
                self.push(rest);
            }
        } else if self.start.len() == MAX_START {
            self.is_protected = true;
            self.start.extend_from_slice(rest);
            return ParserStatus::UpgradeTo("tls");
        }
        ParserStatus::Continue
    }

    fn gap(&mut self, side: FlowSide, len: u64, _out: &mut Vec<FtpTransfer>) -> ParserStatus {
        if len == 0 {
            self.is_late[side.index()] = true;
        } else if self.sender.is_none_or(|(sender, _)| sender == side) {
            self.pass_start();
            self.missing_bytes = self.missing_bytes.saturating_add(len);
            if let Some(hasher) = self.hasher() {
                hasher.gap(len);
            }
        }
        ParserStatus::Continue
    }

    fn fin(&mut self, side: FlowSide, _out: &mut Vec<FtpTransfer>) {
        self.is_finished |= self.sender.is_some_and(|(sender, _)| sender == side);
    }

    fn end(&mut self, out: &mut Vec<FtpTransfer>) {
        self.finish(out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        let (sender, _) = self.sender?;
        if sender != side || self.start.is_empty() {
            return None;
        }
        Some(Remainder { offset: self.start_at, bytes: std::mem::take(&mut self.start) })
    }

    fn introduce(&mut self, flow: u64, about: &[u8]) {
        self.control_flow = Some(flow);
        let Some(order) = Order::of_text(about) else { return };
        match &mut self.order {
            // The size comes with the reply to the command. Another command is of another data connection.
            Some(known) if known.command == order.command => {
                known.file_size = order.file_size.or(known.file_size);
                if known.name.is_none() {
                    known.name = order.name;
                }
            }
            Some(_) => {}
            None => self.order = Some(order),
        }
    }

    fn heap_bytes(&self) -> usize {
        let hasher = self.hasher.as_ref();
        hasher.map_or(0, |hasher| size_of::<FileHasher>() + hasher.heap_bytes())
            + self.order.as_ref().map_or(0, Order::heap_bytes)
            + self.start.capacity()
    }

    fn probe(_side: FlowSide, _start: &[u8]) -> Probe {
        Probe::Maybe
    }
}

#[cfg(test)]
mod tests;
