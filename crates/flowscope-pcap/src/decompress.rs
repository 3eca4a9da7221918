use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::FlushDecompress;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Compression of an input, detected by its first bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip (RFC 1952), any number of members.
    Gzip,
    /// zstd (RFC 8878), any number of frames, skippable ones included.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "uncompressed",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        })
    }
}

/// An input, decompressed if necessary. Only one layer of compression is removed.
pub(crate) enum Decompress<R: Read> {
    Plain(Source<R>),
    Gzip(Box<GzipMembers<R>>),
    Zstd(Box<ZstdFrames<R>>),
}

impl<R: Read> Decompress<R> {
    /// Detects the compression by the first bytes of `input`.
    pub(crate) fn new(input: R) -> io::Result<Decompress<R>> {
        let mut source = Source::new(input);
        source.peek()?;
        Ok(match source.head() {
            [0x1f, 0x8b, 8, ..] => Decompress::Gzip(Box::new(GzipMembers::new(source))),
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                Decompress::Zstd(Box::new(ZstdFrames::new(source)))
            }
            _ => Decompress::Plain(source),
        })
    }

    pub(crate) fn compression(&self) -> Compression {
        match self {
            Decompress::Plain(_) => Compression::None,
            Decompress::Gzip(_) => Compression::Gzip,
            Decompress::Zstd(_) => Compression::Zstd,
        }
    }

    /// Bytes read from the input so far.
    pub(crate) fn taken(&self) -> u64 {
        self.source().taken
    }

    /// Whether the input failed, rather than the decompression of its content.
    pub(crate) fn input_failed(&self) -> bool {
        self.source().failed
    }

    fn source(&self) -> &Source<R> {
        match self {
            Decompress::Plain(source) => source,
            Decompress::Gzip(members) => members.input.get_ref(),
            Decompress::Zstd(frames) => frames.input.get_ref(),
        }
    }
}

impl<R: Read> Read for Decompress<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Decompress::Plain(source) => source.read(buf),
            Decompress::Gzip(members) => members.read(buf),
            Decompress::Zstd(frames) => frames.read(buf),
        }
    }
}

/// The raw input: peeked bytes are read again, and all bytes are counted.
pub(crate) struct Source<R> {
    input: R,
    head: [u8; 4],
    head_start: usize,
    head_end: usize,
    taken: u64,
    failed: bool,
}

impl<R: Read> Source<R> {
    fn new(input: R) -> Source<R> {
        Source { input, head: [0; 4], head_start: 0, head_end: 0, taken: 0, failed: false }
    }

    /// Peeks up to four bytes.
    fn peek(&mut self) -> io::Result<()> {
        let mut head = [0; 4];
        let mut end = 0;
        while let Some(room) = head.get_mut(end..).filter(|room| !room.is_empty()) {
            let n = self.read(room)?;
            if n == 0 {
                break;
            }
            end += n;
        }
        (self.head, self.head_end) = (head, end);
        Ok(())
    }

    fn head(&self) -> &[u8] {
        self.head.get(self.head_start..self.head_end).unwrap_or_default()
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.head_start < self.head_end {
            let n = self.head().read(buf)?;
            self.head_start += n;
            return Ok(n);
        }
        loop {
            match self.input.read(buf) {
                Ok(n) => {
                    // A reader may return a count larger than the buffer.
                    let n = n.min(buf.len());
                    self.taken += n as u64;
                    return Ok(n);
                }
                // Decoders do not handle it.
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.failed = true;
                    return Err(e);
                }
            }
        }
    }
}

/// All members of a gzip file, one after the other. The readers of `flate2` are not used because
/// they lose what was decompressed in the call that meets damage.
pub(crate) struct GzipMembers<R: Read> {
    input: BufReader<Source<R>>,
    /// Reads the header of a member, its data, and compares the checksum.
    member: flate2::Decompress,
    /// Within a member, or before the first.
    open: bool,
    /// Error of the current member, returned after the data decompressed before it.
    failure: Option<io::Error>,
}

