//! The parts of a message or of a form that are files, found as it comes (RFC 2045, RFC 2046, RFC 7578).
//!
//! ```
//! use flowscope_files::mime::Parts;
//!
//! let mut parts = Parts::of_form(b"multipart/form-data; boundary=x", 0).expect("it is a form");
//! parts.feed(b"--x\r\nContent-Disposition: form-data; name=f; filename=a.txt\r\n\r\nabc\r\n--x--\r\n");
//! parts.finish(false);
//! let (files, _) = parts.take();
//! assert_eq!(files[0].name.as_deref(), Some(&b"a.txt"[..]));
//! assert_eq!(files[0].info.seen_bytes, 3);
//! ```

mod base64;
mod fields;
mod quoted;
#[cfg(test)]
mod tests;

use flowscope_record::Value;

use crate::record;
use crate::{FileHasher, FileInfo};
use base64::Base64;
use fields::{ContentKind, Encoding, MAX_BOUNDARY, MAX_FILENAME, PartFields};
use quoted::Quoted;

/// Files of a message that are examined.
const MAX_FILES: usize = 64;
/// Multiparts within each other whose parts are read; a deeper one is a file.
const MAX_DEPTH: usize = 8;
/// Bytes of a header field that are read, and of one of its lines.
const MAX_FIELD: usize = 2048;
/// Longest line that may be a delimiter, with the white space that a gateway may add (RFC 2046 §5.1.1).
const MAX_DELIMITER: usize = MAX_BOUNDARY + 64;
/// Bytes of all names of files together.
const MAX_NAMES: usize = 8 * 1024;

/// A part of a message or of a form that is a file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NamedFile {
    /// Its name: `filename` of Content-Disposition (RFC 2183 §2.3), else `name` of Content-Type, at most 255 bytes, and 8 KiB
    /// of all names of a message. Extended values are decoded (RFC 2231); encoded words (RFC 2047), and in forms what is
    /// percent-encoded (RFC 7578 §4.2), are left as they are.
    pub name: Option<Vec<u8>>,
    /// What is known of its content, behind base64 or quoted-printable. Bytes that were not captured are counted as sent; what
    /// follows them is taken for the same file, up to the end of a part.
    pub info: FileInfo,
}

/// Reads a message, and gives the parts of it that are files: attachments, what has a name, and what is no text. Of a form, the
/// parts that have the name of a file.
///
/// A part of the type `message/rfc822` is read as a message, unless it is encoded. CR LF and LF alone end lines. Of one message,
/// 64 files are examined.
///
/// Holds at most 45 KiB, and of the files what is kept: at most four times as much as of one.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Whether it is a form, in which parts with a file name are files, and nothing is encoded or has parts of its own.
    is_form: bool,
    place: Place,
    /// The line at hand, as far as it may be a delimiter; in a header, as far as it is read.
    line: Vec<u8>,
    /// Whether the line at hand is known to be no delimiter.
    in_line: bool,
    /// What ended the line before, or may end this one: it belongs to a delimiter, if that follows.
    end: LineEnd,
    /// The header field at hand, unfolded.
    field: Vec<u8>,
    fields: PartFields,
    /// The multiparts that are open, the outermost first.
    open: Vec<Multipart>,
    /// The file whose content the bytes are.
    file: Option<Box<File>>,
    files: Vec<NamedFile>,
    more_files: u64,
    name_room: usize,
    /// Bytes of a file that are kept, and bytes of all of them that may still be.
    most_kept: usize,
    room: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Header,
    /// In the content of a part, or in what stands before the first part and behind the last.
    Body,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LineEnd {
    None,
    Cr,
    Lf,
    CrLf,
}

#[derive(Clone, Debug)]
struct Multipart {
    boundary: Vec<u8>,
    is_digest: bool,
}

/// A file that is being received.
#[derive(Clone, Debug)]
struct File {
    name: Option<Vec<u8>>,
    decoder: Decoder,
    hasher: FileHasher,
}

#[derive(Clone, Debug)]
enum Decoder {
    Identity,
    Base64(Base64),
    Quoted(Quoted),
}

