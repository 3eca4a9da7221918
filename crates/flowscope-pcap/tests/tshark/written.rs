//! Files written here, read by tshark.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};
use flowscope_pcap::CaptureWriter;

use crate::make::frame;

const NOW: u64 = 1_700_000_000_123_456_789;

fn view(frame: &[u8]) -> PacketView<'_> {
    PacketView::new(frame, LinkType::ETHERNET, Timestamp::from_nanos(NOW))
}

pub(crate) fn tshark_reads_written_files() {
    let bytes = frame(1, 61);
    let mut raw = frame(2, 40);
    raw[0] = 0x45;
    let tag = VlanTag { tpid: 0x8100, tci: 0x0123 };
    let mut pcap = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET).unwrap();
    pcap.write(view(&bytes).with_wire_len(1500)).unwrap();
    pcap.write(view(&bytes).with_vlan(tag)).unwrap();
    let mut pcapng = CaptureWriter::pcapng(Vec::new()).unwrap();
    pcapng.write(view(&bytes).with_wire_len(1500)).unwrap();
    pcapng.write(PacketView::new(&raw, LinkType::RAW, Timestamp::from_nanos(NOW + 1))).unwrap();
    pcapng.write(view(&bytes).with_vlan(tag)).unwrap();
    // tshark numbers the interfaces of pcapng only.
    let tables = [
        (
            "pcap",
            pcap.finish().unwrap(),
            "1700000000.123456789,61,1500,,1,\n\
             1700000000.123456789,65,65,,1,291\n",
        ),
        (
            "pcapng",
            pcapng.finish().unwrap(),
            "1700000000.123456789,61,1500,0,1,\n\
             1700000000.123456790,40,40,1,7,\n\
             1700000000.123456789,65,65,0,1,291\n",
        ),
    ];
    for (extension, file, expected) in tables {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("written.{extension}"));
        fs::write(&path, file).unwrap();
        let fields = [
            "frame.time_epoch",
            "frame.cap_len",
            "frame.len",
            "frame.interface_id",
            "frame.encap_type",
            "vlan.id",
        ];
        let output = Command::new("tshark")
            .args(["-n", "-T", "fields", "-E", "separator=,", "-r"])
            .arg(&path)
            .args(fields.iter().flat_map(|field| ["-e", field]))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{extension}");
    }
}
