//! Which flows are shown.

use flowscope_output::{AROUND, FLOW, RecordHeader};
use flowscope_where::{Expr, Fields, Matcher, WhereError};

use crate::flows::FlowEntry;

/// What was asked for: text, or an expression over the fields of flows.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    text: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    /// Text in small letters.
    Text(String),
    Expression(Matcher<RecordHeader>),
}

/// Words that make an expression of a text, as its operators do.
const WORDS: [&str; 8] = ["contains", "starts", "ends", "in", "exists", "not", "and", "or"];

impl Filter {
    /// Reads a filter.
    pub(crate) fn parse(text: &str) -> Result<Self, WhereError> {
        let text = text.trim();
        let is_word = |word: &str| WORDS.contains(&word);
        let is_expression =
            text.contains(['=', '<', '>', '!', '&', '|']) || text.split_whitespace().any(is_word);
        if is_expression { Filter::expression(text) } else { Ok(Filter::text(text)) }
    }

    /// An expression.
    pub(crate) fn expression(text: &str) -> Result<Self, WhereError> {
        let expr = Expr::parse(text, &Fields::new(&AROUND).schema(&FLOW))?;
        let mut matcher = Matcher::new(&expr, &AROUND);
        matcher.bind(&FLOW);
        Ok(Filter { text: text.to_owned(), test: Test::Expression(matcher) })
    }

    fn text(text: &str) -> Self {
        Filter { text: text.to_owned(), test: Test::Text(text.to_lowercase()) }
    }

    /// As it was typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a flow is to be shown.
    pub(crate) fn wants(&self, entry: &FlowEntry) -> bool {
        let record = &entry.record;
        match &self.test {
            Test::Expression(matcher) => matcher.matches(&record.header, record),
            Test::Text(text) => {
                let (initiator, responder) = record.header.endpoints();
                let proto = record.header.key.proto().to_string();
                let app = record.app_proto.unwrap_or_default();
                let own = [&initiator.to_string(), &responder.to_string(), &proto, app];
                let words = own.into_iter().chain([entry.state()]);
                let mut sessions = entry.sessions.iter();
                words.into_iter().any(|it| it.to_lowercase().contains(text))
                    || sessions.any(|line| line.lowercase.contains(text))
            }
        }
    }
}
