use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::FingerLookup;

type C = Column<FingerLookup>;

/// The columns of a lookup.
pub static FINGER: Schema<FingerLookup> = Schema {
    summary,
    columns: &[
        C::new(
            "query",
            Kind::Bytes,
            |x| x.query.as_slice().into(),
            "Whom the client asks about; empty: all who are logged in (RFC 1288 §2.3).",
        )
        .eve("finger.query")
        .zeek(0, "query", ZeekType::String),
        C::new(
            "verbose",
            Kind::Bool,
            |x| x.verbose.into(),
            "Whether the client asks for more, `/W` (RFC 1288 §2.5.4).",
        )
        .eve("finger.verbose")
        .zeek(1, "verbose", ZeekType::Bool),
        C::new(
            "answer_len",
            Kind::U64,
            |x| x.answer_len.into(),
            "Length of the answer, in bytes, those not captured included.",
        )
        .eve("finger.answer_len")
        .zeek(2, "answer_len", ZeekType::Count),
        C::new(
            "answer_missing",
            Kind::U64,
            |x| x.answer_missing.into(),
            "Bytes of the answer that were not captured.",
        )
        .eve("finger.answer_missing"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the query to the first byte of the answer, in seconds.",
        )
        .eve("finger.latency")
        .zeek(3, "latency", ZeekType::Interval),
    ],
    ..Schema::new("finger", |x| x.ts)
};

/// `/W alice, 42 bytes`, for tables.
fn summary(lookup: &FingerLookup, out: &mut String) {
    let verbose = if lookup.verbose { "/W " } else { "" };
    out.push_str(verbose);
    out.push_str(&wire_text(&lookup.query));
    out.push_str(&format!(", {} bytes", lookup.answer_len));
}
