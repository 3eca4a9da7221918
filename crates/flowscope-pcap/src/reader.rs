use std::fmt;
use std::io::{self, Read};
use std::mem;
use std::path::Path;

use flowscope_core::{PacketSource, PacketView};

use crate::decompress::Decompress;
use crate::legacy::{FILE_HEADER, Legacy};
use crate::ng::Ng;
use crate::secrets::SecretsSink;
use crate::step::{Short, Stop};
use crate::window::Window;
use crate::{Compression, DecryptionSecrets, Expected, Input, Interface, ReadError};

/// Reader of one capture. It delivers packets in batches of at most 64, borrowed from its buffer.
///
/// After the first few batches it allocates nothing, and it never copies a packet. Packets come in file
/// order, which may differ from time order. A batch ends at the end of the buffer, so packets of a pipe are
/// delivered as soon as they arrive.
///
/// Fields of a packet view:
///
/// - The time is rounded down to nanoseconds, and never before 1970 or after 2554. A simple packet block has
///   no time: its packet has that of the packet before it in the file, or the epoch if there is none, and
///   [`PacketView::has_own_time`] is false for it.
/// - The wire length is the stored one, or the captured length if that is larger.
/// - The interface is an index into [`interfaces`](CaptureReader::interfaces).
///
/// The [crate] documents the memory bounds. Inputs are read blocking: [`std::io::ErrorKind::WouldBlock`] is
/// an error like any other.
///
/// ```
/// use flowscope_pcap::{CaptureReader, PacketSource, ReadError};
///
/// let nothing = CaptureReader::new(&b"GIF89a"[..]).unwrap_err();
/// assert!(matches!(nothing, ReadError::NotACapture { .. }));
///
/// // A pcap file of no packets: magic number, version 2.4, snap length, link type.
/// let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
/// let mut reader = CaptureReader::new(file.as_slice())?;
/// assert_eq!(reader.next_batch(&mut |_| ())?, 0);
///
/// // Three bytes of a record that never comes.
/// file.extend([1, 2, 3]);
/// let mut reader = CaptureReader::new(file.as_slice())?;
/// let damage = reader.next_batch(&mut |_| ()).unwrap_err();
/// assert_eq!(
///     damage.to_string(),
///     "input: byte 24: expected a packet record of 16 bytes, found the end after 3"
/// );
/// # Ok::<(), ReadError>(())
/// ```
pub struct CaptureReader<R: Read> {
    source: Decompress<R>,
    window: Window,
    records: Records,
    interfaces: Vec<Interface>,
    secrets: Option<SecretsSink>,
    config: ReadConfig,
    packets: u64,
    truncated: u64,
    /// Error of the input, returned after all packets before it.
    failure: Option<io::Error>,
    /// The input has ended.
    at_end: bool,
    /// The end or an error was returned.
    done: bool,
    /// The storage of the views, empty between calls.
    views: Vec<PacketView<'static>>,
}

/// The format of a capture file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// One interface, one link type (draft-ietf-opsawg-pcap).
    Pcap,
    /// Any number of sections and interfaces (draft-ietf-opsawg-pcapng).
    PcapNg,
}

/// Settings of a [`CaptureReader`].
#[derive(Clone, Debug)]
pub struct ReadConfig {
    max_record: u32,
    name: String,
    first_interface: u32,
}

impl Default for ReadConfig {
    fn default() -> Self {
        ReadConfig { max_record: DEFAULT_MAX_RECORD, name: "input".into(), first_interface: 0 }
    }
}

impl ReadConfig {
    /// Maximum length of a record or block in bytes, header included. A longer one is damage. Default 16 MiB,
    /// the limit of Wireshark.
    #[must_use]
    pub fn max_record(mut self, bytes: u32) -> Self {
        self.max_record = bytes;
        self
    }

    /// Name of the input in errors. Default: `input`, or the path of an opened file.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The number of the first interface, for one of several files. Default 0.
    pub(crate) fn first_interface(mut self, number: u32) -> Self {
        self.first_interface = number;
        self
    }
}

/// State of the format detection.
enum Records {
    /// A pcap file with an incomplete header so far.
    Header,
    Legacy(Legacy),
    Ng(Ng),
}

impl CaptureReader<Input> {
    /// Opens the file at `path`; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] and [`ReadError::NotACapture`]. A damaged capture can be opened: its readable
    /// packets are delivered first.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        CaptureReader::open_with(path, ReadConfig::default())
    }

    /// [`open`](Self::open) with settings; the path replaces their name.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, config: ReadConfig) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let config = config.name(Input::name(path));
        match Input::open(path) {
            Ok(input) => CaptureReader::with_config(input, config),
            Err(source) => Err(ReadError::Io { input: config.name, source }),
        }
    }
}

impl<R: Read> CaptureReader<R> {
    /// Creates a reader of `input` and reads its start. The input needs no buffering.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] and [`ReadError::NotACapture`], as [`open`](CaptureReader::open).
    pub fn new(input: R) -> Result<Self, ReadError> {
        CaptureReader::with_config(input, ReadConfig::default())
    }

