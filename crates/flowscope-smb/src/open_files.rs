//! Files that are open, and the shares they are in.

use flowscope_core::{FlowSide, Timestamp};

use crate::contents::{Contents, Data};
use crate::counted::{Counted, HeapBytes};
use crate::{
    SmbCommand, SmbDetail, SmbDialect, SmbExchange, SmbFile, SmbGuid, SmbShareType, SmbTree,
};

/// Files that are remembered: of more, the one that was opened first is forgotten.
pub(crate) const MAX_FILES: usize = 256;
/// Shares that are remembered.
const MAX_TREES: usize = 32;

/// What a request to read, to write or to close names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileRef {
    /// The file with this handle.
    Handle(SmbGuid),
    /// That which the request with this number opens, in the same chain.
    OpenedBy(u64),
}

/// The files and shares of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenFiles {
    files: Counted<OpenFile, MAX_FILES>,
    trees: Counted<Tree, MAX_TREES>,
}

/// A file that is open.
#[derive(Clone, Debug)]
struct OpenFile {
    handle: SmbGuid,
    /// When, and by which request it was opened; by whom.
    ts: Timestamp,
    message_id: u64,
    side: FlowSide,
    session_id: u64,
    tree_id: u32,
    name: Option<Vec<u8>>,
    bytes_read: u64,
    bytes_written: u64,
    /// What is read and written, where that is examined.
    contents: Option<Box<Contents>>,
}

/// A share that is connected to.
#[derive(Clone, Debug)]
struct Tree {
    session_id: u64,
    tree_id: u32,
    tree: SmbTree,
}

impl OpenFiles {
    /// Takes note of a share.
    pub(crate) fn connect(&mut self, session_id: u64, tree_id: u32, tree: &SmbTree) {
        self.disconnect(session_id, tree_id);
        self.trees.push(Tree { session_id, tree_id, tree: tree.clone() });
    }

    /// Forgets a share. Returns it.
    pub(crate) fn disconnect(&mut self, session_id: u64, tree_id: u32) -> Option<SmbTree> {
        let at = self.position(session_id, tree_id)?;
        self.trees.remove(at).map(|it| it.tree)
    }

    /// The share with this number.
    pub(crate) fn tree(&self, session_id: u64, tree_id: u32) -> Option<&SmbTree> {
        let at = self.position(session_id, tree_id)?;
        self.trees.get(at).map(|it| &it.tree)
    }

    fn position(&self, session_id: u64, tree_id: u32) -> Option<usize> {
        self.trees.position(|it| (it.session_id, it.tree_id) == (session_id, tree_id))
    }

    /// Takes note of a file that was opened, and of its contents if these are examined. One that is forgotten for it, and of which bytes were read or written, is a record.
    pub(crate) fn open(
        &mut self,
        opened: &SmbExchange,
        dialect: Option<SmbDialect>,
        is_examined: bool,
        out: &mut Vec<SmbExchange>,
    ) {
        let Some(file) = opened.file() else { return };
        let Some(handle) = file.id else { return };
        let has_contents = is_examined && {
            // What goes through a pipe, or to a printer, is no file.
            let tree = self.tree(opened.session_id, opened.tree_id);
            tree.and_then(|tree| tree.kind) == Some(SmbShareType::DISK)
        };
        let size = file.size.filter(|_| has_contents && file.is_directory != Some(true));
        let oldest = self.files.push(OpenFile {
            handle,
            ts: opened.ts,
            message_id: opened.message_id,
            side: opened.side,
            session_id: opened.session_id,
            tree_id: opened.tree_id,
            name: file.name.clone(),
            bytes_read: 0,
            bytes_written: 0,
            contents: size.map(|size| Box::new(Contents::new(size))),
        });
        out.extend(oldest.and_then(|it| self.unclosed(it, dialect)));
    }

    /// The place of a file. Handles are used again: the last one that was opened counts.
    fn find(&self, file: FileRef) -> Option<usize> {
        self.files.last_position(|it| match file {
            FileRef::Handle(handle) => it.handle == handle,
            FileRef::OpenedBy(message_id) => it.message_id == message_id,
        })
    }

    /// Counts bytes of a file.
    pub(crate) fn transferred(&mut self, file: FileRef, len: u32, is_write: bool) {
        let Some(at) = self.find(file) else { return };
        self.files.update(at, |file| {
            let sum = if is_write { &mut file.bytes_written } else { &mut file.bytes_read };
            *sum = sum.saturating_add(len.into());
        });
    }

