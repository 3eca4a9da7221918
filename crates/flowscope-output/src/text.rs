//! Text of times and names, and text made fit for where it lands.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::net::IpAddr;

use flowscope_core::Timestamp;
use flowscope_record::{Short, digit_pair};

use crate::json::addr;

/// Text for a terminal or a log: control characters, and those that turn the direction of writing
/// or break lines, are spelled out. Nothing else is changed.
#[must_use]
pub fn terminal(text: &str) -> Cow<'_, str> {
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

/// The text of an address, the same as in all formats (RFC 5952 §4). It is in `buffer`, which is cleared before:
/// reuse it for many addresses.
#[must_use]
pub fn address_text(address: IpAddr, buffer: &mut Vec<u8>) -> &str {
    buffer.clear();
    addr::write(address, buffer);
    str::from_utf8(buffer).unwrap_or_default()
}

/// A time in UTC as RFC 3339 has it: microseconds, or nanoseconds where there are any.
#[must_use]
pub fn rfc3339(ts: Timestamp) -> Short<32> {
    let (text, len) = rfc3339_bytes(ts);
    Short::copy_of(str::from_utf8(&text[..len]).unwrap_or_default())
}

/// The time that [`rfc3339`] writes so; fractions of a second may have any number of digits up to nine.
pub(crate) fn time_of_rfc3339(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize, least: u64, most: u64| {
        let digits = text.get(from..to).filter(|part| part.bytes().all(|c| c.is_ascii_digit()))?;
        digits.parse().ok().filter(|number: &u64| (least..=most).contains(number))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let separated = |(at, separator): &(usize, u8)| text.as_bytes().get(*at) == Some(separator);
    if !separators.iter().all(separated) {
        return None;
    }
    let (year, month, day) =
        (number(0, 4, 1970, 9999)?, number(5, 7, 1, 12)?, number(8, 10, 1, 31)?);
    let days = days_since_1970(year, month, day);
    if civil(u32::try_from(days).ok()?) != (year as u32, month as u32, day as u32) {
        return None;
    }
    let (hour, minute) = (number(11, 13, 0, 23)?, number(14, 16, 0, 59)?);
    let secs = days * 86_400 + hour * 3600 + minute * 60 + number(17, 19, 0, 59)?;
    let fraction = match text.get(19..)?.strip_suffix('Z')? {
        "" => 0,
        fraction => {
            let digits =
                fraction.strip_prefix('.').filter(|digits| (1..=9).contains(&digits.len()))?;
            let number = number(20, 20 + digits.len(), 0, 999_999_999)?;
            number * 10_u64.pow(9 - digits.len() as u32)
        }
    };
    Some(Timestamp::from_nanos(secs.checked_mul(1_000_000_000)?.checked_add(fraction)?))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, from that day on.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The characters of a time, and how many they are.
pub(crate) fn rfc3339_bytes(ts: Timestamp) -> ([u8; 30], usize) {
    let (secs, nanos) = (ts.as_nanos() / 1_000_000_000, (ts.as_nanos() % 1_000_000_000) as u32);
    let (days, time) = ((secs / 86_400) as u32, (secs % 86_400) as u32);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    let mut put =
        |at: usize, number: u32| text[at..at + 2].copy_from_slice(&digit_pair(number.into()));
    put(0, year / 100);
    put(2, year);
    put(5, month);
    put(8, day);
    put(11, time / 3600);
    put(14, time / 60 % 60);
    put(17, time % 60);
    let (micros, rest) = (nanos / 1000, nanos % 1000);
    put(20, micros / 10_000);
    put(22, micros / 100);
    put(24, micros);
    if rest == 0 {
        text[26] = b'Z';
        return (text, 27);
    }
    text[26] = b'0' + (rest / 100) as u8;
    text[27..29].copy_from_slice(&digit_pair(rest.into()));
    (text, 30)
}

/// Year, month and day of the Gregorian calendar, of a number of days since 1970-01-01; until 2555.
///
/// Years begin in March here, so that the day that leap years have more is their last.
fn civil(days: u32) -> (u32, u32, u32) {
    // 400 years have 146 097 days; 1970-01-01 is 719 468 days after 0000-03-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

/// A name like Zeek's `uid`, the same on every run: `C` and the flow's id, mixed, in base 62. Different
/// ids have different names, since mixing is a bijection and eleven digits hold 64 bits.
#[must_use]
pub fn zeek_uid(flow_id: u64) -> Short<12> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // The finaliser of SplitMix64.
    let mut mixed = flow_id.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let mut text = [b'C'; 12];
    for digit in text[1..].iter_mut().rev() {
        *digit = DIGITS[(mixed % 62) as usize];
        mixed /= 62;
    }
    Short::copy_of(str::from_utf8(&text).unwrap_or_default())
}

/// A time as in Zeek's `#open`: `2026-01-02-03-04-05`.
pub(crate) struct Stamp(pub(crate) Timestamp);

impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = rfc3339(self.0);
        let (seconds, _) = text.as_str().split_once('.').unwrap_or_default();
        f.write_str(&seconds.replace(['T', ':'], "-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(terminal("résumé.pcap: byte 24"), "résumé.pcap: byte 24");
        assert_eq!(terminal("\x1b[2Ja\u{202e}b\u{9b}31m\n"), "\\u{1b}[2Ja\\u{202e}b\\u{9b}31m\\n");
    }

    /// The characters that turn the direction of writing, break lines or are not seen (Unicode, blocks General
    /// Punctuation and Arabic), and their neighbours that are seen.
    #[test]
    fn characters_that_are_not_seen_are_spelled_out() {
        for c in "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{206f}\u{feff}".chars() {
            assert_eq!(terminal(&c.to_string()), c.escape_unicode().to_string());
        }
        for c in "\u{61b}\u{200a}\u{2010}\u{2027}\u{202f}\u{205f}\u{2070}".chars() {
            assert_eq!(terminal(&c.to_string()), c.to_string());
        }
    }

    #[test]
    fn addresses_have_no_quotes() {
        let mut buffer = b"what was there".to_vec();
        assert_eq!(address_text([192, 0, 2, 1].into(), &mut buffer), "192.0.2.1");
        let address = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x1a];
        assert_eq!(address_text(address.into(), &mut buffer), "2001:db8::1a");
        assert_eq!(address_text([0_u16; 8].into(), &mut buffer), "::");
    }

    #[test]
    fn times_have_six_digits_or_nine() {
        let text = |nanos| rfc3339(Timestamp::from_nanos(nanos)).as_str().to_owned();
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(1_767_323_045_123_456_000), "2026-01-02T03:04:05.123456Z");
        assert_eq!(text(1_767_323_045_123_456_789), "2026-01-02T03:04:05.123456789Z");
        assert_eq!(text(u64::MAX), "2554-07-21T23:34:33.709551615Z");
        assert_eq!(Stamp(Timestamp::ZERO).to_string(), "1970-01-01-00-00-00");
    }

    #[test]
    fn every_day_has_its_date() {
        for day in 0..213_503_u64 {
            let time = jiff::Timestamp::from_second(day as i64 * 86_400).unwrap();
            let own = rfc3339(Timestamp::from_secs(day * 86_400));
            assert_eq!(own.as_str().split_once('.').unwrap().0, &time.to_string()[..19]);
            assert_eq!(time_of_rfc3339(own.as_str()), Some(Timestamp::from_secs(day * 86_400)));
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let read = |text: &str| time_of_rfc3339(text).map(Timestamp::as_nanos);
        for nanos in [0, 1_767_323_045_123_456_000, 1_767_323_045_123_456_789, u64::MAX] {
            assert_eq!(read(rfc3339(Timestamp::from_nanos(nanos)).as_str()), Some(nanos));
        }
        assert_eq!(read("1970-01-01T00:00:01Z"), Some(1_000_000_000));
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:01",
            "1970-01-01T00:00:01.Z",
            "1970-01-01T00:00:01.0000000000Z",
            "1970-01-01T00:00:01.5ZZ",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T24:00:00Z",
            "1970-02-29T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2554-07-21T23:34:33.709551616Z",
            "9999-12-31T23:59:59Z",
            "1970-01-01 00:00:01Z",
            "1970-01-01T00:00:+1Z",
            "1970-01-01T00:00:01.+5Z",
            "1970-01-0\u{e9}T00:00:01Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn uids_are_stable_and_differ() {
        assert_eq!(zeek_uid(1), zeek_uid(1));
        let mut names: Vec<_> = (0..1000).map(|id| zeek_uid(id).as_str().to_owned()).collect();
        assert!(names.iter().all(|name| name.len() == 12 && name.starts_with('C')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 1000);
    }
}
