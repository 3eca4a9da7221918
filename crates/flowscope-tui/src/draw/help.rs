//! What the keys do.

use std::ops::Range;

use ratatui_core::style::Style;

use super::canvas::Canvas;

const KEYS: [(&str, &str); 13] = [
    ("Up Down", "another flow; also k, j, Page Up, Page Down, End"),
    ("Home Esc", "back to the first row"),
    ("Enter", "all fields of the flow, and its session records"),
    ("s", "sort by bytes/s, bytes, packets, rtt, retransmits, age"),
    ("/", "filter: text, or an expression as for --where"),
    ("", "  example.com          text in a flow or its session records"),
    ("", "  app_proto == tls && bytes > 1M"),
    ("e", "export the flows of the table as EVE"),
    ("p", "pause, go on"),
    ("?", "these keys"),
    ("q Ctrl-C", "quit"),
    ("", ""),
    ("lost", "packets dropped by the kernel or in rings, flows evicted, gaps"),
];

/// Draws the keys into these rows.
pub(super) fn draw(canvas: &mut Canvas<'_>, rows: Range<u16>) {
    for (y, (key, what)) in rows.zip(KEYS) {
        canvas.put(0, y, key, canvas.heading());
        canvas.put(10, y, what, Style::new());
    }
}
