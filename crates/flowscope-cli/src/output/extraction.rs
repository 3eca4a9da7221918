//! Files that protocols carry, in a directory.

use std::collections::HashSet;
use std::path::Path;

use flowscope::http::{FileInfo, Form, NamedFile};
use flowscope::protocols;

use super::store::Store;
use crate::args::Extract;
use crate::error::Failure;
use crate::reading::AppRecord;

/// Files of records, written to a directory.
///
/// A file that is whole is called by its SHA-256, and written once; what there is of another by its flow, transaction and
/// direction or part, with `.partial` behind. No part of a name comes from the capture.
#[derive(Debug)]
pub(crate) struct Extraction {
    store: Store,
    /// Bytes that may still be written.
    room: u64,
    most_files: u64,
    whole: HashSet<[u8; 32]>,
    /// The names of those that are not whole.
    partial: HashSet<String>,
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
            partial: HashSet::new(),
            left_out: 0,
        })
    }

    /// Writes the files of a record of this flow.
    pub(crate) fn take(&mut self, flow: u64, said: &AppRecord) -> Result<(), Failure> {
        let AppRecord::Protocol(said) = said else { return Ok(()) };
        for (name, file) in files(said) {
            if file.content.is_empty() {
                continue;
            }
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
                None => self.partial_name(&format!("{flow:08}_{name}")),
            };
            let id = (self.store.created(), 0);
            self.store.append(id, || name, &file.content)?;
            self.store.close(id)?;
            self.room -= len;
            if let Some(hash) = hash {
                self.whole.insert(hash);
            }
        }
        Ok(())
    }

    /// A name that no other file has: within a tunnel, transactions are counted anew.
    fn partial_name(&mut self, name: &str) -> String {
        let mut new = format!("{name}.partial");
        let mut nth = 1;
        while !self.partial.insert(new.clone()) {
            nth += 1;
            new = format!("{name}-{nth}.partial");
        }
        new
    }

    /// Lines on what was written.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let (whole, partial, left_out) = (self.whole.len(), self.partial.len(), self.left_out);
        let written = format!("extracted: {whole} whole, {partial} in part");
        let left_out = (left_out > 0).then(|| {
            format!(
                "not extracted for want of room: {left_out}; --max-files and --max-total raise it"
            )
        });
        [Some(written), left_out].into_iter().flatten()
    }
}

/// The files of a record, with transaction and direction or part.
fn files(record: &protocols::AppRecord) -> Vec<(String, &FileInfo)> {
    match record {
        protocols::AppRecord::Http(x) => {
            let (request, response) = (x.request_file.as_deref(), x.response_file.as_deref());
            let mut files = two(x.id, [("request", request), ("response", response)]);
            files.extend(of_form(x.id, x.request_form.as_deref()));
            files
        }
        protocols::AppRecord::Http2(x) => {
            let (request, response) = (x.request_file.as_deref(), x.response_file.as_deref());
            let id = x.stream_id.into();
            let mut files = two(id, [("request", request), ("response", response)]);
            files.extend(of_form(id, x.request_form.as_deref()));
            files
        }
        protocols::AppRecord::Smtp(x) => parts(x.id.into(), &x.files).collect(),
        protocols::AppRecord::FtpData(x) => {
            x.file.as_deref().map(|file| ("transfer".to_owned(), file)).into_iter().collect()
        }
        protocols::AppRecord::Smb(x) => {
            let Some(it) = x.file() else { return Vec::new() };
            let (written, read) = (it.written_file.as_deref(), it.read_file.as_deref());
            two(x.message_id, [("written", written), ("read", read)])
        }
        _ => Vec::new(),
    }
}

/// The files in the form that the request of a transaction is.
fn of_form(id: u64, form: Option<&Form>) -> impl Iterator<Item = (String, &FileInfo)> {
    parts(id, form.map_or(&[][..], |form| &form.files[..]))
}

/// The parts of a message that are files.
fn parts(id: u64, files: &[NamedFile]) -> impl Iterator<Item = (String, &FileInfo)> {
    files.iter().zip(1..).map(move |(file, nth)| (format!("{id}_part{nth}"), &file.info))
}

/// The files of both directions of a transaction.
fn two<'a>(id: u64, files: [(&str, Option<&'a FileInfo>); 2]) -> Vec<(String, &'a FileInfo)> {
    files
        .into_iter()
        .filter_map(|(direction, file)| Some((format!("{id}_{direction}"), file?)))
        .collect()
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

    /// A mail with two files and a stream of HTTP/2 with one, of which three bytes are kept, and their names.
    fn others() -> Vec<(AppRecord, Vec<String>)> {
        let mut smtp = flowscope::smtp::SmtpParser::with_files(3);
        smtp.feed_initiator(
            b"EHLO a\r\nMAIL FROM:<a@b>\r\nDATA\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
              --x\r\nContent-Type: image/png\r\n\r\nabcd\r\n--x\r\nContent-Type: image/png\r\n\r\nefgh\r\n--x--\r\n.\r\n",
        );
        let mut mails = Vec::new();
        smtp.end(&mut mails);
        let mail = protocols::AppRecord::Smtp(Box::new(mails.remove(0)));

        let mut http2 = flowscope::http2::Http2Parser::with_files(3);
        http2.feed_initiator(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        http2.feed_initiator(
            b"\0\0\x06\x01\x04\0\0\0\x05\x83\x86\x84\x41\x01a\0\0\x04\0\x01\0\0\0\x05abcd",
        );
        http2.feed_responder(b"\0\0\0\x04\0\0\0\0\0");
        let mut exchanges = http2.feed_responder(b"\0\0\x01\x01\x05\0\0\0\x05\x89");
        let exchange = protocols::AppRecord::Http2(Box::new(exchanges.remove(0)));

        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        vec![
            (
                AppRecord::Protocol(mail),
                names(&["00000001_0_part1.partial", "00000001_0_part2.partial"]),
            ),
            (AppRecord::Protocol(exchange), names(&["00000001_5_request.partial"])),
        ]
    }

    #[test]
    fn files_of_other_protocols_have_names_too() {
        for (said, expected) in others() {
            let folder = tempfile::tempdir().unwrap();
            create(folder.path()).take(1, &said).unwrap();
            let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
            let mut names: Vec<_> =
                entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
            names.sort();
            assert_eq!(names, expected);
        }
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
        for (flow, body) in [(1, "abc"), (2, "abc"), (3, "abcd"), (3, "abcd"), (5, "y")] {
            extraction.take(flow, &said(body)).unwrap();
        }
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        // Another transaction of the same number, as in a tunnel.
        let again = "00000003_0_response-2.partial";
        assert_eq!(names, [again, "00000003_0_response.partial", abc]);
        let part = fs::read(folder.path().join(&names[0])).unwrap();
        assert_eq!(part, b"abc");
        let notes: Vec<_> = extraction.notes().collect();
        assert_eq!(notes[0], "extracted: 1 whole, 2 in part");
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
