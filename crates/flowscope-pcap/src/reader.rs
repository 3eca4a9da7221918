use std::fmt;
use std::io::{self, Read};
use std::mem;
use std::path::Path;

use flowscope_core::{PacketSource, PacketView};

use crate::decompress::Decompress;
use crate::legacy::{FILE_HEADER, Legacy};
use crate::ng::Ng;
use crate::step::{Short, Stop};
use crate::window::Window;
use crate::{Compression, Expected, Input, Interface, ReadError};

/// Reads one capture, from its first byte to its last, and lends the packets in batches of at most
/// 64 that lie in its buffer.
///
/// After the first few batches nothing is allocated and no packet is copied. Packets are lent in
/// the order of the file, which need not be that of time. A batch ends where the buffer ends, so
/// that packets of a pipe are lent as soon as they are there.
///
/// What a packet's view says:
///
/// - The time is rounded down to nanoseconds, and never before 1970 or after 2554. A simple packet
///   block has no time: its packet is given [`Timestamp::ZERO`](flowscope_core::Timestamp::ZERO),
///   as Wireshark does.
/// - The wire length is the one stored, or the captured length if that is more.
/// - The interface is its place in [`interfaces`](CaptureReader::interfaces).
///
/// Memory is bounded as the [crate] says. [`std::io::ErrorKind::WouldBlock`] is an error like
/// others: inputs are read blocking.
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
    config: ReadConfig,
    packets: u64,
    truncated: u64,
    /// What the input said when it failed; told once all packets that came before were lent.
    failure: Option<io::Error>,
    /// No more bytes come.
    at_end: bool,
    /// The end or an error was told.
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
    /// The most bytes that a record or block may have, its header included. One that claims more
    /// is damage. Default 16 MiB, the most that Wireshark takes.
    #[must_use]
    pub fn max_record(mut self, bytes: u32) -> Self {
        self.max_record = bytes;
        self
    }

    /// What errors call the input. Default: `input`, or the path for a reader that opened one.
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

/// How the bytes of the window are taken apart.
enum Records {
    /// A pcap file whose header is not whole yet.
    Header,
    Legacy(Legacy),
    Ng(Ng),
}

impl CaptureReader<Input> {
    /// Opens the file at `path`; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] and [`ReadError::NotACapture`]. A capture that is damaged can be opened;
    /// what can be read of it comes first.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        CaptureReader::open_with(path, ReadConfig::default())
    }

    /// [`open`](Self::open) with settings, the name among them replaced by the path.
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
    /// Reads the start of `input`, which needs no buffering: it is read in large pieces.
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

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.records {
            Records::Header | Records::Legacy(_) => Format::Pcap,
            Records::Ng(_) => Format::PcapNg,
        }
    }

    /// How the input is compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.source.compression()
    }

    /// Packets lent so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets of which the file holds the header and not all of the rest: 1 if it was cut within a
    /// packet, else 0. They were not lent ([`Loss::FileTruncated`](flowscope_core::Loss)).
    #[must_use]
    pub fn truncated_packets(&self) -> u64 {
        self.truncated
    }

    /// Bytes of the decompressed file whose records were read. Packets lent are within.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.window.offset()
    }

    /// Bytes taken from the input, compressed as it may be: what to compare with the size of the
    /// file. It runs ahead of the packets by what is buffered.
    #[must_use]
    pub fn compressed_position(&self) -> u64 {
        self.source.taken()
    }

    /// The interfaces that were described so far, of all sections in the order of the file. At most
    /// 65 536; a file that describes more is damaged.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Bytes of memory that the buffer holds.
    #[must_use]
    pub fn buffer_capacity(&self) -> usize {
        self.window.capacity()
    }

    /// What errors call the input.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn into_interfaces(self) -> Vec<Interface> {
        self.interfaces
    }

    /// Tells the format by the first bytes, and reads the header of a pcap file if it is whole.
    fn recognize(&mut self) -> Result<(), ReadError> {
        while self.window.data().len() < FILE_HEADER && self.fill() {}
        if let Some(source) = self.failure.take_if(|_| self.source.input_failed()) {
            return Err(ReadError::Io { input: mem::take(&mut self.config.name), source });
        }
        let data = self.window.data();
        if Ng::recognizes(data) {
            self.records = Records::Ng(Ng::new());
        } else if data.first_chunk().copied().is_some_and(Legacy::recognizes) {
            // An error is told by `next_batch`, like all damage.
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

    /// What the input is, if no capture.
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

    /// Reads once. Whether bytes came; if not, none will.
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

    /// Ends for want of bytes: cleanly between records, else with an error.
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

    /// Lends the next packets of the file. `Ok(0)` is its end.
    ///
    /// # Errors
    ///
    /// [`ReadError::Damaged`] or [`ReadError::Io`], once, after all packets before it; then `Ok(0)`.
    fn next_batch(&mut self, lend: &mut dyn FnMut(&[PacketView<'_>])) -> Result<usize, ReadError> {
        // Each round lends packets, or takes in bytes, or ends.
        while !self.done {
            let mut views = recycle(mem::take(&mut self.views));
            let shift = self.config.first_interface;
            let (used, stop) = collect(
                &mut self.records,
                &mut self.interfaces,
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
                // What stopped the batch is met again, at the start of the next.
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
                None => {}
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

/// Takes records from the start of `data` until there are enough packets, or no whole record.
/// Returns how many bytes were taken.
fn collect<'a>(
    records: &mut Records,
    interfaces: &mut Vec<Interface>,
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
            Records::Ng(ng) => ng.step(rest, max, interfaces, shift, views),
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

/// Empties a list of views and gives its storage another lifetime. Collecting from a vector's own
/// iterator into the same layout keeps the allocation.
fn recycle<'b>(mut views: Vec<PacketView<'_>>) -> Vec<PacketView<'b>> {
    views.clear();
    views.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}

/// Packets lent at once: enough to spread the cost of a call, few enough to stay in the cache.
const BATCH: usize = 64;

const DEFAULT_MAX_RECORD: u32 = 16 * 1024 * 1024;

/// What else is given to a capture reader, so that the message can say so.
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
