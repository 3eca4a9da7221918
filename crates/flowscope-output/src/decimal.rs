//! Decimal digits, two at a time.

use flowscope_record::digit_pair;

/// Appends a number.
#[inline]
pub(crate) fn write(n: u64, out: &mut Vec<u8>) {
    if n < 10 {
        out.push(b'0' + n as u8);
    } else {
        write_long(n, out);
    }
}

fn write_long(mut n: u64, out: &mut Vec<u8>) {
    // As many digits as the largest number has, and room to copy that many from any of them: a copy of
    // constant length is cheaper than one of the right length.
    let mut text = [b'0'; 2 * MAX_DIGITS];
    let mut start = MAX_DIGITS;
    while n >= 10 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&digit_pair(n));
        n /= 100;
    }
    if n > 0 {
        start -= 1;
        text[start] = b'0' + n as u8;
    }
    out.extend_from_slice(&text[start..start + MAX_DIGITS]);
    out.truncate(out.len() - start);
}

/// Digits of [`u64::MAX`].
const MAX_DIGITS: usize = 20;

/// Appends the number of a byte.
#[inline]
pub(crate) fn write_byte(n: u8, out: &mut Vec<u8>) {
    let [tens, ones] = digit_pair(n.into());
    match n {
        0..10 => out.push(ones),
        10..100 => out.extend_from_slice(&[tens, ones]),
        100.. => out.extend_from_slice(&[b'0' + n / 100, tens, ones]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_digits() {
        let check = |n: u64| {
            let mut out = b"=".to_vec();
            write(n, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("={n}"));
        };
        (0..=100_000).for_each(check);
        for digits in 1..20 {
            let power = 10_u64.pow(digits);
            [power - 1, power, power + 1, power / 2].into_iter().for_each(check);
        }
        [u64::MAX, u64::MAX - 1, 12_345_678_901_234_567_890].into_iter().for_each(check);
    }

    #[test]
    fn bytes_have_their_digits() {
        for n in 0..=u8::MAX {
            let mut out = Vec::new();
            write_byte(n, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }
}
