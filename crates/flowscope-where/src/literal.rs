use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_record::Kind;

use crate::Net;

/// A value in an expression.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// A whole number. Compared with a span of time, it is seconds.
    Number(u64),
    /// A number that is finite, positive and not whole. Compared with a span of time, it is seconds.
    Decimal(f64),
    /// A span of time.
    Duration(Duration),
    /// A point in time.
    Time(Timestamp),
    /// An address.
    Addr(IpAddr),
    /// A network.
    Net(Net),
    /// Text.
    Text(String),
}

impl Literal {
    /// What a word means where a field has values of these kinds, none of which is a list; `None` if nothing.
    /// In quotes it is text, unless no kind is.
    pub(crate) fn read(word: &str, quoted: bool, kinds: &[Kind]) -> Option<Self> {
        let is_text = kinds.iter().any(|kind| matches!(kind, Kind::Text | Kind::Bytes));
        if quoted && is_text {
            return Some(Literal::Text(word.to_owned()));
        }
        let typed = |kind: &Kind| match kind {
            Kind::Bool => word.parse().ok().map(Literal::Bool),
            Kind::U64 | Kind::F64 => number(word),
            Kind::Duration => number(word).or_else(|| duration(word).map(Literal::Duration)),
            Kind::Time => time(word).map(Literal::Time),
            Kind::Addr => {
                let net = || word.parse().ok().map(Literal::Net);
                word.parse().ok().map(Literal::Addr).or_else(net)
            }
            _ => None,
        };
        let text = || is_text.then(|| Literal::Text(word.to_owned()));
        kinds.iter().find_map(typed).or_else(text)
    }
}

/// A number, with a unit or without: `7`, `0.5`, `1.5M`, `20kB`.
fn number(word: &str) -> Option<Literal> {
    let (digits, unit) = split(word)?;
    let factor = match unit.strip_suffix('B').unwrap_or(unit) {
        "" => 1_u64,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => return None,
    };
    if let Some(whole) = scaled(digits, factor) {
        return Some(Literal::Number(whole));
    }
    let (_, fraction) = digits.split_once('.')?;
    // Beyond that, numbers of this type are all whole.
    let value = digits.parse::<f64>().ok()? * factor as f64;
    let is_fraction = value < MOST_EXACT && value.fract() != 0.0 && !fraction.is_empty();
    is_fraction.then_some(Literal::Decimal(value))
}

/// 2^53.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// A span of time: digits and a unit.
fn duration(word: &str) -> Option<Duration> {
    let (digits, unit) = split(word)?;
    let factor = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    scaled(digits, factor).map(Duration::from_nanos)
}

/// Digits, at most one dot between them, and what comes behind.
fn split(word: &str) -> Option<(&str, &str)> {
    let len = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (digits, unit) = word.split_at(len);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.');
    is_number.then_some((digits, unit))
}

/// `digits` times `factor`, if that is whole.
fn scaled(digits: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let power = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(factor.into())?;
    if part % power != 0 {
        return None;
    }
    whole.checked_add(u64::try_from(part / power).ok()?)
}

/// A point in time as RFC 3339 writes it in UTC; the time of day may be left out, or end with its minutes.
fn time(word: &str) -> Option<Timestamp> {
    let word = word.strip_suffix(['Z', 'z']).unwrap_or(word);
    let (date, of_day) = match word.split_once(['T', 't', ' ']) {
        Some((date, of_day)) => (date, of_day),
        None => (word, "00:00"),
    };
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (hour, rest) = of_day.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "0"));
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let field = |text: &str, most: usize| -> Option<u64> {
        let is_number = (1..=most).contains(&text.len());
        (is_number && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let (year, month, day) = (field(year, 4)?, field(month, 2)?, field(day, 2)?);
    let (hour, minute, second) = (field(hour, 2)?, field(minute, 2)?, field(second, 2)?);
    let nanos = field(fraction, 9)? * 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let days_of = |month: u64| match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=days_of(month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let before = year - 1;
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let days = (year - 1970) * 365 + leap_days(before) - leap_days(1969);
    let days = days + (1..month).map(days_of).sum::<u64>() + day - 1;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

/// Whether a year has a 29th of February.
fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Bool(flag) => write!(f, "{flag}"),
            Literal::Number(number) => write!(f, "{number}"),
            Literal::Decimal(number) => write!(f, "{number}"),
            Literal::Duration(span) => {
                let nanos = span.as_nanos();
                let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
                let unit = units.into_iter().find(|(factor, _)| nanos % factor == 0);
                let (factor, unit) = unit.unwrap_or((1, "ns"));
                write!(f, "{}{unit}", nanos / factor)
            }
            Literal::Time(ts) => write_time(*ts, f),
            Literal::Addr(addr) => write!(f, "{addr}"),
            Literal::Net(net) => write!(f, "{net}"),
            Literal::Text(text) => {
                f.write_char('"')?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        _ if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                        _ => f.write_char(c)?,
                    }
                }
                f.write_char('"')
            }
        }
    }
}

