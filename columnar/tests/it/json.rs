//! Values and rows as JSON, to compare them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use flowscope::core::Timestamp;
use flowscope::output::rfc3339;
use flowscope::record::{Value, wire_text};
use serde_json::{Map, Value as Json, json};

/// The rows of a batch, without what they do not have.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<Json> {
    let schema = batch.schema();
    let row = |row| {
        let columns = schema.fields().iter().zip(batch.columns());
        let values = columns.map(|(field, array)| (field.name().clone(), cell(array, row)));
        clean(Json::Object(values.collect()))
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(array: &dyn Array, row: usize) -> Json {
    if array.is_null(row) {
        return Json::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) if &**zone == "UTC" => {
            let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
            time(Timestamp::from_nanos(nanos.try_into().unwrap()))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| cell(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let values = columns.map(|(field, array)| (field.name().clone(), cell(array, row)));
            Json::Object(values.collect())
        }
        other => panic!("no column is of type {other}"),
    }
}

fn time(ts: Timestamp) -> Json {
    rfc3339(ts).as_str().into()
}

/// A value as a row has it.
pub(crate) fn of_value(value: &Value<'_>) -> Json {
    match value {
        Value::Bool(flag) => json!(flag),
        Value::U64(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::Time(ts) if ts.as_nanos() > i64::MAX as u64 => Json::Null,
        Value::Time(ts) => time(*ts),
        Value::Duration(span) => json!(span.as_nanos() as f64 / 1e9),
        Value::Addr(addr) => json!(addr.to_string()),
        Value::Bytes(bytes) => json!(wire_text(bytes)),
        Value::Text(text) => json!(text),
        Value::Short(text) => json!(text.as_str()),
        Value::List(items) => items.iter().map(of_value).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| ((*name).into(), of_value(value)));
            Json::Object(members.collect())
        }
        _ => Json::Null,
    }
}

/// Leaves out members without a value, and empty lists. Whole numbers have one form: JSON has no point in them.
pub(crate) fn clean(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, clean(value)));
            let is_there = |value: &Json| !value.is_null() && *value != json!([]);
            Json::Object(members.filter(|(_, value)| is_there(value)).collect::<Map<_, _>>())
        }
        Json::Array(items) => items.into_iter().map(clean).collect(),
        Json::Number(number) => match number.as_f64() {
            Some(whole) if number.is_f64() && whole.fract() == 0.0 && whole.abs() < 1e15 => {
                json!(whole as i64)
            }
            _ => Json::Number(number),
        },
        other => other,
    }
}

/// Rows in an order of their own, so that two lists can be compared.
pub(crate) fn sorted(mut rows: Vec<Json>) -> Vec<Json> {
    rows.sort_by_cached_key(Json::to_string);
    rows
}
