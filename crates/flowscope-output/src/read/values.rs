//! Values of the fields of a line or a row.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_record as record;
use serde_json::{Map, Value};

use super::{FlowLayout, FlowLineError};
use crate::text::time_of_rfc3339;

/// The members of a line or a row, by the names of columns.
pub(super) struct Fields<'a> {
    pub(super) object: &'a Map<String, Value>,
    pub(super) layout: FlowLayout,
    /// Where EVE has a column.
    pub(super) paths: &'a HashMap<&'static str, &'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a column, if there is one.
    pub(super) fn get(&self, column: &'static str) -> Option<&'a Value> {
        let value = match self.layout {
            FlowLayout::Json | FlowLayout::Columns => self.object.get(column),
            FlowLayout::Eve => match self.paths.get(column)?.split_once('.') {
                Some((object, member)) => self.object.get(object)?.get(member),
                None => self.object.get(self.name(column)),
            },
        };
        value.filter(|value| !value.is_null())
    }

    /// What the line calls a column.
    pub(super) fn name(&self, column: &'static str) -> &'static str {
        let path = self.paths.get(column).filter(|_| self.layout == FlowLayout::Eve);
        path.copied().unwrap_or(column)
    }

    /// Whether a column that flat JSON does not have is one of this record: of each of EVE, of rows where it has a value.
    pub(super) fn has(&self, column: &'static str) -> bool {
        match self.layout {
            FlowLayout::Json => false,
            FlowLayout::Eve => true,
            FlowLayout::Columns => self.get(column).is_some(),
        }
    }

    pub(super) fn missing(&self, column: &'static str) -> FlowLineError {
        FlowLineError::Missing(self.name(column))
    }

    pub(super) fn invalid(&self, column: &'static str) -> FlowLineError {
        FlowLineError::Invalid(self.name(column))
    }

    /// A value that this makes of it, if there is one.
    fn maybe<T>(
        &self,
        column: &'static str,
        of: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FlowLineError> {
        self.get(column).map(|value| of(value).ok_or(self.invalid(column))).transpose()
    }

    /// Of a column that every line has.
    fn needed<T>(&self, column: &'static str, value: Option<T>) -> Result<T, FlowLineError> {
        value.ok_or(self.missing(column))
    }

    pub(super) fn number<T: TryFrom<u64>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, FlowLineError> {
        self.maybe(column, |value| T::try_from(value.as_u64()?).ok())
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, FlowLineError> {
        self.needed(column, self.number(column)?)
    }

    pub(super) fn text_or_none(
        &self,
        column: &'static str,
    ) -> Result<Option<&'a str>, FlowLineError> {
        self.maybe(column, Value::as_str)
    }

    pub(super) fn text(&self, column: &'static str) -> Result<&'a str, FlowLineError> {
        self.needed(column, self.text_or_none(column)?)
    }

    /// The one of these values that has this name.
    pub(super) fn one_of<T: Copy>(
        &self,
        column: &'static str,
        values: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, FlowLineError> {
        let text = self.text(column)?;
        let found = values.iter().find(|value| name(**value) == text);
        found.copied().ok_or(self.invalid(column))
    }

    pub(super) fn time_or_none(
        &self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, FlowLineError> {
        self.maybe(column, |value| match self.layout {
            FlowLayout::Columns => value.as_u64().map(Timestamp::from_nanos),
            FlowLayout::Json | FlowLayout::Eve => time_of_rfc3339(value.as_str()?),
        })
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, FlowLineError> {
        self.needed(column, self.time_or_none(column)?)
    }

    pub(super) fn span(&self, column: &'static str) -> Result<Option<Duration>, FlowLineError> {
        self.maybe(column, |value| Duration::try_from_secs_f64(value.as_f64()?).ok())
    }

    pub(super) fn addr(&self, column: &'static str) -> Result<IpAddr, FlowLineError> {
        self.needed(column, self.maybe(column, |value| value.as_str()?.parse().ok())?)
    }

    /// A flag, which is left out where it does not hold.
    pub(super) fn flag(&self, column: &'static str) -> Result<bool, FlowLineError> {
        Ok(self.maybe(column, Value::as_bool)?.unwrap_or_default())
    }

    /// A list, which is left out where it is empty.
    pub(super) fn list(&self, column: &'static str) -> Result<&'a [Value], FlowLineError> {
        let list = self.maybe(column, |value| Some(value.as_array()?.as_slice()))?;
        Ok(list.unwrap_or_default())
    }
}

/// The members of a row. Times are nanoseconds.
pub(super) fn object<'a>(
    row: impl IntoIterator<Item = (&'a str, record::Value<'a>)>,
) -> Map<String, Value> {
    row.into_iter().map(|(column, value)| (column.to_owned(), of_row(value))).collect()
}

fn of_row(value: record::Value<'_>) -> Value {
    match value {
        record::Value::Bool(flag) => flag.into(),
        record::Value::U64(number) => number.into(),
        record::Value::F64(number) => number.into(),
        record::Value::Time(time) => time.as_nanos().into(),
        record::Value::Duration(span) => span.as_secs_f64().into(),
        record::Value::Addr(addr) => addr.to_string().into(),
        record::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into(),
        record::Value::Text(text) => text.into_owned().into(),
        record::Value::Short(text) => text.as_str().into(),
        record::Value::List(items) => items.into_iter().map(of_row).collect(),
        record::Value::Object(members) => Value::Object(object(members)),
        _ => Value::Null,
    }
}

/// Six bytes, two digits each with colons between them.
pub(super) fn mac(text: &str) -> Option<[u8; 6]> {
    let mut addr = [0; 6];
    let mut pairs = text.split(':');
    for byte in &mut addr {
        let pair = pairs.next().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_six_pairs_of_digits() {
        assert_eq!(mac("02:00:5e:aB:cd:ff"), Some([2, 0, 0x5e, 0xab, 0xcd, 0xff]));
        for text in [
            "",
            "02:00:5e:ab:cd",
            "02:00:5e:ab:cd:ff:00",
            "2:00:5e:ab:cd:ff",
            "+2:00:5e:ab:cd:ff",
            "-2:00:5e:ab:cd:ff",
            "02-00-5e-ab-cd-ff",
            "02:00:5e:ab:cd:fg",
        ] {
            assert_eq!(mac(text), None, "{text}");
        }
    }
}
