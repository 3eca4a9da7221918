//! Arrays from values.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, StringBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{FieldRef, Fields};
use flowscope::output::address_text;
use flowscope::record::{Kind, Value, wire_text};

use crate::columns::{UTC, column_time, list_item, struct_fields};

/// Builds the array of a column. A value of another kind than the column's is null.
pub(crate) enum ColumnBuilder {
    Bool(BooleanBuilder),
    U64(UInt64Builder),
    F64(Float64Builder),
    Time(TimestampNanosecondBuilder),
    Text(TextBuilder),
    List(ListBuilder),
    Struct(StructBuilder),
}

#[derive(Default)]
pub(crate) struct TextBuilder {
    array: StringBuilder,
    /// The text of an address.
    address: Vec<u8>,
}

pub(crate) struct ListBuilder {
    item: FieldRef,
    items: Box<ColumnBuilder>,
    /// Where the items of each list end, behind a zero.
    ends: Vec<i32>,
    valid: NullBufferBuilder,
}

pub(crate) struct StructBuilder {
    fields: Fields,
    members: Vec<(&'static str, ColumnBuilder)>,
    valid: NullBufferBuilder,
}

impl ColumnBuilder {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Bool => ColumnBuilder::Bool(BooleanBuilder::new()),
            Kind::U64 => ColumnBuilder::U64(UInt64Builder::new()),
            Kind::F64 | Kind::Duration => ColumnBuilder::F64(Float64Builder::new()),
            Kind::Time => ColumnBuilder::Time(TimestampNanosecondBuilder::new().with_timezone(UTC)),
            Kind::List(item) => ColumnBuilder::List(ListBuilder {
                item: Arc::new(list_item(*item)),
                items: Box::new(ColumnBuilder::new(*item)),
                ends: vec![0],
                valid: NullBufferBuilder::new(0),
            }),
            Kind::Object(members) => ColumnBuilder::Struct(StructBuilder {
                fields: struct_fields(members),
                members: members
                    .iter()
                    .map(|(name, kind)| (*name, ColumnBuilder::new(*kind)))
                    .collect(),
                valid: NullBufferBuilder::new(0),
            }),
            _ => ColumnBuilder::Text(TextBuilder::default()),
        }
    }

    /// Appends a value. Returns how many bytes it takes, about.
    #[inline]
    pub(crate) fn append(&mut self, value: &Value<'_>) -> usize {
        match self {
            ColumnBuilder::Bool(array) => {
                array.append_option(match value {
                    Value::Bool(flag) => Some(*flag),
                    _ => None,
                });
                1
            }
            ColumnBuilder::U64(array) => {
                array.append_option(match value {
                    Value::U64(number) => Some(*number),
                    _ => None,
                });
                8
            }
            ColumnBuilder::F64(array) => {
                array.append_option(match value {
                    Value::F64(number) => Some(*number),
                    // The number that the decimal digits of other formats are read as.
                    Value::Duration(span) => Some(span.as_nanos() as f64 / 1e9),
                    _ => None,
                });
                8
            }
            ColumnBuilder::Time(array) => {
                array.append_option(match value {
                    Value::Time(ts) => column_time(*ts),
                    _ => None,
                });
                8
            }
            ColumnBuilder::Text(text) => text.append(value),
            ColumnBuilder::List(list) => list.append(value),
            ColumnBuilder::Struct(members) => members.append(value),
        }
    }

    /// The array of all values since the last call.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Bool(array) => Arc::new(array.finish()),
            ColumnBuilder::U64(array) => Arc::new(array.finish()),
            ColumnBuilder::F64(array) => Arc::new(array.finish()),
            ColumnBuilder::Time(array) => Arc::new(array.finish()),
            ColumnBuilder::Text(text) => Arc::new(text.array.finish()),
            ColumnBuilder::List(list) => Arc::new(list.finish()),
            ColumnBuilder::Struct(members) => Arc::new(members.finish()),
        }
    }
}

impl TextBuilder {
    fn append(&mut self, value: &Value<'_>) -> usize {
        let TextBuilder { array, address } = self;
        let before = array.values_slice().len();
        match value {
            Value::Text(text) => array.append_value(text),
            Value::Short(text) => array.append_value(text.as_str()),
            Value::Bytes(bytes) => array.append_value(wire_text(bytes)),
            Value::Addr(addr) => {
                array.append_value(address_text(*addr, address));
            }
            _ => array.append_null(),
        }
        array.values_slice().len() - before + size_of::<i32>()
    }
}

impl ListBuilder {
    fn append(&mut self, value: &Value<'_>) -> usize {
        let mut bytes = size_of::<i32>();
        let mut end = *self.ends.last().unwrap_or(&0);
        if let Value::List(items) = value {
            for item in items {
                bytes += self.items.append(item);
                end += 1;
            }
            self.valid.append_non_null();
        } else {
            self.valid.append_null();
        }
        self.ends.push(end);
        bytes
    }

    fn finish(&mut self) -> ListArray {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        ListArray::new(self.item.clone(), offsets, self.items.finish(), self.valid.finish())
    }
}

impl StructBuilder {
    fn append(&mut self, value: &Value<'_>) -> usize {
        let mut bytes = 0;
        if let Value::Object(values) = value {
            for (at, (name, array)) in self.members.iter_mut().enumerate() {
                // Most objects have all their members, in order.
                let in_order = values.get(at).filter(|(other, _)| other == name);
                let found = in_order.or_else(|| values.iter().find(|(other, _)| other == name));
                bytes += array.append(found.map_or(&Value::Null, |(_, value)| value));
            }
            self.valid.append_non_null();
        } else {
            for (_, array) in &mut self.members {
                bytes += array.append(&Value::Null);
            }
            self.valid.append_null();
        }
        bytes
    }

    fn finish(&mut self) -> StructArray {
        let arrays = self.members.iter_mut().map(|(_, array)| array.finish()).collect();
        StructArray::new(self.fields.clone(), arrays, self.valid.finish())
    }
}