    /// [`new`](Self::new) with settings.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_config(input: R, config: ReadConfig) -> Result<Self, ReadError> {
        let source = match Decompress::new(input) {
            Ok(source) => source,
            Err(source) => return Err(ReadError::Io { input: config.name, source }),
        };
        let mut reader = CaptureReader {
            source,
            window: Window::new(),
            records: Records::Header,
            interfaces: Vec::new(),
            secrets: None,
            config,
            packets: 0,
            truncated: 0,
            failure: None,
            at_end: false,
            done: false,
            views: Vec::with_capacity(BATCH),
        };
        reader.recognize()?;
        Ok(reader)
    }

    /// Passes the decryption secrets of a pcapng file to `take`, each block between the packets before it and those
    /// behind it. Blocks of more than 1 MiB, and those beyond 16 MiB together, are [refused](Self::refused_secrets).
    /// By default they are passed over.
    #[must_use]
    pub fn secrets_to(mut self, take: impl FnMut(DecryptionSecrets<'_>) + Send + 'static) -> Self {
        self.secrets = Some(SecretsSink::new(take));
        self
    }

    /// Number of blocks of decryption secrets that were not passed on: too large, too many, or damaged.
    #[must_use]
    pub fn refused_secrets(&self) -> u64 {
        self.secrets.as_ref().map_or(0, SecretsSink::refused)
    }

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.records {
            Records::Header | Records::Legacy(_) => Format::Pcap,
            Records::Ng(_) => Format::PcapNg,
        }
    }

    /// Compression of the input.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.source.compression()
    }

    /// Number of packets delivered so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Number of packets with a complete header but incomplete data: 1 if the file was cut within a packet,
    /// else 0. They are not delivered (`Loss::FileTruncated`).
    #[must_use]
    pub fn truncated_packets(&self) -> u64 {
        self.truncated
    }

    /// Number of packets without a time of their own so far: those of simple packet blocks.
    #[must_use]
    pub fn untimed_packets(&self) -> u64 {
        match &self.records {
            Records::Ng(ng) => ng.untimed(),
            _ => 0,
        }
    }

    /// Position in the decompressed file, behind the last record read, in bytes.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.window.offset()
    }

    /// Bytes read from the input before decompression, to compare with the file size. It is ahead of the
    /// packets by the buffered bytes.
    #[must_use]
    pub fn compressed_position(&self) -> u64 {
        self.source.taken()
    }

    /// The interfaces described so far, of all sections in file order. At most 65 536: a file with more is
    /// damaged.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Size of the buffer in bytes.
    #[must_use]
    pub fn buffer_capacity(&self) -> usize {
        self.window.capacity()
    }

    /// What errors call the input.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn set_secrets(&mut self, secrets: Option<SecretsSink>) {
        self.secrets = secrets;
    }

    pub(crate) fn into_parts(self) -> (Vec<Interface>, Option<SecretsSink>) {
        (self.interfaces, self.secrets)
    }

    /// Detects the format by the first bytes, and reads the header of a pcap file if it is complete.
    fn recognize(&mut self) -> Result<(), ReadError> {
        while self.window.data().len() < FILE_HEADER && self.fill() {}
        if let Some(source) = self.failure.take_if(|_| self.source.input_failed()) {
            return Err(ReadError::Io { input: mem::take(&mut self.config.name), source });
        }
        let data = self.window.data();
        if Ng::recognizes(data) {
            self.records = Records::Ng(Ng::new());
        } else if data.first_chunk().copied().is_some_and(Legacy::recognizes) {
            // `next_batch` returns the error, like all damage.
            if let Ok((legacy, interface)) = Legacy::open(data) {
                self.records = Records::Legacy(legacy);
                self.interfaces.push(interface);
                self.window.consume(FILE_HEADER);
            }
        } else {
            let found = self.describe();
            return Err(ReadError::NotACapture { input: mem::take(&mut self.config.name), found });
        }
        Ok(())
    }

    /// Describes an input that is not a capture.
    fn describe(&self) -> String {
        let data = self.window.data();
        if let Some(failure) = &self.failure {
            return format!("{} data that cannot be decompressed: {failure}", self.compression());
        }
        if data.is_empty() {
            return match self.compression() {
                Compression::None => "it is empty".into(),
                compression => format!("{compression} data of nothing"),
            };
        }
        let known = OTHER_FORMATS.iter().find(|(magic, _)| data.starts_with(magic));
        let mut found = match known {
            Some((_, name)) => format!("it is {name}"),
            None => {
                let start: Vec<_> = data.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                format!("it begins with the bytes {}", start.join(" "))
            }
        };
        if self.compression() != Compression::None {
            found.push_str(", decompressed");
        }
        found
    }

    /// Reads once. `false` at the end of the input.
    fn fill(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        match self.window.fill(&mut self.source) {
            Ok(0) => self.at_end = true,
            Ok(_) => return true,
            Err(failure) => {
                self.failure = Some(failure);
                self.at_end = true;
            }
        }
        false
    }

    /// Ends the capture at the end of the input: an error within a record.
    fn end(&mut self, short: Short) -> Result<usize, ReadError> {
        self.done = true;
        self.truncated = u64::from(short.packet);
        let have = self.window.data().len() as u64;
        let expected = match self.failure.take() {
            Some(source) if self.source.input_failed() => {
                return Err(ReadError::Io { input: self.config.name.clone(), source });
            }
            Some(failure) => Expected::Compressed {
                method: self.source.compression(),
                problem: failure.to_string(),
            },
            None if have == 0 && !matches!(self.records, Records::Header) => return Ok(0),
            None => Expected::Whole { record: short.record, need: short.need as u64, have },
        };
        Err(self.damaged(expected))
    }

    fn damaged(&mut self, expected: Expected) -> ReadError {
        self.done = true;
        let offset = self.window.offset();
        ReadError::Damaged { input: self.config.name.clone(), offset, expected }
    }
}

