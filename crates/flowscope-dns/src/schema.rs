//! How DNS records are written: the columns, and what EVE, Zeek's `dns.log` and tables show.
//!
//! EVE has a row for each message, with the columns of that message. Zeek has a line for a query and its
//! response; both columns and CSV then take from either what it is known for.

use std::fmt::Write;

use flowscope_record::{Column, Kind, Schema, Short, Value, Visitor, ZeekType, span};

use crate::{
    DnsDefect, DnsKind, DnsMessage, DnsOutcome, DnsTransaction, DnsTransport, Question, Rcode,
    Record, RecordType, UnansweredReason,
};

/// The columns of a [`DnsTransaction`].
pub(crate) static SCHEMA: Schema<DnsTransaction> = Schema {
    eve_rows: Some(messages),
    columns: &[
        C::new(
            "transport",
            Kind::Text,
            |x| match either(x).map(|message| message.transport) {
                Some(DnsTransport::Udp) => "udp".into(),
                Some(DnsTransport::Tcp) => "tcp".into(),
                None => Value::Null,
            },
            "What carried it: udp or tcp. EVE has the version of its dns object there: 3.",
        )
        .eve_as("dns.version", |_| 3_u8.into())
        .zeek(0, "proto", ZeekType::Enum),
        C::new(
            "type",
            Kind::Text,
            |x| if x.response.is_some() { "response".into() } else { "request".into() },
            "request, or response where there is one.",
        )
        .eve("dns.type"),
        C::new(
            "id",
            Kind::U64,
            |x| Value::some(either(x).map(DnsMessage::id)),
            "Identifier that a response has from its query (RFC 1035 §4.1.1).",
        )
        .eve("dns.id")
        .zeek(1, "trans_id", ZeekType::Count),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "Seconds from the first query to the response.",
        )
        .zeek(2, "rtt", ZeekType::Interval),
        C::new(
            "query",
            Kind::Text,
            |x| question(x).map_or(Value::Null, |question| question.name().to_text().into()),
            "Name of the first question, in presentation form (RFC 1035 §5.1).",
        )
        .zeek(3, "query", ZeekType::String),
        C::new(
            "qclass",
            Kind::U64,
            |x| Value::some(question(x).map(|question| question.class().0)),
            "Class of the first question (RFC 1035 §3.2.5).",
        )
        .zeek(4, "qclass", ZeekType::Count),
        C::new(
            "qclass_name",
            Kind::Text,
            |x| question(x).map_or(Value::Null, |question| Value::short(question.class())),
            "Class of the first question by name; Zeek has C_INTERNET for IN (RFC 1035 §3.2.4).",
        )
        .zeek_as(5, "qclass_name", ZeekType::String, |x| {
            question(x).map_or(Value::Null, |question| match question.class().mnemonic() {
                Some("IN") => "C_INTERNET".into(),
                Some(name) => name.into(),
                None => Value::short(format_args!("qclass-{}", question.class().0)),
            })
        }),
        C::new(
            "qtype",
            Kind::U64,
            |x| Value::some(question(x).map(|question| question.rtype().0)),
            "Type of the first question (RFC 1035 §3.2.3).",
        )
        .zeek(6, "qtype", ZeekType::Count),
        C::new(
            "qtype_name",
            Kind::Text,
            |x| question(x).map_or(Value::Null, |question| rtype(question.rtype())),
            "Type of the first question by name (RFC 1035 §3.2.2).",
        )
        .zeek(7, "qtype_name", ZeekType::String),
        C::new(
            "rcode_number",
            Kind::U64,
            |x| Value::some(x.response.as_ref().map(|response| response.rcode().0)),
            "Response code with the upper bits of EDNS (RFC 6891 §6.1.3).",
        )
        .zeek(8, "rcode", ZeekType::Count),
        C::new(
            "flags",
            Kind::Text,
            |x| either(x).map_or(Value::Null, |message| hex(message.header.flags)),
            "Second word of the header in hexadecimal (RFC 1035 §4.1.1).",
        )
        .eve("dns.flags"),
        C::new(
            "qr",
            Kind::Bool,
            |x| Value::flag(x.response.is_some()),
            "QR: there is a response (RFC 1035 §4.1.1).",
        )
        .eve("dns.qr"),
        C::new(
            "aa",
            Kind::Bool,
            |x| Value::flag(either(x).is_some_and(|message| message.header.authoritative())),
            "AA: the responder is an authority for the name (RFC 1035 §4.1.1). Zeek has F without it.",
        )
        .eve("dns.aa")
        .zeek_as(10, "AA", ZeekType::Bool, |x| {
            x.response.as_ref().is_some_and(|message| message.header.authoritative()).into()
        }),
        C::new(
            "tc",
            Kind::Bool,
            |x| Value::flag(either(x).is_some_and(|message| message.header.truncated())),
            "TC: the message had to be cut (RFC 1035 §4.1.1). Zeek has F without it.",
        )
        .eve("dns.tc")
        .zeek_as(11, "TC", ZeekType::Bool, |x| {
            either(x).is_some_and(|message| message.header.truncated()).into()
        }),
        C::new(
            "rd",
            Kind::Bool,
            |x| Value::flag(asked(x).is_some_and(|message| message.header.recursion_desired())),
            "RD: recursion is asked for (RFC 1035 §4.1.1). Zeek has F without it.",
        )
        .eve("dns.rd")
        .zeek_as(12, "RD", ZeekType::Bool, |x| {
            asked(x).is_some_and(|message| message.header.recursion_desired()).into()
        }),
        C::new(
            "ra",
            Kind::Bool,
            |x| Value::flag(either(x).is_some_and(|message| message.header.recursion_available())),
            "RA: recursion is available (RFC 1035 §4.1.1). Zeek has F without it.",
        )
        .eve("dns.ra")
        .zeek_as(13, "RA", ZeekType::Bool, |x| {
            x.response.as_ref().is_some_and(|message| message.header.recursion_available()).into()
        }),
        C::new(
            "z",
            Kind::U64,
            |x| Value::some(asked(x).map(|message| message.header.flags >> 4 & 7)),
            "The three bits between RA and the response code: Z, AD and CD (RFC 4035 §3).",
        )
        .zeek(14, "Z", ZeekType::Count),
        C::new(
            "opcode",
            Kind::U64,
            |x| Value::some(either(x).map(|message| message.header.opcode().0)),
            "Kind of request (RFC 1035 §4.1.1).",
        )
        .eve("dns.opcode"),
        C::new(
            "rcode",
            Kind::Text,
            |x| x.response.as_ref().map_or(Value::Null, |response| rcode(response.rcode())),
            "Response code by name (RFC 6895 §2.3); in EVE without the upper bits of EDNS.",
        )
        .eve_as("dns.rcode", |x| {
            x.response.as_ref().map_or(Value::Null, |response| rcode(response.header.rcode()))
        })
        .zeek(9, "rcode_name", ZeekType::String),
        C::new(
            "queries",
            Kind::List(&QUERY),
            |x| {
                Value::list(
                    either(x).map(DnsMessage::questions).unwrap_or_default().iter().map(query),
                )
            },
            "Questions (RFC 1035 §4.1.2).",
        )
        .eve("dns.queries"),
        C::new(
            "answers",
            Kind::List(&RESOURCE),
            |x| records(x, DnsMessage::answers),
            "Records of the answer section (RFC 1035 §4.1.3). Zeek has the data of each alone.",
        )
        .eve("dns.answers")
        .zeek_as(15, "answers", ZeekType::VectorOfString, |x| {
            let answers = x.response.as_ref().map(DnsMessage::answers).unwrap_or_default();
            Value::list(answers.iter().map(|record| record.rdata().to_string()))
        }),
        C::new(
            "authorities",
            Kind::List(&RESOURCE),
            |x| records(x, DnsMessage::authorities),
            "Records of the authority section (RFC 1035 §4.1.3).",
        )
        .eve("dns.authorities"),
        C::new(
            "additionals",
            Kind::List(&RESOURCE),
            |x| records(x, DnsMessage::additionals),
            "Records of the additional section without OPT (RFC 1035 §4.1.3).",
        )
        .eve("dns.additionals"),
        C::new(
            "ttls",
            Kind::List(&Kind::U64),
            |x| {
                let answers = x.response.as_ref().map(DnsMessage::answers).unwrap_or_default();
                Value::list(answers.iter().map(Record::ttl))
            },
            "Seconds for which each answer may be cached (RFC 1035 §4.1.3).",
        )
        .zeek(16, "TTLs", ZeekType::VectorOfInterval),
        C::new(
            "rejected",
            Kind::Bool,
            |x| {
                let refused = |response: &DnsMessage| response.rcode() == Rcode::REFUSED;
                x.response.as_ref().is_some_and(refused).into()
            },
            "Whether the server refused to answer (RFC 1035 §4.1.1).",
        )
        .zeek(17, "rejected", ZeekType::Bool),
        C::new(
            "outcome",
            Kind::Text,
            |x| Value::some(outcome(x.outcome)),
            "How the transaction ended: answered, timeout, flow_ended, no_room, unsolicited or continued.",
        ),
        C::new(
            "retries",
            Kind::U64,
            |x| x.retries.into(),
            "How often the query was repeated while it was open.",
        ),
        C::new(
            "from",
            Kind::Text,
            |x| {
                Value::some(either(x).map(|message| match message.side.index() {
                    0 => "initiator",
                    _ => "responder",
                }))
            },
            "Which end of the flow sent it.",
        )
        .eve("flowscope.from"),
        C::new(
            "bytes",
            Kind::U64,
            |x| Value::some(either(x).map(|message| message.len)),
            "Length of the message on the wire in bytes, without the length prefix of TCP (RFC 1035 §4.2.2).",
        )
        .eve("flowscope.bytes"),
        C::new(
            "extended_rcode",
            Kind::Text,
            |x| {
                let extended =
                    either(x).filter(|message| message.rcode() != message.header.rcode());
                extended.map_or(Value::Null, |message| Value::short(message.rcode()))
            },
            "Response code with the upper bits of EDNS, where they are not zero (RFC 6891 §6.1.3).",
        )
        .eve("flowscope.extended_rcode"),
        C::new(
            "defect",
            Kind::Text,
            |x| Value::some(either(x).and_then(|message| message.defect).map(defect)),
            "What is wrong with the message, if anything.",
        )
        .eve("flowscope.defect"),
    ],
    summary,
    ..Schema::new("dns", |x| asked(x).map(|message| message.ts).unwrap_or_default())
};