/// Year, month and day are counted down from the days: an expression has few of them.
fn write_time(ts: Timestamp, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (seconds, nanos) = (ts.as_nanos() / 1_000_000_000, ts.as_nanos() % 1_000_000_000);
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    write!(f, "{year}-{month:02}-{:02}T", days + 1)?;
    write!(f, "{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)?;
    if nanos > 0 {
        write!(f, ".{nanos:09}")?;
    }
    f.write_char('Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, word: &str, expected: Option<&str>) {
        let read = Literal::read(word, false, &[kind]);
        assert_eq!(read.as_ref().map(Literal::to_string).as_deref(), expected, "{word}");
        if let Some(read) = read {
            let printed = read.to_string();
            let content = printed.trim_matches('"');
            assert_eq!(Literal::read(content, false, &[kind]), Some(read), "{printed}");
        }
    }

    #[test]
    fn numbers() {
        check(Kind::U64, "0", Some("0"));
        check(Kind::U64, "18446744073709551615", Some("18446744073709551615"));
        check(Kind::U64, "18446744073709551616", None);
        check(Kind::U64, "1.5M", Some("1500000"));
        check(Kind::U64, "1.001M", Some("1001000"));
        check(Kind::U64, "20kB", Some("20000"));
        check(Kind::U64, "3G", Some("3000000000"));
        check(Kind::U64, "2T", Some("2000000000000"));
        check(Kind::U64, "5.0", Some("5"));
        check(Kind::U64, "0.25", Some("0.25"));
        check(Kind::U64, "0.0001K", Some("0.1"));
        check(Kind::U64, "0.1234567890123456789", Some("0.12345678901234568"));
        for wrong in ["", "-1", "1.", ".5", "1.2.3", "M", "1X", "1e3", "0x10", "1m"] {
            check(Kind::U64, wrong, None);
        }
    }

    #[test]
    fn years_and_months_begin_on_their_first_day() {
        for day in [
            "1970-01-31",
            "1970-02-01",
            "1970-12-31",
            "1971-01-01",
            "1972-02-29",
            "1972-12-31",
            "1973-01-01",
            "2000-02-29",
            "2100-02-28",
            "2100-03-01",
        ] {
            let time = format!("{day}T00:00:00Z");
            check(Kind::Time, &time, Some(&time));
        }
    }

    #[test]
    fn spans() {
        check(Kind::Duration, "10ms", Some("10ms"));
        check(Kind::Duration, "1.5s", Some("1500ms"));
        check(Kind::Duration, "5m", Some("300s"));
        check(Kind::Duration, "2min", Some("120s"));
        check(Kind::Duration, "1d", Some("86400s"));
        check(Kind::Duration, "2h", Some("7200s"));
        check(Kind::Duration, "3us", Some("3us"));
        check(Kind::Duration, "7ns", Some("7ns"));
        check(Kind::Duration, "250µs", Some("250us"));
        check(Kind::Duration, "3", Some("3"));
        check(Kind::Duration, "0s", Some("0s"));
        check(Kind::Duration, "1w", None);
        check(Kind::Duration, "99999999999d", None);
    }

    #[test]
    fn times() {
        let time = |word: &str, expected| check(Kind::Time, word, expected);
        time("2026-11-22T22:05:19Z", Some("2026-11-22T22:05:19Z"));
        time("2026-11-22T22:05:19.5", Some("2026-11-22T22:05:19.500000000Z"));
        time("2026-11-22 22:05", Some("2026-11-22T22:05:00Z"));
        time("2024-02-29", Some("2024-02-29T00:00:00Z"));
        time("1970-01-01", Some("1970-01-01T00:00:00Z"));
        time("2100-03-01", Some("2100-03-01T00:00:00Z"));
        time("2000-12-31T23:59:59Z", Some("2000-12-31T23:59:59Z"));
        for wrong in [
            "2026-02-29",
            "2026-13-01",
            "1969-12-31",
            "2026-1",
            "2026-01-01T24:00",
            "soon",
            "9999-01-01",
            "2026-+1-01",
            "01970-01-01",
            "2026-001-01",
            "2026-01-01T00:60",
            "2026-01-01T00:00:60",
            "2026-01-01T00:00:00.1234567890",
        ] {
            time(wrong, None);
        }
        let seconds = |word: &str| match Literal::read(word, false, &[Kind::Time]) {
            Some(Literal::Time(ts)) => ts.as_nanos() / 1_000_000_000,
            other => panic!("{other:?}"),
        };
        assert_eq!(seconds("2026-01-02T03:04:05Z"), 1_767_323_045);
    }

    #[test]
    fn a_word_is_what_the_field_is() {
        check(Kind::Text, "443", Some("\"443\""));
        check(Kind::Bytes, "a.example", Some("\"a.example\""));
        check(Kind::Addr, "::1", Some("::1"));
        check(Kind::Addr, "10.1.0.0/8", Some("10.0.0.0/8"));
        check(Kind::Addr, "example.com", None);
        check(Kind::Bool, "true", Some("true"));
        check(Kind::Bool, "1", None);
        let both = [Kind::U64, Kind::Text];
        assert_eq!(Literal::read("404", false, &both), Some(Literal::Number(404)));
        assert_eq!(Literal::read("404", true, &both), Some(Literal::Text("404".into())));
        assert_eq!(Literal::read("OK", false, &both), Some(Literal::Text("OK".into())));
        assert_eq!(Literal::read("404", true, &[Kind::U64]), Some(Literal::Number(404)));
    }
}
