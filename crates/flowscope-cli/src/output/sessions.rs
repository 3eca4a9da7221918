//! What was said in flows: one record per HTTP exchange, TLS handshake and DNS message.

pub(super) mod eve;
mod table;
mod zeek;

use flowscope::core::{FlowSide, L4Proto, Layer, Orientation, Path, Timestamp};
use flowscope::driver::SessionChange;
use flowscope::extract::{Endpoint, FiveTupleKey};
use flowscope::track::{Change, Flow};

use super::{RecordFormat, Totals, stats};
use crate::args::SessionFormat;
use crate::reading::{AppRecord, PayloadMode, Selection};

/// One record per transaction.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    style: Style,
    selection: Selection,
}

#[derive(Clone, Debug)]
enum Style {
    Table(table::Table),
    Eve,
    Zeek(zeek::Logs),
}

/// What records need to know of their flow and cannot be told by the key.
#[derive(Debug)]
pub(crate) struct SessionState {
    orientation: Orientation,
    path: Option<Box<Path>>,
    /// Copies of the same bytes differed: what was read is one of several readings.
    ambiguous: bool,
}

/// One transaction and the flow it belongs to.
#[derive(Debug)]
pub(crate) struct SessionRecord {
    pub(super) id: u64,
    pub(super) key: FiveTupleKey,
    pub(super) orientation: Orientation,
    path: Option<Box<Path>>,
    pub(super) ambiguous: bool,
    /// When it began.
    pub(super) ts: Timestamp,
    pub(super) said: AppRecord,
}

impl Sessions {
    pub(crate) fn new(format: SessionFormat, mut selection: Selection) -> Self {
        // Zeek has one line for a query and its response.
        selection.pairs = format == SessionFormat::Zeek;
        let style = match format {
            SessionFormat::Table => Style::Table(table::Table::default()),
            SessionFormat::Eve => Style::Eve,
            SessionFormat::Zeek => Style::Zeek(zeek::Logs::default()),
        };
        Sessions { style, selection }
    }
}

impl RecordFormat for Sessions {
    type State = SessionState;
    type Record = SessionRecord;

    fn state(_: &FiveTupleKey) -> SessionState {
        SessionState { orientation: Orientation::Forward, path: None, ambiguous: false }
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Messages(self.selection)
    }

    fn portable(&self) -> bool {
        matches!(self.style, Style::Eve)
    }

    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        change: Change,
    ) -> Option<SessionRecord> {
        if let Change::Started { .. } = change {
            let stats = flow.stats();
            flow.state.orientation = stats.orientation;
            flow.state.path = (!stats.path.is_empty()).then(|| Box::new(stats.path));
        }
        None
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        change: SessionChange,
    ) -> Option<SessionRecord> {
        if let SessionChange::Conflict { .. } = change {
            flow.state.ambiguous = true;
        }
        None
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, SessionState>,
        _: FlowSide,
        said: AppRecord,
    ) -> Option<SessionRecord> {
        Some(SessionRecord {
            id: flow.id.0,
            key: *flow.key,
            orientation: flow.state.orientation,
            path: flow.state.path.clone(),
            ambiguous: flow.state.ambiguous,
            ts: began(&said).unwrap_or(flow.ts),
            said,
        })
    }

    fn write(&mut self, record: &SessionRecord, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Table(table) => table.write(record, out),
            Style::Eve => eve::write(record, out),
            Style::Zeek(logs) => logs.write(record, out),
        }
    }

    fn summarises(&self) -> bool {
        matches!(self.style, Style::Table(_))
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Table(table) => table.end(out),
            Style::Eve => stats::write(totals, out),
            Style::Zeek(logs) => logs.end(totals.end, self.selection, out),
        }
    }
}

impl SessionRecord {
    pub(super) fn proto(&self) -> L4Proto {
        self.key.proto()
    }

    /// Initiator and responder.
    pub(super) fn ends(&self) -> (Endpoint, Endpoint) {
        self.key.endpoints(self.orientation)
    }

    /// VLAN ids, outermost first.
    fn vlans(&self) -> impl Iterator<Item = u32> {
        self.layers().filter(|layer| layer.layer == Layer::Vlan).map(|layer| layer.id)
    }

    /// What else lies around the flow, outermost first.
    fn tunnels(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.layers()
            .filter(|layer| layer.layer != Layer::Vlan)
            .map(|layer| (super::record::layer_name(layer.layer), layer.id))
    }

    fn layers(&self) -> impl Iterator<Item = flowscope::core::PathLayer> {
        let path = self.path.as_deref().copied().unwrap_or(Path::EMPTY);
        (0..path.len()).filter_map(move |at| path.get(at))
    }
}

/// When something that was said began.
fn began(said: &AppRecord) -> Option<Timestamp> {
    Some(match said {
        AppRecord::Http(exchange) => exchange.started,
        AppRecord::Tls(handshake) => handshake.started,
        AppRecord::Dns(message) => message.ts,
        AppRecord::DnsPair(pair) => pair.query.as_ref().or(pair.response.as_ref())?.ts,
        AppRecord::Raw(_) | AppRecord::Digest(_) => return None,
    })
}