impl flowscope_record::Record for DnsTransaction {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&SCHEMA, self)
    }
}

type C = Column<DnsTransaction>;

const QUERY: Kind = Kind::Object(&[("rrname", Kind::Text), ("rrtype", Kind::Text)]);

const RESOURCE: Kind = Kind::Object(&[
    ("rrname", Kind::Text),
    ("rrtype", Kind::Text),
    ("ttl", Kind::U64),
    ("rdata", Kind::Text),
]);

/// The response, or the query that has none.
fn either(transaction: &DnsTransaction) -> Option<&DnsMessage> {
    transaction.response.as_ref().or(transaction.query.as_ref())
}

/// The query, or the response to none.
fn asked(transaction: &DnsTransaction) -> Option<&DnsMessage> {
    transaction.query.as_ref().or(transaction.response.as_ref())
}

fn question(transaction: &DnsTransaction) -> Option<&Question> {
    asked(transaction)?.questions().first()
}

fn rtype(rtype: RecordType) -> Value<'static> {
    rtype.mnemonic().map_or_else(|| Value::short(rtype), Value::from)
}

fn rcode(rcode: Rcode) -> Value<'static> {
    rcode.mnemonic().map_or_else(|| Value::short(rcode), Value::from)
}

/// A number in hexadecimal, without zeros before it.
fn hex(number: u16) -> Value<'static> {
    let digits = [12, 8, 4, 0].map(|shift| b"0123456789abcdef"[usize::from(number >> shift & 15)]);
    let zeros = number.leading_zeros() as usize / 4;
    let text = str::from_utf8(digits.get(zeros.min(3)..).unwrap_or_default());
    Value::Short(Short::copy_of(text.unwrap_or_default()))
}

