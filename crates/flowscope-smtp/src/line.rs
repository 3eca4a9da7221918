/// A line whose end is still to come: how long it is, and its first bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    kept: Vec<u8>,
    len: usize,
}

impl Line {
    /// Appends up to the end of the line, and keeps no more than `keep` bytes of it. Gives the number of
    /// bytes that belong to the line, and whether it is complete.
    pub(crate) fn push(&mut self, bytes: &[u8], keep: usize) -> (usize, bool) {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let len = end.map_or(bytes.len(), |at| at + 1);
        self.len = self.len.saturating_add(len);
        let room = keep.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..len.min(room)]);
        (len, end.is_some())
    }

    /// Its length, with what ends it, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The kept bytes, without what ends the line; the next line begins.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.len = 0;
        let mut kept = std::mem::take(&mut self.kept);
        if kept.last() == Some(&b'\n') {
            kept.pop();
            if kept.last() == Some(&b'\r') {
                kept.pop();
            }
        }
        kept
    }

    /// Gives back the memory of a line that was read.
    pub(crate) fn reuse(&mut self, mut line: Vec<u8>) {
        line.clear();
        if self.kept.is_empty() {
            self.kept = line;
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.kept.capacity()
    }
}
