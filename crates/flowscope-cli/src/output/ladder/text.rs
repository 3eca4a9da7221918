//! A ladder in lines of text.

use std::io::Write as _;

use flowscope::core::FlowSide;
use flowscope::output::terminal;

use super::count;
use super::rows::{Arrow, Row, Rows, flags, seconds};

/// Columns of a line.
#[derive(Clone, Copy)]
struct Layout {
    /// Characters of a line.
    width: usize,
    /// Characters of an arrow.
    arrow: usize,
    /// Whether windows are shown.
    window: bool,
}

/// Characters before an arrow, and the space in front of it.
const BEFORE: usize = 30;

/// Characters of a line with everything; below that, arrows are shorter, and windows are left out.
const WHOLE: usize = 93;

impl Layout {
    /// For lines of at most so many characters.
    fn new(width: usize) -> Self {
        let is_whole = width >= WHOLE;
        Layout { width, arrow: if is_whole { 24 } else { 19 }, window: is_whole }
    }
}

/// Appends the ladder, in lines of so many columns if that is possible.
pub(super) fn print(title: &str, rows: &Rows, width: usize, out: &mut Vec<u8>) {
    let layout = Layout::new(width);
    line(title, width, out);
    out.push(b'\n');
    let mut heading = format!("{:>8} {:>10} {:>10} ", "PACKET", "TIME", "DELTA");
    let end = layout.arrow - "initiator".len();
    heading.push_str(&format!("initiator{:>end$}", "responder"));
    heading.push_str(&numbers(layout, ["SEQ", "ACK", "WINDOW", "LEN"]));
    line(&heading, width, out);
    let (first, elided, last) = rows.parts();
    first.iter().for_each(|row| print_row(row, layout, out));
    if elided > 0 {
        line(&format!("{:BEFORE$} … {} left out …", "", count(elided, "row")), width, out);
    }
    last.for_each(|row| print_row(row, layout, out));
}

fn print_row(row: &Row, layout: Layout, out: &mut Vec<u8>) {
    let Row { packet, time, delta, arrow, notes } = row;
    // What happens without a packet has the number of another flow's.
    let packet = arrow.map(|_| packet.to_string()).unwrap_or_default();
    let mut text = format!("{packet:>8} {:>10} {:>10} ", seconds(*time), seconds(*delta));
    let mut notes = notes.iter();
    match arrow {
        Some(arrow) => text.push_str(&print_arrow(arrow, layout)),
        None => {
            let note = notes.next();
            text.push_str(&note.map(|note| terminal(&note.text)).unwrap_or_default());
        }
    }
    line(text.trim_end(), layout.width, out);
    for note in notes {
        line(&format!("{:BEFORE$} {}", "", terminal(&note.text)), layout.width, out);
    }
}

fn print_arrow(arrow: &Arrow, layout: Layout) -> String {
    let label = flags(arrow.flags);
    let label = if label.is_empty() { String::new() } else { format!(" {label} ") };
    let dashes = (layout.arrow - 2).saturating_sub(label.chars().count());
    let (left, right) = ("─".repeat(dashes / 2), "─".repeat(dashes - dashes / 2));
    let drawn = match arrow.side {
        FlowSide::Initiator => format!("{left}─{label}{right}▶"),
        FlowSide::Responder => format!("◀{left}{label}─{right}"),
    };
    let shown = |n: Option<i64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let window = arrow.window.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let [seq, ack, len] = [shown(arrow.seq), shown(arrow.ack), arrow.len.to_string()];
    drawn + &numbers(layout, [&seq, &ack, &window, &len])
}

/// The columns behind an arrow: sequence and acknowledgement number, window, length.
fn numbers(layout: Layout, [seq, ack, window, len]: [&str; 4]) -> String {
    let window = if layout.window { format!(" {window:>8}") } else { String::new() };
    format!(" {seq:>10} {ack:>10}{window} {len:>6}")
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
        for (width, arrow_len) in [(WHOLE, 24), (80, 19)] {
            let layout = Layout::new(width);
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                for bits in 0..=255 {
                    let all = TcpFlags(bits);
                    let arrow =
                        Arrow { side, flags: all, len: 9, seq: None, ack: None, window: None };
                    let names = flags(all).chars().count();
                    let drawn = print_arrow(&arrow, layout);
                    let behind = numbers(layout, [""; 4]).len();
                    let len = drawn.chars().count();
                    assert_eq!(len, arrow_len.max(names + 4) + behind, "{drawn}");
                    assert!(names > arrow_len - 4 || BEFORE + 1 + len <= width, "{drawn}");
                }
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
