//! `standalone-pcap FILE…`: what is in capture files.
#![allow(clippy::print_stdout, reason = "a program")]

use flowscope_pcap::{CaptureReader, PacketSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in std::env::args().skip(1) {
        let mut capture = CaptureReader::open(&file)?;
        let (mut bytes, mut times) = (0, None);
        while capture.next_batch(&mut |packets| {
            for packet in packets {
                bytes += u64::from(packet.wire_len());
                let (first, _) = times.unwrap_or((packet.ts(), packet.ts()));
                times = Some((first, packet.ts()));
            }
        })? > 0
        {}
        let lasted = times.map(|(first, last)| last.since(first)).unwrap_or_default();
        println!("{} packets, {bytes} bytes, {lasted:.1?}", capture.packets());
    }
    Ok(())
}
