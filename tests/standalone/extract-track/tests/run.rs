//! The program does what its first line says.

use std::io::Write;
use std::process::{Command, Stdio};

/// What the program prints for this input.
fn run(args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standalone-extract-track"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = command.spawn().expect("the program starts");
    program.stdin.take().expect("a pipe").write_all(input).expect("the program reads");
    let output = program.wait_with_output().expect("the program ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// A UDP datagram from 10.0.0.1 to port 53 of 10.0.0.53.
const QUERY: &str = "\
    02000000000202000000000108004500002400000000401100000a0000010a0000359c400035001000007175\
    657374696f6e";
/// The answer to it.
const RESPONSE: &str = "\
    02000000000202000000000108004500002200000000401100000a0000350a00000100359c40000e0000616e\
    73776572";
/// A datagram from 192.0.2.1 to 192.0.2.2, in VXLAN.
const TUNNELLED: &str = "\
    02000000000202000000000108004500004f00000000401100000a0000010a0000029c4112b5003b00000800\
    000000002a0002000000000202000000000108004500001d0000000040110000c0000201c000020203e807d0\
    0009000078";

#[test]
fn prints_the_flows_of_frames() {
    let frames = [QUERY, RESPONSE, TUNNELLED].join("\n");
    let expected = "\
10.0.0.1:40000 <-> 10.0.0.53:53 1/1 packets
192.0.2.1:1000 <-> 192.0.2.2:2000 1/0 packets
";
    assert_eq!(run(&[], frames.as_bytes()), expected);
}
