use std::time::Duration;

use flowscope_record::digit_pair;

use crate::decimal;

/// Appends a span in seconds: the shortest decimal that reads as the same `f64`.
///
/// That is the span's own digits, without zeros behind them, where the `f64` is the one next to the span:
/// two decimals of fifteen digits are never next to the same.
pub(super) fn write(span: Duration, out: &mut Vec<u8>) {
    let (secs, nanos) = (span.as_secs(), span.subsec_nanos());
    let is_exact = secs < 1_000_000
        && (secs * 1_000_000_000 + u64::from(nanos)) as f64 / 1e9 == span.as_secs_f64();
    if !is_exact {
        return super::display(span.as_secs_f64(), out);
    }
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

    #[test]
    fn spans_are_as_their_floats_display() {
        let check = |span: Duration| {
            let mut out = Vec::new();
            write(span, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), span.as_secs_f64().to_string(), "{span:?}");
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
