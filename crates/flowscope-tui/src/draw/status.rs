//! The lines above and below the tables.

use flowscope_core::Timestamp;
use flowscope_output::shorten;
use flowscope_record::amount;
use ratatui_core::style::{Modifier, Style};

use super::canvas::Canvas;
use crate::rates::SECONDS;
use crate::view::{Mode, View};

/// Characters of a date and the space behind it.
const DATE: usize = 11;

/// A time, with its date or without.
pub(super) fn time(view: &View, ts: Timestamp, date: bool) -> String {
    let text = view.zone.to_the_second(ts);
    if date { text } else { text.get(DATE..).unwrap_or_default().to_owned() }
}

/// Source, time and rates.
pub(super) fn header(view: &View, canvas: &mut Canvas<'_>) {
    let shown = view.shown();
    let wide = canvas.is_wide();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut x = canvas.put(0, 0, &shorten(&view.source, if wide { 40 } else { 16 }), bold);
    for (is_so, word) in [(view.is_paused(), " paused"), (view.ended, " ended")] {
        if is_so {
            x = canvas.put(x, 0, word, canvas.notice());
        }
    }
    let rate = shown.per_second;
    let (packets, bits) = (amount(rate.packets), amount(rate.bits));
    let time = time(view, shown.tick.now, wide);
    let zone = if wide { format!(" {}", view.zone.name()) } else { String::new() };
    let now = format!("  {time}{zone}  {packets} packets/s  {bits} bit/s ");
    x = canvas.put(x, 0, &now, Style::new());
    let (open, new) = (amount(shown.tick.open), amount(rate.flows));
    let flows = format!(" {open} open  {new} new/s");
    let taken = usize::from(x) + flows.chars().count();
    let bars = usize::from(canvas.width()).saturating_sub(taken).min(SECONDS);
    x = canvas.put(x, 0, &shown.rates.bars(bars), canvas.heading());
    canvas.put(x, 0, &flows, Style::new());
}

/// What was not seen, which is always there.
pub(super) fn losses(view: &View, canvas: &mut Canvas<'_>) {
    let shown = view.shown();
    let losses = shown.tick.losses;
    let mut x = canvas.put(0, 1, "lost:", Style::new());
    let (alarm, notice) = (canvas.alarm(), canvas.notice());
    for (name, count, of, style) in [
        ("kernel", losses.kernel, "", alarm),
        ("rings", losses.ring, "", alarm),
        ("evicted", losses.evicted, " flows", alarm),
        ("gaps", shown.gap_bytes, " bytes", alarm),
        // Every network has packets that are no flow.
        ("not tracked", losses.untracked, "", notice),
    ] {
        let style = if count > 0 { style } else { Style::new() };
        x = canvas.put(x, 1, &format!(" {name} {}{of} ", amount(count)), style);
    }
}

/// The last line, with what is wrong with a filter above it. Returns the column of the cursor, if there is one.
pub(super) fn prompt(view: &View, canvas: &mut Canvas<'_>) -> Option<u16> {
    let y = canvas.height().checked_sub(1)?;
    canvas.clear_row(y);
    if let Mode::Filter { typed, wrong } = &view.mode {
        let above = (0..y).rev().zip(wrong.iter().rev());
        for (number, (y, line)) in above.enumerate() {
            canvas.clear_row(y);
            let is_message = number + 1 == wrong.len();
            let style = if is_message { canvas.alarm() } else { Style::new() };
            // The expression stands where it is typed.
            let indent = if is_message { 0 } else { PROMPT.len() as u16 };
            canvas.put(indent, y, line, style);
        }
        let x = canvas.put(0, y, PROMPT, canvas.heading());
        let room = usize::from(canvas.width().saturating_sub(x + 1));
        let hidden = typed.chars().count().saturating_sub(room);
        let tail: String = typed.chars().skip(hidden).collect();
        let x = canvas.put(x, y, &tail, Style::new());
        return Some(x.min(canvas.width().saturating_sub(1)));
    }
    if let Some(message) = &view.message {
        let x = canvas.put(0, y, message, canvas.notice());
        canvas.put(x, y, HELP, Style::new());
        return None;
    }
    let keys = match view.mode {
        Mode::Help => "any key: back  q quit",
        Mode::Flow { .. } => "Esc back  Up Down scroll  q quit",
        _ => "? help  / filter  s sort  Enter flow  e export  p pause  q quit",
    };
    let x = canvas.put(0, y, keys, Style::new());
    if let (Mode::Tables, Some(filter)) = (&view.mode, &view.filter) {
        canvas.put(x, y, &format!("  filter: {}", filter.as_str()), canvas.notice());
    }
    None
}

/// What stands behind a message.
const HELP: &str = "  ? help";

/// What stands before a filter.
const PROMPT: &str = "filter: ";
