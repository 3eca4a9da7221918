//! `standalone-filter EXPRESSION < FRAMES`: the Ethernet frames that match, one frame a line in
//! hexadecimal.
#![allow(clippy::print_stdout, reason = "a program")]

use std::io;

use flowscope_filter::{Filter, LinkType, PacketView, Timestamp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let expression = std::env::args().nth(1).ok_or("usage: standalone-filter EXPRESSION")?;
    let mut filter = Filter::parse(&expression)?;
    for line in io::stdin().lines() {
        let line = line?;
        let frame = parse_hex(line.trim())?;
        if filter.matches(PacketView::new(&frame, LinkType::ETHERNET, Timestamp::ZERO)) {
            println!("{line}");
        }
    }
    Ok(())
}

fn parse_hex(line: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let pairs = line.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
