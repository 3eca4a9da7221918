//! A capture file that is written.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowscope::core::{LinkType, PacketView};
use flowscope::pcap::{CaptureWriter, WriteError};

use crate::error::Failure;
use crate::output::{To, failure};

/// Formats of capture files, by their names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CaptureFormat {
    /// pcap, which has one link type, or pcapng.
    pcap: bool,
    gzip: bool,
}

/// One capture file, or standard output.
pub(super) struct Capture {
    name: String,
    format: CaptureFormat,
    writer: Option<CaptureWriter<Bytes>>,
    /// Where the first packet goes, before it comes.
    to: Option<Bytes>,
}

/// Bytes on their way to a file.
enum Bytes {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

struct File(To);

/// As many bytes are gathered before they are written.
const BUFFER: usize = 256 << 10;

impl CaptureFormat {
    /// That of a file of this name: pcap for `.pcap`, else pcapng; with gzip for `.gz`.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let is = |path: &Path, what: &str| {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(what))
        };
        if is(path, "zst") {
            let what = "zstd is read but not written: give a name that ends in .gz";
            return Err(Failure::Usage(format!("{}: {what}", path.display())));
        }
        let gzip = is(path, "gz");
        let inner = if gzip { path.file_stem().unwrap_or_default() } else { path.as_os_str() };
        Ok(CaptureFormat { pcap: is(Path::new(inner), "pcap"), gzip })
    }
}

impl Capture {
    /// At this path, or to standard output without one or for `-`. A file gets its name when it is complete.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let (name, format, to) = match path {
            Some(path) if path.as_os_str() != "-" => {
                let (name, format) = (path.display().to_string(), CaptureFormat::of(path)?);
                let to = To::open(path).map_err(|source| failure(name.clone(), source))?;
                (name, format, to)
            }
            _ if io::stdout().is_terminal() => {
                let what =
                    "a capture is not for a terminal: write it to a file with -o, or to a pipe";
                return Err(Failure::Usage(what.into()));
            }
            _ => {
                let format = CaptureFormat { pcap: false, gzip: false };
                ("standard output".to_owned(), format, To::Stdout(io::stdout()))
            }
        };
        let plain = BufWriter::with_capacity(BUFFER, File(to));
        let to = if format.gzip {
            Bytes::Gzip(Box::new(GzEncoder::new(plain, Compression::default())))
        } else {
            Bytes::Plain(plain)
        };
        Ok(Capture { name, format, writer: None, to: Some(to) })
    }

    /// Appends a packet.
    pub(super) fn write(&mut self, packet: PacketView<'_>) -> Result<(), Failure> {
        self.begin(packet.link())?;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write(packet).map_err(|error| unwritable(&self.name, error))
    }

    /// All packets are written. A capture without any has this link type.
    pub(super) fn finish(mut self, link: LinkType) -> Result<(), Failure> {
        self.begin(link)?;
        let Capture { name, writer, .. } = self;
        let Some(writer) = writer else { return Ok(()) };
        let bytes = writer.finish().map_err(|error| unwritable(&name, error))?;
        bytes.finish().map_err(|source| failure(name, source))
    }

    /// Writes what comes before the first packet.
    fn begin(&mut self, link: LinkType) -> Result<(), Failure> {
        let Some(to) = self.to.take() else { return Ok(()) };
        let writer = match self.format.pcap {
            true => CaptureWriter::pcap(to, link),
            false => CaptureWriter::pcapng(to),
        };
        self.writer = Some(writer.map_err(|error| unwritable(&self.name, error))?);
        Ok(())
    }
}

/// Failure for a packet that was not written.
pub(super) fn unwritable(name: &str, error: WriteError) -> Failure {
    match error {
        WriteError::Io(source) => failure(name.to_owned(), source),
        WriteError::LinkType { .. } => {
            Failure::Failed(format!("{name}: {error}; one whose name ends in .pcapng can"))
        }
        _ => Failure::Failed(format!("{name}: {error}")),
    }
}

impl Bytes {
    fn finish(self) -> io::Result<()> {
        let plain = match self {
            Bytes::Plain(plain) => plain,
            Bytes::Gzip(gzip) => gzip.finish()?,
        };
        plain.into_inner().map_err(io::IntoInnerError::into_error)?.0.complete()
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Bytes::Plain(plain) => plain.write(bytes),
            Bytes::Gzip(gzip) => gzip.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Bytes::Plain(plain) => plain.flush(),
            Bytes::Gzip(gzip) => gzip.flush(),
        }
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        let check = |name: &str, expected: Option<(bool, bool)>| {
            let format = CaptureFormat::of(Path::new(name)).ok();
            assert_eq!(format.map(|format| (format.pcap, format.gzip)), expected, "{name}");
        };
        check("a.pcapng", Some((false, false)));
        check("a", Some((false, false)));
        check(".pcap", Some((false, false)));
        check("a.PCAP", Some((true, false)));
        check("x/a.pcap.gz", Some((true, true)));
        check("a.gz", Some((false, true)));
        check("a.pcap.zst", None);
    }
}
