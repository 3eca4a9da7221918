//! Records of several files in one order.

use std::cmp::Ordering;
use std::collections::VecDeque;

use flowscope::core::Timestamp;
use flowscope::output::{EveFormat, FlowLayout, FlowRecord, Format as _};

use super::input::Input;
use super::{check_memory, connections};
use crate::error::Failure;

/// The records of all inputs by start; it does not matter which input has which.
pub(super) struct Ordered<'a> {
    inputs: Vec<Input<'a>>,
    /// The next record of each input, if the inputs are sorted.
    heads: Vec<Option<FlowRecord>>,
    /// Records that come before those of the heads, in order.
    ready: VecDeque<Box<FlowRecord>>,
    /// Bytes of those that are kept.
    kept: usize,
    most: usize,
}

impl<'a> Ordered<'a> {
    /// Of inputs that are `sorted` by start, or of any. Those are read here, and no more is kept of them than `most` bytes.
    pub(super) fn new(inputs: Vec<Input<'a>>, sorted: bool, most: usize) -> Result<Self, Failure> {
        let mut ordered =
            Ordered { inputs, heads: Vec::new(), ready: VecDeque::new(), kept: 0, most };
        if sorted {
            ordered.heads = ordered.inputs.iter_mut().map(Input::next).collect();
            return Ok(ordered);
        }
        let mut all = Vec::new();
        for input in &mut ordered.inputs {
            while let Some(record) = input.next() {
                ordered.kept += connections::size(&record);
                check_memory(ordered.kept, most)?;
                all.push(Box::new(record));
            }
        }
        all.sort_by(|one, other| compare(one, other));
        ordered.ready = all.into();
        Ok(ordered)
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Option<FlowRecord>, Failure> {
        if self.ready.is_empty() {
            self.refill()?;
        }
        let record = self.ready.pop_front().map(|record| *record);
        self.kept -= record.as_ref().map_or(0, connections::size);
        Ok(record)
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Input<'a>> {
        self.inputs.iter()
    }

    /// The formats of the inputs, as far as they are known.
    pub(super) fn layouts(&self) -> impl Iterator<Item = FlowLayout> {
        self.inputs.iter().filter_map(Input::layout)
    }

    /// Bytes of the records that are kept.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Takes the records of the earliest start from the heads.
    fn refill(&mut self) -> Result<(), Failure> {
        let Some(start) = self.heads.iter().flatten().map(|head| head.start).min() else {
            return Ok(());
        };
        let mut group = Vec::new();
        for (head, input) in self.heads.iter_mut().zip(&mut self.inputs) {
            while let Some(record) = head.take_if(|head| head.start == start) {
                *head = next_of(input, start)?;
                self.kept += connections::size(&record);
                check_memory(self.kept, self.most)?;
                group.push(Box::new(record));
            }
        }
        group.sort_by(|one, other| compare(one, other));
        self.ready = group.into();
        Ok(())
    }
}

/// The next record of a sorted input, behind one of this start.
fn next_of(input: &mut Input<'_>, before: Timestamp) -> Result<Option<FlowRecord>, Failure> {
    let next = input.next();
    if next.as_ref().is_some_and(|next| next.start < before) {
        let (name, place) = (input.name(), input.place());
        let what = "starts before the record above it: without --sorted, inputs need no order";
        return Err(Failure::Failed(format!("{name}: {place}: {what}")));
    }
    Ok(next)
}

/// By start, key and end. Records of one connection that begin and end with the same packets are compared by all they have, so
/// that the order of the inputs decides nothing.
fn compare(one: &FlowRecord, other: &FlowRecord) -> Ordering {
    let key = |record: &FlowRecord| (record.start, record.header.key, record.end);
    key(one).cmp(&key(other)).then_with(|| text(one).cmp(&text(other)))
}

fn text(record: &FlowRecord) -> Vec<u8> {
    let mut text = Vec::new();
    EveFormat::new().record(&record.header, record, &mut text);
    text
}
