//! The tables: one for each kind of record.

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
    /// What is said in this protocol.
    Sessions(&'static str),
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
        let source = Source::Sessions(P::NAME);
        self.0.push(RecordKind { name, columns: arrow_schema(P::SCHEMA), source });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_those_of_one_kind_each() {
        let kinds = kinds();
        let names: BTreeSet<_> = kinds.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), kinds.len());
        assert!(["flow", "dns", "tls", "http", "ssh"].iter().all(|name| names.contains(name)));
    }
}
