//! Contents of files, as they are read and written.

use flowscope_files::{FileHasher, FileInfo};

use crate::open_files::FileRef;
use crate::smb2::WRITE_REQUEST;

/// What of the contents of files is examined.
#[derive(Clone, Debug)]
pub(crate) struct Examination {
    /// First bytes of each content that are kept, at most.
    pub(crate) most_kept: usize,
    /// The message at hand, of each side.
    pub(crate) transfers: [Transfer; 2],
}

/// A request to write, or a response to a request to read, that is being received.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    /// What stands in front of the data, as far as it is there.
    start: [u8; WRITE_REQUEST],
    len: usize,
    pub(crate) data: Option<Data>,
}

/// Data within a body, and where in a file it belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Data {
    pub(crate) file: FileRef,
    pub(crate) is_write: bool,
    /// Where it stands in the body.
    pub(crate) at: u64,
    pub(crate) len: u32,
    /// Where it belongs in the file.
    pub(crate) offset: u64,
}

/// What was read and written of a file while it was open.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// Size of the file when it was opened, or was set since.
    size: u64,
    is_resized: bool,
    read: Option<Box<Content>>,
    written: Option<Box<Content>>,
}

/// Bytes of a file from its start on.
#[derive(Clone, Debug)]
struct Content {
    hasher: FileHasher,
    /// Where the next byte belongs.
    next: u64,
}

impl Examination {
    pub(crate) fn new(most_kept: usize) -> Self {
        Examination { most_kept, transfers: Default::default() }
    }

    /// What open files may hold before nothing more of their contents is kept.
    pub(crate) fn room(&self) -> usize {
        self.most_kept.saturating_mul(4).saturating_add(2 << 20)
    }
}

impl Default for Transfer {
    fn default() -> Self {
        Transfer { start: [0; WRITE_REQUEST], len: 0, data: None }
    }
}

impl Transfer {
    /// Takes bytes of a body, which stand at `at`; gives its first `len` bytes once, when they are there.
    pub(crate) fn start(
        &mut self,
        at: u32,
        bytes: &[u8],
        len: usize,
    ) -> Option<[u8; WRITE_REQUEST]> {
        if at as usize != self.len || self.len >= len {
            return None;
        }
        let taken = bytes.len().min(len - self.len);
        self.start[self.len..self.len + taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        (self.len == len).then_some(self.start)
    }
}

impl Data {
    /// The data among bytes of the body, which stand at `at`, and where it belongs in the file.
    pub(crate) fn within<'a>(&self, at: u32, bytes: &'a [u8]) -> (u64, &'a [u8]) {
        let at = u64::from(at);
        let place = |from: u64| usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
        let start = place(self.at).min(bytes.len());
        let end = place(self.at.saturating_add(self.len.into())).clamp(start, bytes.len());
        let before = (at + start as u64).saturating_sub(self.at);
        (self.offset.saturating_add(before), &bytes[start..end])
    }
}

impl Contents {
    /// Of a file that is opened with this size.
    pub(crate) fn new(size: u64) -> Self {
        Contents { size, is_resized: false, read: None, written: None }
    }

    /// Takes bytes that were read or written at `offset`. Keeps none of them if there is no room.
    pub(crate) fn push(
        &mut self,
        is_write: bool,
        offset: u64,
        bytes: &[u8],
        most_kept: usize,
        has_room: bool,
    ) {
        if bytes.is_empty() {
            return;
        }
        let content = if is_write { &mut self.written } else { &mut self.read };
        let content = content.get_or_insert_with(|| {
            Box::new(Content { hasher: FileHasher::keeping(most_kept), next: 0 })
        });
        if !has_room {
            content.hasher.stop_keeping();
        }
        // What is at the end, if it is appended to, is not known; nor is what was written over.
        if is_write && (offset == u64::MAX || offset < content.next) {
            content.hasher.cut();
        }
        let known = content.next.saturating_sub(offset).min(bytes.len() as u64);
        let bytes = &bytes[known as usize..];
        if bytes.is_empty() || offset == u64::MAX {
            return;
        }
        content.hasher.gap(offset.saturating_sub(content.next));
        content.hasher.push(bytes);
        content.next = offset.saturating_add(known).saturating_add(bytes.len() as u64);
    }

