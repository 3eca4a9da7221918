//! Contents of files.

use flowscope_files::FileInfo;
use sha2::{Digest, Sha256};

use super::*;

const DISK: u8 = 1;
const PIPE: u8 = 2;

fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    Some(Sha256::digest(bytes).into())
}

/// A share of this kind, and a parser that examines files.
fn connected(kind: u8, most_kept: usize) -> Connection {
    let mut it = Connection { parser: SmbParser::with_files(most_kept), ..Connection::default() };
    it.ask(&[request(TREE_CONNECT, 1, b"\x09\0\0\0\x48\0\x04\0\\\0a\0")]);
    let mut tree = vec![0; 16];
    (tree[0], tree[2]) = (16, kind);
    it.answer(&[response(TREE_CONNECT, 1, &tree)]);
    it
}

/// The answer to a request to open a file of this size.
fn opened(file: u8, size: u64) -> Vec<u8> {
    let mut body = created(file);
    body[48..56].copy_from_slice(&size.to_le_bytes());
    body
}

/// A request to read or to write at an offset.
fn at(offset: u64, file: [u8; 16]) -> Vec<u8> {
    let mut body = transfer(file);
    body[8..16].copy_from_slice(&offset.to_le_bytes());
    body
}

fn written(offset: u64, file: [u8; 16], data: &[u8]) -> Vec<u8> {
    let mut body = at(offset, file);
    body[2] = 112;
    body[4..8].copy_from_slice(&(data.len() as u32).to_le_bytes());
    body.extend_from_slice(data);
    body
}

fn read(data: &[u8]) -> Vec<u8> {
    transferred(data.len() as u32, data)
}

/// File 7 with this size, open.
fn with_file(kind: u8, size: u64) -> Connection {
    let mut it = connected(kind, 100);
    it.ask(&[request(CREATE, 2, &create("a.txt"))]);
    it.answer(&[response(CREATE, 2, &opened(7, size))]);
    it
}

/// Closes file 7: what was read of it, and written.
fn finish(mut it: Connection) -> [Option<FileInfo>; 2] {
    it.ask(&[request(CLOSE, 99, &close([7; 16]))]);
    it.answer(&[response(CLOSE, 99, &[60, 0])]);
    files(it)
}

fn files(mut it: Connection) -> [Option<FileInfo>; 2] {
    it.parser.end(&mut it.out);
    let last = it.out.iter().rev().find(|x| x.command == SmbCommand::Close);
    let file = last.and_then(SmbExchange::file).expect("there is a file");
    [&file.read_file, &file.written_file].map(|file| file.as_deref().cloned())
}

#[test]
fn a_file_that_is_read_or_written_in_order_has_a_hash() {
    let text: Vec<u8> = (0..9000_u32).map(|n| (n % 251) as u8).collect();
    let (first, second) = text.split_at(5000);
    let requests = [
        frame(&[request(READ, 3, &at(0, [7; 16]))]),
        frame(&[request(READ, 4, &at(5000, [7; 16]))]),
        frame(&[request(WRITE, 5, &written(0, [7; 16], first))]),
        // In a chain, of the same file.
        frame(&[
            request(WRITE, 6, &written(5000, [7; 16], &second[..8])),
            message(WRITE, RELATED, 0, 7, &written(5008, ANY_FILE, &second[8..])),
        ]),
    ];
    let responses = [
        frame(&[response(READ, 3, &read(first))]),
        frame(&[response(READ, 4, &read(second)), response(WRITE, 5, &transferred(5000, b""))]),
    ];
    for size in [1, 7, 1460, usize::MAX] {
        let mut it = with_file(DISK, 9000);
        for (side, frames) in [(Initiator, &requests[..]), (Responder, &responses[..])] {
            let bytes = frames.concat();
            bytes.chunks(size).for_each(|piece| it.feed(side, piece));
        }
        let [read, written] = finish(it).map(|file| file.expect("it was transferred"));
        assert_eq!((read.sha256, read.seen_bytes), (sha256(&text), 9000), "{size}");
        assert_eq!((written.sha256, written.seen_bytes), (sha256(&text), 9000), "{size}");
        assert_eq!((read.content.len(), written.content.len()), (100, 100));
    }
}

