use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use crate::Short;

/// Bytes from the wire as text: UTF-8 as it is, every other byte as `\xNN`.
///
/// Control characters stay: the writer of the text escapes them for its destination.
#[must_use]
pub fn wire_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.into()
}

/// A number of things in at most five characters: `1023`, `12.3K`, `1.20G`.
#[must_use]
pub fn amount(n: u64) -> Short<8> {
    const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];
    if n < 10_000 {
        return Short::of(n);
    }
    let mut value = n as f64;
    let mut unit = ' ';
    for next in UNITS {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    Short::of(format_args!("{value:.decimals$}{unit}"))
}

/// A span of time in six characters or less, seven from a hundred days on; rounded down.
#[must_use]
pub fn span(time: Duration) -> String {
    match (time.as_secs(), time.subsec_micros()) {
        (0, 0) => "0s".into(),
        (0, micros @ 1..1000) => format!("{micros}us"),
        (0, micros) => format!("{}ms", micros / 1000),
        (secs @ 1..60, micros) => format!("{secs}.{:02}s", micros / 10_000),
        (secs @ 60..3600, _) => format!("{}m{:02}s", secs / 60, secs % 60),
        (secs @ 3600..86_400, _) => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
        (secs, _) => format!("{}d{:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text() {
        assert_eq!(wire_text("résumé".as_bytes()), "résumé");
        assert_eq!(wire_text(b"a\xffb\xc3"), "a\\xffb\\xc3");
    }

    #[test]
    fn amounts_are_short() {
        let cases = [
            (0, "0"),
            (9_999, "9999"),
            (10_000, "10.0K"),
            (99_949, "99.9K"),
            (99_950, "100K"),
            (999_499, "999K"),
            (999_500, "1.00M"),
            (1_200_000_000, "1.20G"),
            (u64::MAX, "18.4E"),
        ];
        for (n, expected) in cases {
            assert_eq!(amount(n).as_str(), expected, "{n}");
        }
    }
}
