//! Times and sizes, as people write them.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

/// A span of time: plain numbers are seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let parsed = if plain {
            text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        } else {
            text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok())
        };
        parsed.map(Time).ok_or_else(|| "expected a time like 90, 1.5, 300ms, 5m or 1h30m".into())
    }
}

pub(crate) fn positive(text: &str) -> Result<Time, String> {
    let time: Time = text.parse()?;
    if time.0.is_zero() { Err("expected more than nothing".into()) } else { Ok(time) }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) NonZeroU64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return Err("expected a size like 64M, 512MiB or 2G".into()),
        };
        let number: u64 = number.parse().map_err(|_| "expected a size like 64M, 512MiB or 2G")?;
        let bytes = number.checked_mul(1 << shift).and_then(NonZeroU64::new);
        bytes.map(Size).ok_or_else(|| "expected a size between 1 byte and 16 EiB".into())
    }
}

/// The memory of flow tables: enough for each of them to hold a few flows.
pub(crate) fn memory(text: &str) -> Result<Size, String> {
    let size: Size = text.parse()?;
    if size.0.get() < LEAST_MEMORY {
        return Err("at least 256K are needed; a number without a unit is in bytes".into());
    }
    Ok(size)
}

/// 16 tables, of which each has room for a dozen flows or more.
const LEAST_MEMORY: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<u64>| {
            let millis = text.parse::<Time>().ok().map(|time| time.0.as_millis() as u64);
            assert_eq!(millis, expected, "{text}");
        };
        check("0", Some(0));
        check("90", Some(90_000));
        check("1.5", Some(1_500));
        check("300ms", Some(300));
        check("5m", Some(300_000));
        check("1h30m", Some(5_400_000));
        check("-5s", None);
        check("", None);
        check(".", None);
        check("ten", None);
        check("99999999999999999999999", None);
    }

    #[test]
    fn memory_has_a_least_amount() {
        assert!(memory("512").unwrap_err().contains("at least 256K"));
        assert!(memory("255K").is_err() && memory("much").is_err());
        assert_eq!(memory("256K").map(|size| size.0.get()), Ok(LEAST_MEMORY));
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse::<Size>().ok().map(|size| size.0.get()), expected, "{text}");
        };
        check("1", Some(1));
        check("64K", Some(64 << 10));
        check("512MiB", Some(512 << 20));
        check("2 GB", Some(2 << 30));
        check("0", None);
        check("-1", None);
        check("K", None);
        check("1T", None);
        check("99999999999G", None);
    }
}
