//! The capture reader: a file whole, and the same file in pieces.

use std::io::{self, Read};

use flowscope::core::{PacketSource, PacketView};
use flowscope::pcap::{CaptureReader, ReadConfig};
use flowscope_testkit::attacks::files;

/// Longest record that is read, in bytes; the buffer is not much larger.
const MAX_RECORD: u32 = 1 << 18;

/// Packets and bytes after which a file that grows when it is read has shown enough.
const ENOUGH: u64 = 20_000;

/// Lends its bytes in pieces of different lengths.
struct Pieces<'a> {
    bytes: &'a [u8],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = [1, 7, 64, 3, 1000][self.turn % 5].min(buffer.len()).min(self.bytes.len());
        self.turn += 1;
        let (now, rest) = self.bytes.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.bytes = rest;
        Ok(len)
    }
}

pub(crate) fn run(bytes: &[u8]) {
    let whole = read(bytes);
    let pieces = read(Pieces { bytes, turn: 0 });
    assert_eq!(whole, pieces, "in pieces");
}

/// Packets, a digest of them, and how it ended.
fn read(input: impl Read) -> (u64, u64, String) {
    let config = ReadConfig::default().max_record(MAX_RECORD);
    let (mut packets, mut digest) = (0_u64, 0_u64);
    let mut reader = match CaptureReader::with_config(input, config) {
        Ok(reader) => reader,
        Err(error) => return (0, 0, error.to_string()),
    };
    let mut errors = Vec::new();
    loop {
        let mut keep = |views: &[PacketView<'_>]| {
            for view in views {
                packets += 1;
                assert!(view.wire_len() as usize >= view.frame().len());
                assert!(view.frame().len() <= MAX_RECORD as usize);
                let last = view.frame().last().copied().unwrap_or(0);
                let facts = [view.frame().len() as u64, view.ts().as_nanos(), last.into()];
                for fact in facts {
                    digest = (digest ^ fact).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
                }
            }
        };
        match reader.next_batch(&mut keep) {
            Ok(0) => break,
            // Where a batch ends depends on the pieces: no more is compared of a file that goes on.
            Ok(_) if packets > ENOUGH => return (0, 0, "long".to_owned()),
            Ok(_) => {}
            Err(error) => errors.push(error.to_string()),
        }
        assert!(errors.len() < 3, "each failure is reported once: {errors:?}");
        assert!(
            reader.buffer_capacity() <= 4 * MAX_RECORD as usize,
            "{}",
            reader.buffer_capacity()
        );
    }
    assert_eq!(reader.packets(), packets);
    (packets, digest, errors.join("; "))
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let small = files::list(30).into_iter().map(|file| file.bytes);
    files::sound().into_iter().chain(small.filter(|bytes| bytes.len() < 20_000)).collect()
}
