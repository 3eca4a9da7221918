//! The table of flows.

use std::ops::Range;

use flowscope_record::{amount, span};
use ratatui_core::style::Style;

use super::canvas::{Canvas, Column};
use crate::flows::{FlowEntry, Order};
use crate::view::View;

/// Room for an IPv4 address and its port, and for any address and a port.
const SHORTEST_END: u16 = 10;
const LONGEST_END: u16 = 47;

/// What a cell shows of a flow.
type Cell = fn(&View, &FlowEntry) -> String;

/// Columns behind those of the endpoints, the most important first, and how they are drawn.
fn columns(order: Order, wide: bool) -> Vec<(Column, Cell)> {
    let number = |heading, width| Column::new(heading, width).right();
    let packets: (Column, Cell) =
        (number("PACKETS", 7), |_, flow| amount(flow.packets()).to_string());
    let rtt: (Column, Cell) = (number("RTT", 6), |_, flow| flow.rtt().map_or(String::new(), span));
    let retransmits: (Column, Cell) =
        (number("RETRANS", 7), |_, flow| amount(flow.retransmits()).to_string());
    let age: (Column, Cell) = (number("AGE", 6), |_, flow| span(flow.record.duration()));
    let rate: (Column, Cell) = (number("BYTES/S", 7), |_, flow| amount(flow.rate).to_string());
    let mut columns: Vec<(Column, Cell)> = vec![
        (Column::new("PROTO", if wide { 14 } else { 9 }), |_, flow| proto(flow)),
        (number("BYTES", 6), |_, flow| amount(flow.bytes()).to_string()),
    ];
    if wide {
        columns.extend([rate, packets, rtt, retransmits, age]);
    } else {
        // There is room for one more, which is what flows are sorted by.
        columns.push(match order {
            Order::Rate | Order::Bytes => rate,
            Order::Packets => packets,
            Order::Rtt => rtt,
            Order::Retransmits => retransmits,
            Order::Age => age,
        });
    }
    columns.push((Column::new("STATE", 7), |_, flow| flow.state().to_owned()));
    columns
}

/// Draws the table into these rows, and keeps the cursor within them.
pub(super) fn draw(view: &mut View, canvas: &mut Canvas<'_>, rows: Range<u16>) {
    if rows.is_empty() {
        return;
    }
    let mut behind = columns(view.order, canvas.is_wide());
    let end = loop {
        let taken: u16 = behind.iter().map(|(column, _)| column.width + 1).sum();
        let end = (canvas.width().saturating_sub(taken + 1)) / 2;
        if end >= SHORTEST_END || behind.is_empty() {
            break end.min(LONGEST_END);
        }
        behind.pop();
    };
    let ends = ["INITIATOR", "RESPONDER"].map(|heading| Column::new(heading, end));
    let all: Vec<Column> = ends.into_iter().chain(behind.iter().map(|(it, _)| *it)).collect();
    let heading = canvas.heading();
    let x = canvas.cells(rows.start, &all, all.iter().map(|column| column.heading), heading);
    let page = usize::from(rows.end - rows.start - 1).max(1);
    let flows = view.rows();
    let sorted = format!("by {}, {} of {} flows", view.order.name(), flows.len(), known(view));
    if usize::from(canvas.width().saturating_sub(x)) >= sorted.len() {
        canvas.put(x, rows.start, &sorted, Style::new());
    }
    let selected = view.selected.and_then(|id| flows.iter().position(|flow| flow.id() == id));
    let last = flows.len().saturating_sub(page);
    let first = match selected {
        None => 0,
        Some(at) => view.first.clamp((at + 1).saturating_sub(page), at).min(last),
    };
    for (y, (at, flow)) in
        (rows.start + 1..rows.end).zip(flows.iter().enumerate().skip(first).take(page))
    {
        let (initiator, responder) = flow.endpoints();
        let texts = [initiator.to_string(), responder.to_string()].into_iter();
        let texts: Vec<String> =
            texts.chain(behind.iter().map(|(_, cell)| cell(view, flow))).collect();
        canvas.cells(y, &all, texts.iter().map(String::as_str), Style::new());
        if at == selected.unwrap_or(0) {
            canvas.style_row(y, Canvas::selected());
        }
    }
    (view.first, view.page) = (first, page);
}

/// How many flows started.
fn known(view: &View) -> String {
    amount(view.shown().tick.flows.max(view.shown().flows.len() as u64)).to_string()
}

/// The protocol over IP, and the application protocol.
fn proto(flow: &FlowEntry) -> String {
    let over_ip = flow.record.header.key.proto();
    match flow.record.app_proto {
        Some(app) => format!("{over_ip}/{app}"),
        None => over_ip.to_string(),
    }
}
