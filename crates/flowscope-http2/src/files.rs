//! The contents of the messages of a stream, as files.

use flowscope_files::{Content, FileInfo, Form};

use crate::message::Http2Body;

/// The contents that are being received on a stream: of the request, and of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents([Option<Box<Content>>; 2]);

/// How contents are examined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Examination {
    /// First bytes of each content that are kept, at most.
    pub(crate) most_kept: usize,
}

impl Examination {
    /// What the contents of all open streams may hold before nothing more of them is kept.
    pub(crate) fn room(self) -> usize {
        self.most_kept.saturating_mul(4).saturating_add(1 << 20)
    }
}

impl Contents {
    /// Takes bytes of a content of this media type, of which these were counted before. Keeps none of them if there is no
    /// `room`.
    pub(crate) fn push(
        &mut self,
        (is_response, media_type): (bool, Option<&[u8]>),
        bytes: &[u8],
        before: Http2Body,
        examination: Examination,
        has_room: bool,
    ) {
        let file = self.0[usize::from(is_response)].get_or_insert_with(|| {
            // What a response is made of is not the client's to name.
            let media_type = media_type.filter(|_| !is_response);
            let mut file = Box::new(Content::new(media_type, examination.most_kept));
            file.gap(before.missing);
            file
        });
        if !has_room {
            file.stop_keeping();
        }
        file.push(bytes);
    }

    /// Passes over bytes of a content that were not captured.
    pub(crate) fn gap(&mut self, is_response: bool, len: u64) {
        if let Some(file) = &mut self.0[usize::from(is_response)] {
            file.gap(len);
        }
    }

    /// The file of a content, and those in it if it is a form, of which nothing more comes: the whole one, if its sender has ended it, and not before as much had
    /// come as the header section says (RFC 9113 §8.1.1).
    pub(crate) fn take(
        &mut self,
        is_response: bool,
        body: Http2Body,
        declared: Option<u64>,
    ) -> (Option<Box<FileInfo>>, Option<Box<Form>>) {
        let Some(content) = self.0[usize::from(is_response)].take() else { return (None, None) };
        let len = body.len.saturating_add(body.missing);
        let is_cut = !body.is_complete || declared.is_some_and(|declared| len < declared);
        let (file, form) = content.finish(is_cut);
        (Some(Box::new(file)), form)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.iter().flatten().map(|file| size_of::<Content>() + file.heap_bytes()).sum()
    }
}