impl Parts {
    /// Before the first byte of a message; of each file at most `most_kept` first bytes are kept.
    #[must_use]
    pub fn new(most_kept: usize) -> Self {
        Parts {
            is_form: false,
            place: Place::Header,
            line: Vec::new(),
            in_line: false,
            end: LineEnd::None,
            field: Vec::new(),
            fields: PartFields::default(),
            open: Vec::new(),
            file: None,
            files: Vec::new(),
            more_files: 0,
            name_room: MAX_NAMES,
            most_kept,
            room: most_kept.saturating_mul(4),
        }
    }

    /// Before the first byte of a form of this media type (RFC 7578 §4.1); of each file at most `most_kept` first bytes are
    /// kept. `None` if the type is that of another content, or has no boundary.
    #[must_use]
    pub fn of_form(media_type: &[u8], most_kept: usize) -> Option<Self> {
        let boundary = fields::form_boundary(media_type)?;
        let mut parts = Parts { is_form: true, place: Place::Body, ..Parts::new(most_kept) };
        parts.open.push(Multipart { boundary, is_digest: false });
        Some(parts)
    }

    /// Reads the next bytes of the message.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.place {
                Place::Header => self.header(rest),
                Place::Body if self.open.is_empty() => {
                    self.content(rest);
                    rest.len()
                }
                Place::Body => self.body(rest),
            };
            rest = &rest[used..];
        }
    }

    /// Passes over bytes of the message that were not captured; 0 if it is not known how many.
    ///
    /// What follows is taken for a part of the same file, up to the next delimiter.
    pub fn gap(&mut self, len: u64) {
        match self.place {
            // What the part is, is not known.
            Place::Header => {
                self.fields = PartFields::default();
                self.field.clear();
                self.line.clear();
                self.place = Place::Body;
            }
            Place::Body => self.line_is_content(),
        }
        self.end = LineEnd::None;
        self.in_line = true;
        if let Some(file) = &mut self.file {
            file.gap(len);
        }
    }

    /// Keeps no more bytes of files than are kept: for want of room.
    pub fn stop_keeping(&mut self) {
        self.most_kept = 0;
        if let Some(file) = &mut self.file {
            file.hasher.stop_keeping();
        }
    }

    /// The message is over. What is left open ends here, or is cut.
    pub fn finish(&mut self, is_cut: bool) {
        if self.place == Place::Body && self.delimiter().is_none() {
            self.line_is_content();
        }
        self.end_file(is_cut);
        (self.line, self.field, self.open) = (Vec::new(), Vec::new(), Vec::new());
        self.fields = PartFields::default();
        self.place = Place::Body;
    }

    /// The files, and how many there are beyond those that were examined.
    #[must_use]
    pub fn take(&mut self) -> (Vec<NamedFile>, u64) {
        (std::mem::take(&mut self.files), self.more_files)
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let boundaries = self.open.iter().map(|open| open.boundary.capacity());
        let open = self.open.capacity() * size_of::<Multipart>() + boundaries.sum::<usize>();
        let file = self.file.as_ref().map_or(0, |file| size_of::<File>() + file.heap_bytes());
        let buffers = self.line.capacity() + self.field.capacity();
        buffers + self.fields.heap_bytes() + open + file + files_heap_bytes(&self.files)
    }

    /// Reads in a header, up to the end of a line; returns how many bytes.
    fn header(&mut self, bytes: &[u8]) -> usize {
        let lf = bytes.iter().position(|&byte| byte == b'\n');
        let used = lf.map_or(bytes.len(), |at| at + 1);
        let room = MAX_FIELD - self.line.len();
        self.line.extend_from_slice(&bytes[..used.min(room)]);
        if lf.is_none() {
            return used;
        }
        if let Some((level, is_close)) = self.delimiter() {
            self.part(level, is_close);
            return used;
        }
        let line = std::mem::take(&mut self.line);
        let text = without_end(&line);
        if text.is_empty() {
            self.end_field();
            self.begin_content();
        } else if text.starts_with(b" ") || text.starts_with(b"\t") {
            // A field that goes on (RFC 5322 §2.2.3).
            if !self.field.is_empty() {
                let room = MAX_FIELD.saturating_sub(self.field.len());
                self.field.extend_from_slice(&text[..text.len().min(room)]);
            }
        } else {
            self.end_field();
            let name = text.first_chunk::<8>();
            if name.is_some_and(|name| name.eq_ignore_ascii_case(b"content-")) {
                self.field.extend_from_slice(text);
            }
        }
        self.line = line;
        self.line.clear();
        used
    }

    fn end_field(&mut self) {
        self.fields.read(&self.field);
        self.field.clear();
    }

    /// A header is over.
    fn begin_content(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        (self.in_line, self.end) = (false, LineEnd::None);
        if self.is_form {
            // "Senders SHOULD NOT generate any parts with a Content-Transfer-Encoding header field" (RFC 7578 §4.7), and
            // programs that receive forms do not decode them.
            fields.encoding = Encoding::Identity;
            self.place = Place::Body;
            if fields.has_file_name() {
                self.begin_file(fields);
            }
            return;
        }
        match std::mem::take(&mut fields.kind) {
            ContentKind::Multipart { boundary, is_digest } if self.open.len() < MAX_DEPTH => {
                self.open.push(Multipart { boundary, is_digest });
                self.place = Place::Body;
            }
            ContentKind::Message if fields.encoding == Encoding::Identity => {}
            kind => {
                fields.kind = kind;
                self.place = Place::Body;
                if fields.is_file() {
                    self.begin_file(fields);
                }
            }
        }
    }

    fn begin_file(&mut self, mut fields: PartFields) {
        if self.files.len() == MAX_FILES {
            self.more_files += 1;
            return;
        }
        let name = fields.take_name().map(|name| keep(&name, MAX_FILENAME, &mut self.name_room));
        let decoder = match fields.encoding {
            Encoding::Identity => Decoder::Identity,
            Encoding::Base64 => Decoder::Base64(Base64::default()),
            Encoding::QuotedPrintable => Decoder::Quoted(Quoted::default()),
        };
        let hasher = FileHasher::keeping(self.most_kept.min(self.room));
        self.file = Some(Box::new(File { name, decoder, hasher }));
    }

    fn end_file(&mut self, is_cut: bool) {
        let Some(mut file) = self.file.take() else { return };
        file.end();
        if is_cut {
            file.hasher.cut();
        }
        let info = file.hasher.finish();
        self.room = self.room.saturating_sub(info.content.len());
        self.files.push(NamedFile { name: file.name, info });
    }

    /// Reads in a body whose parts are between delimiters, up to the end of a line or less; returns how many bytes.
    fn body(&mut self, bytes: &[u8]) -> usize {
        if !self.in_line {
            let may_begin = bytes.first() == Some(&b'-');
            if !self.line.is_empty() || may_begin {
                return self.line_start(bytes);
            }
            self.line_is_content();
        }
        let lf = bytes.iter().position(|&byte| byte == b'\n');
        let used = lf.map_or(bytes.len(), |at| at + 1);
        self.in_line_content(&bytes[..used]);
        used
    }

    /// Reads a line that may be a delimiter, up to its end or until it is known to be none.
    fn line_start(&mut self, bytes: &[u8]) -> usize {
        let part = &bytes[..bytes.len().min(MAX_DELIMITER - self.line.len())];
        let lf = part.iter().position(|&byte| byte == b'\n');
        let used = lf.map_or(part.len(), |at| at + 1);
        self.line.extend_from_slice(&part[..used]);
        let may_be = self.line.len() < 2 || self.line.starts_with(b"--");
        if let Some((level, is_close)) = lf.and_then(|_| self.delimiter()) {
            self.part(level, is_close);
        } else if lf.is_some() || !may_be || self.line.len() == MAX_DELIMITER {
            self.line_is_content();
        }
        used
    }

    /// The line at hand, as far as it is there, is no delimiter: with what ended the one before, it is content.
    fn line_is_content(&mut self) {
        let end: &[u8] = match self.end {
            LineEnd::None => b"",
            LineEnd::Cr => b"\r",
            LineEnd::Lf => b"\n",
            LineEnd::CrLf => b"\r\n",
        };
        self.content(end);
        (self.end, self.in_line) = (LineEnd::None, true);
        let mut line = std::mem::take(&mut self.line);
        self.in_line_content(&line);
        line.clear();
        self.line = line;
    }

    /// Takes content of a line, without the start of another; its end waits for the next line.
    fn in_line_content(&mut self, bytes: &[u8]) {
        if self.end == LineEnd::Cr && !bytes.is_empty() {
            if bytes == b"\n" {
                (self.end, self.in_line) = (LineEnd::CrLf, false);
                return;
            }
            self.content(b"\r");
            self.end = LineEnd::None;
        }
        let (text, end) = if let Some(text) = bytes.strip_suffix(b"\r\n") {
            (text, LineEnd::CrLf)
        } else if let Some(text) = bytes.strip_suffix(b"\n") {
            (text, LineEnd::Lf)
        } else if let Some(text) = bytes.strip_suffix(b"\r") {
            (text, LineEnd::Cr)
        } else {
            (bytes, self.end)
        };
        self.content(text);
        self.end = end;
        self.in_line = !bytes.ends_with(b"\n");
    }

    fn content(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file {
            file.push(bytes);
        }
    }

    /// The multipart whose delimiter the line at hand is, and whether it closes that (RFC 2046 §5.1.1).
    fn delimiter(&self) -> Option<(usize, bool)> {
        let line = without_end(&self.line).strip_prefix(b"--")?.trim_ascii_end();
        let mut levels = self.open.iter().enumerate().rev();
        levels.find_map(|(level, open)| match line.strip_prefix(&open.boundary[..])? {
            b"" => Some((level, false)),
            b"--" => Some((level, true)),
            _ => None,
        })
    }

    /// A delimiter: a part begins, or the multipart is over, and those within it are.
    fn part(&mut self, level: usize, is_close: bool) {
        self.end_file(false);
        self.open.truncate(level + 1);
        self.line.clear();
        self.field.clear();
        (self.in_line, self.end) = (false, LineEnd::None);
        if is_close {
            self.open.pop();
            self.place = Place::Body;
            return;
        }
        let is_digest = self.open.last().is_some_and(|open| open.is_digest);
        self.fields = if is_digest { PartFields::of_digest() } else { PartFields::default() };
        self.place = Place::Header;
    }
}