    /// Takes bytes of a file, of which at most `most_kept` are kept, and none if more than `room` is held.
    pub(crate) fn content(
        &mut self,
        data: &Data,
        offset: u64,
        bytes: &[u8],
        most_kept: usize,
        room: usize,
    ) {
        let has_room = self.files.heap_bytes() <= room;
        self.update_contents(data.file, |contents| {
            contents.push(data.is_write, offset, bytes, most_kept, has_room);
        });
    }

    /// Changes what is known of the contents of a file, if these are examined.
    pub(crate) fn update_contents(&mut self, file: FileRef, change: impl FnOnce(&mut Contents)) {
        let Some(at) = self.find(file) else { return };
        self.files.update(at, |file| {
            if let Some(contents) = &mut file.contents {
                change(contents);
            }
        });
    }

    /// Adds what is known of a file.
    pub(crate) fn describe(&self, named: Option<FileRef>, file: &mut SmbFile) {
        let at = named.and_then(|named| self.find(named));
        if let Some(known) = at.and_then(|at| self.files.get(at)) {
            file.id = Some(known.handle);
            file.name = known.name.clone();
        }
    }

    /// Adds what is known of a file that is closed, and forgets it.
    pub(crate) fn close(&mut self, named: Option<FileRef>, file: &mut SmbFile) {
        let at = named.and_then(|named| self.find(named));
        if let Some(known) = at.and_then(|at| self.files.remove(at)) {
            file.id = Some(known.handle);
            file.name = known.name;
            file.bytes_read = known.bytes_read;
            file.bytes_written = known.bytes_written;
            if let Some(contents) = known.contents {
                [file.read_file, file.written_file] = contents.finish(true);
            }
        }
    }

    /// A file has another name from now on.
    pub(crate) fn rename(&mut self, named: Option<FileRef>, name: &[u8]) {
        if let Some(at) = named.and_then(|named| self.find(named)) {
            self.files.update(at, |file| file.name = Some(name.to_vec()));
        }
    }

    /// Adds the share that a file is in.
    pub(crate) fn locate(&self, session_id: u64, tree_id: u32, file: &mut SmbFile) {
        if let Some(tree) = self.tree(session_id, tree_id) {
            file.share = tree.path.clone();
            file.share_type = tree.kind;
        }
    }

    /// Nothing more comes: files of which bytes were read or written, and that were not closed, are records.
    pub(crate) fn end(&mut self, dialect: Option<SmbDialect>, out: &mut Vec<SmbExchange>) {
        let files = self.files.take();
        out.extend(files.into_iter().filter_map(|file| self.unclosed(file, dialect)));
        self.trees.take();
    }

    fn unclosed(&self, file: OpenFile, dialect: Option<SmbDialect>) -> Option<SmbExchange> {
        let OpenFile { handle, ts, side, session_id, tree_id, bytes_read, bytes_written, .. } =
            file;
        if bytes_read == 0 && bytes_written == 0 {
            return None;
        }
        let mut detail = SmbFile {
            name: file.name,
            id: Some(handle),
            bytes_read,
            bytes_written,
            ..SmbFile::default()
        };
        if let Some(contents) = file.contents {
            [detail.read_file, detail.written_file] = contents.finish(false);
        }
        self.locate(session_id, tree_id, &mut detail);
        let detail = SmbDetail::File(Box::new(detail));
        Some(SmbExchange {
            message_id: file.message_id,
            session_id,
            tree_id,
            dialect,
            ..SmbExchange::new(ts, side, SmbCommand::Close, detail)
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.files.heap_bytes() + self.trees.heap_bytes()
    }

    /// The same, counted anew.
    #[cfg(test)]
    pub(crate) fn recounted(&self) -> usize {
        self.files.recounted() + self.trees.recounted()
    }
}

impl HeapBytes for OpenFile {
    fn heap_bytes(&self) -> usize {
        let contents = self.contents.as_ref();
        self.name.as_ref().map_or(0, Vec::capacity)
            + contents.map_or(0, |it| size_of::<Contents>() + it.heap_bytes())
    }
}

impl HeapBytes for Tree {
    fn heap_bytes(&self) -> usize {
        self.tree.path.as_ref().map_or(0, Vec::capacity)
    }
}
