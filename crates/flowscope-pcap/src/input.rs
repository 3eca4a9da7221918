use std::fs::File;
use std::io::{self, Read, Stdin};
use std::path::Path;

use crate::decompress::Decompress;

/// An open file, or standard input.
#[derive(Debug)]
pub struct Input(Kind);

#[derive(Debug)]
enum Kind {
    File(File),
    Stdin(Stdin),
}

impl Input {
    /// Opens the file at `path`; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Those of [`File::open`].
    pub fn open(path: impl AsRef<Path>) -> io::Result<Input> {
        let path = path.as_ref();
        Ok(Input(if path.as_os_str() == STDIN {
            Kind::Stdin(io::stdin())
        } else {
            Kind::File(File::open(path)?)
        }))
    }

    /// Its content, decompressed if it is gzip or zstd, which its first bytes say.
    ///
    /// # Errors
    ///
    /// Those of reading the first bytes.
    pub fn decompressed(self) -> io::Result<impl Read + Send> {
        Decompress::new(self)
    }

    /// Name of the input at `path` in messages.
    pub(crate) fn name(path: &Path) -> String {
        if path.as_os_str() == STDIN { "standard input".into() } else { path.display().to_string() }
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::File(file) => file.read(buf),
            Kind::Stdin(stdin) => stdin.read(buf),
        }
    }
}

const STDIN: &str = "-";
