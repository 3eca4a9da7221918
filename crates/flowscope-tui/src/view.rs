//! The state of the view.

use flowscope_core::Timestamp;
use flowscope_extract::Endpoint;
use flowscope_output::{EveFormat, FlowRecord, Format as _, RecordHeader, Zone, terminal};
use flowscope_record::{Record, Schema, Visitor};
use flowscope_track::PacketInfo;
use flowscope_where::WhereError;
use ratatui_core::terminal::Frame;

use crate::draw;
use crate::filter::Filter;
use crate::flows::{FlowEntry, FlowTable, Order, per_second};
use crate::key::{Action, Key};
use crate::names::Names;
use crate::rates::Rates;

#[cfg(test)]
mod tests;

/// The counters of a run, from its start to a time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tick {
    /// Packet time.
    pub now: Timestamp,
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Flows that started.
    pub flows: u64,
    /// Flows in the table.
    pub open: u64,
    /// What was not seen.
    pub losses: Losses,
}

/// What was not seen, or not kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// Packets that the kernel dropped.
    pub kernel: u64,
    /// Packets that found the rings of a card or of a capture full.
    pub ring: u64,
    /// Packets that were read, and belong to no flow.
    pub untracked: u64,
    /// Flows that were evicted for lack of room.
    pub evicted: u64,
}

/// A view of flows as they come, and of the names in them.
///
/// Records, counters and keys go in; frames are drawn. It reads no clock, file or terminal. Memory is bounded: there are
/// at most 1250 flows, those with the latest packets, with 32 session records each, and 1000 names; while it is paused,
/// there is a copy of them.
///
/// Everything chosen by peers is drawn with control characters spelled out, so that nothing of it reaches the
/// terminal as a command.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) source: String,
    pub(crate) zone: Zone,
    pub(crate) colors: bool,
    pub(crate) order: Order,
    pub(crate) filter: Option<Filter>,
    pub(crate) mode: Mode,
    /// The flow under the cursor; without one, the cursor is on the first row.
    pub(crate) selected: Option<u64>,
    /// The first row of the table that is drawn.
    pub(crate) first: usize,
    /// Rows of the table, as drawn last.
    pub(crate) page: usize,
    /// What is said of the last key, or by the program.
    pub(crate) message: Option<String>,
    pub(crate) ended: bool,
    gathered: Gathered,
    /// What there was when the view was paused.
    frozen: Option<Box<Gathered>>,
}

/// What fills the view.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// The tables.
    Tables,
    /// A flow, from this line on.
    Flow { id: u64, top: usize },
    /// The keys.
    Help,
    /// The tables, while a filter is typed; with what is wrong with it.
    Filter { typed: String, wrong: Vec<String> },
}

/// What was gathered up to a time.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    pub(crate) flows: FlowTable,
    pub(crate) names: Names,
    pub(crate) rates: Rates,
    pub(crate) tick: Tick,
    /// The counters at the end of the last interval, and what passed in it per second.
    sampled: Option<Tick>,
    pub(crate) per_second: PerSecond,
    /// Bytes of streams that were acknowledged but not captured.
    pub(crate) gap_bytes: u64,
}

/// What passed per second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerSecond {
    pub(crate) packets: u64,
    pub(crate) bits: u64,
    pub(crate) flows: u64,
}

/// Rates are those of at least so many nanoseconds.
const INTERVAL: u128 = 1_000_000_000;

/// Most characters of a session record in a line, control characters spelled out.
const MAX_LINE: usize = 300;

impl View {
    /// A view of packets from this source: interfaces, or files.
    #[must_use]
    pub fn new(source: &str) -> Self {
        View {
            source: terminal(source).into_owned(),
            zone: Zone::utc(),
            colors: true,
            order: Order::default(),
            filter: None,
            mode: Mode::Tables,
            selected: None,
            first: 0,
            page: 1,
            message: None,
            ended: false,
            gathered: Gathered::new(),
            frozen: None,
        }
    }

    /// Shows times of this zone; of UTC by default.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Uses colours, or does not; it does by default.
    #[must_use]
    pub fn colors(mut self, colors: bool) -> Self {
        self.colors = colors;
        self
    }

