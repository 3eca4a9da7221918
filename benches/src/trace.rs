use std::ops::Range;

use flowscope_core::{LinkType, PacketView, Timestamp};

/// Ethernet frames with their times, all in one stretch of memory, as a capture ring holds them.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    at: u32,
    len: u32,
    nanos: u64,
}

impl Trace {
    /// Nothing yet, with room for as many frames of so many bytes on average.
    #[must_use]
    pub fn with_capacity(frames: usize, average: usize) -> Self {
        Trace { bytes: Vec::with_capacity(frames * average), frames: Vec::with_capacity(frames) }
    }

    /// Appends a frame and returns its bytes, to be filled in.
    ///
    /// # Panics
    ///
    /// Beyond 4 GiB.
    pub fn push(&mut self, frame: &[u8], nanos: u64) -> &mut [u8] {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        let offset = u32::try_from(at).expect("traces stay below 4 GiB");
        self.frames.push(Frame { at: offset, len: frame.len() as u32, nanos });
        &mut self.bytes[at..]
    }

    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes of all frames together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Time of the last frame, in nanoseconds since the epoch.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.nanos)
    }

    /// A frame and its time in nanoseconds since the epoch.
    #[inline]
    #[must_use]
    pub fn frame(&self, at: usize) -> (&[u8], u64) {
        let Frame { at, len, nanos } = self.frames[at];
        (&self.bytes[at as usize..][..len as usize], nanos)
    }

    /// What an extractor is given, `later` nanoseconds after the frame's own time.
    #[inline]
    #[must_use]
    pub fn view(&self, at: usize, later: u64) -> PacketView<'_> {
        let (frame, nanos) = self.frame(at);
        PacketView::new(frame, LinkType::ETHERNET, Timestamp::from_nanos(nanos + later))
    }

    /// The frames by number, `parts` stretches of equal length; what does not divide is left out.
    pub fn parts(&self, parts: usize) -> impl Iterator<Item = Range<usize>> {
        let len = self.len() / parts.max(1);
        (0..parts).map(move |part| part * len..(part + 1) * len)
    }
}
