//! Files that protocols carry, in a directory.

use std::collections::HashSet;
use std::path::Path;

use flowscope::protocols;

use super::store::Store;
use crate::args::Extract;
use crate::error::Failure;
use crate::reading::AppRecord;

/// Files of records, written to a directory.
///
/// A file that is whole is called by its SHA-256, and written once; what there is of another by its flow, transaction and
/// direction, with `.partial` behind. No part of a name comes from the capture.
#[derive(Debug)]
pub(crate) struct Extraction {
    store: Store,
    /// Bytes that may still be written.
    room: u64,
    most_files: u64,
    whole: HashSet<[u8; 32]>,
    partial: u64,
    /// Files that there was no room for.
    left_out: u64,
}

impl Extraction {
    /// Creates the directory, if it does not exist. Fails if there is anything in it.
    pub(crate) fn create(dir: &Path, limits: &Extract) -> Result<Self, Failure> {
        let most_files = limits.max_files.get();
        Ok(Extraction {
            store: Store::create(dir, most_files)?,
            room: limits.max_total.0.get(),
            most_files,
            whole: HashSet::new(),
            partial: 0,
            left_out: 0,
        })
    }

    /// Writes the files of a record of this flow.
    pub(crate) fn take(&mut self, flow: u64, said: &AppRecord) -> Result<(), Failure> {
        let AppRecord::Protocol(protocols::AppRecord::Http(exchange)) = said else { return Ok(()) };
        let files = [("request", &exchange.request_file), ("response", &exchange.response_file)];
        for (direction, file) in files {
            let Some(file) = file.as_deref().filter(|file| !file.content.is_empty()) else {
                continue;
            };
            let hash = file.sha256.filter(|_| file.is_kept());
            if hash.is_some_and(|hash| self.whole.contains(&hash)) {
                continue;
            }
            let len = file.content.len() as u64;
            if len > self.room || self.store.created() >= self.most_files {
                self.left_out += 1;
                continue;
            }
            let name = match file.sha256_hex().filter(|_| hash.is_some()) {
                Some(name) => name,
                None => format!("{flow:08}_{}_{direction}.partial", exchange.id),
            };
            let id = (self.store.created(), 0);
            self.store.append(id, || name, &file.content)?;
            self.store.close(id)?;
            self.room -= len;
            match hash {
                Some(hash) => _ = self.whole.insert(hash),
                None => self.partial += 1,
            }
        }
        Ok(())
    }

    /// Lines on what was written.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let (whole, partial, left_out) = (self.whole.len(), self.partial, self.left_out);
        let written = format!("extracted: {whole} whole, {partial} in part");
        let left_out = (left_out > 0).then(|| {
            format!(
                "not extracted for want of room: {left_out}; --max-files and --max-total raise it"
            )
        });
        [Some(written), left_out].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroU64;

    use flowscope::core::SessionParser;
    use flowscope::http::{Bodies, HttpConfig, HttpExchanges};

    use super::*;
    use crate::args::Size;

    /// An exchange whose response has this body, of which three bytes are kept.
    fn said(body: &str) -> AppRecord {
        let config = HttpConfig::default().bodies(Bodies::Files(3));
        let mut parser = HttpExchanges::with_config(config);
        parser.feed_initiator(b"GET /../../name HTTP/1.1\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let exchange =
            parser.feed_responder([head.as_bytes(), body.as_bytes()].concat().as_slice());
        let exchange = exchange.into_iter().next().expect("the exchange is over");
        AppRecord::Protocol(protocols::AppRecord::Http(Box::new(exchange)))
    }

    fn create(dir: &Path) -> Extraction {
        let number = |number| NonZeroU64::new(number).expect("it is none");
        let (max_file_size, max_total) = (Size(number(3)), Size(number(10)));
        let limits = Extract { dir: None, max_file_size, max_total, max_files: number(3) };
        Extraction::create(dir, &limits).expect("it can be created")
    }

    #[test]
    fn a_file_is_written_once_and_a_part_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let mut extraction = create(folder.path());
        for (flow, body) in [(1, "abc"), (2, "abc"), (3, "abcd"), (4, "x"), (5, "y")] {
            extraction.take(flow, &said(body)).unwrap();
        }
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(names, ["00000003_0_response.partial", x, abc]);
        let part = fs::read(folder.path().join(&names[0])).unwrap();
        assert_eq!(part, b"abc");
        let notes: Vec<_> = extraction.notes().collect();
        assert_eq!(notes[0], "extracted: 2 whole, 1 in part");
        assert!(notes[1].starts_with("not extracted for want of room: 1"), "{notes:?}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_of_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let mut extraction = create(folder.path());
        fs::remove_dir(folder.path()).unwrap();
        let written = extraction.take(1, &said("abc"));
        assert!(matches!(written, Err(Failure::Output { .. })), "{written:?}");
    }
}