    /// Shows only flows for which this expression over the fields of flows holds, until another filter is typed.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub fn filter(mut self, expression: &str) -> Result<Self, WhereError> {
        self.filter = Some(Filter::expression(expression)?);
        Ok(self)
    }

    /// Takes the record of a flow from its start up to now, as [`FlowRecord::of_whole`] makes it, and how many bytes of its
    /// streams turned out to be missing since the record before.
    pub fn flow(&mut self, record: FlowRecord, new_gap_bytes: u64) {
        self.gathered.gap_bytes = self.gathered.gap_bytes.saturating_add(new_gap_bytes);
        self.gathered.flows.record(record);
    }

    /// Counts a packet that is not in the last record of its flow yet: as a packet, its bytes on the wire, and its payload.
    pub fn packet(&mut self, flow_id: u64, packet: &PacketInfo) {
        self.gathered.flows.packet(flow_id, packet);
    }

    /// Takes a session record.
    pub fn session(&mut self, header: &RecordHeader, record: &impl Record) {
        let Gathered { flows, names, .. } = &mut self.gathered;
        names.session(header, record);
        let zone = &self.zone;
        flows.session(header.flow_id, || record.visit(Line { zone }));
    }

    /// Takes the counters. Rates are made of them, and of those at least a second of packet time before.
    pub fn tick(&mut self, tick: &Tick) {
        self.gathered.tick(tick);
    }

    /// Takes the last counters: there is nothing more to come. Flows are sorted by their bytes from here on.
    pub fn end(&mut self, tick: &Tick) {
        self.gathered.tick(tick);
        self.ended = true;
        if self.order == Order::Rate {
            self.order = Order::Bytes;
        }
    }

    /// Shows a line until the next key.
    pub fn say(&mut self, line: &str) {
        self.message = Some(terminal(line).into_owned());
    }

    /// Packet time of what is shown.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shown().tick.now
    }

    /// Whether the last counters were taken.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether it is paused: what is shown does not change.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Action {
        self.message = None;
        if key == Key::Interrupt {
            return Action::Quit;
        }
        match &mut self.mode {
            Mode::Filter { .. } => self.type_filter(key),
            _ if key == Key::Char('q') => return Action::Quit,
            Mode::Help => self.mode = Mode::Tables,
            Mode::Flow { top, .. } => match key {
                Key::Esc | Key::Enter => self.mode = Mode::Tables,
                _ => move_by(top, self.page, usize::MAX, key),
            },
            Mode::Tables => return self.command(key),
        }
        Action::Draw
    }

    /// Draws the view.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        draw::view(self, frame);
    }

    fn command(&mut self, key: Key) -> Action {
        match key {
            Key::Char('/') => {
                let typed = self.filter.as_ref().map_or(String::new(), |it| it.as_str().into());
                self.mode = Mode::Filter { typed, wrong: Vec::new() };
            }
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Char('s') => self.order = self.order.next(),
            Key::Char('p') => self.pause(),
            Key::Char('e') => return self.export(),
            Key::Enter => {
                let rows = self.rows();
                let selected = self.selected.filter(|id| rows.iter().any(|row| row.id() == *id));
                let id = selected.or_else(|| Some(rows.first()?.id()));
                if let Some(id) = id {
                    self.mode = Mode::Flow { id, top: 0 };
                }
            }
            Key::Esc | Key::Home => (self.selected, self.first) = (None, 0),
            key => self.select(key),
        }
        Action::Draw
    }

    fn select(&mut self, key: Key) {
        let ids: Vec<u64> = self.rows().iter().map(|row| row.id()).collect();
        let selected = self.selected.and_then(|id| ids.iter().position(|it| *it == id));
        let mut at = selected.unwrap_or(0);
        move_by(&mut at, self.page, ids.len().saturating_sub(1), key);
        if selected.is_some() || at > 0 {
            self.selected = ids.get(at).copied();
        }
    }

    fn pause(&mut self) {
        self.frozen = match self.frozen {
            None => Some(Box::new(self.gathered.clone())),
            Some(_) => None,
        };
    }

    fn export(&mut self) -> Action {
        let rows = self.rows();
        if rows.is_empty() {
            self.say("no flow is shown that could be exported");
            return Action::Draw;
        }
        let (mut eve, mut out) = (EveFormat::new(), Vec::new());
        for FlowEntry { record, .. } in rows {
            eve.record(&record.header, record, &mut out);
        }
        Action::Export(out)
    }

    fn type_filter(&mut self, key: Key) {
        let Mode::Filter { typed, wrong } = &mut self.mode else { return };
        match key {
            // What would have to be spelled out is left out.
            Key::Char(c) if typed.len() + c.len_utf8() <= MAX_FILTER && is_plain(c) => {
                typed.push(c);
            }
            Key::Backspace => {
                typed.pop();
            }
            Key::Enter => {
                let filter = match typed.trim() {
                    "" => Ok(None),
                    typed => Filter::parse(typed).map(Some),
                };
                match filter {
                    Ok(filter) => {
                        self.filter = filter;
                        self.first = 0;
                        self.mode = Mode::Tables;
                    }
                    Err(error) => {
                        *wrong = vec![error.message().to_owned()];
                        wrong.extend(error.explanation());
                    }
                }
                return;
            }
            Key::Esc => return self.mode = Mode::Tables,
            _ => return,
        }
        wrong.clear();
    }

    /// What is shown.
    pub(crate) fn shown(&self) -> &Gathered {
        self.frozen.as_deref().unwrap_or(&self.gathered)
    }

    /// The flows of the table, in order.
    pub(crate) fn rows(&self) -> Vec<&FlowEntry> {
        let wants = |entry: &FlowEntry| self.filter.as_ref().is_none_or(|it| it.wants(entry));
        self.shown().flows.sorted(self.order, wants)
    }
}

