use std::slice;
use std::vec;

use flowscope_track::{EventOrder, merge};

/// A record in the order of the input.
#[derive(Debug)]
pub enum Merged<'a, R> {
    /// The record.
    Record(R),
    /// Its encoding, made by a worker.
    Encoded(&'a [u8]),
}

/// Bytes of encoded records that a shard makes per round at most. Records are smaller than their
/// encoding: where one round ends a million flows, the rest are encoded as they are written.
const MAX_ENCODED: usize = 1 << 20;

/// Lists with room for more records than this are shrunk once they are empty.
const KEPT_CAPACITY: usize = 1 << 14;

/// The records that a shard made in a round.
pub(crate) struct ShardOutput<R> {
    orders: Vec<EventOrder>,
    records: Vec<R>,
    /// The encodings of the first records, one after the other, and the end of each.
    encoded: Vec<u8>,
    ends: Vec<usize>,
}

impl<R> Default for ShardOutput<R> {
    fn default() -> Self {
        ShardOutput {
            orders: Vec::new(),
            records: Vec::new(),
            encoded: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl<R> ShardOutput<R> {
    /// Adds a record, if there is one.
    #[inline]
    pub(crate) fn add(&mut self, order: EventOrder, record: Option<R>) {
        if let Some(record) = record {
            self.orders.push(order);
            self.records.push(record);
        }
    }

    /// Encodes the first records.
    pub(crate) fn encode(&mut self, mut encode: impl FnMut(&R, &mut Vec<u8>)) {
        for record in &self.records {
            if self.encoded.len() >= MAX_ENCODED {
                break;
            }
            encode(record, &mut self.encoded);
            self.ends.push(self.encoded.len());
        }
    }

    fn clear(&mut self) {
        self.orders.clear();
        self.records.clear();
        self.encoded.clear();
        self.ends.clear();
        self.orders.shrink_to(KEPT_CAPACITY);
        self.records.shrink_to(KEPT_CAPACITY);
    }
}

/// The records of one shard, taken one by one.
struct Source<'a, R> {
    records: vec::Drain<'a, R>,
    encoded: &'a [u8],
    ends: slice::Iter<'a, usize>,
    start: usize,
}

impl<R> Source<'_, R> {
    fn next(&mut self) -> Option<Merged<'_, R>> {
        let record = self.records.next()?;
        Some(match self.ends.next() {
            Some(&end) => {
                let start = std::mem::replace(&mut self.start, end);
                Merged::Encoded(&self.encoded[start..end])
            }
            None => Merged::Record(record),
        })
    }
}

/// Gives the records of all shards to `out` in the order of the input, and empties the lists. After an
/// error of `out` the rest are dropped.
pub(crate) fn write<'a, R: 'a, X>(
    outputs: impl Iterator<Item = &'a mut ShardOutput<R>>,
    out: &mut impl FnMut(Merged<'_, R>) -> Result<(), X>,
) -> Result<(), X> {
    let mut outputs: Vec<_> = outputs.collect();
    let places = outputs.iter().enumerate().map(|(shard, output)| {
        output.orders.iter().map(|order| (*order, shard)).collect::<Vec<_>>()
    });
    let places = places.collect();
    // A shard makes its records in their order, so its next one is always the one meant.
    let mut sources: Vec<_> = outputs
        .iter_mut()
        .map(|output| Source {
            records: output.records.drain(..),
            encoded: &output.encoded,
            ends: output.ends.iter(),
            start: 0,
        })
        .collect();
    let mut written = Ok(());
    merge(places, |shard: usize| {
        if written.is_ok()
            && let Some(merged) = sources[shard].next()
        {
            written = out(merged);
        }
    });
    drop(sources);
    outputs.iter_mut().for_each(|output| output.clear());
    written
}
