//! Type, length and SHA-256 of a file that a protocol carries, from its bytes as they come.
//!
//! A parser gives the bytes of a file to a [`FileHasher`], in order and in pieces of any size, and says where some were not
//! captured. At the end there is a [`FileInfo`]. Nothing of the file is kept but its first bytes, until the type is known
//! from them, or as many as [asked for](FileHasher::keeping). [`mime`] finds the files in a message or a form, [`record`] has the
//! values of columns.
//!
//! ```
//! use flowscope_files::FileHasher;
//!
//! let mut hasher = FileHasher::new();
//! hasher.push(b"%PDF-1.");
//! hasher.push(b"7\n");
//! let file = hasher.finish();
//! assert_eq!((file.seen_bytes, file.mime_type), (9, Some("application/pdf")));
//! assert_eq!(file.sha256.map(|hash| hash[0]), Some(0x07));
//!
//! // A hash is that of the whole file, or there is none.
//! let mut hasher = FileHasher::new();
//! hasher.push(b"%PDF-1.7\n");
//! hasher.gap(1000);
//! let file = hasher.finish();
//! assert_eq!((file.missing_bytes, file.sha256), (1000, None));
//! ```

mod content;
mod hasher;
mod magic;
pub mod mime;
pub mod record;

pub use content::{Content, Form};
pub use hasher::{FileHasher, FileInfo};
