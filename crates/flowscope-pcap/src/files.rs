use std::fmt;
use std::path::PathBuf;
use std::vec;

use flowscope_core::{PacketSource, PacketView};

use crate::secrets::SecretsSink;
use crate::{CaptureReader, DecryptionSecrets, Input, Interface, ReadConfig, ReadError};

/// Reads several files as one capture: all packets of the first file, then of the second, and so on.
///
/// Each file is opened when the one before it ends. Interfaces are numbered through all files. Formats, link
/// types and compression may differ.
///
/// A file that cannot be opened, is not a capture, or is damaged gives one error, after its readable packets.
/// The next call continues with the next file. The end of the capture is `Ok(0)`, not an error.
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
    /// Who takes secrets, while no file is open.
    secrets: Option<SecretsSink>,
    /// Interfaces, and counts, of the files before the current one.
    interfaces: Vec<Interface>,
    packets: u64,
    truncated: u64,
    untimed: u64,
    taken: u64,
}

impl CaptureFiles {
    /// Creates a source of the files at these paths, in this order; `-` is standard input.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> CaptureFiles {
        CaptureFiles::with_config(paths, ReadConfig::default())
    }

    /// [`new`](Self::new) with settings for all files.
    pub fn with_config(
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
        config: ReadConfig,
    ) -> CaptureFiles {
        let paths: Vec<_> = paths.into_iter().map(Into::into).collect();
        CaptureFiles {
            waiting: paths.into_iter(),
            current: None,
            config,
            secrets: None,
            interfaces: Vec::new(),
            packets: 0,
            truncated: 0,
            untimed: 0,
            taken: 0,
        }
    }

    /// Passes the decryption secrets of the files to `take`; see [`CaptureReader::secrets_to`]. The bounds are those of
    /// all files together. Of a file that is open, the blocks that are still to come are passed on.
    #[must_use]
    pub fn secrets_to(mut self, take: impl FnMut(DecryptionSecrets<'_>) + Send + 'static) -> Self {
        let secrets = Some(SecretsSink::new(take));
        match &mut self.current {
            Some(reader) => reader.set_secrets(secrets),
            None => self.secrets = secrets,
        }
        self
    }

    /// Number of blocks of decryption secrets that were not passed on: too large, too many, or damaged.
    #[must_use]
    pub fn refused_secrets(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, CaptureReader::refused_secrets);
        self.secrets.as_ref().map_or(current, SecretsSink::refused)
    }

    /// The reader of the current file; `None` before the first and after the last.
    #[must_use]
    pub fn current(&self) -> Option<&CaptureReader<Input>> {
        self.current.as_ref()
    }

    /// Number of packets delivered so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets + self.current.as_ref().map_or(0, CaptureReader::packets)
    }

    /// Number of packets cut off by the end of a file, at most one per file.
    #[must_use]
    pub fn truncated_packets(&self) -> u64 {
        self.truncated + self.current.as_ref().map_or(0, CaptureReader::truncated_packets)
    }

    /// Number of packets without a time of their own so far: see [`CaptureReader::untimed_packets`].
    #[must_use]
    pub fn untimed_packets(&self) -> u64 {
        self.untimed + self.current.as_ref().map_or(0, CaptureReader::untimed_packets)
    }

    /// Bytes read from the files before decompression, to compare with the sum of the file sizes.
    #[must_use]
    pub fn compressed_position(&self) -> u64 {
        self.taken + self.current.as_ref().map_or(0, CaptureReader::compressed_position)
    }

    /// The interfaces described so far, in the order of their numbers.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        let current = self.current.as_ref().map_or(&[][..], CaptureReader::interfaces);
        self.interfaces.iter().chain(current)
    }

    /// Opens the next file. `false` if there is none.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.finish();
        let Some(path) = self.waiting.next() else { return Ok(false) };
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let config = self.config.clone().first_interface(number);
        let mut reader = CaptureReader::open_with(&path, config)?;
        reader.set_secrets(self.secrets.take());
        self.current = Some(reader);
        Ok(true)
    }

    /// Closes the current file and keeps its counters and interfaces.
    fn finish(&mut self) {
        if let Some(reader) = self.current.take() {
            self.packets += reader.packets();
            self.truncated += reader.truncated_packets();
            self.untimed += reader.untimed_packets();
            self.taken += reader.compressed_position();
            let (interfaces, secrets) = reader.into_parts();
            self.interfaces.extend(interfaces);
            self.secrets = secrets;
        }
    }
}

impl PacketSource for CaptureFiles {
    type Error = ReadError;

    /// Delivers the next packets. `Ok(0)` is the end of the last file.
    ///
    /// # Errors
    ///
    /// That of a file, once; the next call goes on with the next file.
    fn next_batch(&mut self, lend: &mut dyn FnMut(&[PacketView<'_>])) -> Result<usize, ReadError> {
        // Each iteration delivers packets or finishes a file.
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
