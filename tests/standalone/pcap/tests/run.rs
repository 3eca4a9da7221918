//! The program does what its first line says.

use std::process::Command;

#[test]
fn prints_what_is_in_files() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data");
    let files = ["http-keep-alive.pcap", "http-keep-alive.pcapng.zst"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_standalone-pcap"));
    let output = command.args(files.map(|file| format!("{data}/{file}"))).output();
    let output = output.expect("the program runs");
    assert!(output.status.success());
    let expected = "18 packets, 3933 bytes, 1.1ms\n18 packets, 3933 bytes, 1.3ms\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
