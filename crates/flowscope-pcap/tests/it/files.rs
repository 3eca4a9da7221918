//! Several files as one capture.

use std::fs;
use std::path::PathBuf;

use flowscope_core::PacketSource;
use flowscope_pcap::{CaptureFiles, CaptureReader, ReadError};

use crate::make::{MICROS, Order, sample_pcap, sample_pcapng};

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("pcap-files-{name}"));
    fs::write(&path, bytes).expect("the directory of the test is writable");
    path
}

#[test]
fn files_follow_each_other_and_errors_do_not_stop_them() {
    let ng = sample_pcapng(10).bytes;
    let paths = [
        file("a.pcap", &sample_pcap(Order::Little, MICROS, 70).bytes),
        file("empty.pcap", &sample_pcap(Order::Little, MICROS, 0).bytes),
        file("cut.pcapng", &ng[..ng.len() - 50]),
        file("text.pcap", b"no capture"),
        PathBuf::from("/nonexistent/capture.pcap"),
        file("b.pcap", &sample_pcap(Order::Big, MICROS, 5).bytes),
    ];
    let mut capture = CaptureFiles::new(paths.clone());
    let (mut interfaces, mut errors) = (Vec::new(), Vec::new());
    loop {
        let batch = capture.next_batch(&mut |views| {
            interfaces.extend(views.iter().filter_map(flowscope_core::PacketView::interface));
        });
        match batch {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    assert_eq!(capture.next_batch(&mut |_| ()).unwrap(), 0);
    // The cut took blocks that are not packets.
    assert_eq!(capture.packets(), 70 + 20 + 5);
    assert_eq!(interfaces.len(), 95);
    assert_eq!(capture.interfaces().count(), 1 + 1 + 4 + 1);
    assert_eq!(interfaces.first(), Some(&0));
    assert_eq!(interfaces[70..90].iter().min(), Some(&2));
    assert_eq!(interfaces[70..90].iter().max(), Some(&5));
    assert_eq!(interfaces.last(), Some(&6));
    let [cut, text, missing] = &errors[..] else { panic!("{errors:?}") };
    assert!(matches!(cut, ReadError::Damaged { .. }), "{cut}");
    assert!(matches!(text, ReadError::NotACapture { .. }), "{text}");
    assert!(matches!(missing, ReadError::Io { .. }), "{missing}");
    for (error, path) in [(cut, &paths[2]), (text, &paths[3]), (missing, &paths[4])] {
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
    let sizes: u64 = [0, 1, 2, 5].iter().map(|n| fs::metadata(&paths[*n]).unwrap().len()).sum();
    assert_eq!(capture.compressed_position(), sizes);
}

#[test]
fn no_files_are_an_empty_capture() {
    let mut capture = CaptureFiles::new(Vec::<PathBuf>::new());
    assert_eq!(capture.next_batch(&mut |_| ()).unwrap(), 0);
}

#[test]
fn a_file_is_named_by_its_path() {
    let path = file("named.pcap", &sample_pcap(Order::Little, MICROS, 1).bytes);
    let reader = CaptureReader::open(&path).unwrap();
    assert_eq!(reader.name(), path.display().to_string());
}

#[test]
fn readers_can_be_sent_to_a_worker() {
    fn check<T: Send>() {}
    check::<CaptureReader<fs::File>>();
    check::<CaptureFiles>();
}

#[test]
fn counters_are_those_of_all_files() {
    let whole = sample_pcap(Order::Little, MICROS, 3).bytes;
    let cut = &whole[..whole.len() - 1];
    // Simple packet blocks among them have no time.
    let untimed = sample_pcapng(40).bytes;
    let of_one = {
        let mut reader = CaptureReader::new(untimed.as_slice()).unwrap();
        while reader.next_batch(&mut |_| ()).unwrap() > 0 {}
        (reader.packets(), reader.untimed_packets())
    };
    assert!(of_one.1 > 0);
    let files = [("cut", cut), ("untimed", &untimed), ("cut-2", cut), ("untimed-2", &untimed)];
    let mut capture = CaptureFiles::new(files.map(|(name, bytes)| file(name, bytes)));
    let counted = |it: &CaptureFiles| {
        (it.packets(), it.truncated_packets(), it.untimed_packets(), it.compressed_position())
    };
    assert_eq!(counted(&capture), (0, 0, 0, 0));
    let (mut before, mut cuts) = (counted(&capture), 0);
    loop {
        let batch = capture.next_batch(&mut |_| ());
        // A file behind another does not begin anew.
        let now = counted(&capture);
        assert!(now.0 >= before.0 && now.1 >= before.1 && now.2 >= before.2 && now.3 >= before.3);
        before = now;
        match batch {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => cuts += 1,
        }
    }
    let bytes = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let expected = (2 * (2 + of_one.0), 2, 2 * of_one.1, bytes);
    assert_eq!((cuts, counted(&capture)), (2, expected));
}
