//! A ladder as a drawing.

use std::fmt::Write as _;

use flowscope::core::FlowSide;
use flowscope::extract::Endpoint;
use flowscope_report::markup_text;

use super::count;
use super::rows::{Arrow, NoteKind, Row, Rows, flags, seconds};

/// Places across.
const LEFT: u32 = 190;
const RIGHT: u32 = 560;
const NOTES: u32 = 590;
const WIDTH: u32 = 1000;

/// Heights.
const TOP: u32 = 84;
const STEP: u32 = 34;
const NOTE: u32 = 16;

const STYLE: &str = "\
text{font:12px/1 system-ui,sans-serif;fill:#1c2126}.t{font-size:15px;font-weight:600}.s{fill:#565f69;font-size:11px}\
.m{text-anchor:middle}.e{text-anchor:end}.l{stroke:#98a1aa;stroke-width:1}.a{stroke:#2563a8;stroke-width:1.5}\
.h{fill:#2563a8}.x .a{stroke:#9a3412}.x .h{fill:#9a3412}.w{fill:#9a3412}.g{fill:#2f6b45}.b{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e6e8ea}.s{fill:#a7afb8}.l{stroke:#5c656e}.a{stroke:#6aa8e8}.h{fill:#6aa8e8}\
.x .a{stroke:#f3a582}.x .h{fill:#f3a582}.w{fill:#f3a582}.g{fill:#85cfa3}.b{fill:#131619}}";

/// Appends the drawing.
pub(super) fn draw(title: &str, ends: [Endpoint; 2], rows: &Rows, out: &mut Vec<u8>) {
    let (first, elided, last) = rows.parts();
    let last: Vec<&Row> = last.collect();
    let extra = |row: &Row| (row.notes.len().saturating_sub(2) as u32) * NOTE;
    let notes: u32 = first.iter().chain(last.iter().copied()).map(extra).sum();
    let steps = rows.len() as u32 + u32::from(elided > 0);
    let height = TOP + steps * STEP + notes + 20;
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n<rect class=\"b\" width=\"100%\" height=\"100%\"/>\n",
        markup_text(title)
    );
    text(&mut svg, "t", 20, 30, title);
    for (at, end) in [LEFT, RIGHT].into_iter().zip(ends) {
        text(&mut svg, "m", at, 62, &end.to_string());
        let _ = writeln!(
            svg,
            "<line class=\"l\" x1=\"{at}\" x2=\"{at}\" y1=\"72\" y2=\"{}\"/>",
            height - 16
        );
    }
    let mut y = TOP + 14;
    for row in first {
        draw_row(row, y, &mut svg);
        y += STEP + extra(row);
    }
    if elided > 0 {
        text(
            &mut svg,
            "s m",
            LEFT.midpoint(RIGHT),
            y,
            &format!("… {} left out …", count(elided, "row")),
        );
        y += STEP;
    }
    for row in last {
        draw_row(row, y, &mut svg);
        y += STEP + extra(row);
    }
    svg.push_str("</svg>\n");
    out.extend_from_slice(svg.as_bytes());
}

fn draw_row(row: &Row, y: u32, svg: &mut String) {
    let troubled = row.notes.iter().any(|note| note.kind == NoteKind::Trouble);
    let reset = row.arrow.is_some_and(|arrow| arrow.flags.rst());
    svg.push_str(if troubled || reset { "<g class=\"x\">\n" } else { "<g>\n" });
    text(svg, "s e", 108, y - 2, &seconds(row.time));
    text(svg, "s e", 108, y + 10, &format!("+{}", seconds(row.delta)));
    if let Some(arrow) = &row.arrow {
        text(svg, "s", 14, y - 2, &row.packet.to_string());
        draw_arrow(arrow, y, svg);
    }
    for (at, note) in row.notes.iter().enumerate() {
        let class = match note.kind {
            NoteKind::State => "s",
            NoteKind::Trouble => "w",
            NoteKind::Message => "g",
        };
        let shown = cut(&note.text, 62);
        text(svg, class, NOTES, y + 2 + at as u32 * NOTE, &shown);
    }
    svg.push_str("</g>\n");
}

fn draw_arrow(arrow: &Arrow, y: u32, svg: &mut String) {
    let (from, to, head) = match arrow.side {
        FlowSide::Initiator => (LEFT, RIGHT, RIGHT - 8),
        FlowSide::Responder => (RIGHT, LEFT, LEFT + 8),
    };
    let _ = writeln!(
        svg,
        "<line class=\"a\" x1=\"{from}\" x2=\"{to}\" y1=\"{y}\" y2=\"{y}\"/>\
         <path class=\"h\" d=\"M{to} {y}L{head} {}L{head} {}Z\"/>",
        y - 4,
        y + 4
    );
    let mut label = flags(arrow.flags);
    for (name, n) in [("seq", arrow.seq), ("ack", arrow.ack)] {
        if let Some(n) = n {
            let _ = write!(label, " {name}={n}");
        }
    }
    if let Some(window) = arrow.window {
        let _ = write!(label, " win={window}");
    }
    let _ = write!(label, " len={}", arrow.len);
    text(svg, "m", LEFT.midpoint(RIGHT), y - 5, label.trim_start());
}

/// Appends text at a place; it is no markup.
fn text(svg: &mut String, class: &str, x: u32, y: u32, text: &str) {
    let text = markup_text(text);
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}
