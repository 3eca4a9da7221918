//! Values of the fields of a line.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::Timestamp;
use serde_json::{Map, Value};

use super::FlowLineError;
use crate::text::time_of_rfc3339;

/// The members of a line, by the names of columns.
pub(super) struct Fields<'a> {
    pub(super) object: &'a Map<String, Value>,
    /// Where EVE has a column, if the line is EVE.
    pub(super) paths: Option<&'a HashMap<&'static str, &'static str>>,
}

impl<'a> Fields<'a> {
    /// The value of a column, if there is one.
    pub(super) fn get(&self, column: &'static str) -> Option<&'a Value> {
        let value = match self.paths {
            None => self.object.get(column),
            Some(paths) => match paths.get(column)?.split_once('.') {
                Some((object, member)) => self.object.get(object)?.get(member),
                None => self.object.get(self.name(column)),
            },
        };
        value.filter(|value| !value.is_null())
    }

    /// What the line calls a column.
    pub(super) fn name(&self, column: &'static str) -> &'static str {
        self.paths.and_then(|paths| paths.get(column).copied()).unwrap_or(column)
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
        self.maybe(column, |value| time_of_rfc3339(value.as_str()?))
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
