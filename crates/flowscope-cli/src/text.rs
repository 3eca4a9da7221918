//! Text, made fit for where it lands.

use std::borrow::Cow;
use std::fmt::{self, Write};

use flowscope::core::Timestamp;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};

/// Text for a terminal or a log: control characters, and those that turn the direction of writing
/// or break lines, are spelled out. Nothing else is changed.
pub(crate) fn terminal(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

fn is_unprintable(c: char) -> bool {
    let turns_or_breaks = matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    c.is_control() || turns_or_breaks
}

/// Bytes from the wire as text: UTF-8 as it is, every other byte as `\xNN`.
pub(crate) fn wire(bytes: &[u8]) -> Cow<'_, str> {
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

/// Text of at most `N` bytes, itself below 256, on the stack. What does not fit is an error of
/// `write!`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Short<N> {
    /// What `value` displays as, as far as it fits.
    pub(crate) fn of(value: impl fmt::Display) -> Self {
        let mut short = Short { bytes: [0; N], len: 0 };
        let _ = write!(short, "{value}");
        short
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl<const N: usize> Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let from = usize::from(self.len);
        let end = u8::try_from(from + text.len()).map_err(|_| fmt::Error)?;
        let room = self.bytes.get_mut(from..usize::from(end)).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl<const N: usize> Serialize for Short<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A time in UTC as RFC 3339 has it: microseconds, or nanoseconds where there are any.
pub(crate) fn rfc3339(ts: Timestamp) -> Short<32> {
    const MICROS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    const NANOS: DateTimePrinter = DateTimePrinter::new().precision(Some(9));
    let printer = if ts.as_nanos().is_multiple_of(1000) { MICROS } else { NANOS };
    let mut text = Short { bytes: [0; 32], len: 0 };
    // Every 64-bit count of nanoseconds is before the year 2555, so within range.
    if let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(ts.as_nanos())) {
        let _ = printer.print_timestamp(&time, StdFmtWrite(&mut text));
    }
    text
}

/// A number of things in at most five characters: `1023`, `12.3K`, `1.20G`.
pub(crate) fn amount(n: u64) -> Short<8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(terminal("résumé.pcap: byte 24"), "résumé.pcap: byte 24");
        assert_eq!(terminal("\x1b[2Ja\u{202e}b\u{9b}31m\n"), "\\u{1b}[2Ja\\u{202e}b\\u{9b}31m\\n");
    }

    #[test]
    fn bytes_become_text() {
        assert_eq!(wire("résumé".as_bytes()), "résumé");
        assert_eq!(wire(b"a\xffb\xc3"), "a\\xffb\\xc3");
    }

    #[test]
    fn times_have_six_digits_or_nine() {
        let text = |nanos| rfc3339(Timestamp::from_nanos(nanos)).as_str().to_owned();
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(1_767_323_045_123_456_000), "2026-01-02T03:04:05.123456Z");
        assert_eq!(text(1_767_323_045_123_456_789), "2026-01-02T03:04:05.123456789Z");
        assert_eq!(text(u64::MAX), "2554-07-21T23:34:33.709551615Z");
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
