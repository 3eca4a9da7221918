/// The two digits of each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + n as u8 / 10, b'0' + n as u8 % 10];
        n += 1;
    }
    pairs
};

/// The two decimal digits of a number below 100 in ASCII; the last two of others. Digits taken two at a time need
/// half the divisions.
#[must_use]
#[inline]
pub fn digit_pair(n: u64) -> [u8; 2] {
    PAIRS[(n % 100) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_are_given() {
        for n in (0..1000).chain([u64::MAX]) {
            assert_eq!(digit_pair(n).as_slice(), format!("{:02}", n % 100).as_bytes());
        }
    }
}
