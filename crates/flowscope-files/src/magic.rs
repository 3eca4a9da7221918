//! Types of files by their signatures, which `infer` knows.

/// The media type of a file that begins so.
pub(crate) fn mime_type(start: &[u8]) -> Option<&'static str> {
    if is_skippable_frame(start) {
        return None;
    }
    match infer::get(start)?.mime_type() {
        // Its signature has two more bytes: text may begin with these two.
        "application/x-llvm" if !start.starts_with(b"BC\xc0\xde") => None,
        // Which document is in a compound file, its directory says, and that may be anywhere.
        "application/msword" if start.starts_with(COMPOUND_FILE) => {
            Some("application/x-ole-storage")
        }
        known => Some(known),
    }
}

/// How compound files begin ([MS-CFB] 2.2).
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Whether the start of a file is a frame to be skipped, of Zstandard or LZ4 (RFC 8878 §3.1.2).
///
/// What follows says which. `infer` adds the length of the frame to its place, which 32 bits do not hold on all machines.
fn is_skippable_frame(start: &[u8]) -> bool {
    start.first_chunk().is_some_and(|magic| u32::from_le_bytes(*magic) & !0xf == 0x184d_2a50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_signatures() {
        let check = |start: &[u8], expected| assert_eq!(mime_type(start), expected, "{start:?}");
        check(b"", None);
        check(b"plain text", None);
        check(b"\x89PNG\r\n\x1a\n", Some("image/png"));
        check(b"\x1f\x8b\x08\0", Some("application/gzip"));
        check(b"PK\x03\x04\x14\0\0\0", Some("application/zip"));
        check(b"<!DOCTYPE html><html>", Some("text/html"));
        check(b"MZ\x90\0", Some("application/vnd.microsoft.portable-executable"));
        check(b"BCE is a length of time", None);
        check(b"BC\xc0\xde5\x14\0\0", Some("application/x-llvm"));
        check(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", Some("application/x-ole-storage"));
        check(b"\x28\xb5\x2f\xfd\x04\0", Some("application/zstd"));
        check(b"\x50\x2a\x4d\x18\xf8\xff\xff\xff", None);
    }

    #[test]
    fn the_longest_signatures_are_read() {
        let mut tar = [0; crate::FileHasher::MAX_START];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(mime_type(&tar), Some("application/x-tar"));
        assert_eq!(mime_type(&tar[..261]), None);
    }
}
