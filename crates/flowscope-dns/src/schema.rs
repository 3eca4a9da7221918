//! How DNS records are written: the columns, and what EVE, Zeek's `dns.log` and tables show.
//!
//! DNS, multicast DNS and LLMNR have the same columns but where their headers differ, each under its own
//! name. EVE has a row for each message, with the columns of that message. Zeek has a line for a query and
//! its response, and one for each repetition of the query; columns then take from either message what it is
//! known for, and so does CSV.

use flowscope_core::FlowSide;
use flowscope_record::{Column, Kind, Schema, Value, Visitor, ZeekType};

use crate::protocol::{Flavour, Variant};
use crate::{Dns, DnsMessage, DnsTransaction, DnsTransport, Header, Llmnr, Mdns, Rcode, Record};

use summary::summary;
use values::{
    QUERY, RESOURCE, asked, asks_for_unicast, defect, either, flushes_caches, hex, outcome, qclass,
    query, question, rcode, records, rtype,
};

mod eve;
mod rows;
mod summary;
mod values;
mod zeek;

/// The columns of `dns` records.
pub(crate) static DNS: Schema<DnsTransaction> = schema::<Dns>(&const { columns::<Dns>() });

/// The columns of `mdns` records.
pub(crate) static MDNS: Schema<DnsTransaction> = schema::<Mdns>(&const { columns::<Mdns>() });

/// The columns of `llmnr` records.
pub(crate) static LLMNR: Schema<DnsTransaction> = schema::<Llmnr>(&const { columns::<Llmnr>() });

/// Zeek writes all three into its `dns.log`.
const fn schema<F: Flavour>(columns: &'static [C]) -> Schema<DnsTransaction> {
    Schema {
        zeek_log: "dns",
        sender: Some(|x| either(x).map_or(FlowSide::Initiator, |message| message.side)),
        eve_rows: Some(rows::messages),
        zeek_rows: Some(rows::lines),
        columns,
        summary,
        ..Schema::new(F::NAME, |x| asked(x).map(|message| message.ts).unwrap_or_default())
    }
}

/// The EVE path of a member of the object that is named as the protocol.
macro_rules! own {
    ($flavour:ident, $member:literal) => {
        $flavour::VARIANT.pick([
            concat!("dns.", $member),
            concat!("mdns.", $member),
            concat!("llmnr.", $member),
        ])
    };
}

/// How many columns there are.
const COLUMNS: usize = 33;

