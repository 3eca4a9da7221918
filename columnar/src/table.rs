use std::any::Any;

use arrow_array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::take::take_record_batch;
use flowscope::output::RecordHeader;
use flowscope::record::{Schema, Value};

use crate::builder::ColumnBuilder;
use crate::columns::{StoredColumn, arrow_schema_of, column_time, stored, time_column};

/// Records of one schema that become a batch of rows.
///
/// Rows of [all columns](Self::new) are sorted by the time at which that which they describe began; those whose time is
/// null come first, and those of one time stay in the order in which they came. Memory grows with the rows until
/// [`finish`](Self::finish) takes them;
/// [`heap_bytes`](Self::heap_bytes) says how much it is.
pub struct RecordTable<R: 'static> {
    schema: &'static Schema<R>,
    arrow: SchemaRef,
    columns: Vec<(StoredColumn<R>, ColumnBuilder)>,
    /// The column of times.
    time: Option<usize>,
    /// The time of each row, in nanoseconds, or [`NULL`].
    times: Vec<i64>,
    bytes: usize,
}

impl<R: 'static> RecordTable<R> {
    /// Creates a table without rows.
    #[must_use]
    pub fn new(schema: &'static Schema<R>) -> Self {
        RecordTable::of(schema, stored(schema))
    }

    fn of(schema: &'static Schema<R>, columns: Vec<StoredColumn<R>>) -> Self {
        RecordTable {
            schema,
            arrow: arrow_schema_of(&columns),
            time: time_column(&columns),
            columns: columns
                .into_iter()
                .map(|column| {
                    let builder = ColumnBuilder::new(column.kind);
                    (column, builder)
                })
                .collect(),
            times: Vec::new(),
            bytes: 0,
        }
    }

    /// With these columns alone, by their places in [`arrow_schema`](crate::arrow_schema), in this order. Places behind
    /// the last column are passed over.
    ///
    /// Rows stay in the order in which they are pushed.
    #[must_use]
    pub fn with_columns(schema: &'static Schema<R>, columns: &[usize]) -> Self {
        let all = stored(schema);
        let columns = columns.iter().filter_map(|at| all.get(*at).copied()).collect();
        RecordTable { time: None, ..RecordTable::of(schema, columns) }
    }

    /// The Arrow schema of its batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.arrow.clone()
    }

    /// Appends a row.
    ///
    /// A batch has at most 2^31 - 1 bytes of text in each column, and as many items of lists: take it before.
    pub fn push(&mut self, header: &RecordHeader, record: &R) {
        let mut time = NULL;
        for (at, (column, builder)) in self.columns.iter_mut().enumerate() {
            let value = column.source.value(self.schema, header, record);
            if let (Value::Time(ts), true) = (&value, self.time == Some(at)) {
                time = column_time(*ts).unwrap_or(NULL);
            }
            self.bytes += builder.append(&value);
            if owns_nothing(&value) {
                std::mem::forget(value);
            }
        }
        self.times.push(time);
        self.bytes += size_of::<i64>();
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// How many bytes the rows take, about.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all rows, sorted.
    #[must_use]
    pub fn finish(&mut self) -> RecordBatch {
        let arrays = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        // A batch without columns has rows too.
        let rows = RecordBatchOptions::new().with_row_count(Some(self.times.len()));
        let batch = RecordBatch::try_new_with_options(self.arrow.clone(), arrays, &rows)
            .expect("builders make arrays of their columns' types, all of one length");
        let times = std::mem::take(&mut self.times);
        self.bytes = 0;
        if times.is_sorted() {
            return batch;
        }
        let mut rows: Vec<u32> = (0..).take(times.len()).collect();
        rows.sort_by_key(|row| times[*row as usize]);
        take_record_batch(&batch, &UInt32Array::from(rows)).expect("all rows are of the batch")
    }
}

/// Before all times, none of which is negative.
const NULL: i64 = -1;

/// Whether there is nothing to drop: of most values, without a look at all that there might be.
#[inline]
fn owns_nothing(value: &Value<'_>) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::U64(_) | Value::Time(_) | Value::Short(_))
}

/// A [`RecordTable`] whatever its records are.
pub trait AnyTable: Any + Send {
    /// [`RecordTable::len`].
    fn rows(&self) -> usize;

    /// [`RecordTable::heap_bytes`].
    fn bytes(&self) -> usize;

    /// [`RecordTable::finish`].
    fn take(&mut self) -> RecordBatch;
}

impl<R: Send + 'static> AnyTable for RecordTable<R> {
    fn rows(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.heap_bytes()
    }

    fn take(&mut self) -> RecordBatch {
        self.finish()
    }
}

impl dyn AnyTable {
    /// Appends a row, if the table is one of such records. Returns whether it is.
    pub fn push<R: 'static>(&mut self, header: &RecordHeader, record: &R) -> bool {
        let table: &mut dyn Any = self;
        match table.downcast_mut::<RecordTable<R>>() {
            Some(table) => table.push(header, record),
            None => return false,
        }
        true
    }
}

impl<R> std::fmt::Debug for RecordTable<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordTable")
            .field("schema", &self.schema)
            .field("rows", &self.len())
            .finish_non_exhaustive()
    }
}
