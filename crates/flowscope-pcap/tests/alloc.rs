//! Steady state allocates nothing, and a length field allocates nothing.

#![expect(clippy::unwrap_used, reason = "a test, though not of the harness")]

use std::io::Read;

use flowscope_core::PacketSource;
use flowscope_pcap::CaptureReader;

#[path = "it/make.rs"]
#[expect(dead_code, reason = "the other test binary uses all of it")]
mod make;

use make::{MICROS, Order, sample_pcap, sample_pcapng};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A program without a harness, whose threads would be counted too.
fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();

    for file in [sample_pcap(Order::Little, MICROS, 5000).bytes, sample_pcapng(5000).bytes] {
        let mut reader = CaptureReader::new(file.as_slice()).unwrap();
        // The first batches describe the interfaces.
        for _ in 0..3 {
            assert!(reader.next_batch(&mut |_| ()).unwrap() > 0);
        }
        let before = (dhat::HeapStats::get().total_blocks, reader.packets());
        // The second section of the pcapng file describes interfaces again.
        while reader.packets() < 4900 {
            assert!(reader.next_batch(&mut |views| assert!(views.len() <= 64)).unwrap() > 0);
        }
        let after = (dhat::HeapStats::get().total_blocks, reader.packets());
        assert!(after.1 - before.1 > 4000);
        assert_eq!(after.0 - before.0, 0, "allocations in {} packets", after.1 - before.1);
    }

    let mut file = sample_pcap(Order::Little, MICROS, 1).bytes;
    file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0, 0, 0, 0, 0]);
    let before = dhat::HeapStats::get().total_bytes;
    let mut reader = CaptureReader::new(file.as_slice().chain(&[0; 1000][..])).unwrap();
    assert_eq!(reader.next_batch(&mut |_| ()).unwrap(), 1);
    assert!(reader.next_batch(&mut |_| ()).is_err());
    let bytes = dhat::HeapStats::get().total_bytes - before;
    assert!(bytes < 100_000, "{bytes} bytes for a record that claims 15 MiB");
}
