use flowscope_core::{Ledger, UnreadHeaders};
use flowscope_record::{Column, Kind, Record, Schema, Value, Visitor};

/// Where every packet and every byte of payload went: the last line of EVE output.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Where every packet went.
    pub packets: Ledger,
    /// Where the payload of the tracked ones went.
    pub bytes: Ledger,
    /// Flows that were evicted for lack of room.
    pub evicted: u64,
    /// What the capture itself says, by name; those of zero are left out.
    pub capture: Vec<(&'static str, u64)>,
    /// What the packets were that are no flow, or of an unknown link type.
    pub unread: UnreadHeaders,
}

impl CaptureStats {
    /// Statistics with these ledgers.
    #[must_use]
    pub fn new(packets: Ledger, bytes: Ledger) -> Self {
        CaptureStats { packets, bytes, ..CaptureStats::default() }
    }
}

/// The columns of [`CaptureStats`].
pub static STATS: Schema<CaptureStats> = Schema {
    columns: &[
        C::new(
            "packets",
            Kind::Object(&[]),
            |x| ledger(&x.packets, "tracked"),
            "Packets: seen, tracked, and those not tracked by cause.",
        )
        .eve("stats.packets"),
        C::new(
            "bytes",
            Kind::Object(&[]),
            |x| ledger(&x.bytes, "delivered"),
            "Bytes of payload: seen, delivered, and those not delivered by cause.",
        )
        .eve("stats.bytes"),
        C::new(
            "flows",
            Kind::Object(&[]),
            |x| match x.evicted {
                0 => Value::Null,
                n => Value::Object(vec![("evicted", n.into())]),
            },
            "Flows: evicted for lack of room, if any.",
        )
        .eve("stats.flows"),
        C::new(
            "capture",
            Kind::Object(&[]),
            |x| {
                let counts: Vec<_> = x.capture.iter().filter(|(_, n)| *n > 0).collect();
                if counts.is_empty() {
                    return Value::Null;
                }
                Value::Object(counts.iter().map(|(name, n)| (*name, (*n).into())).collect())
            },
            "What the capture says of itself, by name.",
        )
        .eve("stats.capture"),
        C::new(
            "unread",
            Kind::List(&Kind::Object(&[])),
            |x| unread(&x.unread),
            "What packets were that are no flow: Ethertype, LLC address or link type, and packets; the most frequent first.",
        )
        .eve("stats.unread"),
    ],
    ..Schema::new("stats", |_| flowscope_core::Timestamp::ZERO)
};

type C = Column<CaptureStats>;

/// `seen` is the sum of the others.
fn ledger(ledger: &Ledger, delivered: &'static str) -> Value<'static> {
    let sums = [("seen", ledger.seen().into()), (delivered, ledger.delivered().into())];
    let losses = ledger.losses().map(|(cause, n)| (cause.slug(), n.into()));
    Value::Object(sums.into_iter().chain(losses).collect())
}

/// Nothing if all packets were read.
fn unread(headers: &UnreadHeaders) -> Value<'static> {
    let row = |header: Value<'static>, packets: u64| {
        Value::Object([("header", header), ("packets", packets.into())].into())
    };
    let counts = headers.by_count();
    let mut rows: Vec<_> =
        counts.iter().map(|(header, n)| row(Value::short(format_args!("{header}")), *n)).collect();
    if headers.other() > 0 {
        rows.push(row("other".into(), headers.other()));
    }
    if rows.is_empty() { Value::Null } else { Value::List(rows) }
}

impl Record for CaptureStats {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&STATS, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(STATS.faults(), Vec::<String>::new());
    }

    fn value(stats: &CaptureStats, name: &str) -> String {
        let column = STATS.columns.iter().find(|column| column.name == name).unwrap();
        let mut out = Vec::new();
        crate::json::write(&(column.get)(stats), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_did_not_happen_is_left_out() {
        use flowscope_core::Loss;
        let mut packets = Ledger::default();
        packets.deliver(5);
        packets.lose(Loss::RingFull, 2);
        let mut stats = CaptureStats::new(packets, Ledger::default());
        stats.capture = vec![("filtered", 0), ("dropped", 1)];
        let check = |stats: &CaptureStats, name, expected| assert_eq!(value(stats, name), expected);
        check(&stats, "packets", r#"{"seen":7,"tracked":5,"ring_full":2}"#);
        check(&stats, "bytes", r#"{"seen":0,"delivered":0}"#);
        check(&stats, "capture", r#"{"dropped":1}"#);
        check(&stats, "flows", "null");
        check(&stats, "unread", "null");
        stats.capture[1].1 = 0;
        stats.evicted = 1;
        check(&stats, "capture", "null");
        check(&stats, "flows", r#"{"evicted":1}"#);
    }
}