/// Most bytes of a filter.
const MAX_FILTER: usize = 1024;

/// Whether a character is shown as it is.
fn is_plain(c: char) -> bool {
    let text = c.to_string();
    terminal(&text) == text
}

/// Moves a place as a key says, in a list with this last place.
fn move_by(at: &mut usize, page: usize, last: usize, key: Key) {
    *at = match key {
        Key::Up | Key::Char('k') => at.saturating_sub(1),
        Key::Down | Key::Char('j') => at.saturating_add(1),
        Key::PageUp => at.saturating_sub(page),
        Key::PageDown => at.saturating_add(page),
        Key::Home | Key::Char('g') => 0,
        Key::End | Key::Char('G') => last,
        _ => *at,
    }
    .min(last);
}

impl FlowEntry {
    pub(crate) fn id(&self) -> u64 {
        self.record.header.flow_id
    }

    pub(crate) fn endpoints(&self) -> (Endpoint, Endpoint) {
        self.record.header.endpoints()
    }
}

impl Gathered {
    fn new() -> Self {
        Gathered {
            flows: FlowTable::default(),
            names: Names::new(),
            rates: Rates::default(),
            tick: Tick::default(),
            sampled: None,
            per_second: PerSecond::default(),
            gap_bytes: 0,
        }
    }

    fn tick(&mut self, tick: &Tick) {
        let before = std::mem::replace(&mut self.tick, *tick);
        // Before the first there was no time that could have passed.
        let from = if before.now == Timestamp::ZERO { tick.now } else { before.now };
        let bytes = tick.wire_bytes.saturating_sub(before.wire_bytes);
        self.rates.add(from, tick.now, bytes);
        let Some(last) = self.sampled else {
            self.sampled = Some(*tick);
            self.flows.sample(tick.now);
            return;
        };
        let passed = tick.now.since(last.now).as_nanos();
        if passed < INTERVAL {
            return;
        }
        let of = |now: u64, then: u64| per_second(now.saturating_sub(then), passed);
        self.per_second = PerSecond {
            packets: of(tick.packets, last.packets),
            bits: of(tick.wire_bytes, last.wire_bytes).saturating_mul(8),
            flows: of(tick.flows, last.flows),
        };
        self.sampled = Some(*tick);
        self.flows.sample(tick.now);
    }
}

/// A session record in a line: when, of which protocol, and what.
struct Line<'a> {
    zone: &'a Zone,
}

impl Visitor for Line<'_> {
    type Output = String;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> String {
        let mut said = String::new();
        (schema.summary)(record, &mut said);
        cut(&mut said);
        let mut shown = terminal(said.trim_end()).into_owned();
        cut(&mut shown);
        let time = self.zone.to_the_second((schema.time)(record));
        format!("{time} {} {shown}", schema.name)
    }
}

/// Keeps the first [`MAX_LINE`] characters of a text.
fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_LINE) {
        text.truncate(end);
        text.push('…');
    }
}
