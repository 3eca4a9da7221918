//! `standalone-http < STREAM`: the requests in the bytes that an HTTP client sent.
#![allow(clippy::print_stdout, reason = "a program")]

use std::io::{self, Read};

use flowscope_http::{HttpMessage, HttpParser, SessionParser};

fn main() -> io::Result<()> {
    let mut stream = Vec::new();
    io::stdin().read_to_end(&mut stream)?;
    let mut parser = HttpParser::default();
    for message in parser.feed_initiator(&stream) {
        if let HttpMessage::Request(request) = message {
            let [target, host] = [request.target(), request.host().unwrap_or(b"-")];
            let [target, host] = [target, host].map(String::from_utf8_lossy);
            println!("{} {target} {host}", request.method());
        }
    }
    Ok(())
}
