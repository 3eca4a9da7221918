//! Any values, in and out.

use std::net::IpAddr;
use std::time::Duration;

use flowscope::core::{L4Proto, Timestamp};
use flowscope::extract::FiveTupleKey;
use flowscope::output::RecordHeader;
use flowscope::record::{Column, Kind, Record, Schema, Value, Visitor};
use flowscope_arrow::{ParquetDirectory, RecordTable};
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use crate::{files, json};

/// A record of one value for each kind.
#[derive(Clone, Debug)]
struct Any(Vec<Value<'static>>);

const PAIR: Kind = Kind::Object(&[("a", Kind::U64), ("b", Kind::List(&Kind::Text))]);

const KINDS: [Kind; 11] = [
    Kind::Time,
    Kind::Bool,
    Kind::U64,
    Kind::F64,
    Kind::Duration,
    Kind::Addr,
    Kind::Bytes,
    Kind::Text,
    Kind::List(&Kind::Addr),
    Kind::List(&PAIR),
    PAIR,
];

macro_rules! columns {
    ($($name:literal $at:literal,)*) => {
        &[$(Column::new($name, KINDS[$at], |any: &Any| any.0[$at].clone(), "A value.")),*]
    };
}

static ANY: Schema<Any> = Schema {
    columns: columns! {
        "start" 0, "flag" 1, "number" 2, "fraction" 3, "span" 4, "peer" 5, "name" 6, "word" 7,
        "peers" 8, "pairs" 9, "pair" 10,
    },
    ..Schema::new("any", |any| match any.0[0] {
        Value::Time(ts) => ts,
        _ => Timestamp::ZERO,
    })
};

impl Record for Any {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&ANY, self)
    }
}

fn value(kind: Kind) -> BoxedStrategy<Value<'static>> {
    let of_kind = match kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::U64 => any::<u64>().prop_map(Value::from).boxed(),
        Kind::F64 => {
            any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from).boxed()
        }
        // The last hours are behind what Arrow can express.
        Kind::Time => prop_oneof![0..3 * HOUR, Just(i64::MAX as u64 - 1), Just(u64::MAX)]
            .prop_map(|nanos| Value::Time(Timestamp::from_nanos(nanos)))
            .boxed(),
        Kind::Duration => any::<u64>().prop_map(|nanos| Duration::from_nanos(nanos).into()).boxed(),
        Kind::Addr => any::<IpAddr>().prop_map(Value::from).boxed(),
        Kind::Bytes => prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::from).boxed(),
        Kind::List(item) => prop::collection::vec(value(*item), 0..4).prop_map(Value::List).boxed(),
        Kind::Object(members) => {
            let values: Vec<_> = members.iter().map(|(_, kind)| value(*kind)).collect();
            let names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
            // Members may be missing, and in any order.
            let object =
                (values, any::<bool>(), any::<bool>()).prop_map(move |(values, back, cut)| {
                    let mut members: Vec<_> = names.iter().copied().zip(values).collect();
                    if back {
                        members.reverse();
                    }
                    members.truncate(if cut { 1 } else { 2 });
                    Value::Object(members)
                });
            object.boxed()
        }
        _ => any::<String>().prop_map(Value::from).boxed(),
    };
    prop_oneof![8 => of_kind, 1 => Just(Value::Null)].boxed()
}

const HOUR: u64 = 3_600_000_000_000;

fn record() -> impl Strategy<Value = Any> {
    KINDS.map(value).to_vec().prop_map(Any)
}

/// The time that the column has, if it is not null.
fn column_time(record: &Any) -> Option<Timestamp> {
    match record.0[0] {
        Value::Time(ts) => Some(ts).filter(|ts| i64::try_from(ts.as_nanos()).is_ok()),
        _ => None,
    }
}

fn header() -> RecordHeader {
    let ends = ("[2001:db8::1]:5".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap());
    let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
    RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation)
}

fn expected(record: &Any) -> Json {
    let values = ANY
        .columns
        .iter()
        .map(|column| (column.name.to_owned(), json::of_value(&(column.get)(record))));
    json::clean(Json::Object(values.collect()))
}

/// The columns of the record alone.
fn own(row: Json) -> Json {
    let Json::Object(members) = row else { panic!("{row} is no row") };
    let is_own = |name: &str| ANY.columns.iter().any(|column| column.name == name);
    Json::Object(members.into_iter().filter(|(name, _)| is_own(name)).collect::<Map<_, _>>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_come_back_sorted_by_time(records in prop::collection::vec(record(), 1..12)) {
        let mut table = RecordTable::new(&ANY);
        for record in &records {
            table.push(&header(), record);
        }
        let batch = table.finish();
        let mut sorted = records.clone();
        sorted.sort_by_key(column_time);
        let rows: Vec<_> = json::rows(&batch).into_iter().map(own).collect();
        prop_assert_eq!(rows, sorted.iter().map(expected).collect::<Vec<_>>());
        prop_assert!(table.is_empty() && table.heap_bytes() == 0);
    }
}

proptest! {
    // A file for each hour, brought to the disk.
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn values_come_back_from_files(records in prop::collection::vec(record(), 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let mut directory = ParquetDirectory::create(folder.path()).unwrap();
        for record in &records {
            directory.write(&header(), record).unwrap();
        }
        directory.finish().unwrap();
        let read = files::rows(folder.path()).remove("any").unwrap();
        let read = json::sorted(read.into_iter().map(own).collect());
        prop_assert_eq!(read, json::sorted(records.iter().map(expected).collect()));
    }
}

#[test]
fn rows_whose_time_is_null_come_first() {
    let record = |nanos: Option<u64>, number: u64| {
        let time = nanos.map_or(Value::Null, |nanos| Value::Time(Timestamp::from_nanos(nanos)));
        let mut values = vec![Value::Null; KINDS.len()];
        (values[0], values[2]) = (time, Value::U64(number));
        Any(values)
    };
    let last = i64::MAX as u64;
    let times = [Some(0), Some(last), None, Some(last + 1), Some(5), Some(u64::MAX)];
    let mut table = RecordTable::new(&ANY);
    for (time, number) in times.into_iter().zip(0..) {
        table.push(&header(), &record(time, number));
    }
    let rows = json::rows(&table.finish());
    let numbers: Vec<_> = rows.iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [2, 3, 5, 0, 4, 1]);
}

#[test]
fn a_value_of_another_kind_is_null() {
    let wrong = |kind: &Kind| if *kind == Kind::U64 { "text".into() } else { Value::U64(7) };
    let record = Any(KINDS.iter().map(wrong).collect());
    let mut table = RecordTable::new(&ANY);
    table.push(&header(), &record);
    assert_eq!(own(json::rows(&table.finish()).remove(0)), Json::Object(Map::new()));
}
