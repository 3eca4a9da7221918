//! Values of columns.

use flowscope_record::{Kind, Short, Value};

use crate::protocol::{Flavour, Variant};
use crate::{
    Class, DnsDefect, DnsMessage, DnsOutcome, DnsTransaction, Question, Rcode, Record, RecordType,
    UnansweredReason,
};

pub(super) const QUERY: Kind = Kind::Object(&[("rrname", Kind::Text), ("rrtype", Kind::Text)]);

pub(super) const RESOURCE: Kind = Kind::Object(&[
    ("rrname", Kind::Text),
    ("rrtype", Kind::Text),
    ("ttl", Kind::U64),
    ("rdata", Kind::Text),
]);

/// The response, or the query that has none.
pub(super) fn either(transaction: &DnsTransaction) -> Option<&DnsMessage> {
    transaction.response.as_ref().or(transaction.query.as_ref())
}

/// The query, or the response to none.
pub(super) fn asked(transaction: &DnsTransaction) -> Option<&DnsMessage> {
    transaction.query.as_ref().or(transaction.response.as_ref())
}

pub(super) fn question(transaction: &DnsTransaction) -> Option<&Question> {
    asked(transaction)?.questions().first()
}

pub(super) fn rtype(rtype: RecordType) -> Value<'static> {
    rtype.mnemonic().map_or_else(|| Value::short(rtype), Value::from)
}

pub(super) fn rcode(rcode: Rcode) -> Value<'static> {
    rcode.mnemonic().map_or_else(|| Value::short(rcode), Value::from)
}

/// A number in hexadecimal, without zeros before it.
pub(super) fn hex(number: u16) -> Value<'static> {
    let digits = [12, 8, 4, 0].map(|shift| b"0123456789abcdef"[usize::from(number >> shift & 15)]);
    let zeros = number.leading_zeros() as usize / 4;
    let text = str::from_utf8(digits.get(zeros.min(3)..).unwrap_or_default());
    Value::Short(Short::copy_of(text.unwrap_or_default()))
}

pub(super) fn query(question: &Question) -> Value<'_> {
    let name = question.name().to_text();
    Value::Object(vec![("rrname", name.into()), ("rrtype", rtype(question.rtype()))])
}

pub(super) fn records<'a>(
    transaction: &'a DnsTransaction,
    section: fn(&DnsMessage) -> &[Record],
) -> Value<'a> {
    let records = either(transaction).map(section).unwrap_or_default();
    Value::list(records.iter().map(|record| {
        Value::Object(vec![
            ("rrname", record.name().to_text().into()),
            ("rrtype", rtype(record.rtype())),
            ("ttl", record.ttl().into()),
            ("rdata", record.rdata().to_string().into()),
        ])
    }))
}

pub(super) fn outcome(outcome: DnsOutcome) -> Option<&'static str> {
    Some(match outcome {
        DnsOutcome::Answered => "answered",
        DnsOutcome::Unanswered(UnansweredReason::Timeout) => "timeout",
        DnsOutcome::Unanswered(UnansweredReason::FlowEnded) => "flow_ended",
        DnsOutcome::Unanswered(UnansweredReason::LimitReached) => "no_room",
        DnsOutcome::Unsolicited => "unsolicited",
        DnsOutcome::Continued => "continued",
        DnsOutcome::Unpaired => return None,
    })
}

pub(super) fn defect(defect: DnsDefect) -> &'static str {
    match defect {
        DnsDefect::Cut => "cut",
        DnsDefect::Malformed(_) => "malformed",
        DnsDefect::RecordData => "record_data",
        DnsDefect::ForwardPointer => "forward_pointer",
        DnsDefect::MisplacedOpt => "misplaced_opt",
        DnsDefect::TooManyRecords => "too_many_records",
        DnsDefect::TooComplex => "too_complex",
    }
}

/// The class of the first question, without the bit that is not the class's in multicast DNS.
pub(super) fn qclass<F: Flavour>(transaction: &DnsTransaction) -> Option<Class> {
    let class = question(transaction)?.class();
    Some(if matches!(F::VARIANT, Variant::Mdns) { class.without_top_bit() } else { class })
}

pub(super) fn asks_for_unicast(message: &DnsMessage) -> bool {
    message.questions().iter().any(|question| question.class().has_top_bit())
}

/// Known answers in a query do not have the bit (RFC 6762 §10.2).
pub(super) fn flushes_caches(message: &DnsMessage) -> bool {
    message.records().iter().any(|record| record.class().has_top_bit())
}
