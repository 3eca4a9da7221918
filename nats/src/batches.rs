//! Records that wait to be a batch, by kind and partition.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use flowscope::output::RecordHeader;
use flowscope::record::{Record, Schema, Visitor};
use flowscope_arrow::{AnyTable, RecordTable};

/// Most rows of a batch.
const ROWS: usize = 4096;

/// Most bytes of the values of a batch, about. Compressed they are a fraction of it.
const BYTES: usize = 512 << 10;

/// Most bytes of all values that wait, about.
const ALL_BYTES: usize = 32 << 20;

/// Records that wait.
///
/// Which batches there will be depends on the records and their order alone, unless [`take_older`](Self::take_older) is called.
pub(crate) struct Batches {
    partitions: NonZeroU16,
    waiting: BTreeMap<(&'static str, u16), Waiting>,
    bytes: usize,
    /// Whether ages are kept.
    is_timed: bool,
}

/// Records of one kind and partition.
struct Waiting {
    table: Box<dyn AnyTable>,
    /// When the first of them came, if ages are kept.
    since: Option<Instant>,
}

/// Rows of one kind and partition.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) record: &'static str,
    pub(crate) partition: u16,
    pub(crate) rows: RecordBatch,
}

impl Batches {
    /// For this many partitions; `is_timed` if old rows are asked for.
    pub(crate) fn new(partitions: NonZeroU16, is_timed: bool) -> Self {
        Batches { partitions, waiting: BTreeMap::new(), bytes: 0, is_timed }
    }

    /// Takes a record. Returns the batch that it completes.
    pub(crate) fn push(&mut self, header: &RecordHeader, record: &impl Record) -> Option<Batch> {
        record.visit(Row { batches: self, header })
    }

    /// The next of the batches with rows that came before then.
    pub(crate) fn take_older(&mut self, age: Duration) -> Option<Batch> {
        let is_old = |waiting: &Waiting| waiting.since.is_some_and(|since| since.elapsed() >= age);
        let place =
            self.waiting.iter().find(|(_, waiting)| is_old(waiting)).map(|(place, _)| *place)?;
        self.take(place)
    }

    /// The next of the batches of all rows that are left.
    pub(crate) fn take_any(&mut self) -> Option<Batch> {
        let place = *self.waiting.keys().next()?;
        self.take(place)
    }

    fn row<R: Send + 'static>(
        &mut self,
        schema: &'static Schema<R>,
        header: &RecordHeader,
        record: &R,
    ) -> Option<Batch> {
        let place = (schema.name, partition(header, self.partitions));
        let since = self.is_timed.then(Instant::now);
        let waiting = self
            .waiting
            .entry(place)
            .or_insert_with(|| Waiting { table: Box::new(RecordTable::new(schema)), since });
        let before = waiting.table.bytes();
        assert!(waiting.table.push(header, record), "a name is that of one schema");
        self.bytes += waiting.table.bytes() - before;
        if waiting.table.rows() >= ROWS || waiting.table.bytes() >= BYTES {
            return self.take(place);
        }
        if self.bytes < ALL_BYTES {
            return None;
        }
        let largest = self.waiting.iter().max_by_key(|(_, waiting)| waiting.table.bytes());
        let place = largest.map(|(place, _)| *place)?;
        self.take(place)
    }

    fn take(&mut self, place: (&'static str, u16)) -> Option<Batch> {
        let mut waiting = self.waiting.remove(&place)?;
        self.bytes -= waiting.table.bytes();
        let (record, partition) = place;
        Some(Batch { record, partition, rows: waiting.table.take() })
    }
}

/// The partition of a flow, and of all that is in it: the Community ID's first eight bytes, modulo their number.
fn partition(header: &RecordHeader, partitions: NonZeroU16) -> u16 {
    let id = header.community_id();
    let start = id.digest().first_chunk().copied().unwrap_or_default();
    let rest = u64::from_be_bytes(start) % u64::from(partitions.get());
    u16::try_from(rest).unwrap_or_default()
}

struct Row<'a> {
    batches: &'a mut Batches,
    header: &'a RecordHeader,
}

impl Visitor for Row<'_> {
    type Output = Option<Batch>;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Option<Batch> {
        self.batches.row(schema, self.header, record)
    }
}