impl<R: Read> GzipMembers<R> {
    fn new(source: Source<R>) -> GzipMembers<R> {
        let input = BufReader::with_capacity(INPUT_BUFFER, source);
        let member = flate2::Decompress::new_gzip(WINDOW_BITS);
        GzipMembers { input, member, open: true, failure: None }
    }
}

impl<R: Read> Read for GzipMembers<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        // Each round gives bytes, or takes some, or ends.
        loop {
            let input = self.input.fill_buf()?;
            let ended = input.is_empty();
            if !self.open {
                if ended {
                    return Ok(0);
                }
                self.member.reset(true);
                self.open = true;
            }
            let before = (self.member.total_in(), self.member.total_out());
            let status = self.member.decompress(input, buf, FlushDecompress::None);
            let taken = (self.member.total_in() - before.0) as usize;
            let given = (self.member.total_out() - before.1) as usize;
            self.input.consume(taken);
            let failure = match status {
                Ok(flate2::Status::StreamEnd) => {
                    self.open = false;
                    None
                }
                Ok(_) if taken > 0 || given > 0 => None,
                Ok(_) if ended => Some(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => Some(io::Error::other("no progress")),
                // The error text of the library depends on how the bytes arrived.
                Err(_) => Some(io::Error::other("corrupt data, or a wrong checksum")),
            };
            if given > 0 {
                self.failure = failure;
                return Ok(given);
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
    }
}

/// All frames of a zstd file, one after the other; the decoder knows one frame.
pub(crate) struct ZstdFrames<R: Read> {
    input: BufReader<Source<R>>,
    frame: Option<FrameDecoder>,
    /// Error of the current frame, returned after the data decoded before it.
    failure: Option<io::Error>,
}

impl<R: Read> ZstdFrames<R> {
    fn new(source: Source<R>) -> ZstdFrames<R> {
        let input = BufReader::with_capacity(INPUT_BUFFER, source);
        ZstdFrames { input, frame: None, failure: None }
    }

    /// Starts the next frame, over the skippable ones before it; `None` at the end of the input.
    fn next_frame(&mut self) -> io::Result<Option<FrameDecoder>> {
        // Each round takes at least the eight bytes of a skippable frame's header.
        while !self.input.fill_buf()?.is_empty() {
            // A decoder that is used again reserves the whole window that the next header claims; a
            // new one grows with what is decoded. It refuses windows of more than 128 MiB.
            let mut frame = FrameDecoder::new();
            match frame.init(&mut self.input) {
                Ok(()) => return Ok(Some(frame)),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.input).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(e) => return Err(io::Error::other(e)),
            }
        }
        Ok(None)
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Each round gives bytes, or decodes a block, or leaves a frame behind.
        loop {
            let Some(frame) = &mut self.frame else {
                match self.next_frame()? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(0),
                }
                continue;
            };
            if frame.can_collect() > 0 {
                return frame.read(buf);
            }
            if frame.is_finished() {
                let (stored, calculated) =
                    (frame.get_checksum_from_data(), frame.get_calculated_checksum());
                self.frame = None;
                if let Some(failure) = self.failure.take() {
                    return Err(failure);
                }
                if stored.is_some() && stored != calculated {
                    return Err(io::Error::other("wrong checksum"));
                }
                continue;
            }
            let decoded =
                frame.decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1));
            if let Err(failure) = decoded {
                // Until the frame ends, the decoder keeps the window that later blocks may refer to, up to
                // megabytes. An empty last block ends the frame here and frees the data.
                let ended = frame.decode_blocks(LAST_BLOCK, BlockDecodingStrategy::UptoBlocks(1));
                if ended.is_err() {
                    self.frame = None;
                    return Err(io::Error::other(failure));
                }
                self.failure = Some(io::Error::other(failure));
            }
        }
    }
}

/// An empty block that ends a frame (RFC 8878, section 3.1.1.2), and a checksum if one is awaited.
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// The largest window of the format, 32 KiB.
const WINDOW_BITS: u8 = 15;

const INPUT_BUFFER: usize = 32 * 1024;
