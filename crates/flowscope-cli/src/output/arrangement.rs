//! The order of records, and how many there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::output::{RecordFields, RecordHeader};
use flowscope::record::{Record, Value};

use super::count;

/// Records in the order of a field, or the first ones as they come.
#[derive(Clone, Debug)]
pub(crate) struct Arrangement<T> {
    sort: Option<Sort>,
    most: usize,
    kept: BTreeMap<(Rank, u64), T>,
    /// Records that came.
    seen: u64,
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

impl<T> Arrangement<T> {
    /// The first records as they come.
    pub(crate) fn first(most: NonZeroUsize) -> Self {
        Arrangement { sort: None, most: most.get(), kept: BTreeMap::new(), seen: 0 }
    }

    /// The first records in the order of this field.
    pub(crate) fn sorted(field: &str, descending: bool, most: Option<NonZeroUsize>) -> Self {
        let field = RecordFields::new(vec![field.to_owned()]);
        let most = most.map_or(MOST, NonZeroUsize::get);
        Arrangement { sort: Some(Sort { field, descending }), most, kept: BTreeMap::new(), seen: 0 }
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
        let is_kept = self.kept.len() < self.most
            || self.kept.last_key_value().is_some_and(|(last, _)| place < *last);
        if is_kept {
            self.kept.insert(place, copy());
            if self.kept.len() > self.most {
                self.kept.pop_last();
            }
        }
        false
    }

    /// The records that were kept, in order.
    pub(crate) fn in_order(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.kept).into_values()
    }

    /// That there were more records than are printed.
    pub(crate) fn note(&self) -> Option<String> {
        let order = if self.sort.is_some() { " in this order" } else { "" };
        let more = self.seen > self.most as u64;
        more.then(|| format!("the first {} of {}{order}", self.most, count(self.seen, "record")))
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
}
