//! All that is known of one flow.

use std::ops::Range;

use flowscope_output::{FLOW, SchemaField, cell_text};
use ratatui_core::style::Style;

use super::canvas::Canvas;
use crate::view::{Mode, View};

/// Width of the names of fields.
const NAMES: usize = 26;

/// Draws a flow into these rows.
pub(super) fn draw(view: &mut View, id: u64, canvas: &mut Canvas<'_>, rows: Range<u16>) {
    let lines = lines(view, id);
    let height = usize::from(rows.end - rows.start);
    let Mode::Flow { top, .. } = &mut view.mode else { return };
    *top = (*top).min(lines.len().saturating_sub(height));
    for (y, (line, is_heading)) in rows.zip(lines.iter().skip(*top)) {
        let style = if *is_heading { canvas.heading() } else { Style::new() };
        canvas.put(0, y, line, style);
    }
    view.page = height.max(1);
}

/// The lines, and which of them are headings.
fn lines(view: &View, id: u64) -> Vec<(String, bool)> {
    let Some(flow) = view.shown().flows.get(id) else {
        return vec![("this flow is not kept any more: others have later packets".into(), true)];
    };
    let (initiator, responder) = flow.endpoints();
    let mut lines = vec![(format!("flow {id}: {initiator} to {responder}"), true)];
    // Those of JSON: other columns are the same values under other names.
    for name in SchemaField::names(&FLOW) {
        let field = SchemaField::new(&FLOW, name);
        let text = cell_text(&field.value(&flow.record.header, &flow.record), &view.zone);
        if !text.is_empty() {
            lines.push((format!("{name:<NAMES$} {text}"), false));
        }
    }
    let kept = flow.sessions.len();
    lines.push((format!("session records: {}, the last {kept}", flow.said), true));
    lines.extend(flow.sessions.iter().map(|line| (line.text.clone(), false)));
    lines
}
