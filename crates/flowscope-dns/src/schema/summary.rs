//! Transactions in a few words.

use std::fmt::Write as _;

use flowscope_record::span;

use super::values::either;
use crate::{DnsKind, DnsOutcome, DnsTransaction};

/// `4660 NOERROR example.com A -> 192.0.2.1 in 12ms`.
pub(super) fn summary(transaction: &DnsTransaction, text: &mut String) {
    let Some(message) = either(transaction) else { return };
    let _ = match message.kind() {
        DnsKind::Response => write!(text, "{} {}", message.id(), message.rcode()),
        DnsKind::Query => write!(text, "{} {}?", message.id(), message.opcode()),
    };
    for question in message.questions() {
        let _ = write!(text, " {} {}", question.name(), question.rtype());
    }
    for (at, record) in message.answers().iter().enumerate() {
        let between = if at == 0 { " ->" } else { "," };
        let _ = write!(text, "{between} {}", record.rdata());
    }
    if let Some(latency) = transaction.latency {
        let _ = write!(text, " in {}", span(latency));
    } else if transaction.query.is_some() && transaction.outcome != DnsOutcome::Unpaired {
        text.push_str(" -> (no response)");
    }
    if message.defect.is_some() {
        text.push_str(" [malformed]");
    }
}
