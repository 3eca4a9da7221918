use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use flowscope_core::Timestamp;

use crate::Short;

/// The value of one column in one record.
///
/// Values borrow from the record where they can. `Null` is "not there": left out in EVE, `-` in Zeek,
/// empty in CSV, null in columns.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// No value.
    #[default]
    Null,
    /// A flag.
    Bool(bool),
    /// An unsigned number.
    U64(u64),
    /// A finite floating-point number.
    F64(f64),
    /// A point in time.
    Time(Timestamp),
    /// A span of time.
    Duration(Duration),
    /// An IP address.
    Addr(IpAddr),
    /// Bytes chosen by a peer: text in most cases, never trusted to be. Every writer escapes them.
    Bytes(Cow<'a, [u8]>),
    /// Text of this program's own making or validated UTF-8 of the wire; writers escape it.
    Text(Cow<'a, str>),
    /// Short text without an allocation.
    Short(Short<48>),
    /// Values of one kind, in order.
    List(Vec<Value<'a>>),
    /// Named values, in order.
    Object(Vec<(&'static str, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// The value, or `Null`.
    pub fn some(value: Option<impl Into<Value<'a>>>) -> Self {
        value.map_or(Value::Null, Into::into)
    }

    /// `true`, or `Null`: for flags that are left out where they do not hold.
    #[must_use]
    pub fn flag(value: bool) -> Self {
        if value { Value::Bool(true) } else { Value::Null }
    }

    /// A list of these values.
    pub fn list(items: impl Iterator<Item = impl Into<Value<'a>>>) -> Self {
        Value::List(items.map(Into::into).collect())
    }

    /// An object of those of these members that have a value, in order.
    pub fn object(members: impl IntoIterator<Item = (&'static str, Value<'a>)>) -> Self {
        Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    /// What `value` displays as, without an allocation; at most 48 bytes.
    #[must_use]
    pub fn short(value: impl std::fmt::Display) -> Self {
        Value::Short(Short::of(value))
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

macro_rules! from_unsigned {
    ($($number:ty)*) => {$(
        impl From<$number> for Value<'_> {
            fn from(value: $number) -> Self {
                Value::U64(value.into())
            }
        }
    )*};
}

from_unsigned!(u8 u16 u32 u64);

macro_rules! from_same {
    ($($from:ty => $variant:ident)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                Value::$variant(value.into())
            }
        }
    )*};
}

from_same! {
    bool => Bool
    f64 => F64
    Timestamp => Time
    Duration => Duration
    IpAddr => Addr
    Ipv4Addr => Addr
    Ipv6Addr => Addr
    &'a [u8] => Bytes
    Vec<u8> => Bytes
    &'a str => Text
    String => Text
    Cow<'a, str> => Text
    Short<48> => Short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_made_from_what_records_hold() {
        assert_eq!(Value::from(7_u16), Value::U64(7));
        assert_eq!(Value::from(b"a".as_slice()), Value::Bytes(Cow::Borrowed(b"a")));
        assert_eq!(Value::from("a"), Value::Text(Cow::Borrowed("a")));
        assert_eq!(Value::some(None::<u8>), Value::Null);
        assert_eq!(Value::flag(false), Value::Null);
        assert_eq!(Value::list([1_u8, 2].into_iter()), Value::List(vec![1_u8.into(), 2_u8.into()]));
        assert_eq!(
            Value::object([("a", 1_u8.into()), ("b", Value::Null), ("c", "".into())]),
            Value::Object(vec![("a", Value::U64(1)), ("c", "".into())])
        );
        assert_eq!(Value::object([("a", Value::Null)]), Value::Object(Vec::new()));
        assert_eq!(Value::short(12), Value::Short(Short::of("12")));
        assert!(size_of::<Value<'_>>() <= 56);
    }
}
