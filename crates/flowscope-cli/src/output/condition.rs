//! Which records `--where` wants.

use flowscope::output::{AROUND, FLOW, FlowRecord, RecordHeader};
use flowscope::protocols::{self, ProtocolVisitor};
use flowscope::record::{Protocol, Record};
use flowscope_where::{Expr, Fields, Matcher, WhereError};

use crate::args::elsewhere;
use crate::error::Failure;
use crate::reading::MessageOptions;

/// A condition that records meet or do not.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    matcher: Matcher<RecordHeader>,
    /// The tests of fields that records of flows do not have: they hold for a flow if they do for something said in it.
    said: Vec<usize>,
}

/// So many tests of a flow can be remembered.
const MOST_SAID: usize = u64::BITS as usize;

impl Condition {
    /// A condition for flows: over their fields, and over those of their session records.
    pub(crate) fn of_flows(text: &str) -> Result<Self, Failure> {
        let fields = flow_fields();
        let mut condition = Condition::new(text, &fields)?;
        let tests = condition.matcher.tests().iter().enumerate();
        let said = tests.filter(|(_, test)| fields.is_other(&test.field)).map(|(number, _)| number);
        condition.said = said.collect();
        if condition.said.len() > MOST_SAID {
            let what = format!("--where: at most {MOST_SAID} comparisons of fields of sessions");
            return Err(Failure::Usage(what));
        }
        condition.matcher.bind(&FLOW);
        Ok(condition)
    }

    /// A condition for session records.
    pub(crate) fn of_sessions(text: &str, messages: MessageOptions) -> Result<Self, Failure> {
        let fields = session_fields(messages);
        let condition = Condition::new(text, &fields)?;
        match condition.matcher.tests().iter().find(|test| fields.is_other(&test.field)) {
            Some(test) => Err(elsewhere("--where", &test.field)),
            None => Ok(condition),
        }
    }

    fn new(text: &str, fields: &Fields) -> Result<Self, Failure> {
        let expr = Expr::parse(text, fields).map_err(failure)?;
        let mut matcher = Matcher::new(&expr, &AROUND);
        protocols::for_each(&mut Bind(&mut matcher));
        Ok(Condition { matcher, said: Vec::new() })
    }

    /// Whether it cannot be decided without session records.
    pub(crate) fn asks_what_is_said(&self) -> bool {
        !self.said.is_empty()
    }

    /// Whether a session record meets it.
    pub(super) fn record_meets(&self, header: &RecordHeader, said: &impl Record) -> bool {
        self.matcher.matches(header, said)
    }

    /// Notes which tests hold for a session record of a flow.
    pub(super) fn note(&self, header: &RecordHeader, said: &impl Record, met: &mut u64) {
        for (bit, number) in self.said.iter().enumerate() {
            if *met & 1 << bit == 0 && self.matcher.test(*number, header, said) {
                *met |= 1 << bit;
            }
        }
    }

    /// Whether a flow meets it, of which session records passed these tests.
    pub(super) fn flow_meets(&self, record: &FlowRecord, met: u64) -> bool {
        self.matcher.holds(|number| match self.said.iter().position(|said| *said == number) {
            Some(bit) => met & 1 << bit != 0,
            None => self.matcher.test(number, &record.header, record),
        })
    }
}

/// The fields of flows, followed by those of session records.
pub(crate) fn flow_fields() -> Fields {
    Fields::new(&AROUND).schema(&FLOW).or(fields_of(MessageOptions::ALL))
}

/// The fields of what these protocols say, and behind them those of flows.
pub(crate) fn session_fields(messages: MessageOptions) -> Fields {
    fields_of(messages).or(Fields::new(&AROUND).schema(&FLOW))
}

fn fields_of(messages: MessageOptions) -> Fields {
    let schemas = messages.schemas().into_iter();
    schemas.fold(Fields::new(&AROUND), Fields::schema)
}

fn failure(error: WhereError) -> Failure {
    Failure::Expression("--where", error)
}

/// Prepares a condition for the records of every protocol.
struct Bind<'a>(&'a mut Matcher<RecordHeader>);

impl ProtocolVisitor for Bind<'_> {
    fn protocol<P: Protocol>(&mut self) {
        self.0.bind(P::SCHEMA);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_flows_come_before_those_of_sessions() {
        let fields = flow_fields();
        let check = |name: &str, is_other: Option<bool>| {
            let known = fields.check(name).is_ok().then(|| fields.is_other(name));
            assert_eq!(known, is_other, "{name}");
        };
        check("bytes", Some(false));
        check("dns.bytes", Some(true));
        check("app_proto", Some(false));
        check("port", Some(false));
        check("retransmits", Some(false));
        check("sni", Some(true));
        check("query", Some(true));
        check("tls.outcome", Some(true));
        check("flow.sni", None);
    }

    #[test]
    fn what_a_flow_said_is_remembered_in_bits() {
        let condition = Condition::of_flows("bytes > 1 && (sni == a || bytes > 2 || query == b)");
        assert_eq!(condition.unwrap().said, [1, 3]);
        let many = vec!["sni == a"; MOST_SAID + 1].join(" || ");
        assert!(Condition::of_flows(&many).is_err());
    }

    #[test]
    fn no_field_is_a_word_of_the_language() {
        for word in ["and", "or", "not", "in", "exists", "contains", "starts", "ends"] {
            assert!(flow_fields().check(word).is_err(), "{word}");
        }
    }
}