/// Each message by itself.
fn messages(transaction: &DnsTransaction, row: &mut dyn FnMut(&DnsTransaction)) {
    let (Some(query), Some(response)) = (&transaction.query, &transaction.response) else {
        return row(transaction);
    };
    row(&DnsTransaction::of_message(query.clone()));
    row(&DnsTransaction::of_message(response.clone()));
}

fn query(question: &Question) -> Value<'_> {
    let name = question.name().to_text();
    Value::Object(vec![("rrname", name.into()), ("rrtype", rtype(question.rtype()))])
}

fn records<'a>(
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

fn outcome(outcome: DnsOutcome) -> Option<&'static str> {
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

fn defect(defect: DnsDefect) -> &'static str {
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

/// `4660 NOERROR example.com A -> 192.0.2.1 in 12ms`.
fn summary(transaction: &DnsTransaction, text: &mut String) {
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

#[cfg(test)]
mod tests {
    use flowscope_core::{DatagramParser, FlowSide};

    use super::*;
    use crate::{DnsTransactions, DnsUdpParser};

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(SCHEMA.faults(), Vec::<String>::new());
    }

    #[test]
    fn a_transaction_is_two_rows_of_eve() {
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
        let response = b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
        let mut parser = DnsTransactions::<DnsUdpParser>::default();
        assert!(parser.parse(query, FlowSide::Initiator).is_empty());
        let whole = &parser.parse(response, FlowSide::Responder)[0];
        let rows = SCHEMA.eve_rows.unwrap();
        let mut texts = Vec::new();
        let mut note = |row: &DnsTransaction| {
            let mut text = String::new();
            summary(row, &mut text);
            texts.push(text);
        };
        rows(whole, &mut note);
        assert_eq!(texts, ["4660 QUERY? example.com A", "4660 NXDOMAIN example.com A"]);

        // Read without pairing, the messages are these rows already.
        let mut parser = DnsTransactions::<DnsUdpParser>::default().paired(false);
        let halves =
            [parser.parse(query, FlowSide::Initiator), parser.parse(response, FlowSide::Responder)]
                .concat();
        let mut seen = Vec::new();
        halves.iter().for_each(|half| rows(half, &mut |row| seen.push(row.clone())));
        assert_eq!(seen, halves);
        assert_eq!(halves.len(), 2);
    }
}
