//! Row 30: names and texts of strangers, in every output of the command.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use flowscope_testkit::attacks::{capture, names, timed};
use serde_json::Value;

use super::row::Measured;
use super::setup::{self, Setup, grouped};
use crate::Result;

/// What is run, and what its output is.
const OUTPUTS: [(&[&str], Text); 14] = [
    (&["flows", "--format=table"], Text::Terminal),
    (&["sessions", "--format=table"], Text::Terminal),
    (&["summary"], Text::Terminal),
    (&["top", "--by=query"], Text::Terminal),
    (&["top", "--by=host"], Text::Terminal),
    (&["top", "--by=sni"], Text::Terminal),
    (&["flows", "--format=eve"], Text::Json),
    (&["sessions", "--format=eve"], Text::Json),
    (&["sessions", "--format=json"], Text::Json),
    (&["sessions", "--format=zeek-json"], Text::Json),
    (&["events"], Text::Json),
    (&["flows", "--format=zeek"], Text::Lines),
    (&["sessions", "--format=zeek"], Text::Lines),
    (&["sessions", "--format=csv"], Text::Rows),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Text {
    /// For a person: no character that controls a terminal, and none that changes the direction of text.
    Terminal,
    /// An object in each line, in UTF-8.
    Json,
    /// UTF-8, no control characters but tabs and line feeds.
    Lines,
    /// CSV: UTF-8. Fields may have line feeds, in quotes.
    Rows,
}

pub(crate) fn run(setup: &Setup) -> Result<Measured> {
    let volume = setup.load(2000, 300);
    let attacks: Vec<&str> = names::list(1).iter().map(|attack| attack.name).collect();
    let (mut wrong, mut packets, mut bytes) = (Vec::new(), 0, 0);
    for name in &attacks {
        let path = setup.file("names.pcap")?;
        packets += write(&path, name, volume)?;
        for (words, text) in OUTPUTS {
            let mut command = Command::new(setup.command()?);
            let ran = setup::run(command.args(words).arg("-q").arg(&path))?;
            bytes += ran.out.len() as u64;
            if !matches!(ran.code, Some(0 | 3)) {
                wrong.push(format!("{name}, {words:?}: status {:?}: {}", ran.code, ran.err));
            } else if let Some(fault) = fault(&ran.out, text) {
                wrong.push(format!("{name}, {words:?}: {fault}"));
            }
        }
    }
    let load = format!(
        "{} attacks, {} packets, {} outputs each",
        attacks.len(),
        grouped(packets),
        OUTPUTS.len()
    );
    let figure = format!("{} bytes of output, none of them harmful", grouped(bytes));
    Ok(Measured::unless(&wrong, load, figure))
}

fn write(path: &Path, name: &str, volume: usize) -> Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let find = || timed(volume).into_iter().find(|attack| attack.name == name);
    let packets = || find().into_iter().flat_map(|attack| attack.packets.take(4 * volume));
    let written = capture::write(packets, &mut file)?;
    file.flush()?;
    Ok(written)
}

/// What is wrong with an output.
fn fault(bytes: &[u8], text: Text) -> Option<String> {
    let Ok(output) = std::str::from_utf8(bytes) else { return Some("no UTF-8".into()) };
    let permitted = |c: char| match text {
        Text::Terminal => c == '\n' || !(c.is_control() || turns(c)),
        Text::Json | Text::Lines => matches!(c, '\n' | '\t') || c >= ' ',
        Text::Rows => true,
    };
    if let Some(c) = output.chars().find(|c| !permitted(*c)) {
        return Some(format!("the character U+{:04X}", c as u32));
    }
    let is_object =
        |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object());
    if text == Text::Json && !output.lines().all(is_object) {
        return Some("a line that is no object of JSON".into());
    }
    None
}

/// Whether a character changes the direction of text, or hides it.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_harms_a_reader_is_a_fault() {
        let harmful = ["a\x1b[2J", "a\u{9b}2J", "a\u{202e}gpj", "a\r", "a\u{7f}"];
        for text in harmful {
            assert!(fault(text.as_bytes(), Text::Terminal).is_some(), "{text:?}");
        }
        assert_eq!(fault("a ä\n".as_bytes(), Text::Terminal), None);
        assert_eq!(fault(b"{\"a\":1}\n{}\n", Text::Json), None);
        assert!(fault(b"{\"a\":1}\n[]\n", Text::Json).is_some());
        assert!(fault(b"a\tb\x00\n", Text::Lines).is_some());
        assert!(fault(b"\xff", Text::Rows).is_some());
    }
}
