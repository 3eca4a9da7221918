//! Rows of several batches as the rows of files: sorted, and by hour.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use arrow_array::{Array as _, RecordBatch, UInt32Array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use flowscope_arrow::time_index;

const HOUR: u64 = 3600;
const NANOS: u64 = 1_000_000_000;

/// Sorts rows by the time at which that which they describe began, then by the id of their flow, and divides them into
/// those of each hour, by its first second. Rows whose time is null come first, and are of the first hour of all.
///
/// Rows with equal times and ids stay in the order of `batches`, which are all of this schema.
///
/// # Errors
///
/// Those of Arrow, such as columns with more bytes of text than they can have.
pub(crate) fn by_hour(
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<BTreeMap<u64, RecordBatch>, ArrowError> {
    let rows = concat_batches(schema, batches)?;
    let times = time_index(schema)
        .and_then(|at| rows.column(at).as_primitive_opt::<TimestampNanosecondType>());
    let ids =
        rows.column_by_name("flow_id").and_then(|column| column.as_primitive_opt::<UInt64Type>());
    let time = |row: usize| {
        let times = times.filter(|times| times.is_valid(row))?;
        u64::try_from(times.value(row)).ok()
    };
    let id = |row: usize| ids.filter(|ids| ids.is_valid(row)).map(|ids| ids.value(row));
    // Stable, so that equal rows keep their order.
    let mut order: Vec<u32> = (0..).take(rows.num_rows()).collect();
    order.sort_by_cached_key(|row| (time(*row as usize), id(*row as usize)));
    let hour = |row: &u32| time(*row as usize).unwrap_or_default() / NANOS / HOUR;
    let mut hours = BTreeMap::new();
    for rows_of_hour in order.chunk_by(|a, b| hour(a) == hour(b)) {
        let Some(first) = rows_of_hour.first() else { continue };
        let taken = take_record_batch(&rows, &UInt32Array::from(rows_of_hour.to_vec()))?;
        hours.insert(hour(first) * HOUR, taken);
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, StringArray, TimestampNanosecondArray, UInt64Array};

    use super::*;

    /// Rows with a time in seconds, the id of a flow, and a name.
    fn batch(rows: &[(Option<i64>, Option<u64>, &str)]) -> RecordBatch {
        let times = rows.iter().map(|row| row.0.map(|secs| secs * NANOS as i64));
        let times = TimestampNanosecondArray::from_iter(times).with_timezone("UTC");
        let ids = UInt64Array::from_iter(rows.iter().map(|row| row.1));
        let names = StringArray::from_iter_values(rows.iter().map(|row| row.2));
        let columns: [(&str, ArrayRef, bool); 3] = [
            ("start", Arc::new(times), true),
            ("flow_id", Arc::new(ids), true),
            ("name", Arc::new(names), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn names(batches: &[RecordBatch]) -> Vec<(u64, String)> {
        let hours = by_hour(&batches[0].schema(), batches).unwrap();
        let text = |rows: &RecordBatch| {
            let names = rows.column(2).as_string::<i32>();
            names.iter().flatten().collect::<Vec<_>>().join("")
        };
        hours.iter().map(|(hour, rows)| (*hour, text(rows))).collect()
    }

    #[test]
    fn rows_are_sorted_and_divided() {
        let one =
            batch(&[(Some(3600), Some(1), "d"), (Some(7), Some(9), "b"), (None, Some(5), "0")]);
        let two =
            batch(&[(Some(7), Some(2), "a"), (Some(3600), Some(1), "e"), (Some(3599), None, "c")]);
        let expected = [(0, "0abc".to_owned()), (3600, "de".to_owned())];
        assert_eq!(names(&[one, two]), expected);
        assert_eq!(names(&[batch(&[])]), []);
    }

    #[test]
    fn rows_without_a_time_are_of_the_first_hour() {
        let other = RecordBatch::try_from_iter([(
            "timestamp",
            Arc::new(StringArray::from(vec!["no time"])) as ArrayRef,
        )]);
        let other = other.unwrap();
        let hours = by_hour(&other.schema(), std::slice::from_ref(&other)).unwrap();
        assert_eq!(hours, BTreeMap::from([(0, other)]));
    }
}
