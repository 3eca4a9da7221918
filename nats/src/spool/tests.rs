use super::*;
use crate::message::sample;

const MANY: u64 = 1 << 30;

fn open(dir: &Path, max_bytes: u64, dropped: Dropped) -> Spool {
    Spool::open(dir, max_bytes, dropped).unwrap()
}

fn number(next: Option<(Ticket, Message)>) -> Option<u64> {
    next.map(|(_, message)| message.number)
}

fn files(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(SUFFIX)).count()
}

#[test]
fn messages_are_read_in_order_and_removed_when_all_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), MANY, Dropped::Oldest);
    for number in 0..3 {
        assert!(spool.push(&sample(number, b"payload")).unwrap());
    }
    let read: Vec<_> = std::iter::from_fn(|| spool.next().unwrap()).collect();
    assert!(
        read.iter()
            .map(|(_, message)| message)
            .eq(&[0, 1, 2].map(|number| sample(number, b"payload")))
    );
    for (ticket, _) in read.iter().rev() {
        assert_eq!(files(folder.path()), 1);
        spool.done(*ticket).unwrap();
    }
    assert_eq!((files(folder.path()), spool.left(), spool.bytes), (0, 0, 0));
    assert!(spool.push(&sample(3, b"")).unwrap());
    assert_eq!(number(spool.next().unwrap()), Some(3));
}

#[test]
fn what_is_not_done_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), MANY, Dropped::Oldest);
    for number in 0..4 {
        spool.push(&sample(number, &[7; 40 << 10])).unwrap();
    }
    assert_eq!(files(folder.path()), 1);
    let (first, _) = spool.next().unwrap().unwrap();
    spool.done(first).unwrap();
    drop(spool);
    let mut spool = open(folder.path(), MANY, Dropped::Oldest);
    assert_eq!((spool.found.batches, spool.found.rows), (4, 8));
    spool.push(&sample(9, b"")).unwrap();
    let read: Vec<_> = std::iter::from_fn(|| number(spool.next().unwrap())).collect();
    assert_eq!(read, [0, 1, 2, 3, 9]);
}

#[test]
fn one_process_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), MANY, Dropped::Oldest);
    let refused = Spool::open(folder.path(), MANY, Dropped::Oldest).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
    drop(spool);
    open(folder.path(), MANY, Dropped::Oldest);
}

#[test]
fn the_oldest_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 300 << 10, Dropped::Oldest);
    let mut pushed = 0;
    while spool.push(&sample(pushed, &[7; 10 << 10])).unwrap() {
        pushed += 1;
        assert!(spool.bytes <= 300 << 10);
    }
    assert!(pushed > 20 && files(folder.path()) > 3);
    let (ticket, _) = spool.next().unwrap().unwrap();
    assert!(spool.evict().unwrap());
    assert!(spool.push(&sample(pushed, &[7; 10 << 10])).unwrap());
    // The one that was read is not lost yet.
    let lost = spool.evicted.batches;
    assert!(lost > 0);
    spool.done(ticket).unwrap();
    let read: Vec<_> = std::iter::from_fn(|| number(spool.next().unwrap())).collect();
    assert!(read.iter().copied().eq(lost + 1..=pushed), "{lost} of {pushed}: {read:?}");
}

#[test]
fn the_newest_find_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1000, Dropped::Newest);
    assert!(spool.push(&sample(0, &[7; 500])).unwrap());
    assert!(!spool.push(&sample(1, &[7; 500])).unwrap());
    assert!(!spool.evict().unwrap());
    assert_eq!(number(spool.next().unwrap()), Some(0));
    assert_eq!(spool.evicted, Count::default());
}

/// After `kill -9`, or a crash of the machine.
#[test]
fn a_cut_file_has_what_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), MANY, Dropped::Oldest);
    let path = folder.path().join(file_name(0));
    let mut ends = Vec::new();
    for number in 0..3 {
        spool.push(&sample(number, b"payload")).unwrap();
        ends.push(spool.bytes);
    }
    drop(spool);
    let whole = fs::read(&path).unwrap();
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let mut spool = open(folder.path(), MANY, Dropped::Oldest);
        let messages = ends.iter().filter(|end| **end <= len as u64).count();
        let is_cut = len > 0 && !ends.contains(&(len as u64));
        assert_eq!((spool.found.batches, spool.damaged), (messages as u64, is_cut.into()), "{len}");
        assert_eq!(std::iter::from_fn(|| spool.next().unwrap()).count(), messages);
    }
}

#[test]
fn damage_costs_the_rest_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), MANY, Dropped::Oldest);
    for number in 0..4 {
        spool.push(&sample(number, &[7; 100])).unwrap();
    }
    let (first, _) = spool.next().unwrap().unwrap();
    let path = folder.path().join(file_name(0));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 + 20;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    // What reads it has the old bytes.
    spool.reader = None;
    assert_eq!(number(spool.next().unwrap()), Some(1));
    assert_eq!(number(spool.next().unwrap()), None);
    assert_eq!(spool.damaged, 2);
    spool.push(&sample(4, b"")).unwrap();
    assert_eq!(number(spool.next().unwrap()), Some(4));
    spool.done(first).unwrap();
}

#[test]
fn other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["notes.txt", "x.batches", "18446744073709551615.batches"] {
        fs::write(folder.path().join(name), "text").unwrap();
    }
    let mut spool = open(folder.path(), MANY, Dropped::Oldest);
    assert_eq!((spool.left(), spool.next), (0, 0));
    spool.push(&sample(0, b"")).unwrap();
    assert_eq!(fs::read(folder.path().join("notes.txt")).unwrap(), b"text");
}