/// The columns, in the order of EVE and CSV.
const fn columns<F: Flavour>() -> [C; COLUMNS] {
    let [first_own, second_own] = own_columns::<F>();
    [
        C::new(
            "transport",
            Kind::Text,
            |x| match either(x).map(|message| message.transport) {
                Some(DnsTransport::Udp) => "udp".into(),
                Some(DnsTransport::Tcp) => "tcp".into(),
                None => Value::Null,
            },
            "What carried it: udp or tcp. EVE has the version of its object there: 3.",
        )
        .eve_as(own!(F, "version"), |_| 3_u8.into())
        .zeek(0, "proto", ZeekType::Enum),
        C::new(
            "type",
            Kind::Text,
            |x| if x.response.is_some() { "response".into() } else { "request".into() },
            "request, or response where there is one.",
        )
        .eve(own!(F, "type")),
        C::new(
            "tx_id",
            Kind::U64,
            |x| Value::some(x.response_number().or(x.query_number())),
            "Number of the message in its flow, from 0, both sides together.",
        )
        .eve(own!(F, "tx_id")),
        C::new(
            "id",
            Kind::U64,
            |x| Value::some(either(x).map(DnsMessage::id)),
            "Identifier that a response has from its query (RFC 1035 §4.1.1).",
        )
        .eve(own!(F, "id"))
        .zeek(1, "trans_id", ZeekType::Count),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "Seconds from the first query to the response. Zeek has them if there is an answer.",
        )
        .zeek_as(2, "rtt", ZeekType::Interval, zeek::rtt),
        C::new(
            "query",
            Kind::Text,
            |x| question(x).map_or(Value::Null, |question| question.name().to_text().into()),
            "Name of the first question, in presentation form (RFC 1035 §5.1). Zeek has it in lower case, and that of the first answer where there is no question.",
        )
        .zeek_as(3, "query", ZeekType::String, zeek::query),
        C::new(
            "qclass",
            Kind::U64,
            |x| Value::some(qclass::<F>(x).map(|class| class.0)),
            F::VARIANT.pick([
                "Class of the first question (RFC 1035 §3.2.5), in Zeek too.",
                "Class of the first question, without the bit for unicast responses (RFC 6762 §5.4). Zeek has it with the bit.",
                "Class of the first question (RFC 1035 §3.2.5), in Zeek too.",
            ]),
        )
        .zeek_as(4, "qclass", ZeekType::Count, |x| {
            Value::some(zeek::question(x).map(|asked| asked.class().0))
        }),
        C::new(
            "qclass_name",
            Kind::Text,
            |x| qclass::<F>(x).map_or(Value::Null, Value::short),
            "Class of the first question by name (RFC 1035 §3.2.4). Zeek has C_INTERNET for IN.",
        )
        .zeek_as(5, "qclass_name", ZeekType::String, |x| {
            zeek::question(x).map_or(Value::Null, |question| zeek::qclass_name(question.class()))
        }),
        C::new(
            "qtype",
            Kind::U64,
            |x| Value::some(question(x).map(|question| question.rtype().0)),
            "Type of the first question (RFC 1035 §3.2.3). Zeek has that of the query.",
        )
        .zeek_as(6, "qtype", ZeekType::Count, |x| {
            Value::some(zeek::question(x).map(|question| question.rtype().0))
        }),
        C::new(
            "qtype_name",
            Kind::Text,
            |x| question(x).map_or(Value::Null, |question| rtype(question.rtype())),
            "Type of the first question by name (RFC 1035 §3.2.2). Zeek has * for ANY, and query-N for types without a name.",
        )
        .zeek_as(7, "qtype_name", ZeekType::String, |x| {
            zeek::question(x).map_or(Value::Null, |question| zeek::qtype_name(question.rtype()))
        }),
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
        .eve(own!(F, "flags")),
        C::new(
            "qr",
            Kind::Bool,
            |x| Value::flag(x.response.is_some()),
            "QR: there is a response (RFC 1035 §4.1.1).",
        )
        .eve(own!(F, "qr")),
        C::new(
            F::VARIANT.pick(["aa", "aa", "conflict"]),
            Kind::Bool,
            |x| Value::flag(either(x).is_some_and(|message| message.header.authoritative())),
            F::VARIANT.pick([
                "AA: the responder is an authority for the name (RFC 1035 §4.1.1). Zeek has F without it, and without an answer.",
                "AA: the responder is an authority for the name (RFC 6762 §18.4). Zeek has F without it, and without an answer.",
                "C: the name is in conflict, more than one host has it (RFC 4795 §2.1.1). Zeek has F without it, and without an answer.",
            ]),
        )
        .eve(F::VARIANT.pick(["dns.aa", "mdns.aa", "llmnr.conflict"]))
        .zeek_as(10, "AA", ZeekType::Bool, |x| {
            zeek::answer_header(x).is_some_and(Header::authoritative).into()
        }),
        C::new(
            "tc",
            Kind::Bool,
            |x| Value::flag(either(x).is_some_and(|message| message.header.truncated())),
            "TC: the message had to be cut (RFC 1035 §4.1.1). Zeek has that of the query, F without it.",
        )
        .eve(own!(F, "tc"))
        .zeek_as(11, "TC", ZeekType::Bool, |x| {
            zeek::query_header(x).is_some_and(Header::truncated).into()
        }),
        C::new(
            F::VARIANT.pick(["rd", "rd", "tentative"]),
            Kind::Bool,
            |x| {
                // What LLMNR has in the place of RD is said by the responder.
                let said = if matches!(F::VARIANT, Variant::Llmnr) { either(x) } else { asked(x) };
                Value::flag(said.is_some_and(|message| message.header.recursion_desired()))
            },
            F::VARIANT.pick([
                "RD: recursion is asked for (RFC 1035 §4.1.1). Zeek has F without it.",
                "RD: recursion is asked for; zero in multicast DNS (RFC 6762 §18.6). Zeek has F without it.",
                "T: the responder has not verified yet that its name is unique (RFC 4795 §2.1.1). Zeek has the bit of the query, F without it.",
            ]),
        )
        .eve(F::VARIANT.pick(["dns.rd", "mdns.rd", "llmnr.tentative"]))
        .zeek_as(12, "RD", ZeekType::Bool, |x| {
            zeek::query_header(x).is_some_and(Header::recursion_desired).into()
        }),
        C::new(
            "ra",
            Kind::Bool,
            |x| Value::flag(either(x).is_some_and(|message| message.header.recursion_available())),
            F::VARIANT.pick([
                "RA: recursion is available (RFC 1035 §4.1.1). Zeek has F without it, and without an answer.",
                "RA: recursion is available; zero in multicast DNS (RFC 6762 §18.7). Zeek has F without it, and without an answer.",
                "First of four bits that are reserved and zero (RFC 4795 §2.1.1). Zeek has F without it, and without an answer.",
            ]),
        )
        .eve(own!(F, "ra"))
        .zeek_as(13, "RA", ZeekType::Bool, |x| {
            zeek::answer_header(x).is_some_and(Header::recursion_available).into()
        }),
        C::new(
            "z",
            Kind::U64,
            |x| Value::some(asked(x).map(|message| message.header.flags >> 4 & 7)),
            "The three bits between RA and the response code: Z, AD and CD (RFC 4035 §3). Zeek has those of the query.",
        )
        .zeek_as(14, "Z", ZeekType::Count, |x| {
            zeek::query_header(x).map_or(0, |header| header.flags >> 4 & 7).into()
        }),
        C::new(
            "opcode",
            Kind::U64,
            |x| Value::some(either(x).map(|message| message.header.opcode().0)),
            "Kind of request (RFC 1035 §4.1.1).",
        )
        .eve(own!(F, "opcode")),
        C::new(
            "rcode",
            Kind::Text,
            |x| x.response.as_ref().map_or(Value::Null, |response| rcode(response.rcode())),
            "Response code by name (RFC 6895 §2.3); in EVE without the upper bits of EDNS.",
        )
        .eve_as(own!(F, "rcode"), |x| {
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
        .eve(own!(F, "queries")),
        C::new(
            "answers",
            Kind::List(&RESOURCE),
            |x| records(x, DnsMessage::answers),
            "Records of the answer section (RFC 1035 §4.1.3). EVE has an entry per string of a TXT record; Zeek has the data alone, in its own words.",
        )
        .eve_as(own!(F, "answers"), |x| eve::records(x, DnsMessage::answers))
        .zeek_as(15, "answers", ZeekType::VectorOfString, |x| {
            Value::list(zeek::answers(x).map(|(text, _)| text))
        }),
        C::new(
            "authorities",
            Kind::List(&RESOURCE),
            |x| records(x, DnsMessage::authorities),
            "Records of the authority section (RFC 1035 §4.1.3). EVE has an entry per string of a TXT record.",
        )
        .eve_as(own!(F, "authorities"), |x| eve::records(x, DnsMessage::authorities)),
        C::new(
            "additionals",
            Kind::List(&RESOURCE),
            |x| records(x, DnsMessage::additionals),
            "Records of the additional section without OPT (RFC 1035 §4.1.3). EVE has an entry per string of a TXT record.",
        )
        .eve_as(own!(F, "additionals"), |x| eve::records(x, DnsMessage::additionals)),
        C::new(
            "ttls",
            Kind::List(&Kind::U64),
            |x| {
                let answers = x.response.as_ref().map(DnsMessage::answers).unwrap_or_default();
                Value::list(answers.iter().map(Record::ttl))
            },
            "Seconds for which each answer may be cached (RFC 1035 §4.1.3). EVE has the data of answers by type there; Zeek has those of the answers that it shows.",
        )
        .eve_as(own!(F, "grouped"), eve::grouped)
        .zeek_as(16, "TTLs", ZeekType::VectorOfInterval, |x| {
            Value::list(zeek::answers(x).map(|(_, ttl)| ttl))
        }),
        C::new(
            "rejected",
            Kind::Bool,
            |x| {
                let refused = |response: &DnsMessage| response.rcode() == Rcode::REFUSED;
                x.response.as_ref().is_some_and(refused).into()
            },
            "Whether the server refused to answer (RFC 1035 §4.1.1). Zeek has T for a response without any record, or without question and with an error.",
        )
        .zeek_as(17, "rejected", ZeekType::Bool, |x| {
            x.response.as_ref().is_some_and(zeek::is_rejected).into()
        }),
        first_own,
        second_own,
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
            "answer_records",
            Kind::U64,
            |x| Value::some(either(x).map(|message| message.answers().len() as u64)),
            "How many records the answer section has (RFC 1035 §4.1.1). EVE has it where the list of answers has more entries.",
        )
        .eve_as("flowscope.answer_records", eve::answer_records),
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
    ]
}

/// The columns that only some of the protocols have: how a transaction ended, and what multicast DNS, which
/// has no transactions, does with the top bit of classes.
const fn own_columns<F: Flavour>() -> [C; 2] {
    if matches!(F::VARIANT, Variant::Mdns) {
        return [
            C::new(
                "unicast_response",
                Kind::Bool,
                |x| Value::flag(either(x).is_some_and(asks_for_unicast)),
                "Whether a question asks for a unicast response (RFC 6762 §5.4).",
            )
            .eve("flowscope.unicast_response"),
            C::new(
                "cache_flush",
                Kind::Bool,
                |x| Value::flag(either(x).is_some_and(flushes_caches)),
                "Whether a record replaces what is cached of its name (RFC 6762 §10.2).",
            )
            .eve("flowscope.cache_flush"),
        ];
    }
    [
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
    ]
}

impl flowscope_record::Record for DnsTransaction {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&DNS, self)
    }
}

type C = Column<DnsTransaction>;

#[cfg(test)]
mod tests;