#[test]
fn parts_and_what_comes_out_of_order_have_none() {
    let mut it = with_file(DISK, 10);
    it.ask(&[request(READ, 3, &at(0, [7; 16])), request(READ, 4, &at(5, [7; 16]))]);
    it.answer(&[response(READ, 4, &read(b"world")), response(READ, 3, &read(b"hello"))]);
    let [read_file, none] = finish(it);
    let read_file = read_file.expect("it was read");
    assert_eq!((read_file.seen_bytes, read_file.missing_bytes, read_file.sha256), (5, 5, None));
    assert_eq!(none, None);

    let mut it = with_file(DISK, 10);
    it.ask(&[request(READ, 3, &at(0, [7; 16]))]);
    it.answer(&[response(READ, 3, &read(b"hello"))]);
    let [read_file, _] = finish(it);
    assert!(read_file.is_some_and(|file| file.is_cut && file.sha256.is_none()));
}

#[test]
fn refusals_sizes_and_ends_of_connections_count() {
    let begun = || {
        let mut it = with_file(DISK, 0);
        it.ask(&[request(WRITE, 3, &written(0, [7; 16], b"hello"))]);
        it
    };
    let hash = |[_, written]: [Option<FileInfo>; 2]| written.and_then(|file| file.sha256);
    let mut it = begun();
    it.answer(&[failure(WRITE, 3)]);
    it.ask(&[request(WRITE, 4, &written(0, [7; 16], b"hello"))]);
    it.answer(&[response(WRITE, 4, &transferred(5, b""))]);
    assert_eq!(hash(finish(it)), None);
    for (size, expected) in [(5_u64, sha256(b"hello")), (6, None)] {
        let mut it = begun();
        it.answer(&[response(WRITE, 3, &transferred(5, b""))]);
        it.ask(&[request(SET_INFO, 4, &set_info([7; 16], 20, &size.to_le_bytes()))]);
        assert_eq!(hash(finish(it)), expected);
    }
    let mut it = begun();
    it.answer(&[response(WRITE, 3, &transferred(5, b""))]);
    let [_, written] = files(it);
    assert!(written.is_some_and(|file| file.is_cut && file.sha256.is_none()));
}

#[test]
fn bytes_that_were_not_captured_are_missing_in_the_file() {
    let answered = frame(&[response(READ, 3, &read(&[b'x'; 5000]))]);
    for (from, len) in [(200, 4000), (90, 4990)] {
        let mut it = with_file(DISK, 5000);
        it.ask(&[request(READ, 3, &at(0, [7; 16]))]);
        it.feed(Responder, &answered[..from]);
        assert_eq!(it.parser.gap(Responder, len as u64, &mut it.out), Continue);
        it.feed(Responder, &answered[from + len..]);
        let [file, _] = finish(it);
        let file = file.expect("it was read");
        assert_eq!((file.seen_bytes, file.missing_bytes), (5000 - len as u64, len as u64));
        assert_eq!((file.sha256, file.is_cut), (None, false));
    }
}

#[test]
fn pipes_other_files_and_what_is_not_asked_for_have_none() {
    let none = |mut it: Connection, file: [u8; 16]| {
        it.ask(&[request(READ, 3, &at(0, file))]);
        it.answer(&[response(READ, 3, &read(b"hello")), response(READ, 4, &read(b"hello"))]);
        it.ask(&[request(CLOSE, 9, &close([7; 16]))]);
        it.answer(&[response(CLOSE, 9, &[60, 0])]);
        assert!(it.out.iter().filter_map(SmbExchange::file).all(|it| it.read_file.is_none()));
    };
    none(with_file(PIPE, 5), [7; 16]);
    none(with_file(DISK, 5), [8; 16]);
    // A share that was connected to before the capture may be one of pipes.
    for parser in [SmbParser::default(), SmbParser::with_files(100)] {
        let mut it = Connection { parser, ..Connection::default() };
        it.ask(&[request(CREATE, 2, &create("a.txt"))]);
        it.answer(&[response(CREATE, 2, &opened(7, 5))]);
        none(it, [7; 16]);
    }
}

#[test]
fn memory_is_bounded_however_many_files_are_open() {
    let most = 64 * 1024;
    let mut it = connected(DISK, most);
    for file in 0..=255 {
        it.ask(&[request(CREATE, 1000 + u64::from(file), &create("a"))]);
        it.answer(&[response(CREATE, 1000 + u64::from(file), &opened(file, 0))]);
    }
    let mut held = 0;
    for round in 0..4 {
        for file in 0..=255 {
            let body = written(round * 9000, [file; 16], &[b'x'; 9000]);
            it.feed(Initiator, &frame(&[request(WRITE, 5, &body)]));
            held = held.max(it.parser.heap_bytes());
        }
    }
    let bound = (512 << 10) + (5 << 19) + 6 * most;
    assert!(most < held && held < bound, "{held} of {bound}");
}