    /// A request to write was refused.
    pub(crate) fn refuse(&mut self) {
        if let Some(written) = &mut self.written {
            written.hasher.cut();
        }
    }

    /// The size of the file is set.
    pub(crate) fn resize(&mut self, size: u64) {
        (self.size, self.is_resized) = (size, true);
    }

    /// What was read, and what was written. The whole file, if it is all that the file has.
    pub(crate) fn finish(self, is_closed: bool) -> [Option<Box<FileInfo>>; 2] {
        let Contents { size, is_resized, read, written } = self;
        let is_read = |next| next == size;
        let is_written = |next| is_closed && if is_resized { next == size } else { next >= size };
        let finish = |content: Option<Box<Content>>, is_whole: &dyn Fn(u64) -> bool| {
            let Content { mut hasher, next } = *content?;
            if !is_whole(next) {
                hasher.cut();
            }
            Some(Box::new(hasher.finish()))
        };
        [finish(read, &is_read), finish(written, &is_written)]
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let both = [&self.read, &self.written].into_iter().flatten();
        both.map(|content| size_of::<Content>() + content.hasher.heap_bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_in_pieces_of_a_body() {
        let file = FileRef::OpenedBy(1);
        let data = Data { file, is_write: false, at: 16, len: 4, offset: 100 };
        let body: Vec<u8> = (0..24).collect();
        for size in 1..=body.len() {
            let mut found = Vec::new();
            for (nth, piece) in body.chunks(size).enumerate() {
                let (offset, bytes) = data.within((nth * size) as u32, piece);
                if !bytes.is_empty() {
                    assert_eq!(offset, 100 + found.len() as u64, "{size}");
                }
                found.extend_from_slice(bytes);
            }
            assert_eq!(found, [16, 17, 18, 19], "{size}");
        }
        let large = Data { at: u64::MAX, len: u32::MAX, offset: u64::MAX, ..data };
        assert_eq!(large.within(u32::MAX, b"abc").1, b"");
    }

    /// The files of pieces at these offsets: what was read, or written, of a file of this size; `None`: no hash.
    fn finished(size: u64, pieces: &[(u64, &str)]) -> [(u64, u64, bool); 2] {
        [false, true].map(|is_write| {
            let mut contents = Contents::new(size);
            for (offset, text) in pieces {
                contents.push(is_write, *offset, text.as_bytes(), 0, true);
            }
            let file = contents.finish(true)[usize::from(is_write)].take().unwrap();
            (file.seen_bytes, file.missing_bytes, file.sha256.is_some())
        })
    }

    #[test]
    fn a_file_is_whole_from_its_start_to_its_end() {
        let (whole, part) = ((5, 0, true), (5, 0, false));
        assert_eq!(finished(5, &[(0, "hel"), (3, "lo")]), [whole, whole]);
        // What is read once more is the same; what is written over is not.
        assert_eq!(finished(5, &[(0, "hel"), (1, "ello")]), [whole, part]);
        assert_eq!(finished(5, &[(0, "hello"), (0, "hell")]), [whole, part]);
        // A file that grows, and one that has more.
        assert_eq!(finished(3, &[(0, "hello")]), [part, whole]);
        assert_eq!(finished(9, &[(0, "hello")]), [part, part]);
        // What lies between.
        assert_eq!(finished(9, &[(0, "hel"), (7, "lo")]), [(5, 4, false); 2]);
        assert_eq!(finished(5, &[(2, "hello")])[0], (5, 2, false));
        assert_eq!(
            finished(5, &[(u64::MAX - 1, "hello"), (u64::MAX, "x")])[1],
            (5, u64::MAX - 1, false)
        );
    }

    #[test]
    fn sizes_that_are_set_refusals_and_files_that_stay_open_count() {
        let written = |change: fn(&mut Contents), is_closed| {
            let mut contents = Contents::new(0);
            contents.push(true, 0, b"hello", 0, true);
            change(&mut contents);
            let [read, written] = contents.finish(is_closed);
            assert_eq!(read, None);
            written.unwrap().sha256.is_some()
        };
        assert!(written(|_| {}, true));
        assert!(!written(|_| {}, false));
        assert!(!written(Contents::refuse, true));
        assert!(!written(|it| it.resize(4), true));
        assert!(written(|it| it.resize(5), true));
    }
}
