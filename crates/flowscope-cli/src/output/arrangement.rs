//! The order of records, and how many there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::output::{RecordFields, RecordHeader};
use flowscope::record::{Record, Schema, Value, Visitor};

use super::count;

/// Records in the order of a field, or the first ones as they come.
#[derive(Clone, Debug)]
pub(crate) struct Arrangement<T> {
    sort: Option<Sort>,
    most: usize,
    kept: BTreeMap<(Rank, u64), Kept<T>>,
    /// Memory of those that are kept.
    bytes: usize,
    /// The first that found no room. No later one is kept, so that none is missing among those printed.
    cut: Option<(Rank, u64)>,
    /// Whether it was memory that they found no room in.
    lacked_memory: bool,
    /// Records that came.
    seen: u64,
}

#[derive(Clone, Debug)]
struct Kept<T> {
    record: T,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Sort {
    field: RecordFields,
    descending: bool,
}

/// The place of a record; those without a value come last.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Ascending(Key),
    Descending(Reverse<Key>),
    Absent,
}

/// A value that has an order. Values of different types are ordered by type.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Key {
    Bool(bool),
    Number(u64),
    /// Bits of a float in the order of its values.
    Float(i64),
    Duration(Duration),
    Time(Timestamp),
    Addr(IpAddr),
    Text(Vec<u8>),
}

/// As many sorted records are kept if nothing else is asked for.
const MOST: usize = 100_000;

/// Memory of the records that are kept, in bytes, as far as it is known.
const MEMORY: usize = 256 << 20;

impl<T> Arrangement<T> {
    /// The first records as they come.
    pub(crate) fn first(most: NonZeroUsize) -> Self {
        Arrangement::new(None, most.get())
    }

    /// The first records in the order of this field.
    pub(crate) fn sorted(field: &str, descending: bool, most: Option<NonZeroUsize>) -> Self {
        let field = RecordFields::new(vec![field.to_owned()]);
        Arrangement::new(Some(Sort { field, descending }), most.map_or(MOST, NonZeroUsize::get))
    }

    fn new(sort: Option<Sort>, most: usize) -> Self {
        let kept = BTreeMap::new();
        Arrangement { sort, most, kept, bytes: 0, cut: None, lacked_memory: false, seen: 0 }
    }

    /// Whether the record is to be written now. If it may have to be written later, a copy is kept.
    pub(crate) fn takes(
        &mut self,
        header: &RecordHeader,
        record: &impl Record,
        copy: impl FnOnce() -> T,
    ) -> bool {
        self.seen += 1;
        let Some(Sort { field, descending }) = &mut self.sort else {
            return self.seen <= self.most as u64;
        };
        let mut key = None;
        field.values(header, record, &mut |value| key = Key::of(&value));
        let rank = match key {
            None => Rank::Absent,
            Some(key) if *descending => Rank::Descending(Reverse(key)),
            Some(key) => Rank::Ascending(key),
        };
        let place = (rank, self.seen);
        if self.cut.as_ref().is_some_and(|cut| *cut < place) {
            return false;
        }
        let bytes = size_of::<T>() + place.0.bytes() + record.visit(Bytes);
        self.kept.insert(place, Kept { record: copy(), bytes });
        self.bytes += bytes;
        while self.kept.len() > self.most || self.bytes > MEMORY {
            self.lacked_memory |= self.kept.len() <= self.most;
            let Some((place, last)) = self.kept.pop_last() else { break };
            self.bytes -= last.bytes;
            self.cut = Some(place);
        }
        false
    }

    /// Whether later records change nothing.
    pub(crate) fn is_complete(&self) -> bool {
        self.sort.is_none() && self.seen >= self.most as u64
    }

    /// The records that were kept, in order.
    pub(crate) fn in_order(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.kept).into_values().map(|kept| kept.record)
    }

    /// That there were more records than are printed, or may have been.
    pub(crate) fn note(&self) -> Option<String> {
        let all = count(self.seen, "record");
        if self.sort.is_none() {
            // Reading may have ended with the last record that was wanted.
            let first = count(self.most as u64, "record");
            return self.is_complete().then(|| format!("the first {first}; there may be more"));
        }
        self.cut.is_some().then(|| {
            let printed = self.kept.len();
            let limit = MEMORY >> 20;
            let why = if self.lacked_memory {
                format!("; more do not fit {limit} MiB")
            } else {
                String::new()
            };
            format!("the first {printed} of {all} in this order{why}")
        })
    }
}

