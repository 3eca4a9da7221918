use flate2::{Compression, write::GzEncoder};

use super::*;

fn eve(args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>, input: &[u8]) -> Ran {
    run(program().args(["flows", "--format", "eve"]).args(args), input)
}

#[test]
fn a_file_standard_input_and_gzip_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let capture = pcap(&small_dialogue());
    let path = file(folder.path(), "small.pcap", &capture);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&capture).unwrap();
    let packed = file(folder.path(), "small.gz", &packed.finish().unwrap());

    let plain = eve([&path], b"");
    assert_eq!(plain.code, 0);
    assert_eq!(balanced(&plain.out).1, 13);
    assert_eq!(eve(["-"], &capture).out, plain.out);
    assert_eq!(eve(["-r", "-"], &capture).out, plain.out);
    assert_eq!(eve([&packed], b"").out, plain.out);
}

#[test]
fn several_files_are_one_capture_in_the_order_given() {
    let folder = tempfile::tempdir().unwrap();
    let packets = small_dialogue();
    let whole = file(folder.path(), "whole.pcap", &pcap(&packets));
    let names = ["a", "b", "c"];
    let thirds: Vec<_> = names
        .iter()
        .zip(packets.chunks(5))
        .map(|(name, packets)| file(folder.path(), name, &pcap(&packets.to_vec())))
        .collect();
    let expected = eve([&whole], b"").out;
    assert_eq!(eve(&thirds, b"").out, expected);

    let mut mixed = program();
    mixed.args(["flows", "--format", "eve", "-r"]).arg(&thirds[0]).arg(&thirds[1]);
    assert_eq!(run(mixed.arg("-r").arg(&thirds[2]), b"").out, expected);
    let mut mixed = program();
    mixed.args(["flows", "--format", "eve"]).arg(&thirds[0]).arg("-r").arg(&thirds[1]);
    assert_eq!(run(mixed.arg(&thirds[2]), b"").out, expected);
}

/// What comes down a pipe is answered before its end.
#[test]
fn a_pipe_is_read_as_it_comes() {
    use std::io::{BufRead, BufReader};
    let capture = pcap(&small_dialogue());
    let mut child = program()
        .args(["events", "--quiet", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    // The header and the first record: 24 and 16 bytes, and a frame of 54.
    input.write_all(&capture[..94]).unwrap();
    let first = output.next().unwrap().unwrap();
    assert!(first.contains("\"event\":\"started\""), "{first}");
    input.write_all(&capture[94..]).unwrap();
    drop(input);
    assert!(output.last().unwrap().unwrap().contains("\"stats\""));
    assert!(child.wait().unwrap().success());
}

#[test]
fn no_packets_is_no_error() {
    let ran = eve(["-"], &pcap(&Vec::new()));
    assert_eq!(ran.code, 0);
    let (records, seen) = balanced(&ran.out);
    assert_eq!((records.len(), seen), (0, 0));
}

/// As if it had been filtered when it was captured, but for the flow ids: they are packet numbers of the
/// input.
#[test]
fn a_filter_decides_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let packets = small_dialogue();
    let path = file(folder.path(), "small.pcap", &pcap(&packets));
    let check = |words: &str, keep: &dyn Fn(&[u8]) -> bool| {
        let kept: Packets = packets.iter().filter(|(_, frame)| keep(frame)).cloned().collect();
        let expected = eve(["-"], &pcap(&kept));
        let ran = eve(["-f".as_ref(), words.as_ref(), path.as_os_str()], b"");
        let without_ids = |out: &str| -> Vec<String> {
            let id = |line: &str| {
                let (before, from) = line.split_once("\"flow_id\":")?;
                Some(format!("{before}{}", from.split_once(',')?.1))
            };
            out.lines().map(|line| id(line).unwrap_or_else(|| line.to_owned())).collect()
        };
        let expected = without_ids(&expected.out);
        assert_eq!((ran.code, without_ids(&ran.out)), (0, expected), "{words}");
    };
    check("tcp port 80", &|frame| frame[12..14] == [8, 0]);
    check("udp", &|frame| frame[12..14] == [0x86, 0xdd]);
    check("vlan 7 or arp", &|frame| frame[12] == 0x81 || frame[12..14] == [8, 6]);
    check("port 9", &|_| false);
}

#[test]
fn what_a_filter_cannot_read_is_told() {
    let mut writer = CaptureWriter::pcapng(Vec::new()).unwrap();
    let at = Timestamp::from_secs(1);
    writer.write(PacketView::new(&[8, 0, 0, 0], LinkType::IEEE802_11, at)).unwrap();
    writer.write(PacketView::new(&small_dialogue()[0].1, LinkType::ETHERNET, at)).unwrap();
    let ran = eve(["-f", "tcp", "-"], &writer.finish().unwrap());
    assert_eq!((ran.code, balanced(&ran.out).1), (0, 1), "{ran:?}");
    let line = "flowscope: left out: 1 packet of a link type that the filter cannot read\n";
    assert_eq!(ran.err, line);
}
