//! Reads plain pcap files and the ground truth beside them, for tests only.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use flowscope_core::{LinkType, PacketView, Timestamp};

/// A record of a capture file.
pub(crate) struct Record {
    pub(crate) bytes: Vec<u8>,
    pub(crate) wire_len: u32,
    pub(crate) link: LinkType,
}

impl Record {
    pub(crate) fn view(&self) -> PacketView<'_> {
        PacketView::new(&self.bytes, self.link, Timestamp::ZERO).with_wire_len(self.wire_len)
    }
}

/// Captures in plain pcap format, by name.
pub(crate) fn captures(corpus: &Path) -> Vec<(String, Vec<Record>)> {
    let entries = fs::read_dir(corpus.join("captures")).expect("a directory of captures");
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.expect("a readable directory").path();
            let name = path.file_name()?.to_str()?.to_owned();
            Some((name, pcap(&fs::read(path).expect("a readable file"))?))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The records of a pcap file up to the first that is damaged; `None` if it is another format.
fn pcap(file: &[u8]) -> Option<Vec<Record>> {
    let big = match *file.first_chunk::<4>()? {
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => true,
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => false,
        _ => return None,
    };
    let number = |at: usize| -> Option<u32> {
        let bytes = *file.get(at..)?.first_chunk::<4>()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let link = LinkType(number(20)? as u16);
    let mut records = Vec::new();
    let mut at = 24;
    while let (Some(len), Some(wire_len)) = (number(at + 8), number(at + 12)) {
        let Some(bytes) = file.get(at + 16..at + 16 + len as usize) else { break };
        records.push(Record { bytes: bytes.to_vec(), wire_len, link });
        at += 16 + len as usize;
    }
    Some(records)
}

/// What is known of the packets of a capture: a row per packet, each a column by its name.
pub(crate) fn truth(corpus: &Path, name: &str) -> Vec<HashMap<String, String>> {
    let path = corpus.join(format!("truth/packets/{name}.tsv"));
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines
        .map(|line| {
            let cells = line.split('\t').map(str::to_owned);
            names.iter().map(|&name| name.to_owned()).zip(cells).collect()
        })
        .collect()
}