impl Rank {
    /// Memory besides its own.
    fn bytes(&self) -> usize {
        match self {
            Rank::Ascending(Key::Text(text)) | Rank::Descending(Reverse(Key::Text(text))) => {
                text.len()
            }
            _ => 0,
        }
    }
}

/// About how much memory a record takes besides its own size: that of the values of its columns.
struct Bytes;

impl Visitor for Bytes {
    type Output = usize;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> usize {
        schema.columns.iter().map(|column| bytes(&(column.get)(record))).sum()
    }
}

fn bytes(value: &Value<'_>) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(|item| size_of::<Value<'_>>() + bytes(item)).sum(),
        Value::Object(members) => {
            members.iter().map(|(_, value)| size_of::<Value<'_>>() + bytes(value)).sum()
        }
        _ => 0,
    }
}

impl Key {
    /// The value, or the first one of several.
    fn of(value: &Value<'_>) -> Option<Key> {
        Some(match value {
            Value::Bool(flag) => Key::Bool(*flag),
            Value::U64(number) => Key::Number(*number),
            Value::F64(number) => {
                let bits = number.to_bits().cast_signed();
                Key::Float(bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed())
            }
            Value::Time(ts) => Key::Time(*ts),
            Value::Duration(span) => Key::Duration(*span),
            Value::Addr(addr) => Key::Addr(*addr),
            Value::Bytes(bytes) => Key::Text(bytes.to_vec()),
            Value::Text(text) => Key::Text(text.as_bytes().to_vec()),
            Value::Short(text) => Key::Text(text.as_bytes().to_vec()),
            Value::List(items) => return items.iter().find_map(Key::of),
            Value::Object(members) => return members.iter().find_map(|(_, value)| Key::of(value)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use flowscope::core::L4Proto;
    use flowscope::extract::FiveTupleKey;
    use flowscope::record::{Column, Kind};

    use super::*;

    #[test]
    fn values_are_ordered_by_what_they_are() {
        let key = |value: Value<'_>| Key::of(&value).unwrap();
        assert!(key(9_u64.into()) < key(10_u64.into()));
        assert!(key("b".into()) > key("a".into()));
        for pair in [f64::MIN, -1.5, -0.5, 0.0, 0.5, 2.0, f64::MAX].windows(2) {
            assert!(key(pair[0].into()) < key(pair[1].into()), "{pair:?}");
        }
        assert_eq!(Key::of(&Value::Null), None);
        assert_eq!(key(Value::List(vec![Value::Null, 7_u64.into()])), Key::Number(7));
    }

    #[test]
    fn what_has_no_value_comes_last_either_way() {
        let ascending = [Rank::Ascending(Key::Number(1)), Rank::Ascending(Key::Number(2))];
        let descending = [2, 1].map(|n| Rank::Descending(Reverse(Key::Number(n))));
        for ranks in [ascending, descending] {
            assert!(ranks[0] < ranks[1] && ranks[1] < Rank::Absent);
        }
    }

    /// A record of this time and a text of so many bytes.
    fn put(arrangement: &mut Arrangement<u64>, secs: u64, len: usize) {
        static TEXT: Schema<(u64, String)> = Schema {
            columns: &[Column::new(
                "text",
                Kind::Text,
                |x: &(u64, String)| x.1.as_str().into(),
                "",
            )],
            ..Schema::new("text", |x| Timestamp::from_secs(x.0))
        };
        struct Text(u64, String);
        impl Record for Text {
            fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
                visitor.record(&TEXT, &(self.0, self.1.clone()))
            }
        }
        let [a, b] = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Tcp, a, b).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(secs), secs, key, orientation);
        let text = Text(secs, "x".repeat(len));
        assert!(!arrangement.takes(&header, &text, || secs));
    }

    #[test]
    fn memory_limits_what_is_kept_and_none_is_missing_in_between() {
        let mut arrangement = Arrangement::sorted("flow_id", false, None);
        // Two of them fit.
        for secs in [9, 5, 7, 3] {
            put(&mut arrangement, secs, MEMORY / 3);
        }
        // The first is small, but behind one that found no room.
        for secs in [8, 6, 4] {
            put(&mut arrangement, secs, 1);
        }
        let note = arrangement.note().unwrap();
        assert_eq!(note, "the first 4 of 7 records in this order; more do not fit 256 MiB");
        assert_eq!(arrangement.in_order().collect::<Vec<_>>(), [3, 4, 5, 6]);
    }
}
