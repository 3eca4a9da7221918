use std::time::Duration;

use flowscope_record::digit_pair;

use crate::decimal;

/// Appends a span in seconds: all its digits, without zeros behind them.
///
/// The `f64` of a sum of whole seconds and of a fraction is rounded twice, so that 1.815673 s could read
/// 1.8156729999999999; the digits themselves are never rounded here.
pub(super) fn write(span: Duration, out: &mut Vec<u8>) {
    let (secs, nanos) = (span.as_secs(), span.subsec_nanos());
    decimal::write(secs, out);
    if nanos == 0 {
        return;
    }
    let [[b, c], [d, e], [f, g], [h, i]] =
        [1_000_000, 10_000, 100, 1].map(|scale| digit_pair((nanos / scale).into()));
    let text = [b'.', b'0' + (nanos / 100_000_000) as u8, b, c, d, e, f, g, h, i];
    let zeros = text.iter().rev().take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(&text);
    out.truncate(out.len() - zeros);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(span: Duration) -> String {
        let mut out = Vec::new();
        write(span, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_span_has_its_own_digits() {
        // Each is one that the `f64` of whole seconds and fraction misses.
        for (micros, expected) in [(1_815_673, "1.815673"), (1_791_797, "1.791797")] {
            assert_eq!(text(Duration::from_micros(micros)), expected);
        }
        assert_eq!(text(Duration::ZERO), "0");
        assert_eq!(text(Duration::new(7, 1)), "7.000000001");
        assert_eq!(text(Duration::MAX), "18446744073709551615.999999999");
    }

    #[test]
    fn digits_read_as_the_same_span() {
        let check = |span: Duration| {
            let text = text(span);
            let (secs, fraction) = text.split_once('.').unwrap_or((&text, ""));
            assert!(!fraction.ends_with('0') && fraction.len() <= 9, "{text}");
            let nanos = format!("{fraction:0<9}").parse().unwrap();
            assert_eq!(Duration::new(secs.parse().unwrap(), nanos), span, "{text}");
        };
        let nanos = [0, 1, 10, 999, 36_210, 1_000_000, 100_000_000, 123_456_789, 999_999_999];
        for secs in [0, 1, 2, 59, 4095, 999_999, 1_000_000, 1 << 32, 1 << 53, u64::MAX] {
            nanos.into_iter().for_each(|nanos| check(Duration::new(secs, nanos)));
        }
        // Spans of all lengths, in no order: the multiplier is that of a linear congruential generator.
        let mut state = 1_u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            check(Duration::from_nanos(state >> 8 >> (state % 56)));
        }
    }
}