impl File {
    fn push(&mut self, bytes: &[u8]) {
        let File { decoder, hasher, .. } = self;
        match decoder {
            Decoder::Identity => hasher.push(bytes),
            Decoder::Base64(base64) => base64.feed(bytes, |decoded| hasher.push(decoded)),
            Decoder::Quoted(quoted) => quoted.feed(bytes, |decoded| hasher.push(decoded)),
        }
    }

    fn gap(&mut self, len: u64) {
        match &mut self.decoder {
            Decoder::Identity => {}
            Decoder::Base64(base64) => *base64 = Base64::default(),
            Decoder::Quoted(quoted) => *quoted = Quoted::default(),
        }
        if len == 0 {
            self.hasher.cut();
        }
        self.hasher.gap(len);
    }

    fn end(&mut self) {
        let File { decoder, hasher, .. } = self;
        match decoder {
            Decoder::Identity => {}
            Decoder::Base64(base64) => base64.end(|decoded| hasher.push(decoded)),
            Decoder::Quoted(quoted) => quoted.end(|decoded| hasher.push(decoded)),
        }
    }

    fn heap_bytes(&self) -> usize {
        let decoder = match &self.decoder {
            Decoder::Identity | Decoder::Base64(_) => 0,
            Decoder::Quoted(quoted) => quoted.heap_bytes(),
        };
        self.name.as_ref().map_or(0, Vec::capacity) + decoder + self.hasher.heap_bytes()
    }
}

impl NamedFile {
    /// Its entry in the column of a record: see [`record::object`].
    #[must_use]
    pub fn object(&self, direction: &'static str, tx_id: u64) -> Value<'_> {
        record::object(&self.info, self.name.as_deref(), direction, tx_id)
    }
}

/// At most `max` bytes of a text, while there is room for them.
fn keep(text: &[u8], max: usize, room: &mut usize) -> Vec<u8> {
    let len = text.len().min(max).min(*room);
    *room -= len;
    text[..len].to_vec()
}

/// Memory of files and what they hold, in bytes, by capacity.
#[must_use]
pub fn files_heap_bytes(files: &Vec<NamedFile>) -> usize {
    let of =
        |file: &NamedFile| file.name.as_ref().map_or(0, Vec::capacity) + file.info.heap_bytes();
    files.capacity() * size_of::<NamedFile>() + files.iter().map(of).sum::<usize>()
}

/// A line without what ends it.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
