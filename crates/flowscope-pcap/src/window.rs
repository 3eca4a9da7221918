use std::io::{self, Read};

/// Buffer with the current part of the decompressed stream.
///
/// A linear buffer: bytes are consumed at the front and appended at the end, and the few bytes of an
/// incomplete record move to the front before each read. It grows only when full of received bytes, so a
/// length field alone allocates nothing.
#[derive(Debug)]
pub(crate) struct Window {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Stream offset of `start`.
    offset: u64,
}

impl Window {
    pub(crate) fn new() -> Window {
        Window { buf: vec![0; INITIAL], start: 0, end: 0, offset: 0 }
    }

    /// Reads once into the free part, doubling the buffer if there is none. Returns the number of bytes read;
    /// 0 is the end of the stream.
    pub(crate) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buf.len() {
            self.buf.resize(self.buf.len() * 2, 0);
        }
        loop {
            match source.read(self.buf.get_mut(self.end..).unwrap_or_default()) {
                Ok(n) => {
                    // A reader that returns more than the buffer size must not break the invariant `end <=
                    // buf.len()`.
                    let n = n.min(self.buf.len() - self.end);
                    self.end += n;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Consumes the first `n` bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }

    /// The bytes in memory.
    pub(crate) fn data(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Stream offset of the first byte of [`data`](Self::data).
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Size of the buffer in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.buf.len()
    }
}

/// Holds a few dozen full-sized packets, and stays in the second-level cache.
const INITIAL: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_only_when_full_of_unconsumed_bytes() {
        let mut window = Window::new();
        let mut source = io::repeat(7).take(3 * INITIAL as u64);
        assert_eq!(window.fill(&mut source).unwrap(), INITIAL);
        window.consume(INITIAL - 5);
        assert_eq!(window.fill(&mut source).unwrap(), INITIAL - 5);
        assert_eq!(window.capacity(), INITIAL);
        assert_eq!(window.fill(&mut source).unwrap(), INITIAL);
        assert_eq!(window.capacity(), 2 * INITIAL);
        assert_eq!(window.data().len(), 2 * INITIAL);
        assert_eq!(window.offset(), INITIAL as u64 - 5);
        window.consume(usize::MAX);
        assert_eq!(window.offset(), 3 * INITIAL as u64 - 5);
        assert!(window.data().is_empty());
    }
}
