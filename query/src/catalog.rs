//! The tables: one for each kind of record.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::SchemaRef;
use flowscope::output::FLOW;
use flowscope::protocols::{self, ProtocolVisitor};
use flowscope::record::Protocol;
use flowscope_arrow::arrow_schema;

/// A kind of record.
#[derive(Clone, Debug)]
pub(crate) struct RecordKind {
    /// The name of its schema.
    pub(crate) name: &'static str,
    pub(crate) columns: SchemaRef,
    pub(crate) source: Source,
}

/// What of a capture gives the records.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// The flows.
    Flows,
    /// What parsers of these protocols say.
    Sessions(BTreeSet<&'static str>),
}

/// All kinds.
pub(crate) fn kinds() -> Vec<RecordKind> {
    let flows = RecordKind { name: FLOW.name, columns: arrow_schema(&FLOW), source: Source::Flows };
    let mut all = All(vec![flows]);
    protocols::for_each(&mut all);
    all.0
}

struct All(Vec<RecordKind>);

impl ProtocolVisitor for All {
    fn protocol<P: Protocol>(&mut self) {
        let name = P::SCHEMA.name;
        let source = Source::Sessions(parsed_for::<P>());
        self.0.push(RecordKind { name, columns: arrow_schema(P::SCHEMA), source });
    }
}

/// The protocol, and those within whose connections it may begin: `CONNECT` of HTTP left out for protocols of
/// datagrams, so that a query about names runs no parser of HTTP.
fn parsed_for<P: Protocol>() -> BTreeSet<&'static str> {
    let is_left_out = |name| name == HTTP && !P::PORTS.udp.is_empty();
    let carriers = protocols::all().iter().filter(|protocol| protocol.carries);
    let carriers = carriers.map(|protocol| protocol.name).filter(|name| !is_left_out(*name));
    carriers.chain([P::NAME]).collect()
}

const HTTP: &str = "http";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_one_kind_each() {
        let kinds = kinds();
        let names: BTreeSet<_> = kinds.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), kinds.len());
        assert!(["flow", "dns", "tls", "http", "ssh"].iter().all(|name| names.contains(name)));
    }

    #[test]
    fn what_begins_within_another_protocol_needs_that_one() {
        let parsed = |name: &str| match kinds().into_iter().find(|kind| kind.name == name) {
            Some(RecordKind { source: Source::Sessions(protocols), .. }) => protocols,
            kind => panic!("{kind:?}"),
        };
        assert!(parsed("tls").contains("smtp") && parsed("tls").contains("http"));
        assert!(parsed("dns").contains("socks") && parsed("dns").contains("tls"));
        assert!(!parsed("dns").contains("http"));
    }
}
