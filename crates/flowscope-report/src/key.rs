//! Keys of sums.

use flowscope_record::{Value, wire_text};

/// The most keys that one set of sums counts separately.
pub const MAX_KEYS: usize = 10_000;

/// Characters of a key that are kept.
const MAX_CHARS: usize = 255;

/// A value as a key: text or a number, of a list its first such item; at most 255 characters of it.
#[must_use]
pub fn key(value: &Value<'_>) -> Option<String> {
    let text = match value {
        Value::U64(number) => number.to_string(),
        Value::Bytes(bytes) => wire_text(bytes).into_owned(),
        Value::Text(text) => text.clone().into_owned(),
        Value::Short(text) => text.as_str().to_owned(),
        Value::List(items) => return items.iter().find_map(key),
        _ => return None,
    };
    Some(text.chars().take(MAX_CHARS).collect())
}
