//! A ladder in lines of text.

use std::io::Write as _;

use flowscope::core::FlowSide;
use flowscope::output::terminal;

use super::count;
use super::rows::{Arrow, Row, Rows, flags, seconds};

/// Characters of an arrow.
const ARROW: usize = 24;

/// Characters before an arrow.
const BEFORE: usize = 31;

/// Appends the ladder, in lines of so many columns if that is possible.
pub(super) fn print(title: &str, rows: &Rows, width: usize, out: &mut Vec<u8>) {
    line(title, width, out);
    out.push(b'\n');
    let heading = format!(
        "{:>8} {:>11} {:>10} {:<12}{:>12} {:>10} {:>10} {:>8} {:>6}",
        "PACKET", "TIME", "DELTA", "initiator", "responder", "SEQ", "ACK", "WINDOW", "LEN"
    );
    line(&heading, width, out);
    let (first, elided, last) = rows.parts();
    first.iter().for_each(|row| print_row(row, width, out));
    if elided > 0 {
        line(&format!("{:BEFORE$} … {} left out …", "", count(elided, "row")), width, out);
    }
    last.for_each(|row| print_row(row, width, out));
}

fn print_row(row: &Row, width: usize, out: &mut Vec<u8>) {
    let Row { packet, time, delta, arrow, notes } = row;
    // What happens without a packet has the number of another flow's.
    let packet = arrow.map(|_| packet.to_string()).unwrap_or_default();
    let mut text = format!("{packet:>8} {:>11} {:>10} ", seconds(*time), seconds(*delta));
    let mut notes = notes.iter();
    match arrow {
        Some(arrow) => text.push_str(&print_arrow(arrow)),
        None => {
            let note = notes.next();
            text.push_str(&note.map(|note| terminal(&note.text)).unwrap_or_default());
        }
    }
    line(text.trim_end(), width, out);
    for note in notes {
        line(&format!("{:BEFORE$} {}", "", terminal(&note.text)), width, out);
    }
}

fn print_arrow(arrow: &Arrow) -> String {
    let label = flags(arrow.flags);
    let label = if label.is_empty() { String::new() } else { format!(" {label} ") };
    let dashes = (ARROW - 2).saturating_sub(label.chars().count());
    let (left, right) = ("─".repeat(dashes / 2), "─".repeat(dashes - dashes / 2));
    let drawn = match arrow.side {
        FlowSide::Initiator => format!("{left}─{label}{right}▶"),
        FlowSide::Responder => format!("◀{left}{label}─{right}"),
    };
    let number = |n: Option<i64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let window = arrow.window.map_or_else(|| "-".to_owned(), |n| n.to_string());
    format!(
        "{drawn} {:>10} {:>10} {window:>8} {:>6}",
        number(arrow.seq),
        number(arrow.ack),
        arrow.len
    )
}

/// Appends a line of at most so many characters.
fn line(text: &str, width: usize, out: &mut Vec<u8>) {
    let cut = text.char_indices().nth(width);
    let written = match cut {
        None => writeln!(out, "{text}"),
        Some(_) => {
            let kept: String = text.chars().take(width.saturating_sub(1)).collect();
            writeln!(out, "{kept}…")
        }
    };
    written.expect("a vector takes all");
}

#[cfg(test)]
mod tests {
    use flowscope::core::TcpFlags;

    use super::*;

    #[test]
    fn arrows_have_the_same_length_whoever_sends_what() {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            for bits in 0..=255 {
                let all = TcpFlags(bits);
                let arrow = Arrow { side, flags: all, len: 9, seq: None, ack: None, window: None };
                let names = flags(all).chars().count();
                let drawn = print_arrow(&arrow);
                let expected = ARROW.max(names + 4) + 1 + 10 + 1 + 10 + 1 + 8 + 1 + 6;
                assert_eq!(drawn.chars().count(), expected, "{drawn}");
            }
        }
    }

    #[test]
    fn lines_fit() {
        let mut out = Vec::new();
        line("äöü and more", 5, &mut out);
        line("short", 5, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "äöü …\nshort\n");
    }
}
