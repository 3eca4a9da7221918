use flowscope_record::Value;

use crate::mime::{NamedFile, Parts, files_heap_bytes};
use crate::{FileHasher, FileInfo, record};

/// Takes the content of a message of HTTP: as one file, and, where it is a form, as the files in that too.
#[derive(Clone, Debug)]
pub struct Content {
    file: FileHasher,
    form: Option<Box<Parts>>,
}

/// The files in a form (RFC 7578).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Form {
    /// The parts that have the name of a file, the first 64.
    pub files: Vec<NamedFile>,
    /// Number of such parts beyond those.
    pub more_files: u64,
}

impl Content {
    /// Before the first byte of a content of this media type, of which, and of each file in it, at most `most_kept` first
    /// bytes are kept; of all files in a form together four times as many.
    #[must_use]
    pub fn new(media_type: Option<&[u8]>, most_kept: usize) -> Self {
        let form = media_type.and_then(|media_type| Self::of_form(media_type, most_kept));
        form.unwrap_or_else(|| Content { file: FileHasher::keeping(most_kept), form: None })
    }

    /// As [`new`](Self::new). `None` if the media type is not that of a form.
    #[must_use]
    pub fn of_form(media_type: &[u8], most_kept: usize) -> Option<Self> {
        let form = Box::new(Parts::of_form(media_type, most_kept)?);
        Some(Content { file: FileHasher::keeping(most_kept), form: Some(form) })
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.file.push(bytes);
        if let Some(form) = &mut self.form {
            form.feed(bytes);
        }
    }

    /// Passes over `len` bytes that were not captured.
    pub fn gap(&mut self, len: u64) {
        self.file.gap(len);
        if let Some(form) = self.form.as_mut().filter(|_| len > 0) {
            form.gap(len);
        }
    }

    /// Keeps no more bytes than are kept: for want of room.
    pub fn stop_keeping(&mut self) {
        self.file.stop_keeping();
        if let Some(form) = &mut self.form {
            form.stop_keeping();
        }
    }

    /// The content is over; `is_cut` if more of it follows that will not be seen. The form is there if it has files.
    #[must_use]
    pub fn finish(mut self, is_cut: bool) -> (FileInfo, Option<Box<Form>>) {
        if is_cut {
            self.file.cut();
        }
        let form = self.form.and_then(|mut form| {
            form.finish(is_cut);
            let (files, more_files) = form.take();
            (!files.is_empty()).then(|| Box::new(Form { files, more_files }))
        });
        (self.file.finish(), form)
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let form = self.form.as_ref().map_or(0, |form| size_of::<Parts>() + form.heap_bytes());
        self.file.heap_bytes() + form
    }
}

impl Form {
    /// Entries of a column of files: see [`record::object`].
    #[must_use]
    pub fn objects(&self, tx_id: u64) -> Value<'_> {
        Value::list(self.files.iter().map(|file| file.object("toserver", tx_id)))
    }

    /// Appends what is known of the first files to the line of a table.
    pub fn note(&self, text: &mut String) {
        record::note_files(text, &self.files, self.more_files);
    }

    /// Returns the allocated memory, in bytes, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        files_heap_bytes(&self.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"multipart/form-data; boundary=x";

    #[test]
    fn a_form_is_a_file_and_has_files() {
        let body = b"--x\r\nContent-Disposition: form-data; name=f; filename=a.txt\r\n\r\nabc\r\n--x--\r\n";
        let mut content = Content::new(Some(FORM), 2);
        content.push(body);
        let (file, form) = content.finish(false);
        assert_eq!((file.seen_bytes, file.content.len()), (body.len() as u64, 2));
        let files = form.expect("it has a file").files;
        assert_eq!((files[0].info.seen_bytes, &*files[0].info.content), (3, &b"ab"[..]));
        for media_type in [None, Some(&b"text/plain; boundary=x"[..]), Some(b"multipart/form-data")]
        {
            let mut content = Content::new(media_type, 2);
            content.push(body);
            assert_eq!(content.finish(false).1, None, "{media_type:?}");
        }
    }

    #[test]
    fn what_is_missing_or_cut_is_so_of_the_file_that_it_is_in() {
        let mut content = Content::new(Some(FORM), 9);
        content.push(b"--x\r\nContent-Disposition: form-data; filename=a\r\n\r\nabc");
        content.gap(4);
        content.push(b"d\r\n--x\r\nContent-Disposition: form-data; filename=b\r\n\r\nef");
        content.stop_keeping();
        content.push(b"g");
        assert!(content.heap_bytes() > 3);
        let (file, form) = content.finish(true);
        assert_eq!((file.missing_bytes, file.is_cut), (4, true));
        let form = form.expect("it has files");
        let found: Vec<_> = form.files.iter().map(|it| &it.info).collect();
        assert_eq!((found[0].missing_bytes, found[0].seen_bytes, found[0].is_cut), (4, 4, false));
        assert_eq!(
            (found[1].seen_bytes, found[1].is_cut, &*found[1].content),
            (3, true, &b"ef"[..])
        );
        let mut text = String::new();
        form.note(&mut text);
        assert_eq!(text, " [a 4B] [b 3B]");
    }
}
