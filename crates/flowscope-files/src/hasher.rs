use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::magic::mime_type;

/// What is known of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Bytes that were captured.
    pub seen_bytes: u64,
    /// Bytes within that passed but were not captured.
    pub missing_bytes: u64,
    /// Whether the end was not seen.
    pub is_cut: bool,
    /// SHA-256 (FIPS 180-4); `None` unless every byte was captured, up to the end.
    pub sha256: Option<[u8; 32]>,
    /// The media type (RFC 6838) by the first [`FileHasher::MAX_START`] bytes, as far as they follow each other; `None` if
    /// they are of no type with a signature, as plain text is.
    pub mime_type: Option<&'static str>,
    /// The first bytes, as many as [asked for](FileHasher::keeping), up to the first that was not captured.
    pub content: Vec<u8>,
}

impl FileInfo {
    /// Whether [`content`](Self::content) is the whole file.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.sha256.is_some() && self.content.len() as u64 == self.seen_bytes
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.content.capacity()
    }

    /// The SHA-256 in hexadecimal digits, lower case.
    #[must_use]
    pub fn sha256_hex(&self) -> Option<String> {
        let hash = self.sha256?;
        let mut hex = String::with_capacity(2 * hash.len());
        for byte in hash {
            let _ = write!(hex, "{byte:02x}");
        }
        Some(hex)
    }
}

/// Takes the bytes of one file, in order.
///
/// What it finds does not depend on how the bytes are cut. It holds the first bytes until the type is known, less than
/// twice [`MAX_START`](Self::MAX_START); and of what is [kept](Self::keeping), less than twice as much.
#[derive(Clone, Debug)]
pub struct FileHasher {
    /// `None` once bytes are missing.
    hash: Option<Sha256>,
    start: Start,
    kept: Vec<u8>,
    most_kept: usize,
    seen_bytes: u64,
    missing_bytes: u64,
    is_cut: bool,
}

/// The first bytes, or what they say.
#[derive(Clone, Debug)]
enum Start {
    Collected(Vec<u8>),
    Judged(Option<&'static str>),
}

impl FileHasher {
    /// Bytes from which the type of a file is known, if it can be.
    pub const MAX_START: usize = 2048;

    /// Before the first byte.
    #[must_use]
    pub fn new() -> Self {
        FileHasher::default()
    }

    /// Before the first byte of a file of which at most this many bytes are kept: the first ones, up to the first that is
    /// not captured.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        FileHasher { most_kept: most, ..FileHasher::default() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.seen_bytes = self.seen_bytes.saturating_add(bytes.len() as u64);
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        if self.missing_bytes == 0 {
            let room = self.most_kept - self.kept.len();
            self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        let Start::Collected(start) = &mut self.start else { return };
        let room = Self::MAX_START - start.len();
        match bytes.get(..room) {
            Some(first) if start.is_empty() => self.start = Start::Judged(mime_type(first)),
            Some(rest) => {
                start.extend_from_slice(rest);
                self.judge();
            }
            None => start.extend_from_slice(bytes),
        }
    }

    /// Passes over `len` bytes that were not captured: there will be no hash, and the type is that of the bytes before.
    pub fn gap(&mut self, len: u64) {
        if len > 0 {
            self.missing_bytes = self.missing_bytes.saturating_add(len);
            self.hash = None;
            self.judge();
        }
    }

    /// The file goes on, and nothing more of it will be seen: there will be no hash.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.hash = None;
    }

    /// Keeps no more bytes than are kept: for want of room.
    pub fn stop_keeping(&mut self) {
        self.most_kept = self.kept.len();
    }

    /// The file is over.
    #[must_use]
    pub fn finish(mut self) -> FileInfo {
        FileInfo {
            seen_bytes: self.seen_bytes,
            missing_bytes: self.missing_bytes,
            is_cut: self.is_cut,
            mime_type: self.judge(),
            content: self.kept,
            sha256: self.hash.map(|hash| hash.finalize().into()),
        }
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let start = match &self.start {
            Start::Collected(start) => start.capacity(),
            Start::Judged(_) => 0,
        };
        start + self.kept.capacity()
    }

    /// Takes the bytes that were collected for all there are.
    fn judge(&mut self) -> Option<&'static str> {
        let judged = match &self.start {
            Start::Collected(start) => mime_type(start),
            Start::Judged(judged) => *judged,
        };
        self.start = Start::Judged(judged);
        judged
    }
}

impl Default for FileHasher {
    fn default() -> Self {
        FileHasher {
            hash: Some(Sha256::new()),
            start: Start::Collected(Vec::new()),
            kept: Vec::new(),
            most_kept: 0,
            seen_bytes: 0,
            missing_bytes: 0,
            is_cut: false,
        }
    }
}
