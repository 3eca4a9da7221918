//! What is known of a file does not depend on how its bytes are cut, and a hash is that of the whole file.

use flowscope_files::{FileHasher, FileInfo};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// The information on `bytes` in pieces that end at these places.
fn in_pieces(bytes: &[u8], cuts: &[usize]) -> FileInfo {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut hasher = FileHasher::new();
    let mut at = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        hasher.push(&bytes[at..cut]);
        assert!(hasher.heap_bytes() < 2 * FileHasher::MAX_START);
        at = cut;
    }
    hasher.finish()
}

/// Files of types that are known by bytes from near and far.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(Vec::new()),
        Just(b"\x89PNG\r\n\x1a\n".to_vec()),
        Just([&[0; 257][..], b"ustar"].concat()),
        Just([b"PK\x03\x04", &[0; 26][..], b"[Content_Types].xml"].concat()),
        Just(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
        Just([b"%PDF-", &[0; 1500][..], b"%%EOF"].concat()),
        Just(b"\x50\x2a\x4d\x18\xff\xff\xff\xff".to_vec()),
    ];
    (start, prop::collection::vec(any::<u8>(), 0..3 * FileHasher::MAX_START))
        .prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        bytes in any_file(),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let info = in_pieces(&bytes, &cuts);
        prop_assert_eq!(&info, &in_pieces(&bytes, &[]));
        prop_assert_eq!(info.seen_bytes, bytes.len() as u64);
        prop_assert_eq!(info.sha256, Some(Sha256::digest(&bytes).into()));
    }

    #[test]
    fn a_gap_withholds_the_hash_and_ends_the_start(
        before in any_file(),
        after in any_file(),
        len in 1..u64::MAX,
    ) {
        let mut hasher = FileHasher::new();
        hasher.push(&before);
        hasher.gap(len);
        hasher.push(&after);
        let info = hasher.finish();
        prop_assert_eq!((info.sha256, info.missing_bytes), (None, len));
        prop_assert_eq!(info.mime_type, in_pieces(&before, &[]).mime_type);
        prop_assert_eq!(info.seen_bytes, (before.len() + after.len()) as u64);
    }
}

#[test]
fn a_file_that_goes_on_has_no_hash() {
    let mut hasher = FileHasher::new();
    hasher.push(b"\x89PNG\r\n\x1a\n");
    hasher.cut();
    let info = hasher.finish();
    assert_eq!((info.is_cut, info.sha256, info.mime_type), (true, None, Some("image/png")));
}

#[test]
fn no_gap_is_no_gap_and_lengths_do_not_overflow() {
    let mut hasher = FileHasher::new();
    hasher.gap(0);
    assert!(hasher.clone().finish().sha256.is_some());
    hasher.gap(u64::MAX);
    hasher.gap(u64::MAX);
    assert_eq!(hasher.finish().missing_bytes, u64::MAX);
}

#[test]
fn as_much_is_kept_as_asked_for_up_to_a_gap() {
    let kept = |most, gap| {
        let mut hasher = FileHasher::keeping(most);
        hasher.push(b"abc");
        hasher.gap(gap);
        hasher.push(b"def");
        assert!(hasher.heap_bytes() <= 2 * (8 + FileHasher::MAX_START));
        let info = hasher.finish();
        (info.is_kept(), info.content)
    };
    assert_eq!(kept(0, 0), (false, b"".to_vec()));
    assert_eq!(kept(5, 0), (false, b"abcde".to_vec()));
    assert_eq!(kept(6, 0), (true, b"abcdef".to_vec()));
    assert_eq!(kept(usize::MAX, 1), (false, b"abc".to_vec()));
    let mut hasher = FileHasher::keeping(9);
    hasher.push(b"abc");
    hasher.stop_keeping();
    hasher.push(b"def");
    let info = hasher.finish();
    assert_eq!((info.is_kept(), &*info.content), (false, &b"abc"[..]));
    assert_eq!(info.sha256, Some(Sha256::digest(b"abcdef").into()));
}
