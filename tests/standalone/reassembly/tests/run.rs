//! The program does what its first line says.

use std::io::Write;
use std::process::{Command, Stdio};

/// What the program prints for this input.
fn run(args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standalone-reassembly"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = command.spawn().expect("the program starts");
    program.stdin.take().expect("a pipe").write_all(input).expect("the program reads");
    let output = program.wait_with_output().expect("the program ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn prints_the_stream_of_segments() {
    // The second segment comes late, the third twice, and eight bytes before the last never.
    let segments = "100 hello \n112 wide \n106 world \n112 wide \n125 end\n";
    let expected = "0 hello \n6 world \n12 wide \n17 gap of 8 bytes\n25 end\n";
    assert_eq!(run(&[], segments.as_bytes()), expected);
}