impl<R: Read> PacketSource for CaptureReader<R> {
    type Error = ReadError;

    /// Delivers the next packets. `Ok(0)` is the end of the file.
    ///
    /// # Errors
    ///
    /// [`ReadError::Damaged`] or [`ReadError::Io`], once, after all packets before it; then `Ok(0)`.
    fn next_batch(&mut self, lend: &mut dyn FnMut(&[PacketView<'_>])) -> Result<usize, ReadError> {
        // Each iteration delivers packets, reads bytes, or ends.
        while !self.done {
            let mut views = recycle(mem::take(&mut self.views));
            let shift = self.config.first_interface;
            let (used, stop) = collect(
                &mut self.records,
                &mut self.interfaces,
                &mut self.secrets,
                self.window.data(),
                self.config.max_record,
                shift,
                &mut views,
            );
            let lent = views.len();
            if lent > 0 {
                lend(&views);
            }
            self.views = recycle(views);
            self.window.consume(used);
            self.packets += lent as u64;
            if lent > 0 {
                // The next batch starts at the record that stopped this one.
                return Ok(lent);
            }
            match stop {
                Some(Stop::Short(short)) => {
                    let more = self.fill();
                    if !more {
                        return self.end(short);
                    }
                }
                Some(Stop::Damage(expected)) => return Err(self.damaged(expected)),
                Some(Stop::Wait) | None => {}
            }
        }
        Ok(0)
    }
}

impl<R: Read> fmt::Debug for CaptureReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureReader")
            .field("name", &self.config.name)
            .field("format", &self.format())
            .field("compression", &self.compression())
            .field("packets", &self.packets)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

/// Reads records from the start of `data` until there are enough packets, or no complete record. Returns the
/// number of bytes used.
fn collect<'a>(
    records: &mut Records,
    interfaces: &mut Vec<Interface>,
    secrets: &mut Option<SecretsSink>,
    data: &'a [u8],
    max: u32,
    shift: u32,
    views: &mut Vec<PacketView<'a>>,
) -> (usize, Option<Stop>) {
    let mut used = 0;
    while views.len() < BATCH {
        let rest = data.get(used..).unwrap_or_default();
        let taken = match records {
            Records::Legacy(legacy) => legacy.step(rest, max, shift, views),
            Records::Ng(ng) => ng.step(rest, max, interfaces, secrets.as_mut(), shift, views),
            Records::Header => Legacy::open(rest).map(|(legacy, interface)| {
                *records = Records::Legacy(legacy);
                interfaces.push(interface);
                FILE_HEADER
            }),
        };
        match taken {
            Ok(len) => used += len,
            Err(stop) => return (used, Some(stop)),
        }
    }
    (used, None)
}

/// Empties a list of views and changes the lifetime of its storage. Collecting from a vector's own iterator
/// into the same layout keeps the allocation.
fn recycle<'b>(mut views: Vec<PacketView<'_>>) -> Vec<PacketView<'b>> {
    views.clear();
    views.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}

/// Packets per batch: enough to amortize a call, few enough to stay in the cache.
const BATCH: usize = 64;

const DEFAULT_MAX_RECORD: u32 = 16 * 1024 * 1024;

/// Other file types that users pass to a capture reader, for the error message.
const OTHER_FORMATS: [(&[u8], &str); 9] = [
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\xfd7zXZ\0", "xz data, which is not decompressed here"),
    (b"BZh", "bzip2 data, which is not decompressed here"),
    (b"\x04\x22\x4d\x18", "lz4 data, which is not decompressed here"),
    (b"PK\x03\x04", "a zip archive"),
    (b"snoop\0\0\0", "a snoop capture, which is not read here"),
    (b"GMBU", "a Network Monitor capture, which is not read here"),
    (b"\xa1\xb2\xcd\x34", "a big-endian modified pcap capture, which is not read here"),
];
