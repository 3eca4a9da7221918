use std::fmt;
use std::path::PathBuf;
use std::vec;

use flowscope_core::{PacketSource, PacketView};

use crate::{CaptureReader, Input, Interface, ReadConfig, ReadError};

/// Several files as one capture: all packets of the first, then all of the second, and so on.
///
/// Files are opened one at a time, when their turn comes. Interfaces are numbered through all of
/// them. Formats, link types and compression may differ.
///
/// A file that cannot be opened, is no capture, or is damaged gives its error once, after the
/// packets that could be read of it; the next call goes on with the next file. So an error is not
/// the end here: `Ok(0)` is.
///
/// ```no_run
/// use flowscope_pcap::{CaptureFiles, PacketSource};
///
/// let mut capture = CaptureFiles::new(["monday.pcap", "tuesday.pcapng.gz"]);
/// loop {
///     match capture.next_batch(&mut |packets| println!("{} packets", packets.len())) {
///         Ok(0) => break,
///         Ok(_) => {}
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// ```
pub struct CaptureFiles {
    waiting: vec::IntoIter<PathBuf>,
    current: Option<CaptureReader<Input>>,
    config: ReadConfig,
    /// Interfaces, and counts, of the files before the current one.
    interfaces: Vec<Interface>,
    packets: u64,
    truncated: u64,
    taken: u64,
}

impl CaptureFiles {
    /// Of the files at these paths, in this order; `-` is standard input.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> CaptureFiles {
        CaptureFiles::with_config(paths, ReadConfig::default())
    }

    /// [`new`](Self::new) with the settings that every file is read with.
    pub fn with_config(
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
        config: ReadConfig,
    ) -> CaptureFiles {
        let paths: Vec<_> = paths.into_iter().map(Into::into).collect();
        CaptureFiles {
            waiting: paths.into_iter(),
            current: None,
            config,
            interfaces: Vec::new(),
            packets: 0,
            truncated: 0,
            taken: 0,
        }
    }

    /// The file that is being read.
    #[must_use]
    pub fn current(&self) -> Option<&CaptureReader<Input>> {
        self.current.as_ref()
    }

    /// Packets lent so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets + self.current.as_ref().map_or(0, CaptureReader::packets)
    }

    /// Packets of which a file ended before they did, at most one for each file.
    #[must_use]
    pub fn truncated_packets(&self) -> u64 {
        self.truncated + self.current.as_ref().map_or(0, CaptureReader::truncated_packets)
    }

    /// Bytes taken from the files, compressed as they may be: what to compare with the sum of their
    /// sizes.
    #[must_use]
    pub fn compressed_position(&self) -> u64 {
        self.taken + self.current.as_ref().map_or(0, CaptureReader::compressed_position)
    }

    /// The interfaces that were described so far, in the order of their numbers.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        let current = self.current.as_ref().map_or(&[][..], CaptureReader::interfaces);
        self.interfaces.iter().chain(current)
    }

    /// Goes on to the next file. `false` if there is none.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.finish();
        let Some(path) = self.waiting.next() else { return Ok(false) };
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let config = self.config.clone().first_interface(number);
        self.current = Some(CaptureReader::open_with(&path, config)?);
        Ok(true)
    }

    /// Closes the current file and keeps what it said.
    fn finish(&mut self) {
        if let Some(reader) = self.current.take() {
            self.packets += reader.packets();
            self.truncated += reader.truncated_packets();
            self.taken += reader.compressed_position();
            self.interfaces.extend(reader.into_interfaces());
        }
    }
}

impl PacketSource for CaptureFiles {
    type Error = ReadError;

    /// Lends the next packets. `Ok(0)` is the end of the last file.
    ///
    /// # Errors
    ///
    /// That of a file, once; the next call goes on with the next file.
    fn next_batch(&mut self, lend: &mut dyn FnMut(&[PacketView<'_>])) -> Result<usize, ReadError> {
        // Each round lends packets, or leaves a file behind.
        loop {
            if let Some(reader) = &mut self.current {
                let lent = reader.next_batch(lend);
                if !matches!(lent, Ok(0)) {
                    return lent;
                }
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

impl fmt::Debug for CaptureFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureFiles")
            .field("current", &self.current)
            .field("waiting", &self.waiting.as_slice())
            .field("packets", &self.packets())
            .finish_non_exhaustive()
    }
}
