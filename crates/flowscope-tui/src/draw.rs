//! What is drawn.

mod canvas;
mod flow;
mod help;
mod status;
mod table;

use flowscope_output::shorten;
use ratatui_core::style::Style;
use ratatui_core::terminal::Frame;

use crate::view::{Mode, View};
use canvas::{Canvas, Column};

/// Draws the view, whatever the size of the terminal.
pub(crate) fn view(view: &mut View, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut canvas = Canvas::new(frame.buffer_mut(), view.colors);
    let height = canvas.height();
    status::header(view, &mut canvas);
    status::losses(view, &mut canvas);
    // Header, losses, and the line of the prompt below.
    let body = 2..height.saturating_sub(1).max(2);
    match view.mode {
        Mode::Help => help::draw(&mut canvas, body),
        Mode::Flow { id, .. } => flow::draw(view, id, &mut canvas, body),
        Mode::Tables | Mode::Filter { .. } => {
            let rows = body.end - body.start;
            let of_names = if rows < FEWEST_ROWS { 0 } else { (rows / 3).min(MOST_NAMES) };
            let between = body.end - of_names;
            table::draw(view, &mut canvas, body.start..between);
            names(view, &mut canvas, between..body.end);
        }
    }
    let cursor = status::prompt(view, &mut canvas);
    if let Some(x) = cursor {
        frame.set_cursor_position((area.x + x, area.bottom().saturating_sub(1)));
    }
}

/// Names have no place if there are fewer rows.
const FEWEST_ROWS: u16 = 10;

/// Most rows of names.
const MOST_NAMES: u16 = 14;

/// Draws the latest names.
fn names(view: &View, canvas: &mut Canvas<'_>, rows: std::ops::Range<u16>) {
    if rows.is_empty() {
        return;
    }
    let wide = canvas.is_wide();
    let columns = [
        Column::new("TIME", if wide { 19 } else { 8 }),
        Column::new("NAMES", 5),
        Column::new("CLIENT", if wide { 39 } else { 23 }),
        Column::new("TIMES", 5).right(),
    ];
    let header = columns.iter().map(|column| column.heading);
    let text_at = canvas.cells(rows.start, &columns, header, canvas.heading());
    canvas.put(text_at, rows.start, "NAME", canvas.heading());
    for (y, name) in (rows.start + 1..rows.end).zip(view.shown().names.latest()) {
        let time = status::time(view, name.ts, wide);
        let client = name.client.addr.to_string();
        let times = name.times.to_string();
        let cells = [time.as_str(), name.protocol, &client, &times].into_iter();
        let x = canvas.cells(y, &columns, cells, Style::new());
        let room = canvas.width().saturating_sub(x).into();
        canvas.put(x, y, &shorten(&name.name, room), Style::new());
    }
}
