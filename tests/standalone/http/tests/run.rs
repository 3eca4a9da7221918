//! The program does what its first line says.

use std::io::Write;
use std::process::{Command, Stdio};

/// What the program prints for this input.
fn run(args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standalone-http"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = command.spawn().expect("the program starts");
    program.stdin.take().expect("a pipe").write_all(input).expect("the program reads");
    let output = program.wait_with_output().expect("the program ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn prints_the_requests_of_a_stream() {
    let stream = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n\
        POST /b HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(run(&[], stream), "GET /a example.com\nPOST /b -\n");
}
